// Names, values and keys for ipywidgets' controls, and one voice for the page.
//
// The widget itself is invisible. It finds the controls of its class wherever they are drawn, copies label and readout
// to aria-label and aria-valuetext whenever they change, and lets typed keys reach the control and nobody else.

const adopted = new WeakSet();

function write(node, attribute, text) {
  if (node && text && node.getAttribute(attribute) !== text) node.setAttribute(attribute, text);
}

function named(control) {
  const label = control.querySelector(".widget-label");
  const readout = control.querySelector(".widget-readout");
  const name = [label?.title, control.title, label?.textContent.trim()].find((text) => text && text !== "null"); // no tooltip
  for (const handle of control.querySelectorAll(".noUi-handle")) {
    write(handle, "aria-label", name);
    write(handle, "aria-valuetext", readout?.textContent.trim()); // what is shown is what is spoken
  }
  if (readout?.isContentEditable) {
    write(readout, "role", "textbox");
    write(readout, "aria-label", `${name}, typed`);
  }
  for (const group of control.querySelectorAll(".widget-radio-box, .widget-toggle-buttons > div")) {
    write(group, "role", group.matches(".widget-radio-box") ? "radiogroup" : "group");
    write(group, "aria-label", name);
  }
  for (const field of control.querySelectorAll("input:not([type=radio]), select")) write(field, "aria-label", name);
  for (const glyph of control.querySelectorAll("button")) if (!glyph.textContent.trim()) write(glyph, "aria-label", glyph.title);
}

// JupyterLab's command mode takes Enter, arrows and letters that bubble up to it; Ctrl-S, Escape and Tab still go through.
function keepKey(event) {
  if (!event.ctrlKey && !event.metaKey && !event.altKey && !["Escape", "Tab"].includes(event.key)) event.stopPropagation();
}

function adopt(control) {
  if (adopted.has(control)) return;
  adopted.add(control);
  const attributeFilter = ["aria-valuetext", "title"];
  new MutationObserver(() => named(control)).observe(control, {
    subtree: true, childList: true, characterData: true, attributes: true, attributeFilter,
  });
  control.addEventListener("keydown", keepKey);
  named(control);
}

// One live region outlives every widget, so that the last words of a widget that closes are heard.
function say(text) {
  let region = document.getElementById("parlib-voice");
  if (!region) {
    region = document.createElement("div");
    region.id = "parlib-voice";
    region.className = "parlib-unseen";
    region.setAttribute("role", "status");
    document.body.append(region);
  }
  region.textContent = region.textContent === text ? `${text}\u00a0` : text; // the same words twice are still news
}

function initialize({ model }) {
  model.on("msg:custom", (message) => say(message.say));
}

function render({ model, el }) {
  el.classList.add("parlib-unseen");
  let looks = 100; // the controls are drawn by others, a moment later: look for them for five seconds
  const seek = () => {
    for (const control of document.getElementsByClassName(model.get("adopts"))) adopt(control);
    if (looks--) timer = setTimeout(seek, 50);
  };
  let timer = setTimeout(seek);
  return () => clearTimeout(timer);
}

export default { initialize, render };

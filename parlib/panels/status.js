// One sentence that is seen and heard, and a bar that shows how far a measurement is.

function render({ model, el }) {
  const sentence = document.createElement("p");
  sentence.className = "parlib-status";
  sentence.setAttribute("role", "status");
  sentence.setAttribute("aria-live", "polite");
  const bar = document.createElement("progress");
  bar.className = "parlib-progress";
  bar.setAttribute("aria-label", "measuring");

  const say = () => {
    if (sentence.textContent !== model.get("text")) sentence.textContent = model.get("text");
  };
  const advance = () => {
    const done = model.get("done");
    bar.style.visibility = done < 0 ? "hidden" : "visible"; // its place is kept, so that nothing jumps
    if (done >= 0) bar.value = done;
  };
  model.on("change:text", say);
  model.on("change:done", advance);
  el.append(sentence, bar);
  say();
  advance();
}

export default { render };

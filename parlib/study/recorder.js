// Notes what a learner opens on a page of practice (see practice.py), and writes back what is known about each item.
//
// A quiz: opening an answer is answering. Cards: an open card offers two buttons, and pressing one is answering.

function note(page, notes) {
  for (const place of page.querySelectorAll("[data-note]")) {
    const text = notes[place.dataset.note] ?? "";
    if (place.textContent !== text) place.textContent = text; // an unchanged status is not spoken again
  }
}

function addButtons(card, answer) {
  const asked = document.createElement("p");
  for (const [word, label] of [["yes", "I knew it"], ["no", "Not yet"]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", () => {
      answer({ item: Number(card.dataset.item), answer: word });
      card.open = false;
      card.querySelector("summary").focus(); // the keyboard goes on where it was
    });
    asked.append(button);
  }
  card.append(asked);
}

// JupyterLab's command mode takes Enter, arrows and letters that bubble up to it.
function keepKey(event) {
  if (!event.ctrlKey && !event.metaKey && !event.altKey && !["Escape", "Tab"].includes(event.key)) event.stopPropagation();
}

function connect(page, model) {
  const answer = (message) => model.send(message);
  page.addEventListener("keydown", keepKey);
  page.addEventListener("toggle", ({ target }) => {
    if (target.open && target.dataset.answer) answer({ item: Number(target.dataset.item), answer: target.dataset.answer });
  }, true); // toggle does not bubble
  for (const card of page.querySelectorAll("details:not([data-answer])")) addButtons(card, answer);
  const refresh = () => note(page, model.get("notes"));
  model.on("change:notes", refresh);
  refresh();
  return () => model.off("change:notes", refresh);
}

function render({ model, el }) {
  let disconnect = () => {};
  let looks = 100; // the page is drawn by the notebook, a moment before or after: look for it for five seconds
  const seek = () => {
    const pages = (el.closest(".jp-Cell") ?? document).querySelectorAll(`[data-practice="${model.get("page")}"]:not([data-heard])`);
    for (const page of pages) {
      page.dataset.heard = "yes";
      disconnect = connect(page, model);
    }
    if (!pages.length && looks--) timer = setTimeout(seek, 50);
  };
  let timer = setTimeout(seek);
  return () => {
    clearTimeout(timer);
    disconnect();
  };
}

export default { render };

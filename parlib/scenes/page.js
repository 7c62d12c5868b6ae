// What a scene owes its page: keys, numbers of a tray, the table, the theme, its spare pictures; and how it gets there.

Object.assign(Scene.prototype, {
  // Typed keys reach the scene and nobody else: JupyterLab would take arrows and letters for commands.
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || ["Escape", "Tab"].includes(event.key)) return;
    event.stopPropagation();
    const onControl = event.target.matches("button, select, input"), onStage = event.target.closest(".stage");
    if (event.key === "t" && !event.target.matches("select")) this.toggleTable();
    else if (onControl || event.target.closest(".facts")) return;
    else if (onStage && event.key.startsWith("Arrow")) this.nextTray(onStage, event.key === "ArrowRight" || event.key === "ArrowDown" ? 1 : -1);
    else if (!this.travel(event.key)) return;
    event.preventDefault();
  },

  travel(key) {
    const big = Math.max(2, Math.round(this.events.length / 10));
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: big, PageDown: -big };
    if (key === " " || key === "Enter") this.toggle();
    else if (this.play.disabled) return key in steps || key === "Home" || key === "End";
    else if (key in steps) {
      if (this.playing) this.pause(false);
      this.step(steps[key]);
    } else if (key === "Home" || key === "End") {
      this.seek(key === "Home" ? 0 : this.end);
      this.say(this.t >= this.end ? this.verdict() : this.summary(), true);
    } else return false;
    return true;
  },

  nextTray(stage, onward) {
    const trays = [...stage.querySelectorAll(".tray")].sort((a, b) => a.row - b.row);
    if (!trays.length) return;
    const here = trays.indexOf(document.activeElement);
    const tray = trays[(here + onward + trays.length) % trays.length], side = this.sides.find((one) => one.stage.node === stage);
    tray.setAttribute("role", "img");
    tray.setAttribute("aria-label", this.words(side.score, tray.row).replaceAll("\n", ", "));
    tray.focus({ preventScroll: true });
  },

  // ---- The numbers of a tray ---------------------------------------------------------------------------------------

  words(score, row) {
    const k = score.tasks, error = k.errors[row], size = (k.items || [])[row];
    const head = `${k.name[row]}${size > 1 ? ` (${size} items)` : ""}`;
    if (k.started[row] === null) return `${head}\nnever started`;
    const needs = needsOf(score, row).map((need) => k.name[need]).join(", ");
    const lines = [head, `worker ${k.worker[row]}, ${seconds(k.finished[row] - k.started[row])} on the bench`];
    lines.push(`from ${seconds(k.started[row])} to ${seconds(k.finished[row])}`);
    const way = k.started[row] - k.submitted[row] + k.received[row] - k.finished[row];
    if (way > 1e-6 * score.finish) lines.push(`${seconds(way)} on the way`);
    if (k.share[row] < 0.99) lines.push(`computing ${Math.round(100 * k.share[row])} % of it`);
    if (needs) lines.push(`needs ${needs}`);
    if (error !== undefined) lines.push(`failed: ${error}`);
    return lines.join("\n");
  },

  // Show the numbers of a tray beside the pointer, or beside the tray that has the focus.
  point(side, row, event) {
    this.halo?.remove();
    this.tip.hidden = row === null;
    if (row === null) return;
    this.tip.textContent = this.words(side.score, row);
    const tray = side.stage.trays.get(row)?.node, frame = this.root.getBoundingClientRect();
    if (tray) this.halo = make("ellipse", { class: "halo", cx: 0, cy: -14, rx: 44, ry: 28 }, tray);
    const box = event?.clientX === undefined ? (tray || side.stage.svg).getBoundingClientRect() : { right: event.clientX, top: event.clientY };
    const left = Math.min(box.right - frame.left + 12, frame.width - 250);
    this.tip.style.left = `${Math.max(4, left)}px`;
    this.tip.style.top = `${Math.max(4, Math.min(box.top - frame.top + 12, frame.height - this.tip.offsetHeight - 4))}px`;
  },

  // ---- The same facts as a table -----------------------------------------------------------------------------------

  toggleTable() {
    this.facts.hidden = !this.facts.hidden;
    this.tableButton.setAttribute("aria-expanded", String(!this.facts.hidden));
    if (this.facts.hidden) return this.tableButton.focus();
    if (this.covered()) this.facts.textContent = "The table holds the outcome: it opens when you have guessed and looked.";
    else this.table();
    return this.facts.focus();
  },

  table() {
    this.facts.replaceChildren();
    for (const score of this.scores) {
      const name = this.scores.length > 1 ? ` of ${score.title}` : "";
      this.rows(`${score.said} ${score.caption}`, ["", "", ""].slice(0, 0), []);
      if (score.groups !== undefined) continue;
      const people = score.bakers.map((numbers, number) => [number, numbers[0], ...numbers.slice(1).map(seconds)]);
      this.rows(`Workers${name}`, ["worker", "trays", "busy", "walking", "idle"], people);
      const k = score.tasks, shown = Math.min(200, k.name.length);
      const trays = Array.from({ length: shown }, (_, row) => {
        if (k.started[row] === null) return [k.name[row], "–", "never started", "–", "–"];
        return [k.name[row], k.worker[row], seconds(k.started[row]), seconds(k.finished[row]), k.errors[row] || seconds(k.finished[row] - k.started[row])];
      });
      this.rows(`Trays${name}${shown < k.name.length ? `, the first ${shown} of ${k.name.length}` : ""}`, ["tray", "worker", "started", "finished", "on the bench"], trays);
    }
  },

  rows(caption, heads, rows) {
    if (!heads.length) return void el("p", {}, this.facts, caption);
    const table = el("table", {}, this.facts);
    el("caption", {}, table, caption);
    const head = el("tr", {}, el("thead", {}, table)), body = el("tbody", {}, table);
    for (const name of heads) el("th", { scope: "col" }, head, name);
    for (const row of rows) {
      const line = el("tr", {}, body);
      row.forEach((cell, place) => el(place ? "td" : "th", place ? {} : { scope: "row" }, line, cell));
    }
    return undefined;
  },

  // ---- The page around it ------------------------------------------------------------------------------------------

  watch() {
    this.sight = new IntersectionObserver(([entry]) => !entry.isIntersecting && this.playing && this.pause(false));
    this.sight.observe(this.root);
    this.measure = new ResizeObserver(() => this.sides && this.fit(false));
    this.measure.observe(this.root);
    this.theme = new MutationObserver(() => this.color());
    this.theme.observe(document.body, { attributes: true });
    this.color();
  },

  // Dark where the page is dark: JupyterLab and VS Code say so; elsewhere the page's own color does.
  color() {
    let body = document.body;
    try {
      body = window.frameElement?.ownerDocument.body ?? body;
    } catch { /* a page that keeps its frames apart */ }
    const said = body.dataset.jpThemeLight, parts = getComputedStyle(body).backgroundColor.match(/[\d.]+/g).map(Number);
    const black = parts[3] !== 0 && parts[0] + parts[1] + parts[2] < 300;
    const was = this.root.classList.contains("dark"), dark = said ? said === "false" : body.classList.contains("vscode-dark") || black;
    this.root.classList.toggle("dark", dark);
    if (was !== dark && this.sides) this.fit(true);
  },

  close() {
    this.pause(false);
    for (const watcher of [this.sight, this.measure, this.theme]) watcher.disconnect();
    clearTimeout(this.waiting);
  },
});

// Where this scene lives, its spare copies are not needed: the replay without a kernel, and the still picture. Each is
// closed once, also when Python puts a new one in its place; whoever opens it again wants to see it.
function fold(name) {
  for (const spare of document.querySelectorAll(`details[data-parlib-twin="${name}"], details[data-parlib-still="${name}"]`)) {
    if (!spare.folded) spare.open = false;
    spare.folded = true;
  }
}

function render({ model, el: place }) {
  const root = el("div", {}, place); // on the page first: sizes and colors are asked of it
  const scene = new Scene(model, root), name = model.get("name");
  const change = () => {
    const anew = scene.model.get("score");
    if (anew !== scene.shown) scene.load();
    scene.shown = anew;
  };
  scene.shown = model.get("score");
  const news = () => scene.hearPython();
  const guessed = () => {
    if (scene.guess === model.get("guess") && !scene.card.hidden === (scene.guess === null)) return;
    scene.guess = model.get("guess");
    scene.ask();
    scene.fit(true);
  };
  model.on("change:score", change);
  model.on("change:news change:baking", news);
  model.on("change:guess change:question", guessed);
  const looking = setInterval(() => fold(name), 300);
  return () => {
    clearInterval(looking);
    scene.close();
  };
}

export default { render };

// The scene: one stage or two, their timelines, and everything a learner can press; it plays without a kernel.
//
// Python writes `score` (what is where, when) into the model; the learner's sliders, the wish to bake for real and the
// guess go back. Between them nothing travels: playing is moment → draw, sixty times a second, for a pure moment.

const WHOLE = 12; // seconds that a performance takes at speed 1, whatever it took
const SPEEDS = [0.25, 0.5, 1, 2, 4];
const TELL = 90; // milliseconds between two changes of the numbers while it plays: more often nobody can read them
const STEP = 650; // milliseconds for a picture where motion is not wanted

function el(name, attributes = {}, parent = null, text = null) {
  const node = document.createElement(name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== null) node.textContent = text;
  parent?.append(node);
  return node;
}

class Scene {
  constructor(model, root) {
    Object.assign(this, { model, root, t: 0, speed: 1, playing: false, seen: false, narrow: null });
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    root.className = "parlib-scene";
    root.setAttribute("role", "region");
    root.scene = this;
    this.stages = el("div", { class: "stages" }, root);
    this.question();
    this.controls();
    this.knobs();
    this.facts = el("div", { class: "facts", tabindex: 0, role: "region", "aria-label": "Table of the scene", hidden: "" }, root);
    this.voice = el("div", { class: "unseen", role: "status", "aria-live": "polite" }, root);
    this.tip = el("div", { class: "tip", hidden: "" }, root);
    root.addEventListener("keydown", (event) => this.key(event));
    this.watch();
    this.load();
  }

  // ---- A new score -------------------------------------------------------------------------------------------------

  load() {
    this.pause(false);
    const score = this.model.get("score");
    this.scores = score.sides || [score];
    this.end = Math.max(...this.scores.map((one) => one.end));
    this.root.setAttribute("aria-label", this.scores.map((one) => `${one.scene === "kitchen" ? "Kitchen" : "Bakery"} ${one.title}`).join(" against "));
    this.stages.replaceChildren();
    this.sides = this.scores.map((one) => this.side(one));
    const events = this.sides.flatMap((side) => side.ready.events);
    this.events = [...new Set([...events, this.end])].sort((a, b) => a - b).filter((t, place, all) => !place || t - all[place - 1] > 1e-9 * this.end);
    const sources = [...new Set(this.scores.map((one) => one.source))];
    this.badge.textContent = sources.join(" and ").replace(/^./, (letter) => letter.toUpperCase());
    this.badge.className = `badge ${sources[0].split(" ")[0]}`;
    this.badge.title = this.scores[0].caption;
    this.guess = this.model.get("guess");
    this.ask();
    this.fit(true);
    this.table();
    this.hearPython();
    this.t = 0;
    this.draw();
  }

  side(score) {
    const ready = prepared(score), node = el("div", { class: "side" }, this.stages);
    node.style.cssText = "flex: 1 1 0; min-width: 0; background: var(--page)";
    const side = { score, ready, node };
    if (this.scores.length > 1) el("div", { class: "strip", style: "font-weight: 700" }, node, score.title);
    const hear = { seek: (t) => this.seek(t), tip: (row, event) => this.point(side, row, event) };
    side.stage = new Stage(score, ready);
    side.timeline = new Timeline(score, hear);
    side.stage.svg.addEventListener("pointerover", (event) => this.point(side, event.target.closest(".tray")?.row ?? null, event));
    side.stage.svg.addEventListener("focusin", (event) => this.point(side, event.target.closest(".tray")?.row ?? null, event));
    side.stage.svg.addEventListener("focusout", () => this.point(side, null));
    side.stage.svg.addEventListener("pointerleave", () => this.point(side, null));
    node.append(side.stage.node, side.timeline.node);
    return side;
  }

  // Choose the wide or the narrow stage, and draw the timelines as wide as they are.
  fit(anew) {
    const wide = this.root.clientWidth || 900, each = wide / (wide > 640 ? this.scores.length : 1), narrow = each < 560;
    if (!anew && wide === this.wide) return;
    this.wide = wide;
    const guess = typeof this.guess === "number" ? this.guess : 0, most = 3 * this.end; // an axis that ends with the run would tell
    const { high, scale } = this.model.get("question") || {}, hidden = this.covered() ? Math.min(high ?? scale ?? 0, most) : 0;
    const horizon = Math.max(this.end, Math.min(1.02 * guess, most), hidden);
    for (const side of this.sides) {
      if (anew || narrow !== this.narrow) side.stage.furnish(narrow);
      side.timeline.guess = typeof this.guess === "number" ? this.guess : null;
      side.timeline.furnish(Math.max(240, each - 30), horizon);
      side.timeline.cover(this.covered());
    }
    this.narrow = narrow;
    this.draw();
  }

  covered() {
    return this.asking && !this.seen;
  }

  // ---- Before you press play ---------------------------------------------------------------------------------------

  question() {
    this.card = el("div", { class: "strip ask", role: "group", "aria-label": "Your prediction" }, this.root);
  }

  // Show the question until it is answered; what is asked comes from Python.
  ask() {
    const asked = this.model.get("question");
    this.asking = Boolean(asked && asked.text);
    const open = this.asking && this.guess === null && !this.seen;
    this.card.hidden = !open;
    this.play.disabled = open;
    this.card.replaceChildren();
    if (!open) return;
    el("p", {}, this.card, `Before you press play: ${asked.text}`);
    if (asked.choices) for (const choice of asked.choices) el("button", {}, this.card, choice).onclick = () => this.commit(choice);
    else if (asked.high) this.slider(asked);
    el("button", {}, this.card, "Watch without guessing").onclick = () => this.commit(undefined);
  }

  slider({ high, step }) {
    const label = el("label", {}, this.card, "My guess"), input = el("input", { type: "range", min: 0, max: high, step, value: high / 2 }, label);
    const said = el("output", {}, label, "…"), button = el("button", { class: "main", disabled: "" }, this.card, "That is my guess");
    input.setAttribute("aria-valuetext", "not chosen yet");
    input.oninput = () => {
      said.textContent = seconds(Number(input.value));
      input.setAttribute("aria-valuetext", said.textContent);
      button.disabled = false;
    };
    button.onclick = () => this.commit(Number(input.value));
  }

  commit(guess) {
    if (guess === undefined) this.seen = true;
    else this.send({ guess: (this.guess = guess) });
    this.ask();
    this.fit(true);
    this.say(guess === undefined ? "No guess." : `You say ${this.tell(guess)}. Now press play.`, true);
    this.play.focus();
  }

  tell(guess) {
    return typeof guess === "number" ? seconds(guess) : `“${guess}”`;
  }

  // What the guess came to, once everything has been seen.
  verdict() {
    const asked = this.model.get("question") || {}, done = this.scores.map((one) => one.said).join(" ");
    if (this.guess === null || this.guess === undefined) return done;
    if (typeof this.guess !== "number") return `${done} You said ${this.tell(this.guess)}: ${!asked.outcome ? "" : this.guess === asked.outcome ? "so it is." : `it is “${asked.outcome}”.`}`;
    const finish = this.scores[0].finish, off = this.guess - finish;
    const close = Math.abs(off) <= 0.02 * finish;
    return `${done} You said ${seconds(this.guess)}: ${close ? "well guessed." : `${seconds(Math.abs(off))} too ${off > 0 ? "long" : "short"}.`}`;
  }

  // ---- Controls ----------------------------------------------------------------------------------------------------

  controls() {
    const strip = el("div", { class: "strip" }, this.root);
    this.play = el("button", { class: "main", "data-do": "play" }, strip, "▶ Play");
    this.play.onclick = () => this.toggle();
    el("button", { "data-do": "restart" }, strip, "↺ Restart").onclick = () => this.restart();
    const speed = el("select", { "data-do": "speed", "aria-label": "speed", title: "speed" }, strip);
    for (const one of SPEEDS) el("option", one === 1 ? { value: one, selected: "" } : { value: one }, speed, `×${one}`);
    speed.onchange = () => (this.speed = Number(speed.value));
    this.clock = el("span", { class: "time" }, strip);
    this.badge = el("span", { class: "badge" }, strip);
    this.said = el("p", { class: "said" }, strip);
    this.tableButton = el("button", { "data-do": "table", "aria-expanded": "false", title: "key t" }, strip, "Table");
    this.tableButton.onclick = () => this.toggleTable();
  }

  // Sliders of the scene itself, where Python can answer them.
  knobs() {
    this.knob = el("div", { class: "strip", role: "group", "aria-label": "Try another kitchen" }, this.root);
    this.knob.hidden = !this.model.get("live");
    if (this.knob.hidden) return;
    const range = (name, low, high, words) => {
      const label = el("label", {}, this.knob, name), said = el("output", {});
      const input = el("input", { type: "range", min: low, max: high, step: 1, "data-do": name }, label);
      label.append(said);
      const tell = () => {
        said.textContent = words(Number(input.value));
        input.setAttribute("aria-valuetext", said.textContent);
      };
      return { input, tell };
    };
    const sizes = this.model.get("sizes");
    this.workers = range("workers", 1, this.model.get("most"), String);
    this.size = range("order size", 0, sizes.length - 1, (place) => `${sizes[place]}`);
    this.workers.input.oninput = () => this.send({ workers: Number(this.workers.input.value) }, this.workers.tell());
    this.size.input.oninput = () => this.send({ size: Number(this.size.input.value) }, this.size.tell());
    this.real = el("button", { "data-do": "real" }, this.knob, "Bake it for real");
    this.real.onclick = () => this.send({ wish: this.model.get("wish") + 1 });
    this.news = el("span", { class: "said", role: "status" }, this.knob);
  }

  hearPython() {
    if (!this.model.get("live")) return;
    this.workers.input.value = this.model.get("workers");
    this.size.input.value = this.model.get("size");
    this.workers.tell();
    this.size.tell();
    this.news.textContent = this.model.get("news");
    this.real.textContent = this.model.get("baking") ? "Stop" : "Bake it for real";
    clearTimeout(this.waiting);
  }

  send(values) {
    for (const name in values) this.model.set(name, values[name]);
    this.model.save_changes();
    if (!this.model.get("live") || "guess" in values || "looked" in values) return;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => (this.news.textContent = "The kernel does not answer; what is here still plays."), 5000);
  }

  // ---- Time --------------------------------------------------------------------------------------------------------

  toggle() {
    if (this.play.disabled) return;
    if (this.playing) this.pause();
    else this.start();
  }

  start() {
    this.look();
    if (this.t >= this.end) this.t = 0;
    this.playing = true;
    this.play.textContent = "❚❚ Pause";
    if (this.still.matches) this.timer = setInterval(() => this.step(1) || this.pause(), STEP / this.speed);
    else this.frame = requestAnimationFrame((now) => this.tick(now, now));
  }

  pause(speak = true) {
    this.playing = false;
    this.play.textContent = "▶ Play";
    cancelAnimationFrame(this.frame);
    clearInterval(this.timer);
    if (this.sides) this.draw();
    if (speak) this.say(this.summary(), true);
  }

  tick(now, last) {
    if (!this.playing) return;
    this.t = Math.min(this.end, this.t + (((now - last) / 1000) * this.speed * this.end) / WHOLE);
    this.draw();
    if (this.t >= this.end) this.pause();
    else this.frame = requestAnimationFrame((next) => this.tick(next, now));
  }

  restart() {
    this.seek(0);
    if (!this.play.disabled && !this.still.matches) this.start();
  }

  // From here on a guess is no guess any more: Python locks what was predicted.
  look() {
    if (!this.model.get("looked")) this.send({ looked: true });
  }

  seek(t) {
    if (this.play.disabled) return;
    this.look();
    if (this.playing) this.pause(false);
    this.t = Math.min(this.end, Math.max(0, t));
    this.draw();
  }

  // Go `count` events on, or back; false where there is no further one.
  step(count) {
    const tiny = 1e-9 * this.end, passed = this.events.filter((t) => t <= this.t + tiny).length - 1;
    const onto = count < 0 && this.events[passed] < this.t - tiny ? passed + 1 + count : passed + count;
    const next = Math.max(0, Math.min(this.events.length - 1, onto)), moved = this.events[next] !== this.t;
    if (moved) this.t = this.events[next];
    this.draw();
    if (!this.playing) this.say(this.summary(), true);
    return moved && this.t < this.end;
  }

  draw() {
    if (this.t >= this.end && !this.seen && !this.play.disabled) this.uncover();
    for (const side of this.sides) side.now = momentOf(side.score, side.ready, this.t);
    const words = this.summary(), clock = performance.now(), tells = !this.playing || clock - (this.told ?? 0) > TELL;
    for (const side of this.sides) {
      side.stage.draw(side.now, tells);
      side.timeline.draw(this.t, tells ? words : null);
    }
    if (!tells) return;
    this.told = clock;
    write(this.clock, seconds(Math.min(this.t, Math.max(...this.scores.map((one) => one.finish)))));
    write(this.said, this.t >= this.end ? this.verdict() : this.covered() || !this.t ? this.before() : words.slice(words.indexOf(":") + 2));
  }

  uncover() {
    this.seen = true;
    this.card.hidden = true;
    this.fit(true);
  }

  // The sentence before anything moves: it does not tell the outcome to somebody who is asked for it.
  before() {
    if (!this.covered()) return this.scores.map((one) => one.said).join(" ");
    return this.guess === null ? "" : `You said ${this.tell(this.guess)}.`;
  }

  summary() {
    const each = this.sides.map(({ score, now }) => {
      const who = score.scene === "kitchen" ? "chefs" : "bakers", name = this.scores.length > 1 ? `${score.title}: ` : "";
      const walk = now.walking ? `, ${now.walking} walking` : "";
      return `${name}${now.done} of ${score.planned} done, ${now.busy} of ${score.workers} ${who} busy${walk}, ${now.idle} idle`;
    });
    return `${seconds(this.t)}: ${each.join("; ")}`;
  }

  say(text, loud) {
    if (loud) this.voice.textContent = text === this.voice.textContent ? `${text}\u00a0` : text;
  }
}

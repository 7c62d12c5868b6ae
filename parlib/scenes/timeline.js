// The timeline below a stage: a lane for each worker, a bar for each tray, and the cursor that all share.
//
// What is to come lies under a veil; before the first performance the veil is shut. Bars are painted once, and only the
// veil and the cursor move.
// It is a slider: arrows go from event to event, and so does whoever listens to it.

const GUTTER = 30, FOOT = 22, HEAD = 20;

function seconds(t) {
  if (t > 0 && t < 0.1) return `${Number((t * 1000).toPrecision(3))} ms`;
  return t >= 100 ? `${Math.round(t)} s` : `${Number(t.toPrecision(3))} s`;
}

// Ticks at 1, 2 or 5 times a power of ten, about five of them.
function ticks(end) {
  if (!(end > 0)) return [0];
  const raw = end / 5, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => size >= raw);
  return Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, number) => number * step);
}

class Timeline {
  constructor(score, hear) {
    Object.assign(this, { score, hear, guess: null, covered: false });
    this.node = document.createElement("div");
    this.node.className = "timeline";
    this.svg = make("svg", { role: "slider", tabindex: 0, "aria-label": `Time in ${score.title || "the scene"}`, "aria-valuemin": 0 }, this.node);
    this.svg.addEventListener("pointerdown", (event) => this.grab(event));
    this.svg.addEventListener("pointermove", (event) => this.over(event));
    this.svg.addEventListener("pointerleave", () => hear.tip(null));
  }

  // Draw all bars, `wide` pixels wide, on an axis that ends at `end`.
  furnish(wide, end) {
    const { score } = this, lanes = score.groups ?? score.workers;
    Object.assign(this, { wide, end });
    this.lane = Math.max(1.4, Math.min(24, (lanes > 24 ? 128 : 112) / Math.max(1, lanes)));
    this.tall = this.lane * lanes;
    this.svg.replaceChildren();
    this.svg.setAttribute("viewBox", `0 0 ${wide} ${this.tall + HEAD + FOOT}`);
    this.svg.style.height = `${this.tall + HEAD + FOOT}px`;
    this.svg.setAttribute("aria-valuemax", end.toPrecision(6));
    this.lanes(lanes);
    if (score.groups === undefined) this.bars(this.svg);
    else this.shares(this.svg);
    for (const name of ["veil", "flag", "cursor"]) {
      this[name]?.remove();
      this[name] = el("div", { class: name }, this.node);
    }
    Object.assign(this.veil.style, { top: `${HEAD}px`, height: `${this.tall}px`, width: `${wide - GUTTER - 12}px` });
    Object.assign(this.cursor.style, { top: `${HEAD - 4}px`, height: `${this.tall + 6}px` });
    this.plant();
    this.cover(this.covered);
  }

  x(t) {
    return GUTTER + (this.end > 0 ? t / this.end : 1) * (this.wide - GUTTER - 12);
  }

  lanes(count) {
    const high = this.lane * 0.84;
    for (let lane = 0; lane < count; lane++) {
      const y = HEAD + lane * this.lane;
      make("rect", { x: GUTTER, y, width: this.wide - GUTTER - 12, height: high, style: "fill: var(--lane)" }, this.svg);
      if (this.lane >= 12 || lane % Math.ceil(12 / this.lane) === 0) make("text", { x: GUTTER - 6, y: y + Math.max(high / 2, 4) + 4, "text-anchor": "end" }, this.svg, lane);
    }
    for (const t of ticks(this.end)) {
      make("path", { d: `M ${this.x(t)} ${HEAD + this.tall} v 5`, style: "stroke: var(--soft)" }, this.svg);
      make("text", { x: Math.min(this.x(t), this.wide - 22), y: HEAD + this.tall + 18, "text-anchor": "middle" }, this.svg, seconds(t));
    }
  }

  // One path for each color: two thousand bars are then a dozen shapes.
  bars(layer) {
    const { tasks, colors, kinds, seen } = this.score, several = kinds.length > 1, high = this.lane * 0.84;
    const pale = {}, full = {};
    let ways = "", outline = "", crosses = "";
    for (let row = 0; row < seen; row++) {
      const color = several ? kinds[tasks.kind[row]].color : colors[tasks.place[row] % colors.length];
      const y = HEAD + tasks.worker[row] * this.lane, left = this.x(tasks.started[row]), right = this.x(tasks.finished[row]);
      const box = (top, tall) => `M ${left.toFixed(1)} ${top.toFixed(1)} H ${right.toFixed(1)} v ${tall.toFixed(1)} H ${left.toFixed(1)} Z `;
      pale[color] = (pale[color] || "") + box(y, high);
      full[color] = (full[color] || "") + box(y + high * (1 - tasks.share[row]), high * tasks.share[row]);
      outline += box(y, high);
      ways += `M ${this.x(tasks.submitted[row]).toFixed(1)} ${(y + high / 2).toFixed(1)} H ${left.toFixed(1)} M ${right.toFixed(1)} ${(y + high / 2).toFixed(1)} H ${this.x(tasks.received[row]).toFixed(1)} `;
      if (tasks.errors[row] !== undefined) crosses += `M ${right - 6} ${y + high / 2 - 6} l 12 12 m 0 -12 l -12 12 `;
    }
    make("path", { d: ways, style: "stroke: var(--soft); stroke-width: 2; fill: none" }, layer);
    for (const color in pale) make("path", { d: pale[color], style: `fill: color-mix(in srgb, ${color} 38%, white)` }, layer);
    for (const color in full) make("path", { d: full[color], style: `fill: ${color}` }, layer);
    if (seen <= 600) make("path", { d: outline, style: "fill: none; stroke: #333; stroke-width: 1" }, layer);
    if (crosses) make("path", { d: crosses, style: "stroke: #b00020; stroke-width: 3.5; stroke-linecap: round" }, layer);
    if (seen <= 200 && high >= 12) for (let row = 0; row < seen; row++) this.letter(layer, row, high);
  }

  letter(layer, row, high) {
    const { tasks, kinds } = this.score, kind = kinds[tasks.kind[row]], room = (this.x(tasks.finished[row]) - this.x(tasks.started[row]) - 6) / 7;
    const rest = tasks.name[row].replace(/^[^[]*\[(.*)\]$/, "$1");
    const words = kinds.length > 1 ? [tasks.name[row], kind.sign + (rest === tasks.name[row] ? "" : rest), kind.sign] : [rest];
    const word = words.find((one) => one.length <= room);
    const middle = (this.x(tasks.started[row]) + this.x(tasks.finished[row])) / 2;
    if (word) make("text", { class: "in", x: middle, y: HEAD + tasks.worker[row] * this.lane + high / 2 + 4.2 }, layer, word);
  }

  shares(layer) {
    const { busy, finish, groups } = this.score, high = this.lane * 0.84, columns = busy[0].length;
    let path = "";
    for (let group = 0; group < groups; group++) {
      const foot = HEAD + group * this.lane + high;
      path += `M ${GUTTER} ${foot} `;
      busy[group].forEach((part, column) => {
        path += `V ${(foot - (high * part) / 100).toFixed(1)} H ${this.x((finish * (column + 1)) / columns).toFixed(1)} `;
      });
      path += `V ${foot} Z `;
    }
    make("path", { d: path, style: "fill: #77AADD" }, layer);
  }

  // The flag of what somebody said.
  plant() {
    this.flag.hidden = this.guess === null || this.guess > this.end;
    if (this.flag.hidden) return;
    const x = this.x(this.guess), left = x > this.wide - 110;
    this.flag.className = left ? "flag left" : "flag";
    this.flag.textContent = `you: ${seconds(this.guess)}`;
    this.flag.style.height = `${HEAD + this.tall}px`;
    this.flag.style.transform = `translateX(${x.toFixed(1)}px)${left ? " translateX(-100%)" : ""}`;
  }

  // The veil over what is to come: before the first performance nothing is seen through it.
  cover(covered) {
    this.covered = covered;
    this.veil.className = covered ? "veil shut" : "veil";
  }

  draw(t, words) {
    const x = this.x(Math.min(t, this.end)), left = this.end > 0 && x < this.wide - 12 ? (this.wide - 12 - x) / (this.wide - GUTTER - 12) : 0;
    this.veil.style.transform = `translateX(${x.toFixed(1)}px) scaleX(${left.toFixed(4)})`;
    this.cursor.style.transform = `translateX(${x.toFixed(1)}px)`;
    if (words === null) return;
    put(this.svg, "aria-valuenow", t.toPrecision(6));
    put(this.svg, "aria-valuetext", words);
  }

  time(event) {
    const box = this.svg.getBoundingClientRect(), x = ((event.clientX - box.left) / box.width) * this.wide;
    return Math.min(this.end, Math.max(0, ((x - GUTTER) / (this.wide - GUTTER - 12)) * this.end));
  }

  grab(event) {
    this.svg.setPointerCapture(event.pointerId);
    this.svg.focus({ preventScroll: true });
    this.hear.seek(this.time(event));
    const move = (later) => this.hear.seek(this.time(later));
    this.svg.addEventListener("pointermove", move);
    this.svg.addEventListener("pointerup", () => this.svg.removeEventListener("pointermove", move), { once: true });
  }

  // The tray whose bar is under the pointer.
  over(event) {
    if (this.score.groups !== undefined || event.buttons || this.covered) return;
    const box = this.svg.getBoundingClientRect(), lane = Math.floor((event.clientY - box.top - HEAD) / this.lane), t = this.time(event);
    const { tasks, seen } = this.score;
    for (let row = 0; row < seen; row++) {
      if (tasks.worker[row] === lane && tasks.started[row] <= t && t <= tasks.finished[row]) return void this.hear.tip(row, event);
    }
    this.hear.tip(null);
  }
}

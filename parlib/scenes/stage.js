// The stage: shelf, benches, bakers, trays and counter, drawn from art.svg. Only what changed is touched.

const SVG = "http://www.w3.org/2000/svg";
const SKINS = ["#f6cfa8", "#c68a5c", "#ecb98a", "#8d5a3b", "#ffdcbc", "#a97048"];
const HAIRS = ["#6b4630", "#2d211d", "#b5713a", "#1f1a1a", "#d9a441", "#473029"];
const SPRITES = 200; // trays beyond which each is one picture instead of twenty shapes
const FRAME = { x: -40, y: -48, width: 104, height: 56 }; // of such a picture
const CALM = 16; // more arms than this in motion are only unrest, and cost frames
const PLAIN = "#e9a08b"; // all bakers wear the same apron where all do the same work
const LINES = { stroke: "ink", crease: "crease", grain: "grain", frostline: "frostline", steam: "steam", bar: "bar" };

// art.svg with its colors: class "wood line" is filled with --wood and has an outline. Written into each shape, because
// a style sheet does not reach into what is used.
const ARTWORK = ART.replace(/<symbol /g, '<symbol overflow="visible" ').replace(/class="([\w-]+)( line| thin)?"/g, (all, name, edge) => {
  const pen = LINES[name], width = pen ? (name === "bar" ? 3 : 1.8) : { " line": 1.7, " thin": 1.1 }[edge] || 0;
  const stroke = width ? `stroke: var(--${pen || "line"}); stroke-width: ${width}; stroke-linejoin: round; stroke-linecap: round` : "";
  return `style="fill: ${pen ? "none" : `var(--${name})`}; ${stroke}"`;
});
let stages = 0;

function make(name, attributes = {}, parent = null, text = null) {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== null) node.textContent = text;
  parent?.append(node);
  return node;
}

// Set an attribute only when it is another one: the browser then has nothing to do for what stands still.
function put(node, key, value) {
  if (node["was-" + key] === value) return;
  node["was-" + key] = value;
  node.setAttribute(key, value);
}

function write(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

function show(node, visible) {
  put(node, "visibility", visible ? "visible" : "hidden");
}

const at = (x, y, size) => `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${size.toFixed(3)})`;

class Stage {
  constructor(score, ready) {
    Object.assign(this, { score, ready, prefix: `parlib-art-${stages++}-`, trays: new Map() });
    this.node = document.createElement("div");
    this.node.className = `stage ${score.scene}`;
    this.sheets = [0, 1].map(() => make("svg", { "aria-hidden": "true" }, this.node)); // what stands still is painted once
    this.svg = make("svg", { role: "group", tabindex: 0 }, this.node);
    this.chef = score.scene === "kitchen";
  }

  // Draw everything that stands still, for a wide or a narrow page.
  furnish(narrow) {
    this.view = this.score.views[narrow ? 1 : 0];
    this.trays.clear();
    this.gallery = new Map();
    this.ways = new Map(); // by tray: where the baker is who carries it
    const { width, height, floor } = this.view;
    for (const sheet of [...this.sheets, this.svg]) {
      sheet.replaceChildren();
      sheet.setAttribute("viewBox", `0 0 ${width} ${height}`);
    }
    this.svg.setAttribute("aria-label", `${this.score.title || (this.chef ? "Kitchen" : "Bakery")}: arrow keys go from tray to tray`);
    const defs = make("defs", {}, this.svg);
    defs.innerHTML = ARTWORK.replaceAll(' id="', ` id="${this.prefix}`);
    this.room(width, height, floor);
    const layer = (name, sheet) => make("g", { class: name }, sheet || this.svg);
    this.back = layer("bakers", this.sheets[1]);
    this.front = layer("benches", this.sheets[1]);
    this.load = layer("trays");
    this.walkers = layer("walkers");
    this.top = layer("words");
    this.furniture();
    if (this.score.groups !== undefined) this.crowd();
    else this.people();
    if (this.score.groups === undefined && this.score.planned > SPRITES) this.rehearse();
  }

  // Photograph every kind of tray before the performance, so that no frame has to wait for a picture.
  rehearse() {
    const colors = new Map(), looks = ["0", "1", "2", "3", "4", "box"];
    for (let row = 0; row < this.score.seen && colors.size < 8; row++) colors.set(this.color(row), row);
    for (const row of colors.values()) for (const look of looks) this.fill({ node: make("g") }, row, look);
  }

  use(name, attributes, parent) {
    return make("use", { href: `#${this.prefix}${name}`, ...attributes }, parent);
  }

  room(width, height, floor) {
    const band = (y, tall, name) => make("rect", { x: -width, y, width: 3 * width, height: tall, style: `fill: var(--${name})` }, this.sheets[0]);
    band(-height, height + floor, "wall");
    band(floor - 62, 62, "wainscot");
    band(floor - 66, 5, "rail");
    band(floor, 2 * height, "floor");
    let tiles = "";
    for (let y = floor, step = 16; y < 1.2 * height; y += step, step *= 1.28) tiles += `M ${-width} ${y} H ${2 * width} `;
    for (let x = -14; x <= 14; x++) tiles += `M ${width / 2 + x * width * 0.07} ${floor} L ${width / 2 + x * width * 0.16} ${height} `;
    for (let x = -width; x < 2 * width; x += this.chef ? 22 : 34) tiles += `M ${x} ${floor - 58} V ${floor - 4} `;
    if (this.chef) for (let y = 1; y < 3; y++) tiles += `M ${-width} ${floor - 62 + y * 20.6} H ${2 * width} `;
    make("path", { d: tiles, style: "stroke: var(--tile); stroke-width: 2; fill: none" }, this.sheets[0]);
    for (const [name, x, y, size] of this.view.decor) this.use(name, { transform: at(x, y, size) }, this.sheets[0]);
  }

  furniture() {
    const { shelf, counter } = this.view, wide = 152 * shelf[2];
    this.use("shelf", { transform: at(...shelf) }, this.front);
    this.use("counter", { transform: at(...counter) }, this.front);
    const plaque = (x, top, width) => {
      const y = Math.max(top, 3);
      make("rect", { class: "plaque", x: x - width / 2, y, width, height: 46, rx: 9 }, this.top);
      return [make("text", { class: "label", x, y: y + 19 }, this.top), make("text", { class: "small", x, y: y + 37 }, this.top)];
    };
    this.ordered = plaque(shelf[0], shelf[1] - 322 * shelf[2] - 14 * (shelf[2] < 1), wide);
    this.boxed = plaque(counter[0], counter[1] - 336 * counter[2] - 10 * (counter[2] < 1), wide);
    this.ordered[0].textContent = "Order";
    this.boxed[0].textContent = this.chef ? "Done" : "Boxed";
  }

  // A station's sign: its letter and color, its name, and how many wait before it.
  station(station, number) {
    const kind = this.score.kinds[number], [x, y, large] = this.view.signs[number], [left, foot, size] = this.view.passes[number];
    if (size) this.use("pass", { transform: at(left, foot, size) }, this.front);
    const words = kind.name, width = 54 + 8.4 * words.length;
    const sign = make("g", { transform: at(x, Math.max(y, 26), large) }, station.seats > 1 ? this.top : this.front);
    make("rect", { class: "plaque", x: -width / 2, y: -22, width, height: 30, rx: 8, style: station.bottleneck ? "stroke: var(--alarm); stroke-width: 3.5" : "" }, sign);
    make("circle", { cx: -width / 2 + 17, cy: -7, r: 11, class: "line", style: `fill: ${kind.color}` }, sign);
    make("text", { class: "mark", x: -width / 2 + 17, y: -2 }, sign, kind.sign);
    make("text", { class: "label", x: 12, y: -1.5 }, sign, words);
    if (!size) return null;
    const above = foot - 142 * size - 4, slow = station.bottleneck;
    if (slow) make("text", { class: "small slow", x: left, y: above - 17 }, this.top, "longest queue");
    return make("text", { class: "small", x: left, y: above }, this.top);
  }

  people() {
    const benches = this.view.seats.map(([x, y, size]) => this.bench(x, y, size));
    this.benches = benches;
    this.signs = this.score.stations.map((station, number) => this.station(station, number));
    this.crew = Array.from({ length: this.score.workers }, (_, number) => this.baker(number));
  }

  bench(x, y, size) {
    const bench = make("g", { transform: at(x, y, size) }, this.front);
    this.use(this.chef ? "stove" : "bench", {}, bench);
    return bench;
  }

  baker(number) {
    const node = make("g", { style: `--skin: ${SKINS[number % 6]}; --hair: ${HAIRS[(number * 5) % 6]}` }, this.back);
    const part = (name) => this.use(name, {}, node), look = number % 4;
    const parts = { node, shadow: part("shadow"), legs: part("legs"), body: part("body") };
    parts.text = make("text", { class: "number", y: -72, "font-size": 18 }, node, number);
    part("head");
    if (look === 2) part("look-2");
    parts.faces = ["face-busy", "face-idle", "face-alarm"].map(part);
    if (look === 1 || look === 3) part(`look-${look}`);
    part("hat");
    parts.mark = make("text", { class: "mark", y: -124.5, "font-size": 13 }, node);
    parts.arms = [this.use("arm-left", {}, node), this.use("arm-right", {}, node)];
    parts.mug = part("arms-idle");
    parts.carry = part("arms-carry");
    parts.only = this.specialty(number);
    return parts;
  }

  // The one kind of work a worker did, or -1.
  specialty(number) {
    const kinds = new Set(this.ready.byWorker[number].map((row) => this.score.tasks.kind[row]));
    return kinds.size === 1 ? [...kinds][0] : -1;
  }

  // Everything that moves, at this moment; and what is written, if it `tells`.
  draw(now, tells = true) {
    const { score } = this;
    this.now = now;
    if (tells) this.tell(now);
    if (score.groups !== undefined) return this.drawCrowd(now);
    for (let number = 0; number < score.workers; number++) this.drawBaker(number, now);
    for (let row = 0; row < now.place.length; row++) this.drawTray(row, now);
    return this.drawBubbles(now);
  }

  tell(now) {
    const { score } = this, total = score.planned, shelved = this.ready.shelved ?? total, all = total > 0 && now.done === total;
    const done = `${now.done.toLocaleString("en")} of ${total.toLocaleString("en")}`;
    write(this.ordered[1], `${(shelved - now.gone).toLocaleString("en")} waiting`);
    write(this.boxed[1], all ? `all ${total.toLocaleString("en")} at ${seconds(score.finish)}` : `${done}${this.chef ? " steps" : ""}`);
    if (score.groups === undefined) this.drawQueues(now);
  }

  drawBaker(number, now) {
    const parts = this.crew[number], [doing, row] = now.bakers[number];
    const stand = standing(this.score, this.ready, this.view, number, now.t) || this.aside(number);
    const way = this.way(doing, row, now, stand);
    this.ways.set(row, way?.loaded ? way : null);
    const walking = way !== null || stand.walks;
    const { x, y, size } = way || stand;
    put(parts.node, "transform", at(x, y - 6 * size, size));
    const home = walking && !way?.behind ? this.walkers : this.back;
    if (parts.node.parentNode !== home) home.append(parts.node);
    const step = walking ? Math.sin(now.t / this.score.end * 260) : 0;
    put(parts.legs, "transform", `rotate(${(6 * step).toFixed(1)} 0 -40)`);
    const kneads = doing === WORKING && this.score.tasks.share[row] >= 0.35 && !walking && this.score.workers <= CALM;
    const swing = kneads ? Math.sin((now.t / this.score.end) * 330 + number) * 9 : 0;
    put(parts.arms[0], "transform", `rotate(${swing.toFixed(1)} -20 -88)`);
    put(parts.arms[1], "transform", `rotate(${swing.toFixed(1)} 20 -88)`);
    const loaded = way !== null && way.loaded, rests = !walking && doing !== FAILED && !this.atWork(number, doing, row);
    show(parts.carry, loaded);
    show(parts.mug, rests);
    for (const arm of parts.arms) show(arm, !loaded && !rests);
    const face = doing === FAILED ? 2 : rests ? 1 : 0;
    parts.faces.forEach((node, place) => show(node, place === face));
    this.dress(parts, doing, row, number);
    const lit = !walking && !rests && doing !== FAILED, bench = row >= 0 ? this.benches[this.score.tasks.seat[row]] : null;
    if (parts.bench && parts.bench !== bench) put(parts.bench, "style", "");
    if (bench) put(bench, "style", lit ? "--glow: var(--lit)" : "");
    parts.bench = bench;
  }

  // Whether a baker looks busy: he does not sit down for a pause that is shorter than a glide.
  atWork(number, doing, row) {
    if (doing === WORKING) return true;
    const { at, byWorker } = this.ready, mine = byWorker[number], place = row < 0 ? -1 : mine.indexOf(row);
    const last = doing === FETCHING ? mine[place - 1] : row, next = doing === FETCHING ? row : mine[place + 1];
    return last >= 0 && next !== undefined && at.started[next] - at.finished[last] <= this.score.hop;
  }

  // Apron and hat: the station's color and sign for specialists, and for others those of what they do.
  dress(parts, doing, row, number) {
    if (this.score.kinds.length < 2) return put(parts.node, "class", "plain") ?? parts.node.style.setProperty("--apron", PLAIN);
    const mine = this.ready.byWorker[number], next = mine[mine.indexOf(row) + 1] ?? -1;
    const here = (doing === IDLE || doing === BLOCKED ? next : row) >= 0 ? (doing === IDLE || doing === BLOCKED ? next : row) : mine[0];
    const kind = parts.only >= 0 ? parts.only : this.score.tasks.kind[here];
    const dress = this.score.kinds[kind];
    if (parts.kind === kind) return null;
    parts.kind = kind;
    for (const name of ["--apron", "--band", "--scarf"]) parts.node.style.setProperty(name, dress ? dress.color : PLAIN);
    parts.mark.textContent = dress ? dress.sign : "";
    return null;
  }

  aside(number) { // a chef who never has anything to do waits at the wall
    const { width, floor } = this.view, size = 0.5 + 0.1 * (width > 500);
    return { x: width * 0.5 + ((number % 8) - 3.5) * 76 * size, y: floor + 26, size, walks: false };
  }

  // Where a baker walks who fetches or brings a tray, or null if he stays at his bench.
  way(doing, row, now, stand) {
    if ((doing !== FETCHING && doing !== BRINGING) || !walked(this.score, row, doing === FETCHING ? COMING : GOING)) return null;
    const out = doing === FETCHING, goal = this.view[out ? "shelf" : "counter"], along = now.along[row];
    const onPass = out && needsOf(this.score, row).length, side = out ? -1 : 1, part = 1 - Math.abs(1 - 2 * along);
    const there = onPass ? origin(this.score, this.ready, this.view, now, row, true)[0] : goal[0] - side * 84 * goal[2];
    const beside = stand.x + side * 74 * stand.size, loaded = out ? along > 0.5 : along < 0.5;
    if (part < 0.12) return { x: mix(stand.x, beside, part / 0.12), y: stand.y, size: stand.size, loaded, behind: true };
    const far = (part - 0.12) / 0.88;
    return { x: mix(beside, there, far), y: mix(stand.y, Math.max(goal[1], stand.y), far), size: stand.size, loaded };
  }

  drawQueues(now) {
    this.signs.forEach((line, number) => {
      if (!line) return;
      let waiting = 0;
      for (let row = 0; row < now.place.length; row++) if (now.place[row] === PASS && this.score.tasks.kind[row] === number) waiting++;
      write(line, `${waiting} waiting`);
    });
  }

  // A blocked chef says what he waits for; where many stand, there is no room for words.
  drawBubbles(now) {
    const blocked = now.bakers.map(([doing, , need], number) => (doing === BLOCKED ? [number, need] : null)).filter(Boolean);
    const failed = now.bakers.map(([doing], number) => (doing === FAILED ? [number, -1] : null)).filter(Boolean);
    const key = JSON.stringify([blocked, failed, blocked.map(([number]) => standing(this.score, this.ready, this.view, number, now.t)?.x.toFixed(0))]);
    if (this.bubbled === key) return;
    this.bubbled = key;
    this.said?.remove();
    this.said = make("g", {}, this.top);
    for (const [number, need] of [...blocked, ...failed].slice(0, 6)) this.bubble(number, need, now);
  }

  bubble(number, need, now) {
    const stand = standing(this.score, this.ready, this.view, number, now.t);
    if (!stand) return;
    const words = need < 0 ? "Oh no!" : `waiting for ${this.score.tasks.name[need]}`, wide = 22 + 7.6 * words.length;
    const { width } = this.view, y = Math.max(stand.y - 176 * stand.size, 34);
    const x = Math.min(Math.max(stand.x, wide / 2 + 6), width - wide / 2 - 6), foot = stand.x - x;
    const node = make("g", { class: "bubble", transform: `translate(${x} ${y})` }, this.said);
    const half = wide / 2;
    make("path", { d: `M ${-half + 9} -30 H ${half - 9} Q ${half} -30 ${half} -21 V -9 Q ${half} 0 ${half - 9} 0 H ${foot + 8} L ${foot} 11 L ${foot - 6} 0 H ${-half + 9} Q ${-half} 0 ${-half} -9 V -21 Q ${-half} -30 ${-half + 9} -30 Z` }, node);
    make("text", { y: -10 }, node, words);
  }
}

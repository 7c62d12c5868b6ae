// Trays and crowds: what is on the stage in numbers. A few trays are drawn shape by shape; of thousands each is one picture.

Object.assign(Stage.prototype, {
  drawTray(row, now) {
    const old = this.trays.get(row), where = now.place[row];
    if (!old && (where === LATER || (where === HOME && !(this.ready.rank[row] < this.view.boxed.length)))) return;
    const place = this.inHand(row, now, where) || spot(this.score, this.ready, this.view, now, row);
    if (!place) {
      if (old) this.putAway(row, old);
      return;
    }
    const boxed = where === HOME && !this.chef;
    const failed = this.score.tasks.errors[row] !== undefined && where >= GOING;
    const done = where >= GOING ? 4 : where === BENCH ? Math.min(3, Math.floor(now.along[row] * 4)) : 0;
    const look = failed ? "burnt" : boxed ? "box" : `${done}`;
    const tray = old || this.takeOut(row);
    put(tray.node, "transform", at(place[0], place[1], place[2]));
    const layer = place.over ? this.walkers : this.load;
    if (tray.node.parentNode !== layer) layer.append(tray.node);
    if (tray.look !== look) this.fill(tray, row, look);
    const smokes = failed && (where === STUCK || where === GOING);
    if (tray.smokes !== smokes) this.smoke(tray, smokes);
    const unmet = where === PASS && needsOf(this.score, row).some((need) => now.t < never(this.score.tasks.received[need]));
    if (tray.unmet !== unmet) this.open(tray, unmet);
  },

  // Where a tray is that a baker carries: in his hands, once he has taken it from the shelf and until he puts it down.
  inHand(row, now, where) {
    const way = where === COMING || where === GOING ? this.ways.get(row) : null;
    if (!way || !walked(this.score, row, where)) return null;
    const hands = [way.x, way.y - 72 * way.size, 0.95 * way.size], along = now.along[row];
    const rest = spot(this.score, this.ready, this.view, now, row), held = Math.min(1, 12 * Math.abs(along - 0.5));
    return Object.assign(hands.map((hand, axis) => mix(rest[axis], hand, ease(held))), { over: !way.behind });
  },

  takeOut(row) {
    const node = make("g", { class: "tray", tabindex: -1 }, this.load);
    node.style.setProperty("--frost", this.color(row));
    node.row = row;
    const tray = { node, look: null, smokes: false, unmet: false };
    this.trays.set(row, tray);
    return tray;
  },

  putAway(row, tray) {
    if (document.activeElement === tray.node) this.svg.focus();
    tray.node.remove();
    this.trays.delete(row);
  },

  fill(tray, row, look) {
    tray.look = look;
    const several = this.score.kinds.length > 1, badge = several && look !== "burnt";
    const key = `${look} ${this.color(row)} ${badge ? this.score.tasks.kind[row] : ""}`;
    if (this.score.planned > SPRITES && this.gallery.has(key)) {
      tray.image ||= make("image", FRAME, tray.node);
      return put(tray.image, "href", this.gallery.get(key));
    }
    const food = make("g", { class: "food" });
    if (look === "box") this.use("box", {}, food);
    else if (this.chef) this.use(look === "burnt" ? "dish-burnt" : Number(look) ? "dish" : "dish-raw", {}, food);
    else this.cupcakes(food, look);
    if (look === "burnt") make("path", { d: "M 42 -32 L 58 -16 M 58 -32 L 42 -16", style: "stroke: var(--alarm); stroke-width: 6; stroke-linecap: round" }, food);
    if (badge) make("circle", { cx: 27, cy: -22, r: 10, style: `fill: ${this.color(row)}; stroke: var(--line); stroke-width: 1.1` }, food);
    if (badge) make("text", { x: 27, y: -17.5, style: "font: 800 13px sans-serif; text-anchor: middle; fill: #2b1d16" }, food, this.score.kinds[this.score.tasks.kind[row]].sign);
    if (this.score.planned > SPRITES) {
      this.photograph(key, food, this.color(row));
      return this.fill(tray, row, look);
    }
    tray.node.querySelector(":scope > .food")?.remove();
    return tray.node.prepend(food);
  },

  cupcakes(food, look) {
    for (let place = 0; place < 4; place++) {
      const name = look === "burnt" ? "burnt" : place < Number(look) ? "cupcake" : "raw";
      this.use(name, { transform: `translate(${(place - 1.5) * 15.5} 0)` }, food);
    }
    this.use("tray", {}, food);
  },

  // Thousands of trays are pictures of trays: one node each, painted in no time.
  photograph(key, food, color) {
    const style = getComputedStyle(this.svg), { x, y, width, height } = FRAME;
    const markup = new XMLSerializer().serializeToString(food).replaceAll(`#${this.prefix}`, "#");
    const names = new Set(Array.from(markup.matchAll(/href="#([\w-]+)"/g), ([, name]) => name));
    const used = Array.from(names, (name) => ARTWORK.match(new RegExp(`<symbol [^>]*id="${name}"[^]*?</symbol>`))[0]);
    const inside = `<defs>${used.join("")}</defs>${markup}`.replace(/var\(--([\w-]+)\)/g, (all, name) => (name === "frost" ? color : style.getPropertyValue(`--${name}`).trim()));
    const url = `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="${SVG}" viewBox="${x} ${y} ${width} ${height}" width="${2 * width}" height="${2 * height}">${inside}</svg>`)}`;
    this.gallery.set(key, url);
    const picture = new Image(2 * width, 2 * height), gallery = this.gallery;
    picture.onload = () => {
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { width: 2 * width, height: 2 * height }).getContext("2d").drawImage(picture, 0, 0);
      gallery.set(key, canvas.toDataURL());
    };
    picture.src = url;
  },

  smoke(tray, smokes) {
    tray.smokes = smokes;
    if (smokes) this.use("smoke", { class: "fumes" }, tray.node);
    else tray.node.querySelector(".fumes")?.remove();
  },

  open(tray, unmet) { // a dish of which something is still missing
    tray.unmet = unmet;
    if (unmet) make("ellipse", { class: "unmet open", cx: 0, cy: -10, rx: 36, ry: 17 }, tray.node);
    else tray.node.querySelector(".open")?.remove();
  },

  color(row) {
    const { tasks, kinds, colors } = this.score;
    return kinds.length > 1 ? kinds[tasks.kind[row]].color : colors[tasks.place[row] % colors.length];
  },

  // ---- Groups: too many bakers to draw one by one -------------------------------------------------------------------

  crowd() {
    const { score } = this;
    this.teams = this.view.seats.map(([x, y, size], group) => {
      const number = score.sizes.slice(0, group).reduce((all, one) => all + one, 0);
      const node = make("g", { transform: at(x, y - 6 * size, size), style: `--skin: ${SKINS[group % 6]}; --hair: ${HAIRS[(group * 5) % 6]}; --apron: ${PLAIN}` }, this.back);
      for (const name of ["body", "head"]) this.use(name, {}, node);
      const faces = ["face-busy", "face-idle"].map((name) => this.use(name, {}, node));
      this.use("hat", {}, node);
      const arms = [this.use("arm-left", {}, node), this.use("arm-right", {}, node)], mug = this.use("arms-idle", {}, node);
      const bench = this.bench(x, y, size);
      make("rect", { x: -46, y: -30, width: 92, height: 22, rx: 6, style: "fill: var(--sign)", class: "line" }, bench);
      const bar = make("rect", { x: -43, y: -27, height: 16, rx: 4, style: `fill: ${score.colors ? score.colors[0] : "#77AADD"}` }, bench);
      const words = score.sizes[group] > 1 ? `×${score.sizes[group]}` : `${number}`;
      make("text", { class: "number", y: -74 }, node, words).style.fontSize = words.length > 3 ? "11px" : "15px";
      return { faces, arms, mug, bar };
    });
  },

  drawCrowd(now) {
    this.teams.forEach(({ faces, arms, mug, bar }, group) => {
      const busy = now.shares[group], rests = busy < 0.05;
      put(bar, "width", (86 * busy).toFixed(0));
      show(faces[0], !rests);
      show(faces[1], rests);
      show(mug, rests);
      for (const arm of arms) show(arm, !rests);
    });
    const places = this.view.ordered, left = this.score.planned - now.gone, room = places.length;
    this.pile("shelf", places, Math.min(room, Math.ceil((room * left) / Math.max(1, this.score.planned))));
    this.pile("counter", this.view.boxed, Math.min(room, Math.ceil((room * now.done) / Math.max(1, this.score.planned))));
  },

  pile(name, places, count) {
    this.piles = this.piles?.layer === this.load ? this.piles : { layer: this.load };
    const pile = (this.piles[name] ||= []);
    while (pile.length < count) {
      const node = make("g", { transform: at(...places[pile.length]), style: `--frost: ${["#77AADD", "#EE8866", "#EEDD88", "#44BB99"][pile.length % 4]}` }, this.load);
      if (name === "counter") this.use("box", {}, node);
      else for (const part of ["raw", "tray"]) this.use(part, {}, node);
      pile.push(node);
    }
    pile.forEach((node, place) => show(node, name === "shelf" ? place >= pile.length - count : place < count));
  },
});

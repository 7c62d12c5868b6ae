// What is where at a moment? Pure functions of a score and a time; nothing here is drawn, and nothing remembered.
//
// A tray:  LATER · SHELF or PASS · COMING · BENCH · GOING · HOME, or STUCK where the run failed on it.
// A baker: IDLE · FETCHING · WORKING · BRINGING · BLOCKED (waits for what others make) · OFF (no more to do) · FAILED.

const [LATER, SHELF, PASS, COMING, BENCH, GOING, HOME, STUCK] = [0, 1, 2, 3, 4, 5, 6, 7];
const [IDLE, FETCHING, WORKING, BRINGING, BLOCKED, OFF, FAILED] = [0, 1, 2, 3, 4, 5, 6];
const PLACES = ["later", "shelf", "pass", "coming", "bench", "going", "home", "stuck"];
const DOINGS = ["idle", "fetching", "working", "bringing", "blocked", "off", "failed"];

const never = (moment) => (moment === null ? Infinity : moment);
const share = (t, from, to) => (to > from ? Math.min(1, Math.max(0, (t - from) / (to - from))) : 1);
const mix = (a, b, along) => a + (b - a) * along;
const ease = (x) => x * x * (3 - 2 * x);

// What every moment needs and no moment changes: the columns as plain numbers (never is Infinity), who worked on what in
// which order, and in which order trays leave and come home.
function prepared(score) {
  if (score.groups !== undefined) return { events: edges(score) };
  const { tasks } = score, rows = tasks.name.map((_, row) => row), traced = rows.slice(0, score.seen), at = {};
  for (const name of ["opens", "left", "submitted", "started", "finished", "received", "home"]) at[name] = Float64Array.from(tasks[name], never);
  const byWorker = Array.from({ length: score.workers }, () => []);
  for (const row of traced) byWorker[tasks.worker[row]].push(row);
  const submitted = byWorker.map((mine) => mine.map((row) => tasks.submitted[row]));
  const since = score.walks.map((walk) => walk.map((step) => step[0]));
  const lost = traced.find((row) => stuck(score, row)) ?? -1, sorted = (moments) => Float64Array.from(moments).sort();
  const home = traced.filter((row) => tasks.to[row] < 0 && row !== lost).sort((a, b) => at.home[a] - at.home[b]);
  const rank = [];
  home.forEach((row, place) => (rank[row] = place));
  const shelved = rows.filter((row) => !needsOf(score, row).length), gone = sorted(shelved.map((row) => at.left[row]));
  const done = sorted(traced.filter((row) => row !== lost).map((row) => at.received[row]));
  const events = [...sorted(new Set([0, ...traced.flatMap((row) => [tasks.started[row], tasks.finished[row]]), score.end]))];
  return { at, byWorker, submitted, since, rank, lost, gone, done, shelved: shelved.length, events };
}

const edges = (score) => Array.from(score.gone, (_, number) => (score.finish * number) / Math.max(1, score.gone.length - 1));
const stuck = (score, row) => score.failed === score.tasks.name[row] && score.tasks.errors[row] !== undefined;
const nothing = [];
const needsOf = (score, row) => score.tasks.needs[row] || nothing;

function before(sorted, t) { // how many of them are <= t
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= t) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The place of every tray at time t, and how far each is on its way or in its oven (0 … 1).
function traysAt(score, { at, lost }, t, place, along) {
  for (let row = 0; row < place.length; row++) {
    if (t < at.opens[row]) place[row] = LATER;
    else if (t < at.left[row]) place[row] = needsOf(score, row).length ? PASS : SHELF;
    else if (t < at.started[row]) [place[row], along[row]] = [COMING, share(t, at.left[row], at.started[row])];
    else if (t < at.finished[row]) [place[row], along[row]] = [BENCH, share(t, at.started[row], at.finished[row])];
    else if (row === lost) [place[row], along[row]] = [STUCK, 1];
    else if (t < at.home[row]) [place[row], along[row]] = [GOING, share(t, at.finished[row], at.home[row])];
    else place[row] = HOME;
  }
}

// What worker `number` does at time t: [what, with which tray or -1, the first need that is missing or -1].
function bakerAt(score, ready, number, t) {
  const { at } = ready, mine = ready.byWorker[number], place = before(ready.submitted[number], t) - 1, row = place < 0 ? -1 : mine[place];
  if (row >= 0 && row === ready.lost && t >= at.finished[row]) return [FAILED, row, -1];
  if (row >= 0 && t < at.started[row]) return [FETCHING, row, -1];
  if (row >= 0 && t < at.finished[row]) return [WORKING, row, -1];
  if (row >= 0 && t < at.received[row]) return [BRINGING, row, -1];
  if (place + 1 >= mine.length) return [OFF, row, -1];
  const missing = needsOf(score, mine[place + 1]).find((need) => t < at.received[need]);
  return missing === undefined ? [IDLE, row, -1] : [BLOCKED, row, missing];
}

// Everything at time t.
function momentOf(score, ready, t) {
  if (score.groups !== undefined) return crowdAt(score, t);
  const place = new Uint8Array(score.tasks.name.length), along = new Float32Array(place.length), doing = new Array(7).fill(0);
  traysAt(score, ready, t, place, along);
  const bakers = ready.byWorker.map((_, number) => bakerAt(score, ready, number, t));
  for (const [what] of bakers) doing[what]++;
  const walking = doing[FETCHING] + doing[BRINGING], busy = doing[WORKING], idle = score.workers - busy - walking - doing[FAILED];
  return { t, place, along, bakers, gone: before(ready.gone, t), done: before(ready.done, t), busy, walking, idle };
}

function crowdAt(score, t) {
  const last = score.gone.length - 1, at = score.finish > 0 ? Math.min(last, (t / score.finish) * last) : last;
  const column = Math.min(Math.floor(at), last - 1), edge = Math.floor(at + 1e-9);
  const shares = score.busy.map((row) => row[column] / 100), ways = score.ways.map((row) => row[column] / 100);
  const over = score.finish > 0 && t >= score.finish;
  const sum = (row) => (over ? 0 : Math.round(row.reduce((all, part, group) => all + part * score.sizes[group], 0)));
  const busy = sum(shares), walking = sum(ways);
  const left = { done: score.done[edge], gone: score.gone[edge], busy, walking, idle: score.workers - busy - walking };
  return { t, shares: over ? shares.map(() => 0) : shares, ways: over ? ways.map(() => 0) : ways, ...left };
}

// Where the seat of a worker is in one view of the stage: in a kitchen he walks from station to station.
function standing(score, ready, view, number, t) {
  const walk = score.walks[number];
  if (!walk.length) return null;
  const place = Math.max(0, before(ready.since[number], t) - 1), [since, seat] = walk[place];
  const from = view.seats[place ? walk[place - 1][1] : seat], to = view.seats[seat];
  const along = place && score.hop > 0 ? ease(share(t, since, since + 1.6 * score.hop)) : 1;
  return { x: mix(from[0], to[0], along), y: mix(from[1], to[1], along), size: mix(from[2], to[2], along), walks: along < 1 };
}

// Where a tray is drawn, [x, y, scale], or null while it is not seen.
function spot(score, ready, view, now, row) {
  const k = score.tasks, where = now.place[row];
  if (where === LATER || (where === HOME && (k.to[row] >= 0 || ready.rank[row] >= view.boxed.length))) return null;
  if (where === SHELF || where === PASS) return origin(score, ready, view, now, row);
  const seat = view.seats[k.seat[row]], bench = [seat[0], seat[1] - 51 * seat[2], seat[2] * 0.95];
  if (where === BENCH || where === STUCK) return bench;
  if (where === COMING) return carried(origin(score, ready, view, now, row, true), bench, now.along[row], walked(score, row, COMING), false);
  const goal = target(score, ready, view, row);
  return where === HOME ? goal : carried(bench, goal, now.along[row], walked(score, row, GOING), true);
}

// Whether the trace itself has time for this way: then a baker walks it, else the tray glides.
function walked(score, row, where) {
  const k = score.tasks;
  return (where === COMING ? k.started[row] - k.submitted[row] : k.received[row] - k.finished[row]) > 1.01 * score.hop;
}

function origin(score, ready, view, now, row, leaving) {
  const k = score.tasks, slot = k.slot[row];
  if (needsOf(score, row).length) {
    const room = (view.waiting || [])[k.kind[row]] || [];
    return room[slot] || (leaving ? room[room.length - 1] || view.ordered[0] : null);
  }
  const places = view.ordered; // a tray that leaves makes room for the one that comes so many places later
  return leaving || slot - now.gone < places.length ? places[slot % places.length] : null;
}

function target(score, ready, view, row) {
  const reader = score.tasks.to[row];
  if (reader >= 0) {
    const room = (view.waiting || [])[score.tasks.kind[reader]] || view.boxed;
    return room[Math.min(score.tasks.slot[reader], room.length - 1)];
  }
  return view.boxed[Math.min(ready.rank[row], view.boxed.length - 1)];
}

function carried(from, to, along, byHand, away) {
  const part = !byHand ? ease(along) : away ? Math.min(1, 2 * along) : Math.max(0, 2 * along - 1);
  const lift = byHand ? 0 : 46 * Math.sin(Math.PI * part);
  return [mix(from[0], to[0], part), mix(from[1], to[1], part) - lift, mix(from[2], to[2], part)];
}

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

// What every moment needs and no moment changes: who worked on what in which order, and in which order trays go.
function prepared(score) {
  if (score.groups !== undefined) return { events: edges(score) };
  const { tasks } = score, rows = tasks.name.map((_, row) => row), traced = rows.slice(0, score.seen);
  const byWorker = Array.from({ length: score.workers }, () => []);
  for (const row of traced) byWorker[tasks.worker[row]].push(row);
  const submitted = byWorker.map((mine) => mine.map((row) => tasks.submitted[row]));
  const since = score.walks.map((walk) => walk.map((step) => step[0]));
  const home = [...traced].filter((row) => tasks.to[row] < 0 && !stuck(score, row)).sort((a, b) => tasks.home[a] - tasks.home[b]);
  const rank = [];
  home.forEach((row, place) => (rank[row] = place));
  const shelved = rows.filter((row) => !needsOf(score, row).length);
  const gone = shelved.map((row) => never(tasks.left[row])).sort((a, b) => a - b);
  const times = traced.flatMap((row) => [tasks.started[row], tasks.finished[row]]);
  const events = [...new Set([0, ...times, score.end])].sort((a, b) => a - b);
  return { byWorker, submitted, since, rank, gone, shelved: shelved.length, events };
}

const edges = (score) => Array.from(score.gone, (_, number) => (score.finish * number) / Math.max(1, score.gone.length - 1));
const stuck = (score, row) => score.failed === score.tasks.name[row] && score.tasks.errors[row] !== undefined;
const needsOf = (score, row) => score.tasks.needs[row] || [];

function before(sorted, t) { // how many of them are <= t
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= t) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The place of tray `row` at time t, and how far it is on its way or in its oven (0 … 1).
function trayAt(score, row, t) {
  const k = score.tasks, waits = needsOf(score, row).length ? PASS : SHELF;
  if (t < never(k.opens[row])) return [LATER, 0];
  if (t < never(k.left[row])) return [waits, 0];
  if (t < never(k.started[row])) return [COMING, share(t, k.left[row], k.started[row])];
  if (t < k.finished[row]) return [BENCH, share(t, k.started[row], k.finished[row])];
  if (stuck(score, row)) return [STUCK, 1];
  if (t < k.home[row]) return [GOING, share(t, k.finished[row], k.home[row])];
  return [HOME, 1];
}

// What worker `number` does at time t: [what, with which tray or -1, the first need that is missing or -1].
function bakerAt(score, ready, number, t) {
  const k = score.tasks, mine = ready.byWorker[number];
  const place = before(ready.submitted[number], t) - 1, row = place < 0 ? -1 : mine[place];
  if (row >= 0 && stuck(score, row) && t >= k.finished[row]) return [FAILED, row, -1];
  if (row >= 0 && t < k.started[row]) return [FETCHING, row, -1];
  if (row >= 0 && t < k.finished[row]) return [WORKING, row, -1];
  if (row >= 0 && t < k.received[row]) return [BRINGING, row, -1];
  if (place + 1 >= mine.length) return [OFF, row, -1];
  const missing = needsOf(score, mine[place + 1]).find((need) => t < never(k.received[need]));
  return missing === undefined ? [IDLE, row, -1] : [BLOCKED, row, missing];
}

// Everything at time t.
function momentOf(score, ready, t) {
  if (score.groups !== undefined) return crowdAt(score, t);
  const rows = score.tasks.name.length, place = new Uint8Array(rows), along = new Float32Array(rows);
  const count = new Array(8).fill(0);
  for (let row = 0; row < rows; row++) {
    const [where, part] = trayAt(score, row, t);
    place[row] = where;
    along[row] = part;
    count[where]++;
  }
  const bakers = ready.byWorker.map((_, number) => bakerAt(score, ready, number, t));
  return { t, place, along, bakers, count, gone: before(ready.gone, t), ...told(score, t, bakers) };
}

// The numbers that are said: trays done, and what the bakers do.
function told(score, t, bakers) {
  const k = score.tasks, doing = new Array(7).fill(0);
  for (const [what] of bakers) doing[what]++;
  let done = 0;
  for (let row = 0; row < score.seen; row++) if (k.received[row] <= t && !stuck(score, row)) done++;
  const walking = doing[FETCHING] + doing[BRINGING], busy = doing[WORKING];
  return { done, busy, walking, idle: score.workers - busy - walking - doing[FAILED] };
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
  const along = score.hop > 0 ? ease(share(t, since, since + 1.6 * score.hop)) : 1;
  return { x: mix(from[0], to[0], along), y: mix(from[1], to[1], along), size: mix(from[2], to[2], along), walks: along < 1 };
}

// Where a tray is drawn, [x, y, scale], or null while it is not seen.
function spot(score, ready, view, now, row) {
  const k = score.tasks, where = now.place[row];
  if (where === LATER) return null;
  if (where === SHELF || where === PASS) return origin(score, ready, view, now, row);
  const seat = view.seats[k.seat[row]], bench = [seat[0], seat[1] - 51 * seat[2], seat[2] * 0.95];
  if (where === BENCH || where === STUCK) return bench;
  if (where === COMING) return carried(origin(score, ready, view, now, row, true), bench, now.along[row], walked(score, row, COMING), false);
  const goal = target(score, ready, view, row);
  if (where === GOING) return carried(bench, goal, now.along[row], walked(score, row, GOING), true);
  return k.to[row] < 0 && goal[3] ? null : k.to[row] < 0 ? goal : null;
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
  const places = view.ordered, rank = ready.shelved <= places.length ? slot : slot - now.gone;
  return places[rank] || (leaving ? places[Math.max(0, Math.min(rank, places.length - 1))] : null);
}

function target(score, ready, view, row) {
  const reader = score.tasks.to[row];
  if (reader >= 0) {
    const room = (view.waiting || [])[score.tasks.kind[reader]] || view.boxed;
    return room[Math.min(score.tasks.slot[reader], room.length - 1)];
  }
  const last = view.boxed.length - 1, rank = ready.rank[row];
  return [...view.boxed[Math.min(rank, last)], rank > last ? 1 : 0];
}

function carried(from, to, along, byHand, away) {
  const part = !byHand ? ease(along) : away ? Math.min(1, 2 * along) : Math.max(0, 2 * along - 1);
  const lift = byHand ? 0 : 46 * Math.sin(Math.PI * part);
  return [mix(from[0], to[0], part), mix(from[1], to[1], part) - lift, mix(from[2], to[2], part)];
}

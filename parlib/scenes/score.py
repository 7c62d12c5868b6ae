"""What is where, and when? A trace, read once as a score that the page only has to play.

    opens ── ready ── left ═ walking ═ started █ on the bench █ finished ═ walking ═ home
      └── on the shelf or the pass ──┘                                          on the counter

Every task becomes a tray, every worker a baker (or a chef), and its time on the bench is its span. The only thing
added is a short glide of `hop` seconds before and after the bench, where the trace itself has no way in between:
nothing would be seen of a jump. The glide counts as nothing.

A score is plain JSON data: columns, seconds, numbers of seats. It does not know how anything looks.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..plan import Plan
from ..plots.look import FILLS
from ..plots.timelines import _marks, trace_of
from ..trace import Run, Trace
from . import layout
from .crowd import crowd
from .words import caption, sentence

__all__ = ["KINDS", "MOST_TASKS", "MOST_WORKERS", "score", "seats_needed"]

MOST_WORKERS, MOST_TASKS = 64, 2000  # more are drawn as groups: no eye follows them, and no page draws them in time
KINDS = 8  # stations that fit into a kitchen, and colors that can be told apart
GLIDE = 0.02  # of the whole time: a quarter of a second on the page


def score(run: Run | Trace, scene: str, title: str = "") -> dict[str, Any]:
    """Everything the page needs to show `run` as a "bakery" or a "kitchen", as plain JSON data; times in seconds."""
    trace = trace_of(run, scene.capitalize())
    plan = run.plan if isinstance(run, Run) else None
    told: dict[str, Any] = {"title": title, "source": trace.source, "caption": caption(trace)}
    finish = float(trace.received.max(initial=0.0))
    told |= {"workers": trace.workers, "finish": finish, "work": trace.work, "planned": len(plan or trace)}
    told |= {"seen": len(trace), "made": len(trace) - len(trace.errors)}
    told |= {"failed": getattr(run, "failed", None), "stopped": getattr(run, "stopped", False)}
    if trace.workers > MOST_WORKERS or told["planned"] > MOST_TASKS:
        told |= {"scene": "bakery", "end": finish, "hop": 0.0} | crowd(trace, MOST_WORKERS)
        stations = 0
    else:
        told |= _Reading(trace, plan, scene, finish).told()
        stations = told["scene"] == "kitchen" and told["stations"]
    drawn = told.get("groups", trace.workers)
    told |= {"views": [layout.view(narrow, drawn, stations, told["planned"]) for narrow in (False, True)]}
    return told | {"said": sentence(told)}


class _Reading:
    """One trace of a size that shows every task, with its plan if there is one."""

    def __init__(self, trace: Trace, plan: Plan | None, scene: str, finish: float) -> None:
        self.trace, self.plan, self.finish = trace, plan, finish
        self.order = np.lexsort((trace.worker, trace.started))
        self.names = [trace.tasks[row] for row in self.order]
        never = [task.name for task in plan.tasks if task.name not in set(self.names)] if plan else []
        self.seen, self.names = len(self.names), self.names + never
        self.row = {name: row for row, name in enumerate(self.names)}
        self.needs = [self._needs(name) for name in self.names]
        self.of_kind, self.kinds = self._kinds()
        chain = any(self.needs) or len(self.kinds) > 1
        self.scene = scene if scene == "bakery" or (chain and len(self.kinds) <= KINDS) else "bakery"
        self._times()

    def _column(self, name: str) -> np.ndarray:
        """A column of the trace in order of start; infinite for tasks that never started."""
        return np.append(getattr(self.trace, name)[self.order], np.full(len(self.names) - self.seen, np.inf))

    def _needs(self, name: str) -> list[int]:
        task = self.plan.tasks[self.plan.position[name]] if self.plan else None
        return [self.row[need] for need in dict.fromkeys(task.needs) if need in self.row] if task else []

    def _kinds(self) -> tuple[list[int], list[str]]:
        """For each task the number of its kind, and the kinds' names: in plan order, if there is a plan."""
        traced = ["" if self.trace.kinds is None else self.trace.kinds[row] for row in self.order]
        planned = {task.name: task.kind for task in self.plan.tasks} if self.plan else {}
        kinds = [planned.get(name, kind) for name, kind in zip(self.names, traced + [""] * len(self.names))]
        if self.plan and not any(kinds) and len(self.names) <= KINDS:
            kinds = list(self.names)  # a plan written by hand: every task is a dish of its own
        listed = [kinds[self.row[task.name]] for task in self.plan.tasks] if self.plan else kinds
        number = {kind: place for place, kind in enumerate(dict.fromkeys(listed))}
        return [number[kind] for kind in kinds], [kind or "task" for kind in number]

    def _times(self) -> None:
        """All moments of all trays, and the glide where the trace has no time between two places."""
        times = {name: self._column(name) for name in ("submitted", "started", "finished", "received")}
        spans = times["finished"][: self.seen] - times["started"][: self.seen]
        usual = float(np.median(spans[spans > 0])) if (spans > 0).any() else 0.0
        self.hop = min(GLIDE * self.finish, 0.4 * usual)
        got = [[times["received"][need] for need in needs] for needs in self.needs]
        self.opens = np.array([min(moments, default=0.0) for moments in got])
        self.ready = np.array([max(moments, default=0.0) for moments in got])
        self.ready = np.maximum(self.ready, self._releases())
        early = np.maximum(times["started"] - self.hop, np.minimum(self.ready, times["started"]))
        self.left = np.minimum(times["submitted"], early)
        self.home = np.maximum(times["received"], times["finished"] + self.hop)
        self.times = times

    def _releases(self) -> np.ndarray:
        if self.plan is None:
            return np.zeros(len(self.names))
        return np.array([self.plan.tasks[self.plan.position[name]].release for name in self.names], float)

    # ---- Who stands where -------------------------------------------------------------------------------------------

    def _seating(self) -> tuple[list[int], list[list[list[float]]], list[dict[str, Any]]]:
        """The seat of each task, each worker's walks [[moment, seat], …], and the stations."""
        workers = [*map(int, self.trace.worker[self.order])]
        if self.scene == "bakery":
            return workers, [[[0, worker]] for worker in range(self.trace.workers)], []
        seats, stations, first = [0] * self.seen, self._stations(), 0
        self.neighbors = self._neighbors(workers)
        for number, station in enumerate(stations):
            mine = [row for row in range(self.seen) if self.of_kind[row] == number]
            found, station["seats"] = seats_needed([self._presence(row) for row in mine])
            station["first"], first = first, first + station["seats"]
            for row, seat in zip(mine, found):
                seats[row] = station["first"] + seat
        walks: list[list[list[float]]] = [[] for _ in range(self.trace.workers)]
        for row in range(self.seen):
            walk = walks[workers[row]]
            if not walk or walk[-1][1] != seats[row]:
                walk.append([self._presence(row)[0], seats[row]])
        return seats, walks, stations

    def _presence(self, row: int) -> tuple[float, float]:
        """From when to when the worker of a task stands at its station: he waits there for what he needs."""
        before, after = self.neighbors[row]
        return float(before), math.inf if math.isinf(after) else float(self.times["received"][row])

    def _neighbors(self, workers: list[int]) -> list[tuple[float, float]]:
        """For each task when its worker was done with the one before (or 0), and starts the next (or infinite)."""
        before, after = [0.0] * self.seen, [math.inf] * self.seen
        last: dict[int, int] = {}
        for row, worker in enumerate(workers):
            if worker in last:
                before[row], after[last[worker]] = self.times["received"][last[worker]], self.times["started"][row]
            last[worker] = row
        return list(zip(before, after))

    def _stations(self) -> list[dict[str, Any]]:
        """One station for each kind: how far it is from the start, and how many wait for it at most."""
        level = self._levels()
        most = [self._queue(number) for number in range(len(self.kinds))]
        waits = [waiting if level[number] else 0.0 for number, (waiting, _) in enumerate(most)]
        worst = max(range(len(waits)), key=waits.__getitem__, default=0)
        named = worst if waits and waits[worst] > self.hop else -1
        return [
            {"level": level[number], "most": most[number][1], "bottleneck": number == named, "room": self._room(number)}
            for number in range(len(self.kinds))
        ]

    def _room(self, kind: int) -> int:
        """Places that the pass before a station needs, complete or not."""
        mine = [row for row in range(len(self.names)) if self.of_kind[row] == kind and self.needs[row]]
        return seats_needed([(self.opens[row], self.left[row]) for row in mine])[1]

    def _levels(self) -> list[int]:
        depth: dict[int, int] = {}
        for row in sorted(range(len(self.names)), key=lambda row: (self.ready[row], row)):
            depth[row] = max((depth.get(need, 0) + 1 for need in self.needs[row]), default=0)
        least: dict[int, int] = {}
        for row, kind in enumerate(self.of_kind):
            least[kind] = min(least.get(kind, depth[row]), depth[row])
        ranks = {value: rank for rank, value in enumerate(sorted(set(least.values())))}
        return [ranks[least[kind]] for kind in range(len(self.kinds))]

    def _queue(self, kind: int) -> tuple[float, int]:
        """Seconds that tasks of a kind wait with all they need, together; and the most that wait at one moment."""
        mine = [row for row in range(self.seen) if self.of_kind[row] == kind and self.needs[row]]
        spans = [(float(self.ready[row]), float(self.times["submitted"][row])) for row in mine]
        spans = [(start, stop) for start, stop in spans if stop > start]
        return math.fsum(stop - start for start, stop in spans), seats_needed(spans)[1]

    # ---- Told -------------------------------------------------------------------------------------------------------

    def told(self) -> dict[str, Any]:
        """The score of every tray and every worker."""
        seats, walks, stations = self._seating()
        pairs = zip(self.kinds, _marks(self.kinds))
        kinds = [{"name": name, "sign": mark, "color": FILLS[place]} for place, (name, mark) in enumerate(pairs)]
        end = float(max(self.home[: self.seen], default=0.0))
        told = {"scene": self.scene, "kinds": kinds, "stations": stations, "walks": walks, "colors": list(FILLS)}
        return told | {"hop": self.hop, "end": end, "tasks": self._tasks(seats), "bakers": self._bakers()}

    def _tasks(self, seats: list[int]) -> dict[str, Any]:
        t, digits = self.times, _digits(self.finish)
        seconds, cpu = t["finished"][: self.seen] - t["started"][: self.seen], self._column("cpu")[: self.seen]
        shares = np.divide(cpu, seconds, out=np.ones(self.seen), where=seconds > 0).clip(0, 1).round(2)
        moments = t | {"opens": self.opens, "ready": self.ready, "left": self.left, "home": self.home}
        columns: dict[str, Any] = {name: _plain(column, digits) for name, column in moments.items()}
        place = [self.plan.position[name] if self.plan else row for row, name in enumerate(self.names)]
        missing = [-1] * (len(self.names) - self.seen)
        columns |= {"name": self.names, "kind": self.of_kind, "share": shares.tolist(), "seat": seats}
        columns |= {"worker": [*map(int, self.trace.worker[self.order])] + missing, "place": place}
        columns |= {"needs": self.needs if any(self.needs) else [], "to": self._readers(), "slot": self._slots()}
        return columns | {"items": self._items(), "errors": self._errors()}

    def _readers(self) -> list[int]:
        """For each task the first task that reads what it made, or -1: then it goes to the counter."""
        readers: dict[int, int] = {}
        for row, needs in sorted(enumerate(self.needs), key=lambda entry: self.left[entry[0]]):
            for need in needs:
                readers.setdefault(need, row)
        return [readers.get(row, -1) for row in range(len(self.names))]

    def _slots(self) -> list[int]:
        """Where each tray stands before it is fetched: on the shelf in order, on a pass wherever there is room."""
        slots, by_kind = [0] * len(self.names), defaultdict(list)
        shelved = sorted((row for row in range(len(self.names)) if not self.needs[row]), key=self.left.__getitem__)
        for rank, row in enumerate(shelved):
            slots[row] = rank
        for row in range(len(self.names)):
            if self.needs[row]:
                by_kind[self.of_kind[row]].append(row)
        for rows in by_kind.values():
            for row, slot in zip(rows, seats_needed([(self.opens[row], self.left[row]) for row in rows])[0]):
                slots[row] = slot
        return slots

    def _items(self) -> list[int]:
        if self.plan is None:
            return []
        tasks = (self.plan.tasks[self.plan.position[name]] for name in self.names)
        items = [1 if task.items is None else len(task.items) for task in tasks]
        return items if set(items) != {1} else []

    def _errors(self) -> dict[str, str]:
        place = {int(row): number for number, row in enumerate(self.order)}
        return {str(place[row]): text for row, text in self.trace.errors.items()}

    def _bakers(self) -> list[list[float]]:
        """For each worker: trays, and seconds busy, walking (handing out and coming back), and idle."""
        t, trace = self.trace, self.trace
        count = np.bincount(trace.worker, minlength=trace.workers)
        busy = np.bincount(trace.worker, t.finished - t.started, trace.workers)
        ways = np.bincount(trace.worker, (t.started - t.submitted) + (t.received - t.finished), trace.workers)
        idle = np.maximum(self.finish - busy - ways, 0.0)
        digits = _digits(self.finish)
        return [[int(n), *(round(float(s), digits) for s in rest)] for n, *rest in zip(count, busy, ways, idle)]


def seats_needed(spans: Iterable[tuple[float, float]]) -> tuple[list[int], int]:
    """A seat for each span of time so that no two sit on one, each on the lowest free; and how many seats that takes.

    >>> seats_needed([(0, 2), (1, 3), (2, 4)])
    ([0, 1, 0], 2)
    """
    spans = [*spans]
    free_from: list[float] = []
    seats = [0] * len(spans)
    for number in sorted(range(len(spans)), key=lambda number: spans[number]):
        start, stop = spans[number]
        seat = next((seat for seat, free in enumerate(free_from) if free <= start), len(free_from))
        free_from[seat : seat + 1] = [stop]
        seats[number] = seat
    return seats, len(free_from)


def _digits(finish: float) -> int:
    """Decimals that tell a millionth of the whole time."""
    return 6 if finish <= 0 else int(np.clip(6 - math.floor(math.log10(finish)), 0, 12))


def _plain(column: Sequence[float] | np.ndarray, digits: int) -> list[float | None]:
    """Numbers as JSON knows them: None for never."""
    return [round(float(number), digits) if math.isfinite(number) else None for number in column]


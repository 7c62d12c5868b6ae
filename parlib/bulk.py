"""What do a million workers do? The rules of `Simulated`, for tasks that come as an array.

    costs ───► simulate           a bag of tasks, each to the worker that is free first
    stages ──► simulate_pipeline  every item through every stage, as on a factory line
    steps ───► simulate_training  all compute, then all agree on the average (ring all-reduce)

No task is an object here, and nothing is run: a task is a place in an array, and so is its span.
The answers are those of `execute` on `Simulated`, in a hundredth of the time. The trick is to
serve many workers at once. Keep them in line, sorted by when they are free, and give the next
tasks to the first of them: worker j is really the next, as long as it is free before any of
those just served is free again. There, cut; put those back in line; and go on.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from .laws import ring_all_reduce
from .plan import PlanError, check_buffer, check_count, check_seconds
from .trace import Trace

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["MOST", "simulate", "simulate_pipeline", "simulate_training"]

MOST = 50_000_000
"""Spans and workers at most: their trace takes some gigabytes."""

FEW = 48  # workers that are served faster one by one than in rounds
SHORT = 36  # tasks in a round, on average, that are served faster one by one
PATIENCE = 64  # rounds after which that is looked at
BATCH = 1 << 16  # tasks that are turned into Python's own numbers at a time


def simulate(
    costs: ArrayLike,
    workers: int,
    *,
    dispatch: float = 0.0,
    overhead: float = 0.0,
    speeds: ArrayLike | None = None,
) -> Trace:
    """The trace of a bag of independent tasks; row i of it is task i, which takes `costs[i]` seconds.

    Tasks go in list order to the worker that is free first (to the lowest number, if several
    are). One coordinator spends `dispatch` seconds on each, once there is a worker for it; then
    the task lasts (overhead + cost) / speed. `speeds` has one number for each worker (1, unless
    said). The trace's `elapsed` is the makespan.

    Raises PlanError for costs that are negative or not finite, and for more than 50 million.

    >>> simulate([1.0, 1.0, 1.0, 1.0], workers=2, dispatch=0.25)
    <Trace: 4 spans on 2 workers, 2.75 s, simulated>
    """
    workers, seconds = _limited("workers", workers), _costs("costs", costs, 1)
    seconds = check_seconds("overhead", overhead) + seconds
    bag = _Bag(
        seconds, None if speeds is None else _speeds(speeds, workers), workers, check_seconds("dispatch", dispatch)
    )
    bag.serve()
    times = bag.free_from, bag.started, bag.finished, bag.finished, _occupied
    names = Made(len(seconds), "task[{}]".format)
    return Trace(names, bag.worker, *times, workers=workers, source="simulated")


class _Bag:
    """Tasks that are served in order, and the line of workers that serve them."""

    def __init__(self, seconds: np.ndarray, speeds: np.ndarray | None, workers: int, dispatch: float) -> None:
        self.seconds, self.speeds, self.dispatch = seconds, speeds, dispatch
        self.worker = np.empty(len(seconds), np.int64)
        self.free_from, self.started, self.finished = (np.empty(len(seconds)) for _ in range(3))
        self.line = _Line(min(workers, len(seconds)))  # more workers than tasks: the others are never needed
        self.coordinator = 0.0  # when the coordinator is free
        self.served = 0  # tasks

    def serve(self) -> None:
        """Serve all tasks: in rounds, as long as those are long."""
        rounds, reach = 0, len(self.line)
        while self.served < len(self.seconds):
            if len(self.line) < FEW or (rounds >= PATIENCE and self.served < rounds * SHORT):
                self._one_by_one(BATCH)
            else:
                reach = int(1.5 * self._round(reach)) + SHORT
                rounds += 1

    def _round(self, reach: int) -> int:
        """Give the next tasks to the first workers in line, up to `reach` of them; how many it was right for."""
        first = self.line.first(min(reach, len(self.seconds) - self.served))
        free, who, seconds = first.real, first.imag, self.seconds[self.served : self.served + len(first)]
        started = self._starts(free)
        finished = started + (seconds if self.speeds is None else seconds / self.speeds[who.astype(np.int64)])
        late = free[1:] >= np.minimum.accumulate(finished)[:-1]  # somebody is free again before, or as soon
        right = int(late.argmax()) + 1 if late.any() else len(first)
        here = slice(self.served, self.served + right)
        self.worker[here], self.free_from[here] = who[:right], free[:right]
        self.started[here], self.finished[here] = started[:right], finished[:right]
        self.line.swap(first[:right], finished[:right] + 1j * who[:right])
        self.served, self.coordinator = self.served + right, float(started[right - 1])
        return right

    def _starts(self, free: np.ndarray) -> np.ndarray:
        """When the coordinator has handed out a task to each; added up one by one, as the loop does."""
        if not self.dispatch:
            return free
        handed = accumulate(free.tolist(), lambda at, free: max(at, free) + self.dispatch, initial=self.coordinator)
        return np.array([*handed][1:])

    def _one_by_one(self, most: int) -> None:
        """Serve up to `most` tasks one after the other; a heap knows who is next."""
        here = slice(self.served, min(self.served + most, len(self.seconds)))
        heap, coordinator, dispatch = self.line.as_heap(), self.coordinator, self.dispatch
        speeds = None if self.speeds is None else self.speeds.tolist()
        columns: tuple[list[Any], ...] = [], [], [], []
        worker, free_from, started, ended = columns
        for seconds in self.seconds[here].tolist():
            free, who = heap[0]
            coordinator = (free if free > coordinator else coordinator) + dispatch
            finished = coordinator + (seconds if speeds is None else seconds / speeds[who])
            heapq.heapreplace(heap, (finished, who))
            worker.append(who)
            free_from.append(free)
            started.append(coordinator)
            ended.append(finished)
        for column, values in zip((self.worker, self.free_from, self.started, self.finished), columns, strict=True):
            column[here] = values
        self.line.take_heap(heap)
        self.served, self.coordinator = here.stop, coordinator


class _Line:
    """Workers in the order in which they are free, those with a lower number first.

    A worker is a complex number, free + number·i, because NumPy sorts those by both parts. There
    are two rows, both sorted, so that a few workers can be put in without moving all.
    """

    def __init__(self, workers: int) -> None:
        self.long, self.short = 1j * np.arange(workers), np.empty(0, complex)

    def __len__(self) -> int:
        return len(self.long) + len(self.short)

    def first(self, count: int) -> np.ndarray:
        """The first in line, up to `count` of them."""
        if not len(self.short):
            return self.long[:count]
        return np.sort(np.concatenate([self.long[:count], self.short[:count]]), kind="stable")[:count]

    def swap(self, gone: np.ndarray, back: np.ndarray) -> None:
        """Take those away who are first in line, and put them back where they belong now."""
        long = int(np.searchsorted(self.long, gone[-1], side="right"))
        self.long = self.long[long:]
        self.short = np.sort(np.concatenate([self.short[len(gone) - long :], np.sort(back)]), kind="stable")
        if len(self.short) ** 2 > len(back) * len(self.long):  # now moving all is worth its time
            self._join()

    def as_heap(self) -> list[tuple[float, int]]:
        """The line as a list of (free, worker); a sorted list is a heap."""
        self._join()
        return [(worker.real, int(worker.imag)) for worker in self.long.tolist()]

    def take_heap(self, heap: list[tuple[float, int]]) -> None:
        """Form the line anew."""
        self.long = np.sort(np.array([complex(*worker) for worker in heap]))

    def _join(self) -> None:
        self.long, self.short = np.sort(np.concatenate([self.long, self.short]), kind="stable"), self.short[:0]


def simulate_pipeline(
    stage_costs: ArrayLike, items: int, *, workers: int | Sequence[int] = 1, buffer: int | None = None
) -> Trace:
    """The trace of `items` that all go through every stage; its rows are stage by stage, item by item.

    `stage_costs` has one number of seconds for each stage, or one row for each item with one
    number for each stage. `workers` stand at every stage (or a number for each stage) and get
    its items in turn. With a `buffer` of B, at most B items and one for each worker of the next
    stage are finished here and not yet there; None is a buffer without end. A million items take
    a tenth of a second, and with a buffer some seconds, because each must wait for another.

    >>> simulate_pipeline([1.0, 3.0, 2.0], items=10)
    <Trace: 30 spans on 3 workers, 33.00 s, simulated>
    """
    costs = _stage_costs(stage_costs, items)
    crews = _crews(workers, len(costs))
    finished = np.empty(costs.shape)
    if buffer is None:
        for stage, crew in enumerate(crews):
            for turn in range(crew):
                arrived = finished[stage - 1, turn::crew] if stage else 0.0
                _in_line(arrived, costs[stage, turn::crew], finished[stage, turn::crew])
    else:
        _with_buffer(finished, costs, crews, check_buffer(buffer))
    first = np.cumsum([0, *crews[:-1]])  # the first worker of each stage

    def worker(_: Trace) -> np.ndarray:
        return np.concatenate([at + np.arange(costs.shape[1]) % crew for at, crew in zip(first, crews, strict=True)])

    def started(_: Trace) -> np.ndarray:
        return (finished - costs).ravel()

    ends = finished.ravel()
    names = Made(costs.size, lambda row: f"stage {row // items}[{row % items}]")
    kinds = Made(costs.size, lambda row: f"stage {row // items}")
    times = started, started, ends, ends, _occupied
    return Trace(names, worker, *times, kinds=kinds, workers=sum(crews), source="simulated")


def _in_line(arrived: Any, seconds: np.ndarray, finished: np.ndarray) -> None:
    """Fill in when each item is finished by the one worker who takes them in turn."""
    np.cumsum(seconds, out=finished)  # as if the worker never waited; then wait for the latest arrival so far
    wait = arrived - finished
    wait += seconds
    finished += np.maximum.accumulate(wait, out=wait)


def _with_buffer(finished: np.ndarray, costs: np.ndarray, crews: list[int], buffer: int) -> None:
    """Fill in when every item is finished at every stage, where a full buffer holds up the stage before it."""
    stages, items = costs.shape
    ends = [[0.0] * items for _ in range(stages)]
    for item, seconds in enumerate(costs.T.tolist()):
        ready = 0.0
        for stage, crew in enumerate(crews):
            if item >= crew:
                ready = max(ready, ends[stage][item - crew])
            if stage + 1 < stages and item >= (room := buffer + crews[stage + 1]):
                ready = max(ready, ends[stage + 1][item - room])
            ends[stage][item] = ready = ready + seconds[stage]
    finished[:] = ends


def simulate_training(
    compute: float,
    nbytes: float,
    workers: int,
    *,
    steps: int,
    latency: float,
    bandwidth: float,
    speeds: ArrayLike | None = None,
) -> Trace:
    """The trace of data-parallel training: every step, all compute a gradient, and a ring adds them up.

    `compute` is the seconds one worker of speed 1 takes for its share of a step, `nbytes` the
    size of the gradient. Whoever is ready waits for the slowest: a ring moves only when all are
    there, then for 2(p − 1) messages of nbytes/p each. Its rows are step by step: first every
    worker's computing, then every worker's part in the all-reduce.

    >>> simulate_training(1.0, 1e9, workers=4, steps=10, latency=0.0, bandwidth=1e9)
    <Trace: 80 spans on 4 workers, 25.00 s, simulated>
    """
    workers, steps = check_count("workers", workers), check_count("steps", steps)
    _limited("workers times steps", 2 * workers * steps)
    row = check_seconds("compute", compute) / _speeds(np.ones(workers) if speeds is None else speeds, workers)
    exchange = ring_all_reduce(nbytes, workers, latency, bandwidth)
    begins = np.arange(steps)[:, None, None] * (row.max() + exchange)
    lasts = np.stack([row, np.full(workers, exchange)])  # (2, workers)
    starts = np.stack([np.zeros(workers), np.full(workers, row.max())])

    def worker(_: Trace) -> np.ndarray:
        return np.tile(np.arange(workers), 2 * steps)

    started, finished = (begins + starts).ravel(), (begins + starts + lasts).ravel()
    kinds = Made(len(started), lambda row: ("compute", "all_reduce")[row // workers % 2])
    names = Made(len(started), lambda row: f"{kinds[row]}[{row // workers // 2}] on {row % workers}")
    times = started, started, finished, finished, _occupied
    return Trace(names, worker, *times, kinds=kinds, workers=workers, source="simulated")


class Made(Sequence[str]):
    """Texts that are made when they are asked for: a million of them take no room."""

    def __init__(self, count: int, text: Callable[[int], str]) -> None:
        self.numbers, self.text = range(count), text

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self.text(number) for number in self.numbers[index]]
        return self.text(self.numbers[index])


def _occupied(trace: Trace) -> np.ndarray:
    """CPU seconds of workers that compute whenever they are occupied."""
    return trace.finished - trace.started


# ---- Checked numbers ------------------------------------------------------------------------------------------------


def _limited(what: str, number: int) -> int:
    if (count := check_count(what, number)) > MOST:
        raise PlanError(f"{what} must be at most {MOST:,}, not {count:,}: a larger trace does not fit into memory")
    return count


def _costs(what: str, costs: ArrayLike, dimensions: int) -> np.ndarray:
    """The costs as floats; refuses what is no row (or table) of seconds."""
    try:
        array = np.asarray(costs, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be an array of seconds, not {costs!r}") from None
    if array.ndim != dimensions:
        raise PlanError(f"{what} must be a row of seconds, one for each task, not of shape {array.shape}")
    if array.size and not (array.min() >= 0 and array.max() < np.inf):  # nan is neither
        wrong = int(np.argmin((array >= 0) & (array < np.inf)))
        raise PlanError(
            f"{what} must be finite numbers of seconds, 0 or more, but entry {wrong} is {array.flat[wrong]}"
        )
    _limited(f"the number of {what}", max(array.size, 1))
    return array


def _stage_costs(stage_costs: ArrayLike, items: int) -> np.ndarray:
    """Seconds of every item at every stage, shape (stages, items)."""
    items = check_count("items", items) if items != 0 or isinstance(items, bool) else 0
    table = _costs("stage_costs", stage_costs, 2 if np.ndim(stage_costs) == 2 else 1)
    if table.ndim == 2 and len(table) != items:
        raise PlanError(f"stage_costs has {len(table)} rows, one for each item, but there are {items} items")
    if not table.size and items:
        raise PlanError("stage_costs must have a number for at least one stage")
    _limited("stages times items", max(table.shape[-1] * items, 1))
    return np.broadcast_to(table[:, None], (len(table), items)) if table.ndim == 1 else table.T


def _crews(workers: int | Sequence[int], stages: int) -> list[int]:
    if not isinstance(workers, Sequence | np.ndarray):
        return [check_count("workers", workers)] * stages
    crews = [check_count("workers of a stage", crew) for crew in workers]
    if len(crews) != stages:
        raise PlanError(f"workers has {len(crews)} entries, one for each stage, but there are {stages} stages")
    return crews


def _speeds(speeds: ArrayLike, workers: int) -> np.ndarray:
    row = np.asarray(speeds, dtype=float)
    if row.ndim != 1 or len(row) < workers:
        raise PlanError(
            f"speeds must be a row with one number for each of the {workers} workers, not of shape {row.shape}"
        )
    if not (row > 0).all() or not (row < np.inf).all():
        raise PlanError("speeds must be finite numbers greater than 0")
    return row[:workers]

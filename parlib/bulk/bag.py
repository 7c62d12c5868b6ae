"""How does a bag of tasks go to many workers? In rounds, in which many are served at once.

    line     w3 w0 w7 w1 w5 …     the workers, sorted by when they are free
    tasks    ↓  ↓  ↓  ↓  ✂        one for each of the first

Worker j of the line is really the next, as long as it is free before any of those just served
is free again. There, cut; put those back in line; and go on. Where few can be served at once, a
heap serves one after the other.
"""

from __future__ import annotations

import heapq
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plan import check_seconds
from ..trace import Trace
from .columns import Made, checked_costs, checked_speeds, cpu_of, limited

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["simulate"]

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
    workers, seconds = limited("workers", workers), checked_costs("costs", costs, 1)
    seconds = check_seconds("overhead", overhead) + seconds
    speeds = None if speeds is None else checked_speeds(speeds, workers)
    bag = _Bag(seconds, speeds, workers, check_seconds("dispatch", dispatch))
    bag.serve()
    times = bag.free_from, bag.started, bag.finished, bag.finished, cpu_of
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

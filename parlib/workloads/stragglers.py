"""What helps against one slow worker? Near the end, idle workers do again what others have not finished.

    worker 0  a ███ d ███                    a worker that has nothing left to start begins a copy of
    worker 1  b ████████████████╳            the oldest task under way; whoever is first has done it,
    worker 2  c ███ b' ███ ◄ done            and the other copy is given up    (Dean and Ghemawat, 2004)

The machine is simulated: how long each task takes on its first worker is given, and how long a copy
takes elsewhere. A copy costs only time that would have been idle, so nothing ends later for it.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import count

from ..plan import check_count, check_seconds
from ..trace import Span, Trace

__all__ = ["with_backups"]

FIRST, BACKUP, GIVEN_UP = "first", "backup", "given up"


def with_backups(
    seconds: Sequence[float], workers: int, *, again: float | Sequence[float] | None = None, backups: bool = True
) -> Trace:
    """A bag of tasks that take `seconds` each, with copies of the last ones; `again` is how long a copy takes.

    `again` is one number or one for each task (None: as long as the task itself, so that copies do not
    help). Spans are of three kinds: first, backup, given up. `backups=False` runs the same without copies.

    >>> slow = [1.0, 1.0, 1.0, 5.0]
    >>> with_backups(slow, 4, backups=False).elapsed, with_backups(slow, 4, again=1.0).elapsed
    (5.0, 2.0)
    """
    first = [check_seconds("the seconds of a task", own) for own in seconds]
    rows = again if isinstance(again, Sequence) else first if again is None else [again] * len(first)
    if len(rows) != len(first):
        raise ValueError(f"again has {len(rows)} numbers for {len(first)} tasks: give one number, or one for each task")
    bag = _Bag(first, [check_seconds("again", own) for own in rows], check_count("workers", workers))
    return bag.run(backups)


class _Bag:
    """Who does what now, and what is done."""

    def __init__(self, first: list[float], again: list[float], workers: int) -> None:
        self.first, self.again, self.workers = first, again, workers
        self.idle = list(range(workers))  # a heap: the lowest first
        self.under_way: dict[int, tuple[int, float, str]] = {}  # by worker: task, start, kind
        self.ends: list[tuple[float, int, int, int]] = []  # a heap: moment, number of the start, worker, task
        self.numbers, self.spans = count(), list[Span]()
        self.doubled: set[int] = set()

    def run(self, backups: bool) -> Trace:
        waiting, now = iter(range(len(self.first))), 0.0
        task = next(waiting, None)
        while task is not None or self.under_way:
            while self.idle and task is not None:
                self._start(task, now, FIRST, self.first[task])
                task = next(waiting, None)
            while backups and self.idle and (oldest := self._oldest()) is not None:
                self.doubled.add(oldest)
                self._start(oldest, now, BACKUP, self.again[oldest])
            now = self.ends[0][0]
            while self.ends and self.ends[0][0] == now:
                self._end(*heapq.heappop(self.ends))
        return Trace.of(self.spans, workers=self.workers, source="simulated")

    def _start(self, task: int, now: float, kind: str, lasts: float) -> None:
        worker = heapq.heappop(self.idle)
        self.under_way[worker] = task, now, kind
        heapq.heappush(self.ends, (now + lasts, next(self.numbers), worker, task))

    def _oldest(self) -> int | None:
        """The task that has been under way longest without a copy."""
        alone = [(start, task) for task, start, _ in self.under_way.values() if task not in self.doubled]
        return min(alone)[1] if alone else None

    def _end(self, now: float, _: int, worker: int, task: int) -> None:
        """A copy is ready: the task is done, and all who work on it are free; a copy given up before is no news."""
        if self.under_way.get(worker, (None,))[0] != task:
            return
        for other, (theirs, start, kind) in sorted(self.under_way.items()):
            if theirs == task:
                told = kind if other == worker else GIVEN_UP
                self.spans.append(Span(f"{told}[{task}]", told, other, start, start, now, now, now - start, None))
                del self.under_way[other]
                heapq.heappush(self.idle, other)

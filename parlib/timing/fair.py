"""What is a fair contest? Everyone warmed up, everyone in turn, everyone doing the same work.

    warm-up   serial, 1, 2, 4 workers      not counted; every answer compared with the serial one
    round 1   serial, 1, 2, 4 workers      ─┐ a slow minute of the machine slows
    round 2   serial, 1, 2, 4 workers      ─┘ all of them, not one of them
    …

The serial baseline is the best plain code, and gets one arithmetic thread like every worker. No
further round starts when it would end after the budget. The machine is looked at before and
after: if others keep it busy, the sweep says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

from ..backends import find
from ..blas import one_thread
from ..host import Machine, machine
from ..metrics import spent
from ..plan import check_count, check_seconds, counted
from ..schedule import execute
from ..trace import Run
from .sweeps import Sample, Sweep, story, versions

__all__ = ["BUDGET", "Lap", "Contest", "Tally", "contest_of"]

BUDGET = 30.0  # seconds: about as long as one likes to watch a progress bar


class Lap(NamedTuple):
    """One run of a contest, and what the run said of itself."""

    sample: Sample
    backend: str
    source: str
    warm_up: bool


@dataclass(frozen=True)
class Contest:
    """Who competes with whom: runs on each number of workers, and the serial code, at each size."""

    name: str
    spends: str
    run: Callable[[int, Any], Run]
    serial: Callable[[Any], Any]
    same: Callable[[Any, Any], bool]
    workers: tuple[int, ...]
    sizes: tuple[Any, ...]
    repeats: int
    budget: float  # seconds
    backend: str = ""  # "": the runs will tell
    chunks: int | None = None

    def __post_init__(self) -> None:
        check_count("repeats", self.repeats)
        check_seconds("budget", self.budget)
        if not self.workers or not self.sizes:
            raise ValueError("a sweep needs at least one number of workers and one size")

    @property
    def entries(self) -> list[tuple[Any, int | None]]:
        """One round: (size, workers), where None workers is the serial baseline."""
        return list(product(self.sizes, (None, *self.workers)))

    def without(self, known: Sweep | None) -> Contest | None:
        """What is still to be run of it when `known` is there already; None if nothing is."""
        if known is None:
            return self
        runs = {entry: sum(lap[:2] == entry[::-1] for lap in known.raw) for entry in self.entries}
        missing = {entry: count for entry, count in runs.items() if count < self.repeats}
        if not missing:
            return None
        sizes = tuple(dict.fromkeys(size for size, _ in missing))
        workers = tuple(dict.fromkeys(workers for _, workers in missing if workers is not None))
        return replace(self, workers=workers or self.workers, sizes=sizes, repeats=self.repeats - min(missing.values()))

    def events(
        self,
        cancelled: Callable[[], bool] = bool,
        clock: Callable[[], float] = time.perf_counter,
        look: Callable[[], Machine] = machine,
    ) -> Iterator[Lap | Machine]:
        """The contest as it goes: a look at the machine, every lap, and another look at the machine."""
        yield _able(look())
        yield from self._laps(cancelled, clock)
        yield look()

    def _laps(self, cancelled: Callable[[], bool], clock: Callable[[], float]) -> Iterator[Lap]:
        began, answers = clock(), {}  # type: float, dict[Any, Any]
        for number in range(1 + self.repeats):  # the first round is the warm-up
            started = clock()
            for size, workers in self.entries:
                if cancelled():
                    return
                yield self._lap(size, workers, answers, clock)._replace(warm_up=not number)
            now = clock()
            if number and now + (now - started) - began > self.budget:
                return

    def _lap(self, size: Any, workers: int | None, answers: dict[Any, Any], clock: Callable[[], float]) -> Lap:
        with one_thread:
            started = clock()
            answer = self.serial(size) if workers is None else self.run(workers, size)
            seconds = clock() - started
        backend, source, account = "serial", "measured", None
        if isinstance(answer, Run):
            account = spent(answer)
            backend, source, seconds, answer = answer.backend, answer.source, answer.elapsed, answer.result
        elif workers is not None:
            raise TypeError(f"a sweep needs a function (workers, size) that returns a Run, not {answer!r}")
        self._compare(answers.setdefault(size, (answer, source)), answer, source, size, workers)
        return Lap(Sample(workers, size, seconds, account), backend, source, warm_up=False)

    def _compare(self, first: tuple[Any, str], answer: Any, source: str, size: Any, workers: int | None) -> None:
        if source != first[1]:
            raise ValueError(f"the baseline is {first[1]} and the runs are {source}: take both times from one clock")
        if workers is not None and not self.same(first[0], answer):
            who = f"{self.name} of size {size!r} on {counted(workers, 'worker')}"
            raise ValueError(f"{who} has another answer than its serial baseline: let both do the same work")


class Tally:
    """What is known of a contest so far, as a sweep."""

    def __init__(self, contest: Contest) -> None:
        self.contest, self.laps, self.looks = contest, [], []  # type: Contest, list[Lap], list[Machine]

    def add(self, event: Lap | Machine) -> None:
        """Take note of an event of the contest."""
        (self.laps if isinstance(event, Lap) else self.looks).append(event)  # type: ignore[arg-type]

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples that count, in the order in which they were taken."""
        return tuple(lap.sample for lap in self.laps if not lap.warm_up)

    @property
    def total(self) -> int:
        """How many laps there will be, warm-up included, if the budget lasts."""
        return len(self.contest.entries) * (1 + self.contest.repeats)

    @property
    def sweep(self) -> Sweep:
        """The sweep so far."""
        host = self.looks[0] if self.looks else machine(watch=0)
        runs = [lap for lap in self.laps if lap.sample.workers is not None]
        source = runs[0].source if runs else "measured"
        return Sweep(
            workload=self.contest.name,
            spends=self.contest.spends,
            backend=runs[0].backend if runs else self.contest.backend,
            source=source,
            machine=story(host),
            cores=host.cores,
            versions=versions(),
            when=time.strftime("%Y-%m-%d %H:%M"),
            raw=self.samples,
            chunks=self.contest.chunks,
            warning=next((look.advice for look in self.looks if look.too_busy and source == "measured"), ""),
        )


def contest_of(
    workload: Any,
    workers: Iterable[int],
    sizes: Iterable[Any] | None,
    repeats: int,
    budget: float,
    backend: Any = "processes",
    chunks: int | None = None,
    baseline: Callable[[Any], Any] | None = None,
) -> Contest:
    """The contest of a workload, or of a function `(workers, size) -> Run` against `baseline(size)`."""
    counts = tuple(check_count("workers", count) for count in _row("workers", workers))
    chunks = None if chunks is None else check_count("chunks", chunks)
    if hasattr(workload, "plan") and hasattr(workload, "serial"):
        if baseline is not None:
            raise TypeError("a Workload brings its own baseline, its serial code: leave out baseline=")
        sizes = (workload.default,) if sizes is None else _row("sizes", sizes)
        run = partial(run_workload, workload, backend, chunks)
        teams = workload.name, workload.spends, run, workload.serial, workload.same
        return Contest(*teams, counts, sizes, repeats, budget, find(backend).name, chunks)
    if not callable(workload):
        raise TypeError(f"a sweep needs a Workload or a function (workers, size) that returns a Run, not {workload!r}")
    if baseline is None:
        raise TypeError("a speedup needs a baseline: pass baseline=, the best serial function (size) for the same job")
    name = getattr(workload, "__name__", "run").replace("<lambda>", "run")
    sizes = (None,) if sizes is None else _row("sizes", sizes)
    return Contest(name, "", workload, baseline, equal, counts, sizes, repeats, budget, chunks=chunks)


def run_workload(workload: Any, backend: Any, chunks: int | None, workers: int, size: Any) -> Run:
    """One run of a workload, timed from before its plan is made, as its serial code is."""
    began = time.perf_counter()
    plan = workload.plan(size, workers if chunks is None else chunks)
    return execute(plan, workers, backend, order=workload.order, began=began)


def equal(one: Any, other: Any) -> bool:
    """Whether two answers are the same, by NumPy's rules: lists, tuples, dicts and arrays item by item."""
    from numpy.testing import assert_equal

    try:
        assert_equal(other, one)
    except AssertionError:
        return False
    return True


def _row(what: str, values: Any) -> tuple[Any, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{what} must be a row of numbers: write ({values!r},), not {values!r}")
    return tuple(dict.fromkeys(values))


def _able(host: Machine) -> Machine:
    if not host.can_measure:
        raise RuntimeError(f"{host.advice} Use recorded(...) instead of sweep(...)")
    return host

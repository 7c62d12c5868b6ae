"""How does it scale? The same job on 1, 2, 4 … workers, in a fair contest with the best serial code.

    sweep(workload)        let them compete, here and now
    Measurement(workload)  the same in a process of its own, while the notebook stays free
    Sweep                  what came of it: raw seconds, speedups
    record, recorded       keep a sweep in a file
    diagnose(sweep)        what holds the speedup back
    cost_table(functions)  who suits which task: seconds of every task on every kind of worker
    calibrate()            this machine as a simulated one

`fair` holds the rules of the contest, `sweeps` what it leaves behind, `records` what is kept, and
`child` the process of its own. None of them knows what a workload computes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from ..host import Machine, machine
from .calibration import Calibrated, Comparison, calibrate
from .child import Measurement
from .costs import CostTable, cost_table
from .diagnosis import Diagnosis, diagnose
from .fair import BUDGET, Contest, Tally, contest_of
from .records import keep, kept, record, recorded
from .sweeps import Sample, Sweep

__all__ = [
    "Calibrated",
    "Comparison",
    "CostTable",
    "Diagnosis",
    "Measurement",
    "Sample",
    "Sweep",
    "calibrate",
    "cost_table",
    "diagnose",
    "record",
    "recorded",
    "sweep",
]


def sweep(
    workload: Any,
    workers: Iterable[int] = (1, 2, 4),
    sizes: Iterable[Any] | None = None,
    repeats: int = 5,
    budget: float = BUDGET,
    *,
    backend: Any = "processes",
    chunks: int | None = None,
    baseline: Callable[[Any], Any] | None = None,
    progress: bool = True,
    cancel: Any = None,
    again: bool = False,
    clock: Callable[[], float] = time.perf_counter,
    look: Callable[[], Machine] = machine,
) -> Sweep:
    """Measure how a workload scales: its runs on so many workers compete with its serial code.

    Instead of a workload, a function `(workers, size) -> Run` will do, with `baseline(size)` as
    its serial twin. `sizes` is the workload's default size, unless said. There are `repeats`
    rounds, or as many as fit into `budget` seconds, but at least one. ■ or `cancel` (an event, or
    a function that becomes true) ends the contest early; what is there is returned. What was
    measured here before is not measured once more, unless `again`.

    Raises ValueError when a run and the baseline have different answers.

    >>> from parlib import Simulated, data_parallel
    >>> run = lambda workers, size: data_parallel(abs, range(size), workers=workers, backend=Simulated(cost=1.0))
    >>> sweep(run, (1, 2), [10], baseline=lambda size: run(1, size), progress=False).speedups()
    {1: (1.0, 1.0, 1.0), 2: (2.0, 2.0, 2.0)}
    """
    contest = contest_of(workload, workers, sizes, repeats, budget, backend, chunks, baseline)
    known = None if again else kept(workload, backend, chunks)
    whole: Any = known
    if missing := contest.without(known):
        found = _watch(missing, progress, missing.events(asked(cancel), clock, look))
        whole = known | found if known else found
        keep(workload, backend, chunks, whole)
    return whole.only(contest.workers, contest.sizes)


def asked(cancel: Any) -> Callable[[], bool]:
    """A function that tells whether to stop, whatever was passed as `cancel`."""
    if cancel is None or callable(cancel):
        return cancel or bool
    if not callable(getattr(cancel, "is_set", None)):
        raise TypeError(f"cancel must be a function without parameters or an event, not {cancel!r}")
    return cancel.is_set


def _watch(contest: Contest, progress: bool, events: Iterable[Any]) -> Sweep:
    """Follow a contest with a progress bar; ■ ends it, and what is there counts."""
    from .progress import bar

    tally = Tally(contest)
    with bar(tally.total, contest.name, shown=progress) as line:
        try:
            for event in events:
                tally.add(event)
                line.update(len(tally.laps) - line.n)
        except KeyboardInterrupt:
            pass
    return tally.sweep

"""How well did it go? Four numbers, each a line of arithmetic on runs or seconds.

    speedup = baseline / run      efficiency = speedup / workers
    imbalance = busiest / mean    overhead = elapsed · workers − work

And one account of where the seconds of a run went: `spent`.

Wherever seconds are wanted, a `Run` (its `elapsed`), a number, or a sequence of either will
do; of a sequence, the median counts. A metric does not know whether its seconds were
measured or simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from .plan import check_count
from .trace import Run, Trace

__all__ = ["Spent", "efficiency", "imbalance", "overhead", "spent", "speedup"]

Seconds = float | Run | Sequence[float] | Sequence[Run]


def speedup(baseline: Seconds, run: Seconds) -> float:
    """How many times faster `run` is than `baseline`, the best plain serial code for the job.

    >>> speedup(6.0, [2.0, 3.0, 9.0])
    2.0
    """
    seconds = seconds_of(run)
    if not seconds:
        raise ValueError("a speedup needs a run that took some time, and this one took 0 seconds")
    return seconds_of(baseline) / seconds


def efficiency(baseline: Seconds, run: Seconds, workers: int | None = None) -> float:
    """The share of its workers that a run made good use of: speedup / workers; 1 is perfect.

    `workers` is needed only where `run` is given in seconds.
    """
    if workers is None:
        first = next(iter(run), None) if isinstance(run, Sequence) else run
        if not isinstance(first, Run):
            raise TypeError("an efficiency needs the number of workers: pass a Run, or workers=")
        workers = first.workers
    return speedup(baseline, run) / check_count("workers", workers)


def imbalance(run: Run | Trace) -> float:
    """The busiest worker's occupied time over the mean of all workers; 1 is perfect, idle ones count."""
    trace = run.trace if isinstance(run, Run) else run
    if not trace.work:
        return 1.0
    busy = np.bincount(trace.worker, trace.finished - trace.started, minlength=trace.workers)
    return float(busy.max() / busy.mean())


def overhead(run: Run) -> float:
    """Worker-seconds that were not work: elapsed · workers − work."""
    return run.elapsed * run.workers - run.trace.work


class Spent(NamedTuple):
    """Where the seconds of a run went: work of all workers, CPU in it, one alone, the busiest beside the others.

    `alone` are seconds of tasks that others waited for, or that waited for others, and beside which
    none ran at any moment; `busiest` are those of the worker with the most work, without them. What
    is left of the elapsed time is overhead.
    """

    work: float
    cpu: float
    alone: float
    busiest: float


def spent(run: Run | Trace) -> Spent:
    """Where the seconds of a run went.

    >>> from parlib import Simulated, data_parallel
    >>> spent(data_parallel(abs, range(3), workers=2, chunks=3, backend=Simulated(cost=1.0)))
    Spent(work=3.0, cpu=3.0, alone=0.0, busiest=2.0)
    """
    trace = run.trace if isinstance(run, Run) else run
    order = np.argsort(trace.started, kind="stable")
    started, finished, worker = trace.started[order], trace.finished[order], trace.worker[order]
    before = np.append(-np.inf, np.maximum.accumulate(finished))[: len(order)]  # when the last of those before ends
    after = np.append(started, np.inf)[1:]
    seconds, single = finished - started, (before <= started) & (finished <= after)
    if isinstance(run, Run) and single.any():  # a task that nobody waits for is alone by chance
        linked = {name for task, needs in run.plan.graph.items() if needs for name in (task, *needs)}
        single &= [trace.tasks[place] in linked for place in order]
    loads = np.bincount(worker, np.where(single, 0.0, seconds), minlength=trace.workers)
    return Spent(trace.work, float(trace.cpu.sum()), float(seconds[single].sum()), float(loads.max()))


def seconds_of(value: Any) -> float:
    """Seconds of a run, of a number, or the median of a sequence of them."""
    if isinstance(value, Run):
        return value.elapsed
    if isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes) and len(value):
        return float(median(map(seconds_of, value)))
    raise TypeError(f"seconds are a Run, a number, or a sequence of them, not {value!r}")

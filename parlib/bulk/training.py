"""How long does data-parallel training take? As long as the slowest worker, and then the ring, step after step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..laws import ring_all_reduce
from ..plan import check_count, check_seconds
from ..trace import Trace
from .columns import Made, checked_speeds, cpu_of, limited

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["simulate_training"]


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
    limited("workers times steps", 2 * workers * steps)
    row = check_seconds("compute", compute) / checked_speeds(np.ones(workers) if speeds is None else speeds, workers)
    exchange = ring_all_reduce(nbytes, workers, latency, bandwidth)
    begins = np.arange(steps)[:, None, None] * (row.max() + exchange)
    lasts = np.stack([row, np.full(workers, exchange)])  # (2, workers)
    starts = np.stack([np.zeros(workers), np.full(workers, row.max())])

    def worker(_: Trace) -> np.ndarray:
        return np.tile(np.arange(workers), 2 * steps)

    started, finished = (begins + starts).ravel(), (begins + starts + lasts).ravel()
    kinds = Made(len(started), lambda row: ("compute", "all_reduce")[row // workers % 2])
    names = Made(len(started), lambda row: f"{kinds[row]}[{row // workers // 2}] on {row % workers}")
    times = started, started, finished, finished, cpu_of
    return Trace(names, worker, *times, kinds=kinds, workers=workers, source="simulated")

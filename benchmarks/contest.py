"""Who is faster, and by how much? Competitors take turns, round after round.

    round 1:  serial  ceiling  ours  theirs        the order is drawn anew for each round,
    round 2:  ours  theirs  ceiling  serial        so nobody always comes after the same
    round 3:  ceiling  serial  theirs  ours        neighbor

A ratio is taken within each round, between two times of almost the same moment; what is
told is the median of these ratios and the quartiles around it. A contest does not know
what it measures.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import psutil

Seconds = dict[str, list[float]]  # by competitor: one time for each round

REST = 0.05  # seconds before each time is taken


@dataclass(frozen=True)
class Competitor:
    """One way to do the job: `run(prepare())` is timed, without the preparation."""

    run: Callable[[Any], Any]
    prepare: Callable[[], Any] = lambda: None


class Middle(NamedTuple):
    """The median of some numbers, and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, numbers: Any) -> Middle:
        low, median, high = np.percentile(numbers, [25, 50, 75])
        return cls(float(median), float(low), float(high))


def hold(
    competitors: Mapping[str, Competitor], *, rounds: int, calls: int = 1, check: Callable[[Any], bool]
) -> dict[str, Any]:
    """The times of all competitors, in seconds per call, and how busy others kept the machine.

    Before the first round everyone runs once, unmeasured, and `check(answer)` must be true
    of what they return: nobody is measured who does other work. `calls` runs are timed
    together where one is too short for the clock.
    """
    for name, competitor in competitors.items():
        if not check(competitor.run(competitor.prepare())):
            raise AssertionError(f"{name} gives another answer than the others")
    draw, busy = random.Random(rounds), []
    seconds: Seconds = {name: [] for name in competitors}
    for _ in range(rounds):
        busy.append(psutil.cpu_percent(interval=0.1) / 100)
        for name in draw.sample(list(competitors), len(competitors)):
            seconds[name].append(timed(competitors[name], calls))
    return {"seconds": seconds, "busy": busy}


def timed(competitor: Competitor, calls: int) -> float:
    """Seconds per call. What the call returns is dropped after the clock has stopped."""
    prepared = [competitor.prepare() for _ in range(calls)]
    gc.collect()  # nobody pays for the litter of the one before,
    time.sleep(REST)  # nor for BLAS threads that spin for a while in case there is more to do
    began = time.perf_counter()
    answers = [competitor.run(value) for value in prepared]
    elapsed = time.perf_counter() - began
    del answers
    return elapsed / calls


def ratio(over: list[float], under: list[float]) -> Middle:
    """`over` ÷ `under`, round by round."""
    return Middle.of(np.divide(over, under))

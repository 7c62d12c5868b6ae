"""What do the laws say of a million workers? The arithmetic of the laws' panel, without a widget and without a picture.

    strong   one job, shared out:           serial part + handing out + a share each + agreeing
    weak     a job for every worker:        serial part + handing out + a whole job each + agreeing

In both, one coordinator hands out one chunk to each worker, one after the other, and at the end all agree by a ring
all-reduce. Each part is a law of its own or a line of arithmetic, for any number of workers, one or an array of them.
Where theory meets whole items, `simulate` deals them out one by one: a chunk is never a fraction of an item.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..bulk import simulate
from ..laws import amdahl, dispatch_limit, gustafson, ring_all_reduce
from ..plan import counted
from ..plots.look import tell_seconds
from .evidence import Evidence

__all__ = ["MOST", "Kitchen", "LawModel", "Parts", "Simulating", "crowd", "duration", "times"]

MOST = 1_000_000  # workers
MARKS = tuple(np.unique(np.geomspace(1, MOST, 8).round().astype(int)).tolist())  # where every curve is simulated
BATCH = 0.1  # seconds of simulating between two looks at whether anything moved


@dataclass(frozen=True)
class Kitchen:
    """Where the controls stand: seconds and bytes per second; `size` in items, `shown` the number of a sweep."""

    workers: int
    size: int
    serial_fraction: float
    overhead: float
    latency: float
    bandwidth: float
    shown: int = 0

    @property
    def conditions(self) -> Kitchen:
        """All that changes what any number of workers come to."""
        return replace(self, workers=1, shown=0)


class Parts(NamedTuple):
    """Where the seconds of a run go."""

    serial: Any
    handing: Any
    shared: Any
    agreeing: Any

    @property
    def seconds(self) -> Any:
        """All of them."""
        return self.serial + self.handing + self.shared + self.agreeing


class LawModel:
    """The laws for items that take `seconds_per_item`, and workers who agree on `nbytes` in the end."""

    def __init__(self, evidence: Sequence[Evidence], seconds_per_item: float, nbytes: float) -> None:
        self.evidence, self.seconds_per_item, self.nbytes = tuple(evidence), seconds_per_item, nbytes
        self._exact: dict[Kitchen, dict[int, tuple[float, float]]] = {}

    # ---- Calculated -------------------------------------------------------------------------------------------------

    @cached_property
    def counts(self) -> np.ndarray:
        """The numbers of workers of a curve: ten for every doubling of the first few, as far as a million."""
        return np.unique(np.geomspace(1, MOST, 200).round())

    def serial(self, kitchen: Kitchen) -> float:
        """Seconds of one worker who hands out nothing and agrees with nobody."""
        return kitchen.size * self.seconds_per_item

    def strong(self, kitchen: Kitchen, workers: Any) -> Parts:
        """Where the seconds go when one job is shared out; with more workers than items, some get none."""
        busy = np.minimum(workers, kitchen.size)
        shared = (1 - kitchen.serial_fraction) * self.serial(kitchen)
        return self._parts(kitchen, busy, shared / busy)

    def weak(self, kitchen: Kitchen, workers: Any) -> Parts:
        """Where the seconds go when every worker brings a job of its own, and the serial part stays one."""
        return self._parts(kitchen, workers, (1 - kitchen.serial_fraction) * self.serial(kitchen))

    def _parts(self, kitchen: Kitchen, workers: Any, shared: Any) -> Parts:
        agreeing = ring_all_reduce(self.nbytes, workers, kitchen.latency, kitchen.bandwidth)
        handing = workers * kitchen.overhead
        return Parts(kitchen.serial_fraction * self.serial(kitchen), handing, shared, agreeing)

    def strong_speedup(self, kitchen: Kitchen, workers: Any) -> Any:
        """How many times as fast as one worker alone."""
        return self.serial(kitchen) / self.strong(kitchen, workers).seconds

    def weak_speedup(self, kitchen: Kitchen, workers: Any) -> Any:
        """How many times the work of one worker alone, in the same time."""
        return self._grown(kitchen, workers) / self.weak(kitchen, workers).seconds

    def _grown(self, kitchen: Kitchen, workers: Any) -> Any:
        """Seconds that one worker would need for the job that grew with its workers."""
        return self.serial(kitchen) * gustafson(workers, kitchen.serial_fraction)

    def ceiling(self, kitchen: Kitchen, workers: Any) -> Any:
        """Amdahl's law: the serial part alone."""
        return amdahl(workers, kitchen.serial_fraction)

    def line(self, kitchen: Kitchen, workers: Any) -> Any:
        """Gustafson's law: the serial part alone, when the work grows."""
        return gustafson(workers, kitchen.serial_fraction)

    def handing_limit(self, kitchen: Kitchen, workers: Any) -> Any:
        """The speedup that one coordinator allows, who hands out a chunk for every worker."""
        return dispatch_limit(self.serial(kitchen) / np.minimum(workers, kitchen.size), kitchen.overhead)

    def peak(self, kitchen: Kitchen) -> int:
        """The number of workers, up to a million, with the highest strong speedup; the smallest of several.

        Where the slope of a/p + b·p is 0: p = √(a/b), with a in seconds that are shared, b in seconds that each adds.
        """
        most, each = min(MOST, kitchen.size), kitchen.overhead + 2 * kitchen.latency
        shared = (1 - kitchen.serial_fraction) * self.serial(kitchen) - 2 * self.nbytes / kitchen.bandwidth
        if shared <= 0 or not each:
            return most if shared > 0 else 1
        top = int(min(np.sqrt(shared / each), most))
        around = np.unique(np.clip([top, top + 1], 1, most))
        return int(around[self.strong_speedup(kitchen, around).argmax()])

    # ---- Simulated --------------------------------------------------------------------------------------------------

    def simulated(self, kitchen: Kitchen, workers: int) -> tuple[float, float]:
        """(strong, weak) speedup of so many workers, every chunk dealt out in whole items by one coordinator."""
        each, busy = (1 - kitchen.serial_fraction) * self.seconds_per_item, min(workers, kitchen.size)
        share, left = divmod(kitchen.size, busy)
        chunks = share + (np.arange(busy) < left)  # the first few have one item more
        strong = self._simulated(kitchen, chunks * each, self.strong(kitchen, workers))
        weak = self._simulated(kitchen, np.full(workers, kitchen.size * each), self.weak(kitchen, workers))
        return self.serial(kitchen) / strong, self._grown(kitchen, workers) / weak

    def _simulated(self, kitchen: Kitchen, costs: np.ndarray, parts: Parts) -> float:
        return parts.serial + simulate(costs, len(costs), dispatch=kitchen.overhead).elapsed + parts.agreeing

    def wanted(self, kitchen: Kitchen) -> list[int]:
        """The numbers of workers to simulate that were not yet: the chosen one first, then from few to many."""
        known = self._exact.get(kitchen.conditions, {})
        return [workers for workers in dict.fromkeys((kitchen.workers, *MARKS)) if workers not in known]

    def learn(self, kitchen: Kitchen, points: dict[int, tuple[float, float]]) -> None:
        """Take over what was simulated under these conditions, and for no others."""
        self._exact.setdefault(kitchen.conditions, {}).update(points)

    def exact(self, kitchen: Kitchen) -> dict[int, tuple[float, float]]:
        """What was simulated of this choice: {workers: (strong, weak)}, few to many."""
        known = self._exact.get(kitchen.conditions, {})
        return {workers: known[workers] for workers in sorted({kitchen.workers, *MARKS}) if workers in known}

    # ---- Said -------------------------------------------------------------------------------------------------------

    def sentence(self, kitchen: Kitchen) -> str:
        """What the choice comes to, what limits it most, and where the peak is."""
        said = [self._result(kitchen), self._limit(kitchen), self._best(kitchen)]
        return " ".join(said + [self.evidence[kitchen.shown].note if self.evidence else ""]).strip()

    def _result(self, kitchen: Kitchen) -> str:
        parts, one = self.strong(kitchen, kitchen.workers), self.serial(kitchen)
        took = f"{duration(parts.seconds)} instead of {duration(one)}"
        who = f"{crowd(kitchen.workers)} {'is' if kitchen.workers == 1 else 'are'}"
        said = f"Calculated: {who} {times(one / parts.seconds)} as fast as serial code ({took})"
        simulated = self.exact(kitchen).get(kitchen.workers)
        return said + (f"; simulated, {times(simulated[0])}." if simulated else ".")

    def _limit(self, kitchen: Kitchen) -> str:
        """Where most seconds go that are not shared work, and how many the others take."""
        parts = self.strong(kitchen, kitchen.workers)
        names = {"the serial part": parts.serial, "handing out": parts.handing, "agreeing": parts.agreeing}
        first, *others = sorted(names, key=lambda name: -names[name])
        if not names[first]:
            return "Nothing limits it but the number of workers."
        rest = ", ".join(f"{name} {duration(names[name])}" for name in others)
        more = f" beside {duration(parts.shared)} of shared work" if names[first] < parts.shared else ""
        return f"What limits it most is {first}, {duration(names[first])}{more}; {rest}."

    def _best(self, kitchen: Kitchen) -> str:
        peak = self.peak(kitchen)
        value = times(self.strong_speedup(kitchen, peak))
        if peak == min(MOST, kitchen.size):
            why = "a worker for every item" if peak == kitchen.size else "as far as this picture goes"
            return f"More workers help up to {peak:,}, {why}: {value}."
        return f"The peak is at {crowd(peak)}: {value}."

    def alt(self, kitchen: Kitchen) -> str:
        """What the picture shows, in words that are the same on every machine."""
        what = f"The laws for {kitchen.size:,} items and 1 to {MOST:,} workers, {crowd(kitchen.workers)} marked."
        left = "Left, strong scaling: below the ideal line Amdahl's ceiling, and the whole model, which has a peak"
        right = "Right, weak scaling: Gustafson's line, and the whole model below it"
        return f"{what} {left}; measured points and fitted laws, where there are any. {right}."


class Simulating:
    """The exact points of one choice, simulated a few at a time, so that a move can end it."""

    error: BaseException | None = None

    def __init__(self, model: LawModel, kitchen: Kitchen) -> None:
        self._model, self._kitchen = model, kitchen
        self._left = model.wanted(kitchen)

    @property
    def running(self) -> bool:
        """Whether any are left."""
        return bool(self._left)

    def poll(self) -> dict[int, tuple[float, float]]:
        """Simulate as many as fit into a moment, but at least one; those that came of it."""
        began, points = time.monotonic(), {}  # type: float, dict[int, tuple[float, float]]
        while self._left and (not points or time.monotonic() - began < BATCH):
            workers = self._left.pop(0)
            points[workers] = self._model.simulated(self._kitchen, workers)
        self._model.learn(self._kitchen, points)
        return points

    def cancel(self) -> None:
        """Simulate no more."""
        self._left = []


def crowd(workers: int) -> str:
    """Workers, with their number as a person writes it.

    >>> crowd(1), crowd(1_000_000)
    ('1 worker', '1,000,000 workers')
    """
    return counted(workers, "worker").replace(str(workers), f"{workers:,}")


def times(speedup: float, word: str = " times") -> str:
    """A speedup as a person says it: three digits, and whole from a hundred on.

    >>> times(1.0), times(51.239), times(123456.7), times(0.00123)
    ('1.00 times', '51.2 times', '123,457 times', '1/813 times')
    """
    if speedup < 0.01:
        return f"1/{1 / speedup:,.0f}{word}"
    return f"{speedup:,.0f}{word}" if speedup > 99.94 else f"{speedup:#.3g}{word}"


def duration(seconds: float) -> str:
    """Seconds as a person says them, from microseconds to thousands.

    >>> duration(2e-6), duration(0.01), duration(12345.6)
    ('2 µs', '10 ms', '12,346 s')
    """
    if 0 < seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds:,.0f} s" if seconds >= 1000 else tell_seconds(float(seconds))

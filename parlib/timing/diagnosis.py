"""What holds the speedup back? The seconds a run lost, shared out among those who spent them.

    seconds of a run = serial / workers                what would be ideal
                     + alone · (1 − 1/workers)         one works, the others wait       ─┐ serial part
                     + overhead, as much as ever       nobody works                     ─┘
                     + overhead, more than before      nobody works                     growing overhead
                     + busiest − mean of the others    some work, the others are done   imbalance
                     + (CPU − CPU of 1) / workers      the same work takes longer       saturated memory
                     + (CPU of 1 − serial) / workers   there is more work               extra work
                     + (work − CPU) / workers          occupied, but not computing      interpreter lock, too few cores

The shares add up to the whole (multiplied instead of added: Rosas, Giménez and Labarta, 2014). A
sweep without an account of its runs is judged by the serial fraction alone (Karp and Flatt, 1990).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..laws import karp_flatt
from ..metrics import Spent
from ..plan import counted
from .sweeps import Sweep

__all__ = ["CAUSES", "Diagnosis", "diagnose"]

GOOD = 0.85  # efficiency from which on there is nothing to cure

CAUSES: Mapping[str, str] = {
    "nothing": "Nothing holds it back",
    "too few cores": "Too few cores hold it back",
    "serial part": "A serial part holds it back",
    "growing overhead": "Growing overhead holds it back",
    "imbalance": "Imbalance holds it back",
    "saturated memory": "Saturated memory holds it back",
    "extra work": "Extra work holds it back",
    "interpreter lock": "The interpreter lock holds it back",
}
"""What can hold a speedup back, and how the sentence about it begins."""

REASONS = {
    "serial part": "for {lost} of a run, one worker works or nobody does, as on fewer workers",
    "growing overhead": "{lost} of a run go by between the tasks, in addition to those on fewer workers",
    "imbalance": "for {lost} of a run the busiest still works when the others, on average, are done",
    "saturated memory": "the same work takes each {lost} longer when all do it at once: they share memory, or a core",
    "extra work": "the tasks take each worker {lost} longer than the same share of the serial code would",
    "interpreter lock": "for {lost} of a run a thread is occupied and does not compute, because another has the lock",
    "too few cores": "for {lost} of a run a worker is occupied and does not compute, because another has the core",
}


class Diagnosis(str):
    """A sentence on what holds a speedup back; `cause` in two words, and the `evidence` in numbers (seconds)."""

    cause: str
    evidence: dict[str, float]

    def __new__(cls, cause: str, reason: str, evidence: dict[str, float]) -> Diagnosis:
        diagnosis = super().__new__(cls, f"{CAUSES[cause]}: {reason}.")
        diagnosis.cause, diagnosis.evidence = cause, evidence
        return diagnosis

    __repr__ = str.__str__


def diagnose(sweep: Sweep, size: Any = None) -> Diagnosis:
    """What holds back the speedup of a sweep (at `size`, where there are several), and on what evidence.

    Looks at the largest number of workers for which there are cores. Raises ValueError if the
    sweep has no runs on 2 or more workers, or no baseline.
    """
    if not isinstance(sweep, Sweep):
        raise TypeError(f"diagnose needs a Sweep, as sweep(workload) or recorded(name) gives, not {sweep!r}")
    size = sweep.sizes[-1] if size is None and sweep.sizes else size
    speedups = {workers: middle for workers, (middle, _, _) in sweep.speedups(size).items()}
    if max(speedups, default=1) < 2:
        raise ValueError("a diagnosis needs runs on 2 or more workers and a serial baseline: measure them with sweep")
    limited = sweep.spends != "waiting" and not sweep.source.startswith("simulated")
    within = [workers for workers in speedups if not limited or workers <= sweep.cores]
    at = max(within) if within and max(within) > 1 else max(speedups)
    case = _Case(sweep, size, at, speedups)
    return case.healthy() if speedups[at] / at >= GOOD else case.ill()


class _Case:
    """The facts at one number of workers, and what follows from them."""

    def __init__(self, sweep: Sweep, size: Any, workers: int, speedups: dict[int, float]) -> None:
        self.sweep, self.size, self.workers, self.speedups = sweep, size, workers, speedups
        self.serial = float(np.median(sweep.baseline(size)))
        self.found = f"{counted(workers, 'worker')} are {speedups[workers]:.2f} times as fast as serial code"
        self.facts = {"workers": workers, "speedup": speedups[workers], "efficiency": speedups[workers] / workers}

    def healthy(self) -> Diagnosis:
        """Up to here all is well; what is beyond the cores?"""
        most = max(self.speedups)
        if most > self.workers and self.speedups[most] / most < GOOD:
            reason = f"{self.found}, and {most} are {self.speedups[most]:.2f} times, on {_cores(self.sweep)}"
            return Diagnosis("too few cores", reason, self.facts | {"cores": self.sweep.cores})
        return Diagnosis("nothing", f"{self.found}", self.facts)

    def ill(self) -> Diagnosis:
        """The cause that costs the most."""
        losses = self.losses()
        if losses is None:
            return self.by_serial_fraction()
        cause = max(losses, key=losses.__getitem__)
        reason = REASONS[cause].format(lost=f"{losses[cause]:.3g} s")
        whole = f"of {self.serial / self.speedups[self.workers]:.3g} s"
        return Diagnosis(cause, f"{self.found}, and {reason.replace('of a run', whole)}", self.facts | losses)

    def losses(self) -> dict[str, float] | None:
        """Seconds that a run loses, by cause; None if nobody looked at where they went."""
        now, before = self._account(self.workers), self._account(min(self.speedups))
        if now is None or before is None:
            return None
        p, (seconds, spent), (earlier, then) = self.workers, now, before
        alone = then.cpu if min(self.speedups) == 1 else self.serial  # CPU seconds of the whole job, undisturbed
        overhead, usual = _overhead(seconds, spent), _overhead(earlier, then)
        waits = (spent.work - spent.cpu) / p if self.sweep.spends != "waiting" else 0.0
        return {
            "serial part": spent.alone * (1 - 1 / p) + min(overhead, usual),
            "growing overhead": max(0.0, overhead - usual),
            "imbalance": spent.busiest - (spent.work - spent.alone) / p,
            "saturated memory": max(0.0, spent.cpu - alone) / p,
            "extra work": max(0.0, alone - self.serial) / p,
            "interpreter lock" if self._locked() else "too few cores": waits,
        }

    def _account(self, workers: int) -> tuple[float, Spent] | None:
        """Median seconds of the runs on so many workers, and of each thing they were spent on."""
        runs = [one for one in self.sweep.raw if one[:2] == (workers, self.size)]
        accounts = [one.spent for one in runs if one.spent is not None]
        if not accounts:
            return None
        return float(np.median([one.seconds for one in runs])), Spent(*np.median(accounts, axis=0).tolist())

    def _locked(self) -> bool:
        return self.sweep.backend == "threads" and self.workers <= self.sweep.cores

    def by_serial_fraction(self) -> Diagnosis:
        """From the speedups alone: a serial fraction that stays is a serial part, one that grows is overhead."""
        counts = [workers for workers in sorted(self.speedups) if 2 <= workers <= self.workers]
        fractions = [float(karp_flatt(self.speedups[workers], workers)) for workers in counts]
        facts = self.facts | {f"serial fraction on {n}": one for n, one in zip(counts, fractions, strict=True)}
        if self.workers > self.sweep.cores and self.sweep.spends != "waiting":
            return Diagnosis("too few cores", f"{self.found}, on {_cores(self.sweep)}", facts)
        told = ", ".join(f"{one:.2f} on {n}" for n, one in zip(counts, fractions, strict=True))
        reason = f"{self.found}, as if a fraction of the work were serial, {told} workers"
        return Diagnosis(self._by_trend(fractions), reason, facts)

    def _by_trend(self, fractions: list[float]) -> str:
        if self.sweep.spends == "memory bandwidth":
            return "saturated memory"
        if self.sweep.spends == "CPU, holding the GIL" and self._locked():
            return "interpreter lock"
        return "growing overhead" if fractions[-1] > 1.25 * fractions[0] + 0.01 else "serial part"


def _overhead(seconds: float, spent: Spent) -> float:
    """Seconds in which nobody works, or somebody who is not the busiest."""
    return max(0.0, seconds - spent.alone - spent.busiest)


def _cores(sweep: Sweep) -> str:
    return counted(sweep.cores, "usable core")

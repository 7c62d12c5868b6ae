"""What was measured, and which laws fit it? One curve of a sweep, ready to stand beside the laws.

    a sweep of one size ──► points, spread, samples ──► amdahl (one parameter), usl (two)

Too few points, or points above the ideal line, are no reason to fail: what cannot be fitted is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..laws import Fit, fit
from ..timing import Sweep

__all__ = ["Evidence", "evidence_of"]

LAWS = {"amdahl": 1, "usl": 3}
"""By name: how many worker counts above 1 a law needs here, so that its parameters come with an error."""


@dataclass(frozen=True)
class Evidence:
    """The runs of one size of a sweep, and the laws fitted to them."""

    sweep: Sweep
    size: Any

    @property
    def name(self) -> str:
        """Which workload, where, of which size, and how that is known; `label` says when, too."""
        one = self.sweep
        size = f"size {self.size:,}" if isinstance(self.size, int | float) else f"size {self.size}"
        what = [f"{one.workload} on {one.backend}" if one.backend else one.workload]
        what += [size] * (self.size is not None) + [f"{one.chunks} chunks"] * (one.chunks is not None)
        return ", ".join([*what, one.source])

    @property
    def label(self) -> str:
        """Its name, and when it was taken: two of one name may be shown in turn."""
        return f"{self.name} {self.sweep.when}"

    @cached_property
    def points(self) -> dict[int, tuple[float, float, float]]:
        """Speedups by number of workers: (median, low, high)."""
        return self.sweep.speedups(self.size)

    @cached_property
    def samples(self) -> dict[int, np.ndarray]:
        """The speedup of every single run by number of workers."""
        serial = np.median(self.sweep.baseline(self.size))
        return {workers: serial / self.sweep.samples(workers, self.size) for workers in self.points}

    @cached_property
    def fits(self) -> list[Fit]:
        """The laws that there are enough points for."""
        above = [workers for workers in self.points if workers > 1]
        speedups = [middle for middle, *_ in self.points.values()]
        return [fit(law, [*self.points], speedups) for law, needed in LAWS.items() if len(above) >= needed]

    @property
    def serial_fraction(self) -> float | None:
        """The one of Amdahl's law, from 0 to 1; None if there are too few points to fit it."""
        return float(np.clip(self.fits[0].parameters["serial_fraction"], 0, 1)) if self.fits else None

    @property
    def superlinear(self) -> bool:
        """Whether anywhere three quarters of the runs lie above the ideal line: fewer may by chance."""
        return any(low > workers for workers, (_, low, _) in self.points.items())

    @property
    def origin(self) -> str:
        """Where solid points come from; nothing for runs that were simulated, which are hollow."""
        recorded = f"recorded on {self.sweep.machine}, {self.sweep.when}"
        known = {"measured": "measured on this machine", "recorded": recorded}
        return known.get(self.sweep.source, "")

    @property
    def note(self) -> str:
        """What a reader must know of these points; nothing, if all is well."""
        if not self.fits:
            return "Too few points are measured to fit a law: it takes at least one with more than 1 worker."
        if self.fits[0].parameters["serial_fraction"] < 0:
            return "The measured points are superlinear, so the fitted serial fraction is below 0; the slider is at 0."
        return "Some of the measured points are superlinear: above the ideal line." if self.superlinear else ""


def evidence_of(sweeps: Any) -> list[Evidence]:
    """Every size of every sweep of which anything was measured; TypeError for what is no sweep."""
    every = [sweeps] if isinstance(sweeps, Sweep) else sweeps
    if not isinstance(every, Sequence) or isinstance(every, str):
        raise TypeError(_wrong(sweeps))
    for one in every:
        if not isinstance(one, Sweep):
            raise TypeError(_wrong(one))
    found = [Evidence(one, size) for one in every for size in one.sizes]
    return [one for one in found if one.points]


def _wrong(given: Any) -> str:
    return f"explore_laws draws a Sweep, or a list of them, not {given!r}: pass what sweep or recorded gave you"

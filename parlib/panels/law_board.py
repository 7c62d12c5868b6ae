"""What does `explore_laws` show? Left one job shared out, right a job for every worker, both to a million workers.

    once for each sweep    axes, grid, ideal line, legend with the fitted laws
    each move              laws, whole model and its peak, measured and exact points, a ring at the chosen workers

Both pictures have the same axes, so that their slopes can be compared: each line of the grid is ten times the last.
Lines are calculated, hollow points simulated, solid points measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..laws import Fit
from ..plots.curves import DOTTED, HOLLOW
from ..plots.look import INKS
from .easel import LARGE, MEDIAN, NOW, RING, Easel, measured
from .evidence import Evidence
from .law_model import MOST, Kitchen, LawModel, crowd, times

__all__ = ["LawBoard"]

WIDTH, HEIGHT = 1100, 560  # pixels: the height holds a legend below the two pictures
FLOORS = (0.5, 1e-2, 1e-4, 1e-6)  # speedups at which the pictures may end below

IDEAL: Any = {"color": "#999999", "linewidth": 1.5}
LAW: Any = {"color": INKS[2], "linewidth": 2.2, "linestyle": (0, (6, 3))}
MODEL: Any = {"color": INKS[3], "linewidth": 4.5}
HANDING: Any = {"color": INKS[7], "linewidth": 2.2, "linestyle": (0, (1, 1.5))}
FITTED: Any = {"color": INKS[4], "linewidth": 2}
EXACT: Any = HOLLOW | {"linestyle": "none", "markeredgewidth": 1.8}
PEAK: Any = {"color": INKS[3], "marker": "D", "markersize": 11, "markeredgecolor": "white"}


class LawBoard(Easel):
    """The picture of the laws' panel; `draw(kitchen)` gives its PNG."""

    def __init__(self, model: LawModel) -> None:
        self.model = model
        self._seen = [_Seen(evidence, model.counts) for evidence in model.evidence]
        with rc_context(LARGE):
            super().__init__(WIDTH, HEIGHT)
            self.strong = self.figure.add_axes((0.1, 0.315, 0.375, 0.615))
            self.weak = self.figure.add_axes((0.6, 0.315, 0.375, 0.615))
            _furnish(self.strong, "times as fast as serial")
            _furnish(self.weak, "times the work, in the same time")

    def draw(self, kitchen: Kitchen, lasting: bool = False) -> bytes:
        """The picture for this choice, as a PNG of WIDTH by HEIGHT pixels; a `lasting` one is packed with patience."""
        counts, model = self.model.counts, self.model
        strong, weak = model.strong_speedup(kitchen, counts), model.weak_speedup(kitchen, counts)
        lowest = min(strong.min(), weak.min())
        floor = next((floor for floor in FLOORS if floor < lowest), FLOORS[-1])
        for ax in (self.strong, self.weak):
            ax.set_ylim(floor, 2.2 * MOST)
        self.restore(self.ground((kitchen.shown, floor), lambda: self._settle(kitchen.shown)))
        self.show(self.strong, self._strong(kitchen, counts, strong))
        self.show(self.weak, self._weak(kitchen, counts, weak))
        return self.pack(lasting)

    # ---- Once for each sweep ----------------------------------------------------------------------------------------

    def _settle(self, shown: int) -> Any:
        """The background with a legend of its own."""
        told = self._seen[shown].told() if self._seen else []
        exact = Line2D([], [], label="simulated, in whole items", **EXACT)
        legend = self.figure.legend(handles=[*_legend(), exact, *told], loc="lower center", ncols=2, columnspacing=1.5)
        background = self.background()
        legend.remove()
        return background

    # ---- Each move --------------------------------------------------------------------------------------------------

    def _strong(self, kitchen: Kitchen, counts: np.ndarray, speedups: np.ndarray) -> list[Artist]:
        ceiling, limit = self.model.ceiling(kitchen, counts), self.model.handing_limit(kitchen, counts)
        bites = limit < ceiling  # elsewhere something else is in the way
        value = self.model.strong_speedup(kitchen, kitchen.workers)
        lines = [Line2D(counts, speedups, **MODEL), Line2D(counts, ceiling, **LAW)]
        lines += [Line2D(counts[bites], limit[bites], **HANDING)]
        points = [*(self._seen[kitchen.shown].artists() if self._seen else []), self._exact(kitchen, 0)]
        title = self.title(self.strong, f"Strong: {crowd(kitchen.workers)}, {times(value, '×')}")
        return [*lines, *self._peak(kitchen), *points, *_here(kitchen, value, self.strong), title]

    def _weak(self, kitchen: Kitchen, counts: np.ndarray, speedups: np.ndarray) -> list[Artist]:
        lines = [Line2D(counts, speedups, **MODEL), Line2D(counts, self.model.line(kitchen, counts), **LAW)]
        value = self.model.weak_speedup(kitchen, kitchen.workers)
        title = self.title(self.weak, f"Weak: {crowd(kitchen.workers)}, {times(value, '×')}")
        return [*lines, self._exact(kitchen, 1), *_here(kitchen, value, self.weak), title]

    def _exact(self, kitchen: Kitchen, which: int) -> Artist:
        points = self.model.exact(kitchen)
        return Line2D([*points], [both[which] for both in points.values()], **EXACT)

    def _peak(self, kitchen: Kitchen) -> list[Artist]:
        """A mark at the best number of workers, and that number below it, or above it where there is no room."""
        peak = self.model.peak(kitchen)
        value = self.model.strong_speedup(kitchen, peak)
        side = "left" if peak < 30 else "right" if peak > MOST / 30 else "center"
        room = value > 20 * self.strong.get_ylim()[0]
        looks: Any = {"color": INKS[3], "ha": side, "va": "top" if room else "bottom", "fontsize": 13}
        looks |= {"bbox": {"color": "white", "alpha": 0.8, "pad": 1}, "fontweight": "bold"}
        words = Text(peak, value / 4 if room else value * 4, f"peak: {peak:,}", **looks)
        return [Line2D([peak], [value], **PEAK), words]


class _Seen:
    """What was measured once, as a picture shows it again and again."""

    def __init__(self, evidence: Evidence, counts: np.ndarray) -> None:
        self.evidence, self.counts = evidence, counts
        self.hollow = not evidence.origin  # runs that were simulated themselves

    def artists(self) -> list[Artist]:
        """The fitted laws, and the points on top of them."""
        return [*self._fitted(), *self._points()]

    def told(self) -> list[Line2D]:
        """Its part of the legend."""
        looks: Any = HOLLOW | {"marker": "s"} if self.hollow else MEDIAN
        none = Line2D([], [], linestyle="none", label="no law fitted: too few points")
        return [Line2D([], [], label=self.evidence.name, **looks), *(self._fitted() or [none])]

    def _points(self) -> list[Artist]:
        points = self.evidence.points
        if self.hollow:
            return [Line2D([*points], [middle for middle, *_ in points.values()], **HOLLOW | {"marker": "s"})]
        return measured(points, self.evidence.samples)

    def _fitted(self) -> list[Line2D]:
        """A line for every law, as far as it is a speedup: one fitted to superlinear points has a pole."""
        lines = []
        for law, style in zip(self.evidence.fits, DOTTED):
            with np.errstate(all="ignore"):  # at the pole itself
                speedups = law.speedup(self.counts)
            end = int(np.argmax(~(speedups > 0))) or len(speedups)
            looks = FITTED | {"linestyle": style, "label": _parameters(law)}
            lines.append(Line2D(self.counts[:end], speedups[:end], **looks))
        return lines


def _furnish(ax: Any, what: str) -> None:
    """Axes that are the same in both pictures: a line of the grid for every power of ten."""
    ax.plot([1, MOST], [1, MOST], **IDEAL)
    ax.set(xscale="log", yscale="log", xlim=(0.7, MOST * 2), xlabel="workers", ylabel=what)
    ticks = [10.0**power for power in range(-6, 7)]
    for axis in (ax.xaxis, ax.yaxis):
        axis.set(major_locator=FixedLocator(ticks), minor_locator=NullLocator(), major_formatter=FuncFormatter(_power))
    ax.grid(alpha=0.25)


def _power(tick: float, _: object) -> str:
    """A number of an axis on which each line is ten times the last; there is room for every second.

    >>> _power(100.0, None), _power(1000.0, None), _power(1e6, None), _power(0.01, None)
    ('100', '', '1 million', '1/100')
    """
    if round(np.log10(tick)) % 2:
        return ""
    if tick >= 1:
        return "1 million" if tick > 9e5 else f"{tick:,.0f}"
    return f"1/{1 / tick:,.0f}"


def _legend() -> list[Line2D]:
    """What every picture has."""
    labels: dict[str, Any] = {
        "ideal: n workers, n times": IDEAL,
        "serial part alone: Amdahl, Gustafson": LAW,
        "handing out alone": HANDING,
        "whole model: also handing out, agreeing": MODEL,
    }
    return [Line2D([], [], label=label, **looks) for label, looks in labels.items()]


def _parameters(law: Fit) -> str:
    """A fitted law with its parameters and their errors.

    >>> _parameters(Fit({"serial_fraction": 0.0213}, {"serial_fraction": 0.0041}, 0.01, "amdahl"))
    'amdahl fitted: serial fraction 0.0213 ± 0.004'
    """
    told = []
    for name, value in law.parameters.items():
        error = law.errors[name]
        told += [f"{name.replace('_', ' ')} {value:.3g}" + (f" ± {error:.1g}" if np.isfinite(error) else "")]
    return f"{law.law} fitted: {', '.join(told)}"


def _here(kitchen: Kitchen, value: float, ax: Any) -> list[Artist]:
    """A ring around the chosen number of workers, and a line down to it."""
    ends = [ax.get_ylim()[0], value]
    drop = Line2D([kitchen.workers] * 2, ends, color=NOW, linestyle=":", linewidth=2)
    return [drop, Line2D([kitchen.workers], [value], **RING)]

"""How does speed grow with workers? Measured points with their spread, beside the ideal line and what was expected.

    speedup │        ╱ ideal
            │      ╱  ┌──────────
            │    ●════│○ ─ ○ simulated: hollow and dashed
            │  ╱●     │
            │ ●       │ more workers than cores
            └─────────┴────────── workers

A point is a median, its bar holds the middle half, and every single measurement stays visible as a faint dot.
This file does not know how anything was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from ..laws import Fit, fit
from .look import BEYOND, EDGE, INKS, STYLE, color, note, sheet, sign

__all__ = ["beyond", "ideal", "scaling"]

MARKERS = "osD^vPX"
DOTTED = (":", (0, (3, 1, 1, 1)), (0, (5, 1)))
WIDE = 16  # from this many workers on, both axes double from step to step


@rc_context(STYLE)
def scaling(
    sweep: Any,
    *,
    simulated: Mapping[int, float] | None = None,
    laws: str | Fit | Iterable[str | Fit] = (),
    prediction: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """The speedups of a sweep (or of several, in a list) over the number of workers.

    `simulated` is {workers: speedup}, drawn hollow and dashed. `laws` are names to fit to the
    first curve ("amdahl", "gustafson", "usl"), or a `Fit`. `prediction` is {workers: speedup}, or one
    number (or a Prediction of one) for the largest number of workers measured.
    """
    sweeps = list(sweep) if isinstance(sweep, list | tuple) else [sweep]
    curves = [(one, size) for one in sweeps for size in _checked(one).sizes]
    guesses = _guesses(prediction, curves)
    widest = max([2, *(max(one.workers, default=1) for one in sweeps), *(simulated or ()), *guesses])
    ax = sheet(ax)
    ideal(ax, widest)
    yours = any(one.source == "measured" for one in sweeps)
    if sweeps:  # simulated workers need no cores
        beyond(ax, min(one.cores for one in sweeps), widest, yours=yours)
    if simulated:
        ax.plot(*_sorted(simulated), **HOLLOW, label="simulated")
    for number, (one, size) in enumerate(curves):
        _points(ax, one, size, number, _name(one, size, sweeps))
    for number, law in enumerate([laws] if isinstance(laws, str | Fit) else laws):
        _law(ax, law, curves, widest, DOTTED[number % len(DOTTED)])
    _predictions(ax, guesses, prediction)
    _frame(ax, widest)
    for warning in dict.fromkeys(one.warning for one in sweeps if one.warning):
        note(ax, warning)
    return _signed(ax, sweeps, simulated)


HOLLOW: Any = {"color": EDGE, "linestyle": "--", "linewidth": 1.8, "zorder": 3} | {
    "marker": "o",
    "markersize": 8,
    "markerfacecolor": "white",
}
"""How everything simulated is drawn: hollow and dashed, so that nobody takes it for a measurement."""

SOLID: Any = {"markersize": 9, "capsize": 5, "linewidth": 2.5, "zorder": 4}
"""How medians of measurements are drawn, with a bar for the middle half of the samples."""

FAINT: Any = {"alpha": 0.25, "markersize": 5, "markeredgewidth": 0, "zorder": 3}
"""How every single sample is drawn."""


def ideal(ax: Axes, widest: int) -> None:
    """The line on which n workers are n times as fast."""
    ends = np.array([1, widest])
    ax.plot(ends, ends, color="#999999", linewidth=1.5, zorder=1, label="ideal: n workers, n times as fast")


def beyond(ax: Axes, cores: int, widest: int, *, yours: bool = True, below: bool = False) -> None:
    """Shade where there are more workers than cores; the words stand in the picture or `below` it."""
    if widest > cores:
        ax.axvspan(cores, widest * 1.15, color=BEYOND, zorder=0)
    if widest >= cores:
        ax.axvline(cores, color="#8A7A4A", linewidth=1.5, zorder=1)
        words = f"{'your ' if yours else ''}{cores} core{'s' * (cores != 1)}"
        looks: Any = {"color": "#5F5226", "zorder": 6, "transform": ax.get_xaxis_transform()}
        looks |= {"va": "top", "ha": "center", "weight": "bold"} if below else {"fontsize": 13}
        ax.text(cores, -0.085 if below else 0.02, words if below else f" {words}", **looks)


def _points(ax: Axes, sweep: Any, size: Any, number: int, label: str) -> None:
    """One curve: every sample faint, the medians with the spread of their middle half."""
    speedups = sweep.speedups(size)
    if not speedups:
        return
    ink, marker = color(number, INKS), MARKERS[number % len(MARKERS)]
    workers = sorted(speedups)
    middle, low, high = np.array([speedups[count] for count in workers], dtype=float).T
    base = float(np.median(sweep.baseline(size)))
    for count in workers:
        samples = base / np.asarray(sweep.samples(count, size), dtype=float)
        ax.plot(np.full(len(samples), count), samples, marker, color=ink, **FAINT)
    spread = np.abs([middle - low, high - middle])
    ax.errorbar(workers, middle, spread, color=ink, marker=marker, label=label, **SOLID)


def _law(ax: Axes, law: Any, curves: Sequence[tuple[Any, Any]], widest: int, style: Any) -> None:
    found = law if isinstance(law, Fit) else _fitted(law, *curves[0])
    workers = np.linspace(1, widest, 200)
    told = ", ".join(f"{name.replace('_', ' ')} {value:.2g}" for name, value in found.parameters.items())
    looks: Any = {"linestyle": style, "color": "#A3195B", "linewidth": 2, "zorder": 2}
    ax.plot(workers, found.speedup(workers), label=f"{found.law}: {told}", **looks)


def _fitted(law: str, sweep: Any, size: Any) -> Fit:
    speedups = sweep.speedups(size)
    return fit(law, sorted(speedups), [speedups[count][0] for count in sorted(speedups)])


def _guesses(prediction: Any, curves: Sequence[tuple[Any, Any]]) -> dict[int, float]:
    """What was predicted, as {workers: speedup}; nothing for a prediction not committed or not a number."""
    if prediction is None or getattr(prediction, "value", prediction) is None:
        return {}
    if isinstance(prediction, Mapping):
        return {int(count): float(value) for count, value in prediction.items()}
    largest = max((max(one.workers, default=1) for one, _ in curves), default=1)
    return {largest: float(prediction)}


def _predictions(ax: Axes, guesses: dict[int, float], prediction: Any) -> None:
    for count, value in guesses.items():
        told = getattr(prediction, "told", "") or f"{value:.3g}×"
        ax.plot(count, value, "*", color="#B3400F", markersize=20, markeredgecolor="white", zorder=6)
        style: Any = {"textcoords": "offset points", "va": "center", "color": "#B3400F", "weight": "bold"}
        ax.annotate(f"you said {told}", (count, value), xytext=(-13, 0), ha="right", zorder=6, **style)


def _frame(ax: Axes, widest: int) -> None:
    """Limits and ticks: both axes double from tick to tick where there are many workers."""
    top = max(1.2 * widest, 1.05 * ax.dataLim.y1)
    if widest >= WIDE:
        ax.set(xscale="log", yscale="log", xlim=(0.9, widest * 1.15), ylim=(0.5, top))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set(major_locator=LogLocator(2), minor_locator=NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    else:
        ax.set(xlim=(0.8, widest * 1.05), ylim=(0, top))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="workers", ylabel="times as fast as serial")
    ax.grid(alpha=0.25)
    ax.legend(loc="upper left")


def _name(sweep: Any, size: Any, sweeps: Sequence[Any]) -> str:
    """What sets this curve apart from the others, after the word for where it comes from."""
    names = ("workload", "backend")
    differs = [getattr(sweep, name) for name in names if len({getattr(one, name) for one in sweeps}) > 1]
    if len(sweep.sizes) > 1 or len({one.sizes for one in sweeps}) > 1:
        differs.append(f"size {size:,}" if isinstance(size, int | float) else str(size))
    return ", ".join([sweep.source, *differs])


def _signed(ax: Axes, sweeps: Sequence[Any], simulated: Any) -> Axes:
    thought = [getattr(simulated, "source", "simulated")] if simulated else []
    words = dict.fromkeys([*(one.source for one in sweeps), *thought])
    story = " and ".join(dict.fromkeys(f"{one.workload} on {one.backend}" for one in sweeps))
    sign(ax, " and ".join(words) or "calculated", f": {story}" if story else "")
    told = [one if one.source == "recorded" else one.source for one in sweeps]  # a record also tells its machine
    ax.source = told + thought or "calculated"  # type: ignore[attr-defined]  # for `show`
    return ax


def _sorted(curve: Mapping[int, float]) -> tuple[list[int], list[float]]:
    return sorted(curve), [curve[count] for count in sorted(curve)]


def _checked(sweep: Any) -> Any:
    if not hasattr(sweep, "speedups"):
        way_out = "pass what sweep(workload) or recorded(name) gave you"
        raise TypeError(f"scaling draws a Sweep, or a list of them, not {sweep!r}: {way_out}")
    return sweep

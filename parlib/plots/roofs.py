"""When does splitting stop paying? Two roofs above every split: no more can be computed, and no more can be sent.

    operations        ________________ computing: as fast as all workers together
    a second        ╱      B
                  ╱ A          below the slope, workers wait for what they are sent
                ╱   :          the ridge: bytes and operations take equally long
              ╱     :
              └─────────────── operations per byte sent or returned: arithmetic intensity

The roofline of Williams, Waterman and Patterson (2009), for splits. A dot is the most that a machine can do with a
split: calculated, and no run of it has to exist.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from ..workloads.splits import Split
from .look import EDGE, INKS, STYLE, color, sheet, sign, tell_bytes

__all__ = ["roofline"]

MARKS = "osD^vPX*"  # a shape for each dot, beside its letter
CLOSE = 0.05  # of a tenfold step: dots nearer than this share a place, and write their letters one below the other


@rc_context(STYLE)
def roofline(splits: Mapping[str, Split], *, speed: float, bandwidth: float, ax: Axes | None = None) -> Axes:
    """Both roofs of a machine, and a lettered dot for each split by its name, at the speed it could reach at most.

    `speed` is operations a second of all workers together, `bandwidth` bytes a second that can be sent and returned.

    >>> from parlib.workloads.matmul import product_split
    >>> split = product_split(np.ones((40, 40)), np.ones((40, 40)), 4, "blocks")
    >>> ax = roofline({"blocks": split}, speed=1e9, bandwidth=1e8)
    >>> ax.get_title(loc="left")
    'Calculated: the ridge is at 10 operations per byte'
    >>> from matplotlib import pyplot; pyplot.close(ax.figure)
    """
    speed, bandwidth = _positive("speed", speed), _positive("bandwidth", bandwidth)
    if not splits:
        raise ValueError("roofline draws at least one split, and there is none")
    ridge, found = speed / bandwidth, {name: intensity(split) for name, split in splits.items()}
    ax = sheet(ax, height=5)
    low, high = min(ridge, *found.values()) / 4, max(ridge, *found.values()) * 4
    _roofs(ax, low, high, speed, bandwidth)
    for number, (name, place) in enumerate(found.items()):
        look: dict[str, Any] = {"marker": MARKS[number % len(MARKS)], "color": color(number, INKS)}
        label = f"{_letter(number)}: {name} ({place:.3g})"
        ax.plot([place], [min(speed, place * bandwidth)], linestyle="", markersize=11, label=label, zorder=3, **look)
    _write_letters(ax, list(found.values()), speed, bandwidth)
    ax.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low * bandwidth, speed * 6))
    ax.set(xlabel="operations per byte sent or returned", ylabel="operations a second")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=11, handletextpad=0.2)
    return sign(ax, "calculated", f": the ridge is at {ridge:.3g} operations per byte")


def intensity(split: Split) -> float:
    """Operations per byte that is sent or returned, of a whole split."""
    return split.operations / max(1, split.sent + split.returned)


def _roofs(ax: Axes, low: float, high: float, speed: float, bandwidth: float) -> None:
    """The slope, the level and the ridge between them."""
    ridge = speed / bandwidth
    ax.plot([low, ridge], [low * bandwidth, speed], color=EDGE, linewidth=2.5, linestyle="--", zorder=1)
    ax.plot([ridge, high], [speed, speed], color=EDGE, linewidth=2.5, zorder=1)
    ax.axvline(ridge, color=EDGE, linewidth=1, linestyle=":", zorder=0)
    style: dict[str, Any] = {"textcoords": "offset points", "fontsize": 12, "color": EDGE}
    ax.annotate(f"computing: {_tell(speed)} a second", (high, speed), (-4, 8), ha="right", **style)
    beside = low**0.3 * ridge**0.7
    sent = f"sending:\n{tell_bytes(bandwidth)} a second"
    ax.annotate(sent, (beside, beside * bandwidth), (-12, 8), ha="right", **style)


def _write_letters(ax: Axes, places: list[float], speed: float, bandwidth: float) -> None:
    """The letters below the dots; those of dots in one place are stacked."""
    groups: list[list[int]] = []
    for number in np.argsort(places, kind="stable"):
        near = groups and math.log10(places[number] / places[groups[-1][0]]) < CLOSE
        groups[-1].append(int(number)) if near else groups.append([int(number)])
    for group in groups:
        top = places[group[0]], min(speed, places[group[0]] * bandwidth)
        letters = "\n".join(map(_letter, sorted(group)))
        ax.annotate(letters, top, (0, -18), textcoords="offset points", ha="center", va="top", weight="bold")


def _tell(count: float) -> str:
    """A large number as a person says it.

    >>> _tell(160e9), _tell(2.5e6), _tell(40)
    ('160 billion', '2.5 million', '40')
    """
    for size, unit in (1e12, "trillion"), (1e9, "billion"), (1e6, "million"):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.3g}"


def _letter(number: int) -> str:
    """A, B, … Z, then the number itself."""
    return chr(ord("A") + number) if number < 26 else str(number)


def _positive(what: str, number: Any) -> float:
    if isinstance(number, bool) or not isinstance(number, int | float | np.number):
        raise TypeError(f"{what} must be a number, not {number!r}")
    if not 0 < number < math.inf:
        raise ValueError(f"{what} must be more than 0 and finite, not {number}")
    return float(number)

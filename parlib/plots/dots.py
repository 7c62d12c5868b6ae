"""How far can one trust a time? Every single measurement as a dot, with the median and the middle half of them.

    seconds │ ○                       hollow: the warm-up, which is not counted
            │
            │   ●  ▒●▒▒▒▒▒            band: the middle half of the dots
            │  ━━━━━━━●━━━━           line: their median
            │     ●      ●
            └──────────────── orders, in the order in which they were taken

This file does not know who held the clock, except by the source it is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from ..metrics import seconds_of
from ..trace import Run
from .look import INKS, STYLE, color, sheet, sign, tell_seconds

__all__ = ["samples"]

GAP = 1.5  # between two groups, in steps from dot to dot
LEAST = 3  # dots for which there is room, however few there are
FAR = 20  # times as long: from here on a linear axis would press the short ones to the floor
GUESS = "#B3400F"  # the color of every prediction, as in `scaling`
GROUPS = [ink for ink in INKS if ink != GUESS]


@rc_context(STYLE)
def samples(
    times: Mapping[str, Sequence[float] | Sequence[Run]],
    *,
    warm_up: int = 0,
    source: str | Sequence[str] = "measured",
    prediction: Any = None,
    at: float | None = None,
    zoom: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """One group of dots for each name in `times`: seconds (or Runs) in the order in which they were taken.

    The first `warm_up` of each group are hollow and not counted. `source` says where plain seconds come from; Runs
    know. `prediction` is written into the picture, and drawn as a line where it means `at` seconds. With `zoom` the
    axis does not begin at zero, and says so.

    >>> ax = samples({"orders": [0.9, 0.3, 0.2, 0.4]}, warm_up=1)
    >>> ax.get_title(loc="left")
    'Measured: median 0.3 s'
    >>> import matplotlib.pyplot; matplotlib.pyplot.close(ax.figure)
    """
    groups = {name: _seconds(name, taken, warm_up) for name, taken in times.items()}
    if not groups:
        raise ValueError("samples draws at least one group of seconds, and there is none")
    ax = sheet(ax)
    _axes(ax, groups, zoom)
    for number, (left, seconds) in enumerate(zip(_lefts(groups), groups.values())):
        _group(ax, left, seconds, warm_up, color(number, GROUPS))
    _prediction(ax, prediction, at)
    sources = _sources(times, source)
    alone = f": median {tell_seconds(float(np.median(seconds[warm_up:])))}" if len(groups) == 1 else ""
    sign(ax, " and ".join(filter(None, [", ".join(sources[:-1]), sources[-1]])), alone)
    ax.source = sources  # type: ignore[attr-defined]  # one sentence below the picture for each
    return ax


def _seconds(name: str, taken: Sequence[float] | Sequence[Run], warm_up: int) -> np.ndarray:
    seconds = np.array([seconds_of(one) for one in taken], dtype=float)
    if len(seconds) <= warm_up:
        raise ValueError(f"{name!r} has {len(seconds)} times, {warm_up} of them warm-up: nothing left to count")
    return seconds


def _group(ax: Axes, left: float, seconds: np.ndarray, warm_up: int, ink: str) -> None:
    """The dots of one group, with the median and the middle half of those that count."""
    places = left + np.arange(len(seconds))
    low, middle, high = np.quantile(seconds[warm_up:], (0.25, 0.5, 0.75))
    ends = places[warm_up] - 0.4, places[-1] + 0.4
    ax.fill_between(ends, low, high, color=ink, alpha=0.2, linewidth=0, zorder=1)
    ax.plot(ends, (middle, middle), color=ink, linewidth=2.5, zorder=2)
    ax.plot(places[warm_up:], seconds[warm_up:], "o", color=ink, markersize=8, markeredgecolor="white", zorder=3)
    style: dict[str, Any] = {"textcoords": "offset points", "color": ink}
    top = (ends[0] + ends[1]) / 2, seconds[warm_up:].max()
    ax.annotate(tell_seconds(middle), top, (0, 12), ha="center", weight="bold", **style)
    if warm_up:
        ax.plot(places[:warm_up], seconds[:warm_up], "o", color=ink, mfc="white", mew=2, markersize=9)
        last = places[warm_up - 1], seconds[warm_up - 1]
        ax.annotate("warm-up, not counted", last, (10, 0), va="center", **style)


def _lefts(groups: dict[str, np.ndarray]) -> np.ndarray:
    """Where the first dot of each group stands; a group of one or two has the room of three, for its name."""
    counts = np.array([len(seconds) for seconds in groups.values()])
    room = np.maximum(counts, LEAST)
    return np.cumsum(room + GAP) - room - GAP + (room - counts) / 2


def _axes(ax: Axes, groups: dict[str, np.ndarray], zoom: bool) -> None:
    """Room, names and grid: from zero, or by powers of ten where some times are far longer than others."""
    middles = [left + (len(seconds) - 1) / 2 for left, seconds in zip(_lefts(groups), groups.values())]
    last = middles[-1] + max(len(list(groups.values())[-1]), LEAST) / 2
    ax.set(xlim=(-1, 1.18 * last + 1), ylabel="seconds")  # a prediction has room on the right
    ax.set_xticks(middles, [fill(name, 18) for name in groups])
    ax.tick_params(axis="x", length=0)
    ax.grid(axis="y", alpha=0.25)
    _scale(ax, np.concatenate(list(groups.values())), zoom)


def _scale(ax: Axes, seconds: np.ndarray, zoom: bool) -> None:
    shortest, longest = seconds.min(), seconds.max()
    if shortest > 0 and longest > FAR * shortest:
        ax.set(yscale="log", ylim=(shortest / 2, longest * 3), ylabel="seconds (each line: ten times as long)")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: tell_seconds(seconds)))
        ax.yaxis.set_minor_formatter(NullFormatter())
    elif zoom and longest > shortest:
        margin = 0.25 * (longest - shortest)
        ax.set(ylim=(shortest - margin, longest + 2 * margin), ylabel="seconds (the axis does not begin at 0)")
    else:
        ax.set_ylim(0, 1.25 * longest or 1.0)


def _prediction(ax: Axes, prediction: Any, at: float | None) -> None:
    """What was said beforehand: a line where it can be one, else words in the corner."""
    if prediction is None:
        return
    if at is not None:
        low, high = ax.get_ylim()
        ax.set_ylim(min(low, at / 2) if ax.get_yscale() == "log" else low, max(high, 1.2 * at))
        ax.axhline(at, color=GUESS, linestyle="--", linewidth=2, zorder=2)
    point = (0.99, 0.9) if at is None else (0.99, at)
    place: Any = "axes fraction" if at is None else ax.get_yaxis_transform()
    style: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "color": GUESS, "weight": "bold"}
    ax.annotate(f"you said {getattr(prediction, 'told', prediction)}", point, (0, 5), xycoords=place, **style)


def _sources(times: Mapping[str, Any], source: str | Sequence[str]) -> list[str]:
    """Where the times come from: Runs say it themselves, plain seconds do not."""
    taken = [one for group in times.values() for one in group]
    plain = [source] if isinstance(source, str) else list(source)
    told = [one.source for one in taken if isinstance(one, Run)]
    return list(dict.fromkeys([*told, *(plain if len(told) < len(taken) else [])]))

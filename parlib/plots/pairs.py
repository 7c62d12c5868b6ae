"""How do two ways compare? Their timelines side by side, on one time axis, so that a shorter picture is a shorter run.

    Many bakers, one recipe          Many chefs, one dinner
    0 ███████████                    0 █████▒▒▒▒██████
    1 ███████████                    1 █████████▒▒▒▒▒▒
      └────┴────┴────┴ seconds         └────┴────┴────┴ seconds

The same second is the same width in both. This file draws no bar itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib import pyplot, rc_context
from matplotlib.figure import Figure

from ..trace import Run
from .look import DOTS, STYLE
from .timelines import gantt

__all__ = ["side_by_side"]

WIDE = 14.0  # inches: two timelines, each as wide as half a projector


def side_by_side(runs: Mapping[str, Run], *, width: float = WIDE) -> Figure:
    """The timelines of a few runs by their titles, beside each other and with one time axis, on `width` inches.

    On a smaller sheet the letters are smaller too.

    >>> from parlib import Simulated, data_parallel
    >>> few, many = (data_parallel(abs, range(4), workers=workers, backend=Simulated(cost=1.0)) for workers in (2, 4))
    >>> figure = side_by_side({"two bakers": few, "four bakers": many})
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['two bakers\\nSimulated: 2 s on 2 workers', 'four bakers\\nSimulated: 1 s on 4 workers']
    >>> pyplot.close(figure)
    """
    if not runs:
        raise ValueError("side_by_side draws at least one run, and there is none")
    height = 2.0 + 0.4 * min(max(run.workers for run in runs.values()), 10)
    letters = {name: STYLE[name] * (width / WIDE) ** 0.5 for name in ("font.size", "axes.titlesize")}
    with rc_context(STYLE | letters):
        return _drawn(runs, width, height)


def _drawn(runs: Mapping[str, Run], width: float, height: float) -> Figure:
    figure = pyplot.figure(figsize=(width, height), dpi=DOTS, layout="constrained")
    ends = []
    for ax, (title, run) in zip(figure.subplots(1, len(runs), sharex=True, squeeze=False)[0], runs.items()):
        gantt(run, ax=ax)
        ax.set_title(f"{title}\n{ax.get_title(loc='left')}", loc="left")
        ax.get_legend().remove()  # it would say the same below each of them
        ends.append(ax.get_xlim()[1])
    ax.set_xlim(0, max(ends))  # of all, because they share it
    figure.source = [run.source for run in runs.values()]  # type: ignore[attr-defined]  # for `show`
    return figure

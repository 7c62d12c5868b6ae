"""Which of all combinations is best? A table of colored cells, the number in each, and a frame around the best.

Light is little and dark is much, and the number says it again, so nobody depends on the color.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..trace import Run
from .look import STYLE, sheet, sign

__all__ = ["heatmap"]

COLORS = "cividis_r"  # even steps of brightness, also for color-blind eyes (Nuñez, Anderton and Renslow 2018)
BEST = "#B3400F"


@rc_context(STYLE)
def heatmap(
    table: Sequence[Sequence[Any]],
    *,
    rows: Sequence[Any],
    columns: Sequence[Any],
    row: str = "",
    column: str = "",
    value: str = "seconds",
    best: str = "least",
    ax: Axes | None = None,
) -> Axes:
    """A table of numbers, or of runs (their elapsed seconds), as colored cells; NaN is left empty.

    `rows` and `columns` name what was varied, `row` and `column` say what it was, `value` what
    the numbers are. `best` is "least" or "most", and gets a frame. Runs bring their own source.

    >>> ax = heatmap([[3.0, 2.0], [1.5, 2.5]], rows=[1, 2], columns=[1, 4], row="replicas", column="stages")
    >>> ax.get_title(loc="left")
    'Calculated: seconds, least 1.5'
    >>> from matplotlib import pyplot; pyplot.close(ax.figure)
    """
    numbers = _numbers(table, (len(rows), len(columns)))
    place = _place_of_the_best(numbers, best)
    ax = sheet(ax)
    ax.imshow(np.ma.masked_invalid(numbers), cmap=COLORS, aspect="auto")
    ax.set_xticks(range(len(columns)), [str(name) for name in columns])
    ax.set_yticks(range(len(rows)), [str(name) for name in rows])
    ax.set(xlabel=column, ylabel=row)
    _write(ax, numbers)
    ax.add_patch(
        Rectangle((place[1] - 0.5, place[0] - 0.5), 1, 1, fill=False, edgecolor=BEST, linewidth=4, clip_on=False)
    )
    return sign(ax, _source(table), f": {value}, {best} {numbers[place]:.3g}")


def _numbers(table: Any, shape: tuple[int, int]) -> np.ndarray:
    """The table as an array of this shape; ValueError if it has another one, or no number at all."""
    numbers = np.array(
        [[cell.elapsed if isinstance(cell, Run) else cell for cell in line] for line in table], dtype=float
    )
    if numbers.shape != shape:
        raise ValueError(
            f"the table has shape {numbers.shape}, but there are {shape[0]} rows and {shape[1]} columns named"
        )
    if np.isnan(numbers).all():
        raise ValueError("the table has no number in it, so there is nothing to draw: NaN stands for an empty cell")
    return numbers


def _place_of_the_best(numbers: np.ndarray, best: str) -> tuple[int, int]:
    if best not in ("least", "most"):
        raise ValueError(f"best must be 'least' or 'most', not {best!r}")
    flat = np.nanargmin(numbers) if best == "least" else np.nanargmax(numbers)
    across, down = np.unravel_index(flat, numbers.shape)
    return int(across), int(down)


def _write(ax: Axes, numbers: np.ndarray) -> None:
    """The number in each cell, white where the cell is dark."""
    middle = (np.nanmin(numbers) + np.nanmax(numbers)) / 2
    for (line, place), number in np.ndenumerate(numbers):
        if not np.isnan(number):
            ink = "white" if number > middle else "black"
            ax.text(place, line, f"{number:.3g}", ha="center", va="center", color=ink, fontsize=14)


def _source(table: Any) -> str:
    """Where the numbers come from: the runs know; plain numbers were calculated."""
    sources = {cell.source for line in table for cell in line if isinstance(cell, Run)}
    return sources.pop() if len(sources) == 1 else "calculated"

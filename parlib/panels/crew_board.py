"""What does `explore_assignment` show? Left who does what and when, right who is done first: you, or an algorithm.

    once                     axes, lanes, names of the crew
    for another time axis    its numbers
    each move                the bars of both
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.collections import PolyCollection
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from ..plots.look import EDGE, FILLS, IDLE, tell_seconds
from ..plots.timelines import HALF, Bars, box
from .crew_model import Choice, CrewModel
from .easel import LARGE, Easel

__all__ = ["HEIGHT", "WIDTH", "CrewBoard"]

WIDTH, HEIGHT = 1100, 360  # pixels
STEPS = np.array([1, 1.5, 2, 3, 4, 5, 6, 8])  # times a power of ten: where the time axis may end
ROWS = 4  # room at the right: yours and three others


class CrewBoard(Easel):
    """The picture of the assignment's panel; `draw(choice)` gives its PNG."""

    def __init__(self, model: CrewModel) -> None:
        self.model = model
        with rc_context(LARGE):
            super().__init__(WIDTH, HEIGHT)
            self.time = self.figure.add_axes((0.12, 0.17, 0.5, 0.69))
            self.ends = self.figure.add_axes((0.76, 0.17, 0.22, 0.69))
            crew = model.crew
            self.time.set(yticks=range(len(crew)), yticklabels=crew, xlabel="seconds")
            self.time.set_ylim(len(crew) - 0.45, -0.55)
            self.time.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
            self.ends.set(yticks=[], xticks=[], ylim=(ROWS - 0.4, -0.6))
            for ax in (self.time, self.ends):
                ax.tick_params(axis="y", length=0)
                ax.spines["left"].set_visible(False)
            self.ends.spines["bottom"].set_visible(False)

    def draw(self, choice: Choice, lasting: bool = False) -> bytes:
        """The picture for this choice, as a PNG of WIDTH by HEIGHT pixels; a `lasting` one is packed with patience."""
        ends = self.model.ends(choice)
        right = _right(max(ends.values()))
        self.time.set_xlim(0, right)
        self.ends.set_xlim(0, 1.35 * right)
        self.restore(self.ground(right, self._settle))
        self.show(self.time, self._timeline(choice))
        self.show(self.ends, self._compared(ends))
        return self.pack(lasting)

    def _settle(self) -> Any:
        return self.background()

    def _timeline(self, choice: Choice) -> list[Artist]:
        run, right = self.model.run(choice.workers, choice.distance), self.time.get_xlim()[1]
        bars, crew = Bars(run), range(len(self.model.crew))
        lanes = PolyCollection([box(0, right, slot - HALF, slot + HALF) for slot in crew], facecolors=IDLE)
        title = self.title(self.time, f"Simulated, your assignment: {tell_seconds(run.elapsed)}")
        return [lanes, *bars.areas(), *bars.letters(self.time), title]

    def _compared(self, ends: dict[str, float]) -> list[Artist]:
        """A bar for each assignment, its name before it and its seconds behind it."""
        bars = [box(0, seconds, row - 0.3, row + 0.3) for row, seconds in enumerate(ends.values())]
        fills = [FILLS[1], *[FILLS[0]] * len(ends)][: len(ends)]
        parts: list[Artist] = [PolyCollection(bars, facecolors=fills, edgecolors=EDGE)]
        for row, (name, seconds) in enumerate(ends.items()):
            looks: Any = {"va": "center", "fontsize": 12}
            parts.append(Text(0, row, f"{name} ", ha="right", **looks))
            parts.append(Text(seconds, row, f" {tell_seconds(seconds)}", ha="left", **looks))
        return [*parts, self.title(self.ends, "Done after")]


def _right(seconds: float) -> float:
    """Where a time axis ends that shows so many seconds.

    >>> _right(9.0), _right(0.11), _right(0.0)
    (10.0, 0.15, 1.0)
    """
    if seconds <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(seconds))
    stops = [*(STEPS * power), 10 * power]
    return float(f"{next(stop for stop in stops if stop >= 1.0000001 * seconds):.3g}")

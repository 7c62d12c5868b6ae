"""What does `explore` show? Left how fast any number of workers is, right what they do all the time.

    once                  axes, grid, ideal line, cores, legend
    for another curve     simulated curve, measured points
    each move             a ring at the chosen number of workers, and the timeline
"""

from __future__ import annotations

from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.collections import PolyCollection
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from ..plan import counted
from ..plots.curves import HOLLOW, beyond, ideal
from ..plots.look import BEYOND, EDGE, IDLE, tell_seconds
from ..plots.timelines import HALF, Bars, box
from .easel import LARGE, MEASURED, MEDIAN, NOW, RING, Easel, measured
from .model import Choice, Model

__all__ = ["HEIGHT", "WIDTH", "Board"]

WIDTH, HEIGHT = 1100, 450  # pixels: two pictures side by side, readable on a projector
LANES = 4  # lanes are never higher than a quarter of the picture, so that one worker does not look like a wall
FLOORS = (0.5, 0.1, 0.01, 0.001)  # speedups at which the curve's picture may end below


class Ground(NamedTuple):
    """A background with a curve on it: its pixels, the speedup at its foot, and the seconds at its right end."""

    pixels: Any
    floor: float
    right: float


class Board(Easel):
    """The picture of a panel; `draw(choice)` gives its PNG."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._empty: dict[float, Any] = {}  # backgrounds by floor
        with rc_context(LARGE):
            super().__init__(WIDTH, HEIGHT)
            self.speed = self.figure.add_axes((0.06, 0.14, 0.4, 0.72))
            self.time = self.figure.add_axes((0.54, 0.14, 0.43, 0.72))
            self._furnish()

    def draw(self, choice: Choice, lasting: bool = False) -> bytes:
        """The picture for this choice, as a PNG of WIDTH by HEIGHT pixels; a `lasting` one is packed with patience."""
        ground, points = self._ground(choice), self.model.points(choice)
        self.speed.set_ylim(ground.floor, 2.2 * self.model.most)
        self.time.set_xlim(0, ground.right)
        self.restore(ground.pixels)
        self.show(self.speed, self._here(choice, points))
        self.show(self.time, self._timeline(choice))
        return self.pack(lasting)

    # ---- Once -----------------------------------------------------------------------------------------------------

    def _furnish(self) -> None:
        speed, most, cores = self.speed, self.model.most, self.model.host.cores
        ideal(speed, most)
        if self.model.workload.spends != "waiting":
            beyond(speed, cores, most, below=True)
        speed.plot([], [], **HOLLOW, label="simulated")
        speed.plot([], [], **MEDIAN, label="measured on this machine")
        speed.set(xscale="log", yscale="log", xlim=(0.85, most * 1.18), ylabel="times as fast as serial")
        speed.set_xlabel("workers", loc="right" if cores**2 <= most else "left")
        for axis in (speed.xaxis, speed.yaxis):
            ticks = FixedLocator([2.0**power for power in range(-10, most.bit_length())])
            axis.set(major_locator=ticks, minor_locator=NullLocator(), major_formatter=FuncFormatter(_doubling))
        speed.grid(alpha=0.25)
        speed.legend(loc="upper left")
        self.time.set(yticks=[], ylabel="workers, 0 at the top")
        self.time.set_xlabel("filled: computing; pale: occupied, not computing", loc="right")
        self.time.spines["left"].set_visible(False)
        self.time.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))

    def _make_room(self, floor: float) -> Any:
        """The background of a curve that goes down to `floor`; drawn in full, since both axes change."""
        self.speed.set_ylim(floor, 2.2 * self.model.most)
        if floor not in self._empty:
            self.time.xaxis.set_visible(False)
            self._empty[floor] = self.background()
            self.time.xaxis.set_visible(True)
        return self._empty[floor]

    # ---- When another curve is wanted -----------------------------------------------------------------------------

    def _ground(self, choice: Choice) -> Ground:
        """What stays while only the number of workers changes."""
        curve = choice.size, choice.job, self.model.scale(choice), tuple(self.model.points(choice).items())
        return self.ground(curve, lambda: self._settle(choice))

    def _settle(self, choice: Choice) -> Ground:
        curve, points, right = self.model.curve(choice), self.model.points(choice), self._right(choice)
        lowest = min([*curve.values(), *(low for _, low, _ in points.values())])
        floor = next((floor for floor in FLOORS if floor < lowest), FLOORS[-1])
        self.restore(self._make_room(floor))
        self.time.set_xlim(0, right)
        unit, factor = ("ms", 1000) if right < 0.5 else ("s", 1)
        self.time.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds * factor:g} {unit}"))
        self.time.draw_artist(self.time.xaxis)
        self.show(self.speed, self._curve(curve) + measured(points, self.model.samples(choice)))
        self.show(self.time, [self._word(self.model.serial(choice), "serial", EDGE)])
        return Ground(self.pixels(), floor, right)

    def _curve(self, curve: dict[int, float]) -> list[Artist]:
        some = [workers for workers in curve if workers & (workers - 1) == 0]  # a mark at 1, 2, 4, 8 …
        line = Line2D([*curve], [*curve.values()], **HOLLOW | {"marker": ""})
        return [line, Line2D(some, [curve[workers] for workers in some], **HOLLOW | {"linestyle": "none"})]

    def _right(self, choice: Choice) -> float:
        """Where the time axis ends, in seconds: behind the serial code, or behind the slowest run."""
        slowest = max(self.model.serial(choice) / speedup for speedup in self.model.curve(choice).values())
        return 1.04 * max(self.model.serial(choice), slowest, *self.model.medians(choice).values()) or 1.0

    # ---- Each move ------------------------------------------------------------------------------------------------

    def _here(self, choice: Choice, points: dict[int, tuple[float, float, float]]) -> list[Artist]:
        """A ring around the chosen number of workers, and what it comes to."""
        seen = choice.workers in points
        value = points[choice.workers][0] if seen else self.model.speedup(choice)
        source = "measured" if seen else "simulated"
        ring = Line2D([choice.workers], [value], **RING)
        drop = Line2D([choice.workers] * 2, [self.speed.get_ylim()[0], value], color=NOW, linestyle=":", linewidth=2)
        story = f"{counted(choice.workers, 'worker')}: {value:.2f} times as fast, {source}"
        return [drop, ring, self.title(self.speed, story)]

    def _timeline(self, choice: Choice) -> list[Artist]:
        """Lanes and bars of the simulated run, and where serial code and the measured run end."""
        trace, measured = self.model.timeline(choice), self.model.medians(choice)
        self.time.set_ylim(max(choice.workers, LANES) * 1.18 - 0.45, -0.55)  # room for the words below the lanes
        bars, ends = Bars(trace), [self._line(self.model.serial(choice), EDGE, ":")]
        if choice.workers in measured:
            seconds = measured[choice.workers]
            ends += [self._line(seconds, MEASURED, "-"), self._word(seconds, "measured", MEASURED)]
        end = tell_seconds(float(trace.received.max(initial=0.0)))
        title = self.title(self.time, f"{trace.source.capitalize()}: {end}")
        return [*self._lanes(choice), *bars.areas(), *bars.letters(self.time), *ends, title]

    def _lanes(self, choice: Choice) -> list[Artist]:
        right, limit = self.time.get_xlim()[1], self.model.limit()
        grey = [box(0, right, worker - HALF, worker + HALF) for worker in range(choice.workers)]
        colors = [IDLE if worker < limit else BEYOND for worker in range(choice.workers)]
        return [PolyCollection(grey, facecolors=colors)]

    def _line(self, seconds: float, ink: str, style: Any) -> Artist:
        across = self.time.get_xaxis_transform()
        return Line2D([seconds] * 2, [0, 1], color=ink, linestyle=style, linewidth=2.5, transform=across)

    def _word(self, seconds: float, word: str, ink: str) -> Artist:
        """A word at the foot of a line, below the lanes."""
        looks: Any = {"color": ink, "ha": "right", "va": "bottom", "fontsize": 12, "fontweight": "bold"}
        height = 0.01 if word == "serial" else 0.08  # the two may stand close together
        return Text(seconds, height, f"{word} ", transform=self.time.get_xaxis_transform(), **looks)


def _doubling(tick: float, _: object) -> str:
    """A number of an axis that doubles from tick to tick.

    >>> _doubling(4.0, None), _doubling(0.25, None)
    ('4', '1/4')
    """
    return f"{tick:g}" if tick >= 1 else f"1/{1 / tick:.0f}"

"""How does `explore_laws` look and listen? Six sliders whose stops double or go 1, 2, 5, a sentence and a picture.

    workers ▬▬●▬▬▬   data size ▬●▬▬   serial fraction ▬●▬▬
    overhead ▬●▬▬    latency ▬▬●▬▬    bandwidth ▬▬▬●▬▬       [sweep, if there are several]
    Calculated: 1,024 workers are 502 times as fast as serial code (1.99 s instead of 1,000 s). …

A move redraws the laws at once. When the controls have rested, a thread simulates exact points; the next move ends
it, and what it found belongs to the choice it was made for, never to a newer one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from numbers import Real
from typing import Any

from ..plan import check_count
from ..simulation import Simulated
from ..timing.records import kept_sweeps
from .evidence import Evidence, evidence_of
from .law_board import LawBoard
from .law_model import MOST, Kitchen, LawModel, Simulating, crowd, duration, times
from .measuring import Measuring, Wish
from .page import LONG, SHORT, Page

__all__ = ["LawPanel", "explore_laws"]

ITEMS = 1_000_000_000  # at most
FRACTION = 1e-3  # where the slider stands when nothing was measured
TOLLS = {"overhead": 1e-5, "latency": 1e-6, "bandwidth": 1e10}
"""A cluster of today, where no machine is given: seconds to hand out a chunk, and a fast network between machines."""


def _steps(first: int, last: int) -> list[float]:
    """1, 2, 5, 10 … times a power of ten, from 10**first to 10**last.

    >>> _steps(-1, 1)
    [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
    """
    return [float(f"{digit}e{power}") for power in range(first, last) for digit in (1, 2, 5)] + [float(f"1e{last}")]


def _count(number: int) -> str:
    """A number of workers or items as a person says it.

    >>> _count(1024), _count(2_000_000), _count(1_000_000_000), _count(1_234_567)
    ('1,024', '2 million', '1 billion', '1,234,567')
    """
    unit, name = (1_000_000_000, "billion") if number >= 1e9 else (1_000_000, "million")
    return f"{number // unit} {name}" if number % unit == 0 else f"{number:,}"


def _share(fraction: float) -> str:
    """A fraction in percent.

    >>> _share(0.0), _share(1e-6), _share(0.0213)
    ('0 %', '0.0001 %', '2.13 %')
    """
    return f"{100 * fraction:.3g} %"


def _rate(bandwidth: float) -> str:
    """Bytes per second as a person says them.

    >>> _rate(1e6), _rate(2.5e9), _rate(1e12), _rate(float("inf"))
    ('1 MB/s', '2.5 GB/s', '1 TB/s', 'no limit')
    """
    if bandwidth == math.inf:
        return "no limit"
    unit, name = next((pair for pair in ((1e12, "TB/s"), (1e9, "GB/s")) if bandwidth >= pair[0]), (1e6, "MB/s"))
    return f"{bandwidth / unit:.3g} {name}"


DOUBLING = [n for power in range(20) for n in (2**power, 3 * 2 ** (power - 1)) if isinstance(n, int)]  # 1 2 3 4 6 8 …
SLIDERS: dict[str, tuple[str, Sequence[float], Callable[[Any], str]]] = {
    "workers": ("workers", [*DOUBLING, MOST], _count),
    "size": ("data size (items)", [int(items) for items in _steps(3, 9)], _count),
    "serial_fraction": ("serial fraction", [0.0, *_steps(-6, -1), 0.2, 0.5], _share),
    "overhead": ("overhead per task", [0.0, *_steps(-6, -2)], duration),
    "latency": ("latency", [0.0, *_steps(-7, -2)], duration),
    "bandwidth": ("bandwidth", _steps(6, 12), _rate),
}
"""By name: what stands beside the slider, where it stops, and how it says what it stands for."""


def explore_laws(
    sweeps: Any = None,
    *,
    workers: int = 1024,
    size: float = 1_000_000,
    serial_fraction: float | None = None,
    overhead: float | None = None,
    latency: float | None = None,
    bandwidth: float | None = None,
    seconds_per_item: float = 1e-3,
    nbytes: float = 4e6,
    machine: Simulated | None = None,
) -> LawPanel:
    """A panel to try the laws of speedup on up to a million workers, beside what was measured.

    `sweeps` are a Sweep or a list of them; None for all that were measured here before. The serial fraction (0 to 1)
    begins at the one fitted to the first of them. `size` is in items, each of `seconds_per_item`; in the end all
    workers agree on `nbytes`. `overhead` is the seconds that the one coordinator spends on handing out a chunk,
    `latency` and `bandwidth` (seconds, bytes per second) are those between workers; where they are left out they are
    those of `machine`, a Simulated such as `calibrate` gives (its dispatch, or its overhead if it has none).

    >>> explore_laws([], workers=1_000_000)
    <LawPanel: 1,000,000 workers, 1,000,000 items, 76.9 times as fast calculated, nothing measured>
    """
    found = evidence_of(kept_sweeps() if sweeps is None else sweeps)
    tolls = TOLLS | _of(machine) | _given(overhead=overhead, latency=latency, bandwidth=bandwidth)
    kitchen = Kitchen(
        _at_most("workers", check_count("workers", workers), MOST),
        _at_most("size", _items(size), ITEMS),
        _begin(found) if serial_fraction is None else _number("serial_fraction", serial_fraction, most=1),
        _number("overhead", tolls["overhead"]),
        _number("latency", tolls["latency"]),
        _number("bandwidth", tolls["bandwidth"], above=True, most=math.inf),
    )
    seconds = _number("seconds_per_item", seconds_per_item, above=True)
    return LawPanel(LawModel(found, seconds, _number("nbytes", nbytes)), kitchen)


class LawPanel(Page):
    """The laws to play with; shows itself where it is the last value of a cell."""

    words = "Controls: workers, data size, serial fraction, overhead, latency, bandwidth."

    def __init__(self, model: LawModel, choice: Kitchen) -> None:
        super().__init__()
        self.model, self.choice = model, choice
        self._simulating = Measuring(self._start, self._tell, self._fail)

    @cached_property
    def board(self) -> LawBoard:
        """The picture."""
        return LawBoard(self.model)

    @cached_property
    def controls(self) -> dict[str, Any]:
        """The widgets by name: workers, size, serial_fraction, overhead, latency, bandwidth; `shown` for several."""
        import ipywidgets as widgets

        at = self.choice
        found: dict[str, Any] = {}
        for name, (label, stops, tell) in SLIDERS.items():
            value = getattr(at, name)
            options = [(tell(stop), stop) for stop in sorted({*stops, value})]
            found[name] = widgets.SelectionSlider(options=options, value=value, description=label, **LONG)
        names = [(one.label, number) for number, one in enumerate(self.model.evidence)]
        if len(names) > 1:
            found["shown"] = widgets.Dropdown(options=names, value=at.shown, description="measured points", **SHORT)
        return found

    @cached_property
    def status(self) -> Any:
        """The sentence."""
        from .status import Status

        return Status(text=self.model.sentence(self.choice))

    def move(self, **changes: Any) -> None:
        """Put controls elsewhere, as a hand would: each to the stop that is nearest."""
        for name, value in changes.items():
            stops = [stop for _, stop in self.controls[name].options]
            super().move(**{name: min(stops, key=lambda stop: abs(stop - value))})

    # ---- The learner's moves ----------------------------------------------------------------------------------------

    def _moved(self, change: Any) -> None:
        """A control moved: draw the laws at once, and simulate exact points when it has rested."""
        self.choice = Kitchen(**{name: control.value for name, control in self.controls.items()})
        self._simulating.moved(self.choice)
        with self._drawing:
            self._draw()
            self._say()

    # ---- What the simulator tells, on a thread of its own -----------------------------------------------------------

    def _start(self, wish: Wish) -> Simulating | None:
        return Simulating(self.model, wish.choice) if self.model.wanted(wish.choice) else None

    def _tell(self, wish: Wish, simulating: Simulating | None, over: bool) -> None:
        """Draw what is known of the choice that stands now; at rest, as the picture that will be saved."""
        with self._drawing:
            if wish.choice == self.choice:  # else it is drawn already, and this came too late
                self._draw(lasting=over or simulating is None)
                self._say()

    def _fail(self, error: BaseException) -> None:
        self.status.text = f"This could not be simulated: {error}"

    def _say(self) -> None:
        self.status.text = self.model.sentence(self.choice)

    # ---- The page ---------------------------------------------------------------------------------------------------

    def _alt(self) -> str:
        return self.model.alt(self.choice)

    def _caption(self) -> str:
        shown = self.model.evidence[self.choice.shown] if self.model.evidence else None
        solid = f" Solid: {shown.origin}." if shown and shown.origin else ""
        return f"Calculated: lines. Simulated: hollow points.{solid}"

    def _rows(self) -> list[list[Any]]:
        every = [*self.controls.values()]
        return [every[:2], every[2:4], every[4:6], every[6:]]

    def _listen(self) -> None:
        for control in self.controls.values():
            control.observe(self._moved, "value")

    def __repr__(self) -> str:
        at, found = self.choice, self.model.evidence
        fast = times(self.model.strong_speedup(at, at.workers))
        told = f"beside {found[at.shown].name}" if found else "nothing measured"
        return f"<LawPanel: {crowd(at.workers)}, {at.size:,} items, {fast} as fast calculated, {told}>"


# ---- Checked numbers ------------------------------------------------------------------------------------------------


def _begin(found: list[Evidence]) -> float:
    """The serial fraction fitted to what was measured first of all that is shown."""
    fitted = found[0].serial_fraction if found else None
    return FRACTION if fitted is None else fitted


def _of(machine: Any) -> dict[str, float]:
    """What a simulated machine says of its overhead and its network."""
    if machine is None:
        return {}
    if not isinstance(machine, Simulated):
        raise TypeError(f"machine must be a Simulated, such as calibrate gives, not {machine!r}")
    overhead = machine.dispatch or machine.overhead
    return {"overhead": overhead, "latency": machine.latency, "bandwidth": machine.bandwidth}


def _given(**numbers: float | None) -> dict[str, Any]:
    return {name: number for name, number in numbers.items() if number is not None}


def _items(size: Any) -> int:
    """`size` as a whole number of at least 1: 1e6 will do."""
    if isinstance(size, float) and size.is_integer():
        size = int(size)
    return check_count("size (items)", size)


def _at_most(what: str, number: int, most: int) -> int:
    if number > most:
        raise ValueError(f"explore_laws shows {what} up to {most:,}, not {number:,}")
    return number


def _number(what: str, number: Any, *, above: bool = False, most: float = 1e15) -> float:
    """A number from 0 (or from above 0) to `most`; TypeError or ValueError with one sentence otherwise."""
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TypeError(f"{what} must be a number, not {number!r}")
    if not 0 <= (value := float(number)) <= most or (above and not value):
        upper = "" if most == math.inf else f" and at most {most:g}"
        raise ValueError(f"{what} must be {'more than 0' if above else '0 or more'}{upper}, not {number}")
    return value

"""How do all our pictures look? One style, one set of colors, one way to say where numbers come from.

Figures have fixed sizes and large type, so that the same picture fits a notebook, a code host
and a projector. Fills are light enough to carry black letters, inks dark enough to draw lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from matplotlib import colors, pyplot
from matplotlib.axes import Axes
from matplotlib.offsetbox import AnchoredText

__all__ = ["FILLS", "INKS", "STYLE", "color", "sheet", "sign", "tell_bytes", "tell_seconds", "tint"]

STYLE: Any = {
    "font.size": 14,
    "axes.titlesize": 15,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 12,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}
"""Settings for `matplotlib.rc_context`: nothing of the reader's own is changed."""

WIDTH, DOTS = 9.0, 100  # inches, and pixels per inch: 900 pixels fill a notebook and half a projector

FILLS = ("#77AADD", "#EE8866", "#EEDD88", "#44BB99", "#FFAABB", "#99DDFF", "#BBCC33", "#AAAA00")
"""Light colors for areas with black letters on them: the "light" scheme of Tol (2021)."""

INKS = ("#004488", "#B3400F", "#7A6A00", "#00664D", "#A3195B", "#00718F", "#5C6600", "#555555")
"""Dark colors for lines and letters on white, in the same order of hues."""

IDLE, BEYOND, ALARM, EDGE = "#E9E9E9", "#F6F1E4", "#B00020", "#333333"

SOURCES = {
    "measured": "Measured on this machine.",
    "simulated": "Simulated: the seconds are virtual.",
    "simulated from a measured cost": "Simulated from a cost measured on this machine.",
    "recorded": "Recorded earlier, on another machine.",
    "planned": "A plan: nothing of it has been measured, simulated or recorded yet.",
    "calculated": "Calculated from a formula: neither measured nor simulated.",
}
"""Where a picture's numbers can come from, and the sentence that says so."""


def color(number: int, palette: Sequence[str] = FILLS) -> str:
    """The color of the thing with this number; after eight they begin again, so a letter goes with it."""
    return palette[number % len(palette)]


def tint(shade: str, strength: float = 0.3) -> Any:
    """A color mixed with white.

    >>> tint("#000000", 0.25)
    (0.75, 0.75, 0.75)
    """
    return tuple(1 - strength * (1 - part) for part in colors.to_rgb(shade))


def sheet(ax: Axes | None, height: float = 4.5, width: float = WIDTH) -> Axes:
    """`ax`, or a new one on a figure of `height` and `width` inches."""
    if ax is not None:
        return ax
    return pyplot.subplots(figsize=(width, height), dpi=DOTS, layout="constrained")[1]


def sign(ax: Axes, source: str, story: str = "") -> Axes:
    """Write into the picture where its numbers come from, and keep it as `ax.source`."""
    ax.source = source  # type: ignore[attr-defined]  # for `show`
    ax.set_title(f"{source[0].upper()}{source[1:]}{story}", loc="left")
    return ax


def note(ax: Axes, text: str) -> None:
    """A sentence in the upper right corner of the picture."""
    box = AnchoredText(fill(text, 50), loc="upper right", frameon=True, prop={"size": 12}, borderpad=0.2)
    box.patch.set(edgecolor="none", alpha=0.85)
    ax.add_artist(box)


def tell_seconds(seconds: float) -> str:
    """Seconds as a person says them.

    >>> tell_seconds(0.0123), tell_seconds(2.754), tell_seconds(314.1), tell_seconds(0)
    ('12.3 ms', '2.75 s', '314 s', '0 s')
    """
    if 0 < seconds < 0.1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.0f} s" if seconds >= 100 else f"{seconds:.3g} s"


def tell_bytes(count: float) -> str:
    """Bytes as a person says them, in steps of a thousand.

    >>> tell_bytes(640), tell_bytes(21_555), tell_bytes(8_388_608), tell_bytes(2.5e9), tell_bytes(1)
    ('640 bytes', '21.6 kB', '8.39 MB', '2.5 GB', '1 byte')
    """
    for size, unit in (1e9, "GB"), (1e6, "MB"), (1e3, "kB"):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.3g} byte{'s' * (count != 1)}"

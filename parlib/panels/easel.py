"""How does a picture follow a slider? Most of it never moves: that part is drawn once and kept.

    once        axes, grid, ideal line, legend  ──► background
    each move   background + what is new        ──► one small PNG

A full drawing takes about a tenth of a second, this a fifth of that. The PNG has a palette, chosen once: it is
packed faster, travels faster, and is small enough to stay in the saved notebook. An easel does not know what is
drawn on it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ..plots.curves import FAINT
from ..plots.look import BEYOND, EDGE, FILLS, IDLE, INKS, STYLE, tint

__all__ = ["LARGE", "MEASURED", "MEDIAN", "NOW", "RING", "Easel", "measured"]

DOTS = 100  # pixels per inch
GROUNDS = 8  # backgrounds that are kept, of two megabytes each
LARGE = STYLE | {"font.size": 12, "axes.titlesize": 13}
MEASURED, NOW = INKS[0], "#B3400F"
MEDIAN: Any = {"color": MEASURED, "marker": "o", "markersize": 9, "linewidth": 2.5}
SAMPLES: Any = {"color": MEASURED, "marker": "o", "linestyle": "none"} | FAINT
RING: Any = {"marker": "o", "markersize": 20, "markerfacecolor": "none", "color": NOW, "markeredgewidth": 3}


class Easel:
    """A figure of a fixed number of pixels: its background is drawn once, the rest on top of it at each move."""

    def __init__(self, width: int, height: int) -> None:
        self.figure = Figure(figsize=(width / DOTS, height / DOTS), dpi=DOTS)
        self.canvas = FigureCanvasAgg(self.figure)
        self._grounds: dict[Hashable, Any] = {}  # backgrounds by what they show, the latest last

    def background(self) -> Any:
        """Draw everything, take its colors, and keep its pixels."""
        self.canvas.draw()
        self._palette, self._nearest = _palette(np.asarray(self.canvas.buffer_rgba()))
        return self.pixels()

    def ground(self, shows: Hashable, settle: Callable[[], Any]) -> Any:
        """The background that `shows` this: what `settle` makes, once, as long as it is among the latest GROUNDS."""
        if shows not in self._grounds:
            with rc_context(LARGE):
                self._grounds[shows] = settle()
        if len(self._grounds) > GROUNDS:
            del self._grounds[next(iter(self._grounds))]
        return self._grounds[shows]

    def pixels(self) -> Any:
        """What is on the easel now, to be restored later."""
        return self.canvas.copy_from_bbox(self.figure.bbox)

    def restore(self, pixels: Any) -> None:
        """Put back what was there."""
        self.canvas.restore_region(pixels)

    def show(self, ax: Any, artists: list[Any]) -> None:
        """Draw artists on top of what is there, and forget them again."""
        for artist in artists:
            ax.add_artist(artist)
            artist.set_clip_on(not isinstance(artist, Text))
            ax.draw_artist(artist)
            artist.remove()

    def title(self, ax: Any, text: str) -> Text:
        """What stands above one of the pictures."""
        return Text(0, 1.03, text, transform=ax.transAxes, fontsize=14, fontweight="bold", va="bottom")

    def pack(self, lasting: bool) -> bytes:
        """What is on the easel as a PNG; a `lasting` one is packed with patience."""
        from PIL import Image

        pixels = np.asarray(self.canvas.buffer_rgba())
        mixed = pixels.view("<u4")[..., 0]  # alpha, blue, green, red: eight bits each, of which the first five count
        picture = Image.fromarray(self._nearest[(mixed & 0xF8) << 7 | mixed >> 6 & 0x3E0 | mixed >> 19 & 0x1F], "P")
        picture.putpalette(self._palette.tobytes())
        file = io.BytesIO()
        picture.save(file, format="png", **({"optimize": True} if lasting else {"compress_level": 1}))
        return file.getvalue()


def measured(points: dict[int, tuple[float, float, float]], samples: dict[int, np.ndarray]) -> list[Artist]:
    """Measured speedups: every sample faint, the spread of the middle half, and the medians."""
    if not points:
        return []
    dots = np.array([(workers, value) for workers, values in samples.items() for value in values]).T
    # one line for all: those that stand one above the other are joined, and not one is (nan) joined to the next
    bars = np.array([(workers, end) for workers, (_, *ends) in points.items() for end in (*ends, np.nan)]).T
    spread = Line2D(*bars, **MEDIAN | {"marker": "_", "markersize": 12})
    middles = Line2D([*points], [middle for middle, _, _ in points.values()], **MEDIAN)
    return [Line2D(*dots, **SAMPLES), spread, middles]


def _palette(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Up to 256 colors, shape (colors, 3), and the number of the nearest for each of 32 × 32 × 32 mixtures of light."""
    from matplotlib.colors import to_rgb

    named = [*FILLS, *map(tint, FILLS), *INKS, IDLE, BEYOND, EDGE, NOW, "white", "black"]
    flat = np.array([to_rgb(color) for color in named])
    greys, shades = np.linspace(0, 1, 16)[:, None].repeat(3, 1), np.concatenate([tone * flat for tone in (0.4, 0.7)])
    found, times = np.unique(pixels.view("<u4")[::2, ::2], return_counts=True)  # a quarter of them tells enough
    frequent = found[np.argsort(-times, kind="stable")[:64]].view(np.uint8).reshape(-1, 4)[:, :3]
    palette = np.concatenate([(np.concatenate([flat, greys, shades]) * 255).round().astype(np.uint8), frequent])[:256]
    levels = np.arange(32) * 8 + 4
    mixtures = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    colors = palette.astype(np.float32)
    distance = np.square(colors).sum(1) - 2 * mixtures.astype(np.float32) @ colors.T  # and the mixture's own square
    nearest = distance.argmin(1).astype(np.uint8)
    exact = palette[: len(flat)].astype(int) >> 3
    nearest[exact[:, 0] << 10 | exact[:, 1] << 5 | exact[:, 2]] = np.arange(len(flat))
    return palette, nearest

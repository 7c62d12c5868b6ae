"""How does a picture reach the page? With words for those who cannot see it, and small enough to be kept.

    text/html    <img alt="…">, and a visible sentence that says where the numbers come from
    image/png    the same picture for code hosts that show no HTML
    text/plain   the words alone: what a terminal prints and a checker compares

A notebook page drops the words of a bare PNG; HTML keeps them, also in a copy that is not trusted.
"""

from __future__ import annotations

import base64
import html
import io
from typing import Any

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..plan import did_you_mean
from .look import SOURCES

__all__ = ["Picture", "png", "show"]

COLORS = 32  # in a stored picture: all flat colors exactly, smoothed edges nearly, and a quarter of the bytes
SPARE = 60  # dots per inch of the copy for pages that show no HTML: fourteen pictures have to fit into a lesson


def show(ax: Axes | Figure, alt: str, source: Any = None) -> None:
    """Show a picture with `alt`, the words that stand for it, and a sentence that says where its numbers come from.

    `source` is "measured", "simulated", "simulated from a measured cost", "recorded", "planned" or "calculated", or
    anything that has such a `.source` (a Run, a Sweep); several in a list. Without it the picture's own label is taken.

    >>> from parlib import Simulated, data_parallel, gantt
    >>> run = data_parallel(abs, [-1, 2], workers=2, backend=Simulated(cost=1.0))
    >>> show(gantt(run), "Two bars of the same length.", run.source)
    Two bars of the same length.
    Simulated: the seconds are virtual.
    """
    from IPython.display import display

    picture = Picture(ax, alt, source)
    pyplot.close(picture.figure)  # or the notebook would show it a second time, without words
    display(picture)


class Picture:
    """A picture in every form a notebook asks for; its text is `alt` and the sentence about its source."""

    def __init__(self, ax: Axes | Figure, alt: str, source: Any = None) -> None:
        self.figure = _figure(ax)
        self.alt = _checked_alt(alt)
        self.caption = caption(ax if source is None else source)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        spare = base64.b64encode(png(self.figure, SPARE)).decode()
        return {"text/plain": repr(self), "text/html": self._html(*small(png(self.figure))), "image/png": spare}

    def _html(self, kind: str, picture: bytes) -> str:
        data = f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
        return (
            '<figure style="margin: 0; max-width: 900px">'
            f'<img alt="{html.escape(self.alt)}" src="{data}" style="max-width: 100%">'
            f'<figcaption style="font-size: max(16px, 1em)">{html.escape(self.caption)}</figcaption></figure>'
        )

    def __repr__(self) -> str:
        return f"{self.alt}\n{self.caption}"


def png(figure: Figure, dpi: float | None = None) -> bytes:
    """The figure as a small PNG: a palette instead of millions of colors, the same bytes for the same picture."""
    from PIL import Image

    raw, small = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png", dpi=dpi or figure.dpi)
    pixels = np.asarray(Image.open(raw).convert("RGB"))
    palette, numbers = _palette(pixels)
    picture = Image.fromarray(numbers, "P")
    picture.putpalette(palette.tobytes())
    picture.save(small, format="png", optimize=True)
    return small.getvalue()


def _palette(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most frequent colors of a picture, and for each pixel the number of the nearest: flat areas stay exact."""
    found, which, times = np.unique(pixels.reshape(-1, 3) @ [65536, 256, 1], return_inverse=True, return_counts=True)
    colors = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    palette = colors[np.argsort(-times, kind="stable")[:COLORS]]
    distance = np.square(colors[:, None] - palette[None]).sum(axis=2)
    numbers = distance.argmin(axis=1)[which].reshape(pixels.shape[:2])
    return palette.astype(np.uint8), numbers.astype(np.uint8)


def tight(picture: bytes) -> bytes:
    """The same PNG, packed as tightly as can be: for what is kept, since it takes its time."""
    from PIL import Image

    packed = io.BytesIO()
    Image.open(io.BytesIO(picture)).save(packed, format="png", optimize=True)
    return packed.getvalue()


def spare(picture: bytes) -> bytes:
    """A smaller copy of a PNG of 100 dots per inch, in its most frequent colors: for pages that show no HTML."""
    from PIL import Image

    large: Any = Image.open(io.BytesIO(picture)).convert("RGB")
    frequent = sorted(large.getcolors(large.width * large.height), reverse=True)[: COLORS // 2]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, color in frequent for part in color])
    copy = large.resize((large.width * SPARE // 100, large.height * SPARE // 100), Image.Resampling.LANCZOS)
    packed = io.BytesIO()
    copy.quantize(palette=palette, dither=Image.Dither.NONE).save(packed, format="png", optimize=True)
    return packed.getvalue()


def small(picture: bytes) -> tuple[str, bytes]:
    """("webp", the same pixels in a third fewer bytes) of a PNG, or ("png", itself) where Pillow cannot write WebP."""
    from PIL import Image, features

    if not features.check("webp"):
        return "png", picture
    smaller = io.BytesIO()
    # method 6 takes a second for each picture, and saves one byte in a hundred
    Image.open(io.BytesIO(picture)).convert("RGB").save(smaller, format="webp", lossless=True, quality=100, method=4)
    return "webp", smaller.getvalue()


def caption(source: Any) -> str:
    """The sentence that says where numbers come from; one for each source where there are several.

    >>> caption(["measured", "simulated"])
    'Measured on this machine. Simulated: the seconds are virtual.'
    """
    return " ".join(dict.fromkeys(_sentences(source)))


def _sentences(source: Any) -> list[str]:
    if isinstance(source, Figure) and not hasattr(source, "source"):
        source = [ax.source for ax in source.axes if hasattr(ax, "source")] or source  # what its pictures say
    word = source if isinstance(source, list | tuple) else getattr(source, "source", source)
    if isinstance(word, list | tuple):
        return [sentence for one in word for sentence in _sentences(one)]
    if not isinstance(word, str):
        way_out = "pass the run, or its .source"
        raise TypeError(f"show needs to know where the picture's numbers come from: {way_out}, not {source!r}")
    if word not in SOURCES:
        raise ValueError(f"{word!r} is no source of numbers{did_you_mean(word, SOURCES)}")
    if word == "recorded" and hasattr(source, "machine"):
        return [f"Recorded on {source.machine}, {source.when}."]
    return [SOURCES[word]]


def _figure(ax: Any) -> Figure:
    figure = ax if isinstance(ax, Figure) else getattr(ax, "figure", None)
    if not isinstance(figure, Figure):
        raise TypeError(f"show needs Axes, such as gantt(run) returns, or a Figure, not {ax!r}")
    return figure


def _checked_alt(alt: Any) -> str:
    if not isinstance(alt, str):
        raise TypeError(f"alt must be a text that says what the picture shows, not {alt!r}")
    if not alt.strip():
        raise ValueError("alt must say in words what the picture shows, for those who cannot see it, and is empty")
    return alt.strip()

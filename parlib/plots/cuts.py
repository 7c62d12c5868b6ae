"""Who computed which part of a result? The result as a rectangle, cut up as on a table.

    ┌──────────┬──────────┐     an outline for each part, the worker that computed it,
    │ worker 0 │ worker 1 │     and the bytes that it had to be sent
    ├──────────┼──────────┤
    │ worker 2 │ worker 3 │     on a photograph: hatched around one tile is its halo,
    └──────────┴──────────┘     places of its neighbors that it reads

Places and sizes are drawn, never values. This file does not know how a split was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from ..plan import counted
from ..trace import Run
from ..workloads.splits import Part, Split
from .look import EDGE, INKS, STYLE, color, sheet, sign, tell_bytes

__all__ = ["parts"]

Box: TypeAlias = tuple[float, float, float, float]  # left, top, width, height

NAMES = {1: ("items",), 2: ("rows", "columns"), 4: ("images", "rows", "columns", "filters")}
"""What the axes of a result are called, by how many there are."""

GRAYS = 6  # steps from black to white in which a photograph is drawn
OUTLINE = 4  # points: the outline of a tile on a photograph
LETTER, LINE = 0.11, 0.26  # inches: how wide a letter of a label is, and how high a line


@rc_context(STYLE)
def parts(split: Split, run: Run | None = None, *, image: np.ndarray | None = None, ax: Axes | None = None) -> Axes:
    """The result of a split: its parts outlined, with the worker that computed each and the bytes it had to be sent.

    Without a `run` the parts are numbered, and the picture is calculated. `image`, a photograph (h, w) or (h, w, 3)
    that was cut into tiles, is drawn below them, with the halo of one tile hatched. Raises ValueError for a run or a
    photograph that does not belong to the split.

    >>> from parlib.workloads.matmul import product_split
    >>> ax = parts(product_split(np.ones((3, 2)), np.ones((2, 6)), 2))
    >>> [text.get_text() for text in ax.texts]
    ['part 0\\n128 bytes sent', 'part 1\\n112 bytes sent']
    >>> from matplotlib import pyplot; pyplot.close(ax.figure)
    """
    if not split.parts:
        raise ValueError("the split has no parts, so there is nothing to draw")
    who = _workers(split, run)
    sides = _sides(split, image)
    halo = (0, 0) if image is None else _halo(split, image)
    ax = _table(sheet(ax), split, sides, halo, image)
    each = _each([part.sent for part in split.parts])
    for part, worker in zip(split.parts, who):
        box = _box(part.where, split.shape, sides, halo)
        ax.add_patch(_outline(ax, box, worker))
        name = "not computed" if worker is None else f"{'part' if run is None else 'worker'} {worker}"
        _write(ax, box, name, "" if each else f"{tell_bytes(part.sent)} sent")
    if max(halo) > 0:
        ax.add_patch(_hatched(split, halo))
        ax.set_xlabel(f"{ax.get_xlabel()} (hatched: the halo of one tile)")
    story = f": {counted(len(split.parts), 'part')}{each}, {tell_bytes(split.sent)} sent"
    return sign(ax, "calculated" if run is None else run.source, story)


def _each(sizes: Sequence[int]) -> str:
    """Bytes for the title, where all parts are sent as much within a tenth; "" where each has to say it.

    >>> _each([500, 500]), _each([1000, 1050]), _each([500, 600])
    (' of 500 bytes', ' of about 1.02 kB', '')
    """
    if len(sizes) == 1 or max(sizes) > 1.1 * min(sizes):
        return ""
    return f" of {'about ' * (len(set(sizes)) > 1)}{tell_bytes(sum(sizes) / len(sizes))}"


def _workers(split: Split, run: Run | None) -> Sequence[int | None]:
    """The worker of each part, None for a part that was not computed; the number of the part without a run."""
    if run is None:
        return range(len(split.parts))
    tasks = [task.name for task in split.plan().tasks]
    if {task.name for task in run.plan.tasks} != set(tasks):
        raise ValueError("this run computed other parts: draw it with the split whose plan it ran")
    trace = run.trace
    by_task = {task: int(trace.worker[n]) for n, task in enumerate(trace.tasks) if n not in trace.errors}
    return [by_task.get(task) for task in tasks]


def _sides(split: Split, image: np.ndarray | None) -> tuple[int | None, int | None]:
    """Which axes of the result go down and across; None is everything that is not cut, as one strip."""
    cut = [axis for axis in range(len(split.shape)) if any(_cuts(part, axis, split.shape) for part in split.parts)]
    if image is not None:
        return 1, 2
    if len(split.shape) <= 2:
        return (0, 1) if len(split.shape) == 2 else (None, 0)
    return (cut[0], cut[1]) if len(cut) > 1 else (cut[0] if cut else None, None)


def _cuts(part: Part, axis: int, shape: Sequence[int]) -> bool:
    return _bounds(part.where, axis, shape) != (0, shape[axis])


def _bounds(where: Sequence[slice], axis: int | None, shape: Sequence[int]) -> tuple[int, int]:
    """Where a part begins and ends on one axis; a strip of everything is one wide."""
    return (0, 1) if axis is None else where[axis].indices(shape[axis])[:2]


def _halo(split: Split, image: np.ndarray) -> tuple[int, int]:
    """How many places higher and wider than its tile is what a part reads; ValueError if this is not its photograph."""
    if len(split.shape) != 4 or any(_cuts(part, axis, split.shape) for part in split.parts for axis in (0, 3)):
        raise ValueError("only tiles can be drawn on a photograph: leave image out, or cut the convolution by 'tiles'")
    first = split.parts[0]
    seen = next(iter(first.reads.values())).shape[1:3]
    made = [np.diff(_bounds(first.where, axis, split.shape)).item() for axis in (1, 2)]
    down, across = seen[0] - made[0], seen[1] - made[1]
    wanted = split.shape[1] + down, split.shape[2] + across
    if np.shape(image)[:2] != wanted:
        raise ValueError(f"the split is of images of {wanted} places, and this one has {np.shape(image)[:2]}")
    return down, across


def _table(ax: Axes, split: Split, sides: Sequence[int | None], halo: tuple[int, int], image: Any) -> Axes:
    """Axes as large as the result, or as the photograph; row 0 at the top."""
    height, width = (1 if axis is None else split.shape[axis] for axis in sides)
    ax.set(xlim=(0, width + halo[1]), ylim=(height + halo[0], 0))
    if image is not None:
        extent = (0, width + halo[1], height + halo[0], 0)
        ax.imshow(_grays(image), cmap="gray", extent=extent, interpolation="nearest")
    names = NAMES.get(len(split.shape), tuple(f"axis {axis}" for axis in range(len(split.shape))))
    drawn = [axis for axis in sides if axis is not None]
    rest = ", ".join(name for axis, name in enumerate(names) if axis not in drawn)
    ax.set(ylabel=rest if sides[0] is None else names[sides[0]], xlabel=rest if sides[1] is None else names[sides[1]])
    for axis, lines in zip(sides, (ax.yaxis, ax.xaxis)):
        if axis is None:
            lines.set_ticks([])
    return ax


def _grays(image: Any) -> np.ndarray:
    """The photograph in few shades of grey, 0 … 1: stored pictures keep few colors, and the workers need theirs."""
    brightness = np.asarray(image, dtype=float)
    brightness = brightness.mean(axis=2) if brightness.ndim == 3 else brightness
    span = np.ptp(brightness) or 1.0
    return np.round((brightness - brightness.min()) / span * GRAYS) / GRAYS


def _box(where: Sequence[slice], shape: Sequence[int], sides: Sequence[int | None], halo: tuple[int, int]) -> Box:
    """The rectangle of a part: on a photograph in the middle of what it reads."""
    (top, bottom), (left, right) = (_bounds(where, axis, shape) for axis in sides)
    return left + halo[1] / 2, top + halo[0] / 2, right - left, bottom - top


def _outline(ax: Axes, box: Box, worker: int | None) -> Rectangle:
    """A part filled with its worker's color; only outlined where a photograph is below; hatched if it is missing."""
    left, top, width, height = box
    if worker is None:
        look: dict[str, Any] = {"facecolor": "white", "edgecolor": EDGE, "hatch": "//"}
    elif ax.images:
        look = {"facecolor": "none", "edgecolor": color(worker, INKS), "linewidth": OUTLINE}
        inset = OUTLINE / 2 / 72 / _inches(ax, 1, 1)[0]  # or neighbors would paint over each other's outlines
        left, top, width, height = left + inset, top + inset, width - 2 * inset, height - 2 * inset
    else:
        look = {"facecolor": color(worker), "edgecolor": EDGE, "linewidth": 1.5}
    return Rectangle((left, top), width, height, zorder=2, **look)


def _hatched(split: Split, halo: tuple[int, int]) -> PathPatch:
    """The halo of the tile nearest to the middle: what it reads, without what it makes."""
    boxes = [_box(part.where, split.shape, (1, 2), halo) for part in split.parts]
    high, wide = split.shape[1] + halo[0], split.shape[2] + halo[1]
    left, top, width, height = min(boxes, key=lambda b: abs(2 * b[0] + b[2] - wide) + abs(2 * b[1] + b[3] - high))
    around = _corners(left - halo[1] / 2, top - halo[0] / 2, width + halo[1], height + halo[0])
    within = _corners(left, top, width, height)[::-1]  # the other way round, which makes it a hole
    ring = Path.make_compound_path(Path(around, closed=True), Path(within, closed=True))
    return PathPatch(ring, facecolor="white", edgecolor=EDGE, alpha=0.8, hatch="////", linewidth=0.5, zorder=3)


def _corners(left: float, top: float, width: float, height: float) -> np.ndarray:
    right, bottom = left + width, top + height
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)])


def _write(ax: Axes, box: Box, name: str, sent: str) -> None:
    """The longest label that fits into its box: upright, in one line, turned, or without the bytes."""
    left, top, width, height = box
    room = _inches(ax, width, height)
    for text, turned in _labels(name, sent):
        lines = text.split("\n")
        long, thick = max(map(len, lines)) * LETTER, len(lines) * LINE
        needed = (thick, long) if turned else (long, thick)
        if needed[0] <= room[0] and needed[1] <= room[1]:
            style: dict[str, Any] = {"rotation": 90 if turned else 0, "fontsize": 12, "linespacing": 1.3, "zorder": 4}
            card = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2} if ax.images else None
            ax.text(left + width / 2, top + height / 2, text, ha="center", va="center", bbox=card, **style)
            return


def _labels(name: str, sent: str) -> Iterator[tuple[str, bool]]:
    """(text, whether it is turned), the fullest first."""
    if sent:
        yield f"{name}\n{sent}", False
        yield f"{name}: {sent}", False
        yield f"{name}: {sent}", True
    yield name, False
    yield name, True
    yield name.split()[-1], False


def _inches(ax: Axes, width: float, height: float) -> tuple[float, float]:
    """How large a box of the data is on the page; the places of a photograph are square."""
    across, down = (abs(np.subtract(*limits)) for limits in (ax.get_xlim(), ax.get_ylim()))
    scales = ax.bbox.width / ax.figure.dpi / across, ax.bbox.height / ax.figure.dpi / down
    scales = (min(scales), min(scales)) if ax.images else scales
    return width * scales[0], height * scales[1]

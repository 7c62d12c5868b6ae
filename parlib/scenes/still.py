"""What is left where nothing moves? Three moments of a scene side by side: beginning, middle, end.

Drawn with matplotlib from the same score, the same drawings (art.svg) and the same colors (scene.css) as the page. A
still picture has no ways between places: a tray that is on its way stands where it comes from, or where it goes.
"""

from __future__ import annotations

import io
import re
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.text import Text
from matplotlib.transforms import Affine2D
from PIL import Image

from ..plots.look import FILLS, tell_seconds

__all__ = ["moments", "still"]

HERE = Path(__file__).parent
PIXELS, SPARE, PALETTE = 1080, 50, 56  # wide; dots an inch of the copy for pages without HTML; colors
PENS = {"stroke": "ink", "crease": "crease", "grain": "grain", "frostline": "frostline", "steam": "steam", "bar": "bar"}
SKINS = ("#f6cfa8", "#c68a5c", "#ecb98a", "#8d5a3b", "#ffdcbc", "#a97048")
HAIRS = ("#6b4630", "#2d211d", "#b5713a", "#1f1a1a", "#d9a441", "#473029")
PLAIN = "#e9a08b"

Colors = dict[str, str]


def still(score: dict[str, Any]) -> tuple[bytes, bytes]:
    """A PNG of three moments of a score (of both sides of a race), and a smaller one."""
    sides = score.get("sides", [score])
    view = sides[0]["views"][0]
    height = PIXELS / 3 * view["height"] / view["width"] + 26
    figure = Figure(figsize=(PIXELS / 100, height * len(sides) / 100), dpi=100, facecolor="#fffdf9")
    shown = moments(max(sides, key=lambda side: float(side["end"])))  # one clock for both sides of a race
    for row, side in enumerate(sides):
        for column, moment in enumerate(shown):
            share = 1 / len(sides)
            place = (column / 3 + 0.002, 1 - (row + 1) * share, 1 / 3 - 0.004, share * (1 - 26 / height))
            _Panel(figure.add_axes(place), side).draw(moment, f"{side['title']}: " if len(sides) > 1 else "")
    return _png(figure, 100), _png(figure, SPARE)


def _png(figure: Figure, dpi: int) -> bytes:
    """The figure in few colors: enough for every frosting, and a third of the bytes."""
    raw, packed = io.BytesIO(), io.BytesIO()
    figure.savefig(raw, format="png", dpi=dpi)
    pixels = Image.open(raw).convert("RGB")
    counted: Any = pixels.getcolors(1 << 24)
    frequent = sorted(counted, reverse=True)[: PALETTE - len(FILLS)]
    palette = Image.new("P", (1, 1))
    fills = bytes.fromhex("".join(FILLS).replace("#", ""))  # frosting is a small thing, and must keep its color
    palette.putpalette([part for _, shade in frequent for part in shade] + [*fills])
    pixels.quantize(palette=palette, dither=Image.Dither.NONE).save(packed, format="png", optimize=True)
    return packed.getvalue()


def moments(score: dict[str, Any]) -> tuple[float, float, float]:
    """The beginning, a moment near the middle at which as few trays as possible are on their way, and the end."""
    end = float(score["end"])
    if "tasks" not in score or not end:
        return 0.0, end / 2, end
    pairs = [*_pairs(score, "left", "started"), *_pairs(score, "finished", "home")]
    ways = [(_time(leaves), _time(arrives)) for leaves, arrives in pairs]
    tried = np.linspace(0.4, 0.6, 21) * end
    return 0.0, float(min(tried, key=lambda t: (sum(a <= t < b for a, b in ways), abs(t - end / 2)))), end


def _pairs(score: dict[str, Any], first: str, second: str) -> Any:
    return zip(score["tasks"][first], score["tasks"][second])


def _time(moment: float | None) -> float:
    return np.inf if moment is None else moment


class _Panel:
    """One moment of one score."""

    def __init__(self, ax: Axes, score: dict[str, Any]) -> None:
        self.ax, self.score, self.view, self.layer = ax, score, score["views"][0], 0
        self.colors = colors(score["scene"] == "kitchen")
        ax.set(xlim=(0, self.view["width"]), ylim=(self.view["height"], 0), xticks=[], yticks=[])
        ax.set_frame_on(False)

    def draw(self, moment: float, whose: str) -> None:
        """The room, the furniture, everybody, and every tray in its place; above it whose room it is, and when."""
        self._room()
        for name in ("shelf", "counter"):
            self._art(name, *self.view[name])
        for shelf in self.view["passes"]:
            if shelf[2]:
                self._art("pass", *shelf)
        if "tasks" in self.score:
            self._people(moment)
            self._trays(moment)
        else:
            self._groups(moment)
        now: Any = tell_seconds(min(moment, self.score["finish"]))
        self.ax.set_title(whose + now, fontsize=13, pad=5, color="#3a2a22", weight="bold")

    def _room(self) -> None:
        palette, floor, width, height = self.colors, self.view["floor"], self.view["width"], self.view["height"]
        walls = (0, floor, "wall"), (floor - 62, 62, "wainscot"), (floor - 66, 5, "rail")
        for top, tall, name in (*walls, (floor, height - floor, "floor")):
            self.ax.add_patch(Rectangle((0, top), width, tall, color=palette[name], linewidth=0))
        for name, x, y, size in self.view["decor"]:
            self._art(name, x, y, size)

    def _people(self, moment: float) -> None:
        tasks, kitchen = self.score["tasks"], self.score["scene"] == "kitchen"
        busy = {}
        for row in range(self.score["seen"]):
            if tasks["submitted"][row] <= moment < tasks["received"][row]:
                busy[tasks["worker"][row]] = row
        for worker, walk in enumerate(self.score["walks"]):
            seat = next((seat for since, seat in reversed(walk) if since <= moment), walk[0][1] if walk else None)
            if seat is not None:
                self._baker(worker, self.view["seats"][int(seat)], busy.get(worker))
        lit = {tasks["seat"][row] for row in busy.values()}
        for number, place in enumerate(self.view["seats"]):
            glow: Any = {"glow": self.colors["lit"]} if number in lit else {}
            self._art("stove" if kitchen else "bench", *place, **glow)

    def _baker(self, worker: int, place: list[float], row: int | None) -> None:
        kinds, (x, y, size) = self.score["kinds"], place
        mine = [other for other, who in enumerate(self.score["tasks"]["worker"]) if who == worker]
        kind = kinds[self.score["tasks"]["kind"][mine[0] if row is None else row]] if mine and len(kinds) > 1 else None
        dress: Any = {"apron": PLAIN}
        if kind:
            dress = {"apron": kind["color"], "band": kind["color"], "scarf": kind["color"]}
        dress |= {"skin": SKINS[worker % 6], "hair": HAIRS[worker * 5 % 6]}
        parts = ["body", "head", *(["look-2"] if worker % 4 == 2 else []), "face-idle" if row is None else "face-busy"]
        parts += ([f"look-{worker % 4}"] if worker % 4 in (1, 3) else []) + ["hat"]
        parts += ["arms-idle"] if row is None else ["arm-left", "arm-right"]
        for name in parts:
            self._art(name, x, y - 6 * size, size, **dress)
        self._word(x, y - 78 * size, str(worker), 18 * size)

    def _trays(self, moment: float) -> None:
        kitchen, home = self.score["scene"] == "kitchen", self._home(moment)
        for row, place in self._places(moment, home).items():
            done, boxed = row in home or place[3], row in home
            frost: Any = {"frost": self._color(row)}
            if boxed and not kitchen:
                self._art("box", *place[:3], **frost)
            elif kitchen:
                self._art("dish" if done else "dish-raw", *place[:3], **frost)
            else:
                for number in range(4):
                    x = place[0] + (number - 1.5) * 15.5 * place[2]
                    self._art("cupcake" if number < 4 * place[3] else "raw", x, place[1], place[2], **frost)
                self._art("tray", *place[:3])

    def _home(self, moment: float) -> list[int]:
        """The trays that are done and that nobody takes further, in order of arrival."""
        tasks = self.score["tasks"]
        done = (row for row in range(self.score["seen"]) if tasks["finished"][row] <= moment and tasks["to"][row] < 0)
        good = (row for row in done if tasks["name"][row] != self.score["failed"])
        return sorted(good, key=tasks["home"].__getitem__)

    def _places(self, moment: float, home: list[int]) -> dict[int, list[float]]:
        """Where each tray stands: [x, y, scale, share done]."""
        tasks, view = self.score["tasks"], self.view
        found: dict[int, list[float]] = {row: [*place, 1.0] for row, place in zip(home, view["boxed"])}
        shelved = [row for row in range(len(tasks["name"])) if not (tasks["needs"] and tasks["needs"][row])]
        gone, places = sum(_time(tasks["left"][row]) <= moment for row in shelved), len(view["ordered"])
        for row in range(len(tasks["name"])):
            start, stop, slot = _time(tasks["started"][row]), _time(tasks["finished"][row]), tasks["slot"][row]
            if start <= moment < stop:
                x, y, size = view["seats"][tasks["seat"][row]]
                found[row] = [x, y - 51 * size, size * 0.95, (moment - start) / (stop - start)]
            elif moment < start and _time(tasks["opens"][row]) <= moment:
                room = view["waiting"][tasks["kind"][row]] if row not in shelved else view["ordered"]
                if row in shelved:
                    slot = slot % places if slot - gone < places else len(room)
                found |= {row: [*room[slot], 0.0]} if slot < len(room) else {}
        return found

    def _color(self, row: int) -> str:
        kinds, tasks = self.score["kinds"], self.score["tasks"]
        return kinds[tasks["kind"][row]]["color"] if len(kinds) > 1 else FILLS[tasks["place"][row] % len(FILLS)]

    def _groups(self, moment: float) -> None:
        """One figure for each group of workers, and the share of it that is busy."""
        columns = len(self.score["busy"][0]) if self.score["busy"] else 1
        column = min(int(columns * moment / (self.score["end"] or 1.0)), columns - 1)
        over = moment >= self.score["end"]
        for group, (x, y, size) in enumerate(self.view["seats"]):
            share = 0 if over else self.score["busy"][group][column] / 100
            dress: Any = {"apron": PLAIN, "skin": SKINS[group % 6], "hair": HAIRS[group * 5 % 6]}
            for name in ("body", "head", "face-busy" if share else "face-idle", "hat"):
                self._art(name, x, y - 6 * size, size, **dress)
            self._art("bench", x, y, size)
            corner, wide = (x - 43 * size, y - 27 * size), 86 * size
            self.ax.add_patch(Rectangle(corner, wide, 16 * size, color=self.colors["sign"], zorder=self._next()))
            self.ax.add_patch(Rectangle(corner, wide * share, 16 * size, color=FILLS[0], zorder=self._next()))

    def _art(self, name: str, x: float, y: float, size: float, **dress: str) -> None:
        """A drawing at a place, with some of its colors replaced."""
        palette, move = self.colors | dress, Affine2D().scale(size).translate(x, y) + self.ax.transData
        pixel = PIXELS / 3 / self.view["width"] * 0.72 * size
        for shape, fill, edge, width in drawing(name):
            ink: Any = {"facecolor": palette[fill] if fill else "none", "edgecolor": palette[edge] if edge else "none"}
            self.ax.add_patch(PathPatch(shape, transform=move, linewidth=width * pixel, zorder=self._next(), **ink))

    def _word(self, x: float, y: float, word: str, size: float) -> None:
        points = size * PIXELS / 3 / self.view["width"] * 0.72
        if points >= 4:
            style: Any = {"weight": "bold", "ha": "center", "color": "#2b1d16", "zorder": self._next()}
            self.ax.add_artist(Text(x, y, word, fontsize=points, **style))

    def _next(self) -> int:
        self.layer += 1
        return self.layer


# ---- The drawings and their colors ----------------------------------------------------------------------------------


@cache
def colors(kitchen: bool = False) -> Colors:
    """The colors of the light theme by name, as scene.css has them; a kitchen has other walls."""
    blocks = (HERE / "scene.css").read_text(encoding="utf-8").split("}")
    chosen = (block for block in blocks if (not kitchen and block is blocks[0]) or (kitchen and ".dark" not in block))
    return dict(re.findall(r"--([\w-]+): (#\w+);", "".join(chosen)))


@cache
def _symbols() -> dict[str, Any]:
    tree = ElementTree.fromstring((HERE / "art.svg").read_text(encoding="utf-8"))
    return {symbol.get("id", ""): symbol for symbol in tree}


@cache
def drawing(name: str) -> list[tuple[Outline, str, str, float]]:
    """The shapes of a drawing: outline, name of the fill and of the edge ("" for none), and the width of the edge."""
    return [(outline(shape), *_pen(shape.get("class", ""))) for shape in _symbols()[name]]


def _pen(words: str) -> tuple[str, str, float]:
    first, *edge = words.split()
    if first in PENS:
        return "", PENS[first], 3.0 if first == "bar" else 1.8
    return first, "line" if edge else "", {"line": 1.7, "thin": 1.1}.get(edge[0] if edge else "", 0.0)


def outline(shape: Any) -> Outline:
    """The outline of an SVG shape: a path of absolute M, L, C, Q and Z, a circle, an ellipse or a rectangle."""
    kind = shape.tag.rpartition("}")[2]
    if kind == "path":
        return _path(shape.get("d"))
    x, y, width, height, cx, cy, r, rx, ry = (float(shape.get(name, 0)) for name in NUMBERS)
    if kind in ("circle", "ellipse"):
        return Outline.circle().transformed(Affine2D().scale(r or rx, r or ry).translate(cx, cy))
    corner, inner = (x + rx, y + rx), (width - 2 * rx, height - 2 * rx)
    return FancyBboxPatch(corner, *inner, boxstyle=f"round,pad={rx}").get_path()


NUMBERS = "x", "y", "width", "height", "cx", "cy", "r", "rx", "ry"
STROKES: Any = {
    "M": (1, [Outline.MOVETO]),
    "L": (1, [Outline.LINETO]),
    "Q": (2, [Outline.CURVE3] * 2),
    "C": (3, [Outline.CURVE4] * 3),
    "Z": (1, [Outline.CLOSEPOLY]),
}
"""For each command: how many points it takes, and what matplotlib calls them."""


def _path(text: str) -> Outline:
    """An SVG path of absolute commands.

    >>> _path("M 0 0 L 1 0 Z").codes.tolist()
    [1, 2, 79]
    """
    points: list[tuple[float, float]] = []
    codes: list[int] = []
    for command, rest in re.findall(r"([MLCQZ])([^MLCQZ]*)", text):
        numbers = [float(number) for number in rest.split()] or [0.0, 0.0]
        pairs, (takes, names) = list(zip(numbers[::2], numbers[1::2])), STROKES[command]
        points += pairs
        codes += [*map(int, names * (len(pairs) // takes))]
    return Outline(points, codes)

"""What has to wait for what? A plan drawn in layers, from left to right, its longest chain in bold.

    layer 0     layer 1     layer 2          a task stands one layer behind the last of its needs,
    ┌─────┐     ┌──────┐    ┌───────┐        so everything in one layer could run at the same time
    │sauce│────►│ heat │═══►│ plate │
    └─────┘     └──────┘    └───────┘

Within a layer each task moves to the mean height of its neighbors, a few times over (the barycenter rule of Sugiyama,
Tagawa and Toda 1981). A long edge passes through the layers between on places of its own, so it crosses no box.
"""

from __future__ import annotations

from collections import defaultdict
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path
from matplotlib.text import Text

from ..plan import Plan, Task, counted
from .look import EDGE, FILLS, STYLE, note, sheet, sign, tell_seconds, tint

__all__ = ["dag", "layers", "layout"]

Node = str | tuple[str, str, int]  # a task, or a place on the way of an edge (from, to, layer)
Places = dict[Node, tuple[float, float]]  # layer and row
MANY = 60  # tasks beyond which names would not be readable
BOLD = "#B3400F"
BOX = {"boxstyle": "round,pad=0.35", "facecolor": tint(FILLS[0], 0.5)}
ARROW, BOLD_ARROW = {"color": "#777777", "linewidth": 1.5, "zorder": 2}, {"color": BOLD, "linewidth": 3.0, "zorder": 3}


@rc_context(STYLE)
def dag(plan: Plan, *, ax: Axes | None = None) -> Axes:
    """The graph of a plan: a box for each task, an arrow for each need, the critical path in bold.

    Costs are written below the names; without costs the critical path counts tasks. A dashed
    arrow waits without receiving anything. More than 60 tasks are drawn as points.

    >>> from parlib import task_plan
    >>> def sauce(): ...
    >>> def plate(sauce): ...
    >>> ax = dag(task_plan(sauce, plate))
    >>> ax.get_title(loc="left")
    'Planned: 2 tasks, longest chain 2 tasks'
    >>> from matplotlib import pyplot; pyplot.close(ax.figure)
    """
    if not isinstance(plan, Plan):
        raise TypeError(f"dag draws a Plan, not {plan!r}: pass task_plan(…), or run.plan")
    places = layout(plan)
    rows = 1 + max((row for _, row in places.values()), default=0)
    ax = sheet(ax, height=float(np.clip(1.4 + 0.75 * rows, 2.4, 6.5)))
    across = 1 + max((x for x, _ in places.values()), default=0)
    ax.set(xlim=(-0.5, across - 0.5), ylim=(rows - 0.4, -0.6))
    ax.axis("off")
    path = plan.critical_path if any(plan.graph.values()) else ()
    widths = _boxes(ax, plan, places, set(path), across)
    for task in plan.tasks:
        for need in plan.graph[task.name]:
            _edge(ax, places, widths, need, task, bold=need in path and task.name in path[path.index(need) + 1 :][:1])
    return sign(ax, "planned", f": {counted(len(plan), 'task')}, longest chain {_length(plan)}")


def layers(plan: Plan) -> dict[str, int]:
    """For each task the number of tasks on the longest way to it."""
    layer: dict[str, int] = {}
    for name in TopologicalSorter(plan.graph).static_order():
        layer[name] = max((layer[need] + 1 for need in plan.graph[name]), default=0)
    return layer


def layout(plan: Plan) -> Places:
    """Where everything stands: x is the layer, y the row in it, centered; also the places where long edges pass."""
    layer = layers(plan)
    columns: dict[int, list[Node]] = defaultdict(list)
    neighbors: dict[Node, list[Node]] = defaultdict(list)
    for task in plan.tasks:
        columns[layer[task.name]].append(task.name)
        for need in plan.graph[task.name]:
            way = _way(need, task.name, layer)
            for one, next_one in pairwise(way):
                neighbors[one].append(next_one)
                neighbors[next_one].append(one)
            for place in way[1:-1]:
                columns[place[2]].append(place)  # type: ignore[index,arg-type]  # places on the way are tuples
    rows = _settle(columns, neighbors)
    return {node: (x, rows[node]) for x, column in columns.items() for node in column}


def _way(need: str, name: str, layer: dict[str, int]) -> list[Node]:
    """The nodes an edge passes, both ends included."""
    return [need, *((need, name, number) for number in range(layer[need] + 1, layer[name])), name]


def _settle(columns: dict[int, list[Node]], neighbors: dict[Node, list[Node]]) -> dict[Node, float]:
    """Rows for all nodes: each column is sorted by the mean row of its neighbors, sweeping to and fro."""
    rows = {node: float(row) for column in columns.values() for row, node in enumerate(column)}
    tallest = max(map(len, columns.values()), default=1)
    for sweep in range(8):
        for x in sorted(columns, reverse=bool(sweep % 2)):
            column = columns[x]
            column.sort(key=lambda node: np.mean([rows[other] for other in neighbors[node]] or [rows[node]]))
            first = (tallest - len(column)) / 2
            rows |= {node: first + row for row, node in enumerate(column)}
    return rows


def _edge(ax: Axes, places: Places, widths: dict[str, float], need: str, task: Task, *, bold: bool) -> None:
    """A smooth arrow through the places of one edge, from the side of one box to the side of the other."""
    between = sorted(place for node, place in places.items() if node[:2] == (need, task.name))
    points = np.array([places[need], *between, places[task.name]])
    points[0, 0] += widths[need] / 2
    points[-1, 0] -= widths[task.name] / 2
    style: Any = BOLD_ARROW if bold else ARROW
    line = "--" if need in task.after and need not in task.needs else "-"
    head = "-|>" if len(widths) <= MANY else "-"
    ax.add_patch(FancyArrowPatch(path=_smooth(points), arrowstyle=head, mutation_scale=16, linestyle=line, **style))


def _smooth(points: np.ndarray) -> Path:
    """A path through the points that leaves and arrives level."""
    corners, codes = [points[0]], [Path.MOVETO]
    for one, other in pairwise(points):
        middle = (one[0] + other[0]) / 2
        corners += [(middle, one[1]), (middle, other[1]), other]
        codes += [Path.CURVE4] * 3
    return Path(corners, codes)


def _boxes(ax: Axes, plan: Plan, places: Places, path: set[str], across: float) -> dict[str, float]:
    """Draw the tasks, as named boxes or as points where there are too many to name; returns how wide each is."""
    named = len(plan) <= MANY
    if not named:
        note(ax, f"{len(plan):,} tasks: drawn as points, without their names")
    longest = max((len(line) for task in plan.tasks for line in _words(task).splitlines()), default=1)
    size = float(np.clip(900 / across / (longest + 5), 6, 13))
    drawn = {}
    for task in plan.tasks:
        ink, line = (BOLD, 2.5) if task.name in path else (EDGE, 1.0)
        frame: Any = BOX | {"edgecolor": ink, "linewidth": line}
        style: Any = {"fontsize": size, "bbox": frame} if named else {"fontsize": 12, "color": ink}
        words = _words(task) if named else "●"
        drawn[task.name] = ax.text(*places[task.name], words, ha="center", va="center", zorder=4, **style)
    return _widths(ax, drawn)


def _widths(ax: Axes, drawn: dict[str, Text]) -> dict[str, float]:
    """How wide each text is with its frame, in layers; known only once the figure has found its layout."""
    root: Any = ax.get_figure(root=True)
    root.draw_without_rendering()
    unit = ax.bbox.width / float(np.diff(ax.get_xlim())[0])
    frames = {name: text.get_bbox_patch() or text for name, text in drawn.items()}
    return {name: frame.get_window_extent().width / unit for name, frame in frames.items()}


def _words(task: Task) -> str:
    if task.cost is None:
        return task.name
    told = tell_seconds(float(np.mean(task.cost)))
    return f"{task.name}\n{told}"


def _length(plan: Plan) -> str:
    """How long the critical path is: in seconds where tasks have costs, else in tasks."""
    if any(task.cost is not None for task in plan.tasks):
        return tell_seconds(plan.depth)
    return counted(len(plan.critical_path), "task")

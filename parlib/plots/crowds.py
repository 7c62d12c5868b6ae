"""What do a million tasks look like? No longer bars: for each moment, the share of workers that were busy.

Time is cut into columns a few pixels wide. For each column and each group of workers we sum
how long its tasks were occupied, and how long they computed. The sums come from two sorted
lists (all starts, all ends), so a million tasks take about a second.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..trace import Trace
from .look import ALARM, color, tint

COLUMNS, ROWS = 240, 40  # more would be finer than the eye, and than the pixels of a projector


def crowd(ax: Axes, trace: Trace, half: float) -> dict[str, str]:
    """Draw a trace of many spans on its lanes; returns what each color stands for (nothing, if there is one kind)."""
    edges = np.linspace(0, float(trace.received.max()), COLUMNS + 1)
    groups = min(trace.workers, ROWS)
    bounds = np.linspace(0, trace.workers, groups + 1).round().astype(int)
    kinds, kind = np.unique([""] * len(trace) if trace.kinds is None else trace.kinds, return_inverse=True)
    for rows in pairwise(bounds):
        _band(ax, trace, kind, edges, rows, half)
    failed = sorted(trace.errors)
    ax.plot(trace.finished[failed], trace.worker[failed], "X", color=ALARM, markeredgecolor="white", markersize=11)
    return {str(name): color(number) for number, name in enumerate(kinds)} if len(kinds) > 1 else {}


def _band(ax: Axes, trace: Trace, kind: np.ndarray, edges: np.ndarray, rows: tuple[int, int], half: float) -> None:
    """One group of workers as a band: outline occupied, one filled layer of computing for each kind."""
    first, stop = rows
    floor, height = stop - 1 + half, stop - first - 1 + 2 * half
    mine = (trace.worker >= first) & (trace.worker < stop)
    started, finished, cpu = trace.started[mine], trace.finished[mine], trace.cpu[mine]
    seconds = finished - started
    share = np.divide(cpu, seconds, out=np.zeros(len(cpu)), where=seconds > 0).clip(0, 1)
    occupied = busy(started, finished, np.ones(len(cpu)), edges) / (stop - first)
    ax.stairs(floor - height * occupied, edges, baseline=floor, fill=True, color=tint(color(0)), zorder=2)
    below = np.zeros(len(edges) - 1)
    for number in np.unique(kind[mine]):
        these = kind[mine] == number
        above = below + busy(started[these], finished[these], share[these], edges) / (stop - first)
        band: Any = {"baseline": floor - height * below, "fill": True, "color": color(number)}
        ax.stairs(floor - height * above, edges, zorder=3, **band)
        below = above


def busy(started: np.ndarray, finished: np.ndarray, weight: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Between each two edges, the mean number of spans going on, each counted by its weight.

    >>> busy(np.array([0.0, 1.0]), np.array([2.0, 2.0]), np.ones(2), np.array([0.0, 1.0, 2.0]))
    array([1., 2.])
    """
    return np.diff(_since(started, weight, edges) - _since(finished, weight, edges)) / np.diff(edges)


def _since(moments: np.ndarray, weight: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """For each edge: the weighted seconds since all the moments before it, together."""
    order = np.argsort(moments)
    total = np.concatenate([[0.0], np.cumsum(weight[order])])
    sums = np.concatenate([[0.0], np.cumsum(weight[order] * moments[order])])
    count = np.searchsorted(moments[order], edges)
    return edges * total[count] - sums[count]

"""What do ten thousand bakers look like? Groups of neighbors, and for each moment the share of a group that is busy.

Time is cut into columns. For each column and group we keep how much of it was worked and how much was spent on the
way; for each column how many trays were fetched and how many were home. The page draws one figure for each group.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..plots.crowds import busy
from ..trace import Trace

__all__ = ["crowd"]

COLUMNS = 120  # moments: more would not be seen, and would have to be stored


def crowd(trace: Trace, most: int) -> dict[str, Any]:
    """At most `most` groups of workers over time: shares busy and walking in percent, and trays gone and home."""
    groups = min(trace.workers, most)
    edges = np.linspace(0, float(trace.received.max(initial=0.0)) or 1.0, COLUMNS + 1)
    group = trace.worker * groups // trace.workers
    sizes = np.bincount(np.arange(trace.workers) * groups // trace.workers, minlength=groups)
    order = np.argsort(group, kind="stable")
    cuts = np.searchsorted(group[order], np.arange(groups + 1))
    members = [order[cuts[number] : cuts[number + 1]] for number in range(groups)]
    t = trace
    working = [_share(t.started[rows], t.finished[rows], edges) for rows in members]
    fetching = [_share(t.submitted[rows], t.started[rows], edges) for rows in members]
    bringing = [_share(t.finished[rows], t.received[rows], edges) for rows in members]
    return {
        "groups": groups,
        "sizes": sizes.tolist(),
        "busy": [_percent(row, size) for row, size in zip(working, sizes, strict=True)],
        "ways": [_percent(out + back, size) for out, back, size in zip(fetching, bringing, sizes, strict=True)],
        "gone": _known(trace.submitted, edges),
        "done": _known(trace.received, edges),
        "errors": len(trace.errors),
        "bakers": [],
    }


def _share(start: np.ndarray, stop: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return busy(start, stop, np.ones(len(start)), edges)


def _percent(row: np.ndarray, size: int) -> list[int]:
    return np.clip(100 * row / size, 0, 100).round().astype(int).tolist()


def _known(moments: np.ndarray, edges: np.ndarray) -> list[int]:
    """How many of these moments are over at each edge."""
    return np.searchsorted(np.sort(moments), edges, side="right").tolist()

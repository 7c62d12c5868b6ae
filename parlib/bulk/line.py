"""How long does a factory line take? Every item waits for itself, at the stage before, and for a free worker.

    finished at a stage = all its seconds so far + the longest wait so far

Both are running totals of an array. With a buffer between the stages each item may also wait for
one that is ahead of it, and only a loop can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm
from typing import TYPE_CHECKING

import numpy as np

from ..plan import PlanError, check_buffer, check_count
from ..trace import Trace
from .columns import Ended, Made, checked_costs, finished_of, limited, started_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["simulate_pipeline"]

BATCH = 1 << 16  # items at a time, about: few enough to stay in the processor's cache


def simulate_pipeline(
    stage_costs: ArrayLike, items: int, *, workers: int | Sequence[int] = 1, buffer: int | None = None
) -> Trace:
    """The trace of `items` that all go through every stage; its rows are stage by stage, item by item.

    `stage_costs` has one number of seconds for each stage, or one row for each item with one
    number for each stage. `workers` stand at every stage (or a number for each stage) and get
    its items in turn. With a `buffer` of B, at most B items and one for each worker of the next
    stage are finished here and not yet there; None is a buffer without end. A million items take
    a tenth of a second, and with a buffer some seconds, because each must wait for another.

    >>> simulate_pipeline([1.0, 3.0, 2.0], items=10)
    <Trace: 30 spans on 3 workers, 33.00 s, simulated>
    """
    costs = _stage_costs(stage_costs, items)
    crews = _crews(workers, len(costs))
    ends = None if buffer is None else _with_buffer(costs, crews, check_buffer(buffer))
    first = np.cumsum([0, *crews[:-1]])  # the first worker of each stage

    def worker(_: Trace) -> np.ndarray:
        return np.concatenate([at + np.arange(items) % crew for at, crew in zip(first, crews, strict=True)])

    def finished(_: Trace) -> np.ndarray:
        if ends is not None:
            return ends.ravel()
        _in_turns(costs, crews, all_ends := np.empty(costs.shape))
        return all_ends.ravel()

    names = Made(costs.size, lambda row: f"stage {row // items}[{row % items}]")
    kinds = Made(costs.size, lambda row: f"stage {row // items}")
    times = started_of, started_of, finished, finished_of, lambda _: costs.ravel()
    end = _in_turns(costs, crews) if ends is None else float(ends.max(initial=0.0))
    return Ended(names, worker, *times, kinds=kinds, workers=sum(crews), source="simulated", elapsed=end)


def _in_turns(costs: np.ndarray, crews: list[int], finished: np.ndarray | None = None) -> float:
    """When the last item leaves the line; fills in when each was finished at every stage, if somebody wants to know."""
    items, end = costs.shape[1], 0.0
    step = lcm(*crews) * max(1, BATCH // lcm(*crews))
    free = [np.zeros(crew) if crew > 1 else np.zeros(()) for crew in crews]
    for first in range(0, items, step):
        here = slice(first, min(first + step, items))
        arrived = np.zeros(here.stop - first)
        for stage in range(len(crews)):
            arrived = _at_stage(arrived, costs[stage, here], free[stage])
            if finished is not None:
                finished[stage, here] = arrived
        end = max(end, float(arrived.max()))
    return end


def _at_stage(arrived: np.ndarray, seconds: np.ndarray, free: np.ndarray) -> np.ndarray:
    """When each item is finished by workers who take turns; `free`, when each is free, is brought up to date."""
    items, rounds = len(seconds), -(-len(seconds) // max(1, free.size))
    if free.size > 1:  # a row for each round, a column for each worker, and nothing to do for those left over
        seconds, arrived = (
            np.resize(np.append(row, np.zeros(free.size)), (rounds, free.size)) for row in (seconds, arrived)
        )
    done = np.cumsum(seconds, axis=0)  # as if nobody waited; then wait for oneself, and for the latest arrival so far
    wait = arrived - done
    wait += seconds
    wait[0] = np.maximum(wait[0], free)
    done += np.maximum.accumulate(wait, axis=0, out=wait)
    free[...] = done[-1]
    return done.ravel()[:items]


def _with_buffer(costs: np.ndarray, crews: list[int], buffer: int) -> np.ndarray:
    """When each item is finished at every stage where a full buffer holds up the one before: item by item."""
    stages, items = costs.shape
    ends = [[0.0] * items for _ in range(stages)]
    for item, seconds in enumerate(costs.T.tolist()):
        ready = 0.0
        for stage, crew in enumerate(crews):
            if item >= crew:
                ready = max(ready, ends[stage][item - crew])
            if stage + 1 < stages and item >= (room := buffer + crews[stage + 1]):
                ready = max(ready, ends[stage + 1][item - room])
            ends[stage][item] = ready = ready + seconds[stage]
    return np.array(ends)


def _stage_costs(stage_costs: ArrayLike, items: int) -> np.ndarray:
    """Seconds of every item at every stage, shape (stages, items)."""
    items = check_count("items", items) if items != 0 or isinstance(items, bool) else 0
    table = checked_costs("stage_costs", stage_costs, 2 if np.ndim(stage_costs) == 2 else 1).copy()  # theirs may change
    if table.ndim == 2 and len(table) != items:
        raise PlanError(f"stage_costs has {len(table)} rows, one for each item, but there are {items} items")
    if not table.size and items:
        raise PlanError("stage_costs must have a number for at least one stage")
    limited("stages times items", max(table.shape[-1] * items, 1))
    return np.broadcast_to(table[:, None], (len(table), items)) if table.ndim == 1 else table.T


def _crews(workers: int | Sequence[int], stages: int) -> list[int]:
    if not isinstance(workers, Sequence | np.ndarray):
        return [check_count("workers", workers)] * stages
    crews = [check_count("workers of a stage", crew) for crew in workers]
    if len(crews) != stages:
        raise PlanError(f"workers has {len(crews)} entries, one for each stage, but there are {stages} stages")
    return crews

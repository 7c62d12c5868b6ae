"""What have traces of many spans in common? Columns that are made when they are asked for, and checked numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plan import PlanError, check_count
from ..trace import Trace

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["MOST", "Ended", "Made"]

MOST = 50_000_000
"""Spans and workers at most: their trace takes some gigabytes."""


class Made(Sequence[str]):
    """Texts that are made when they are asked for: a million of them take no room."""

    def __init__(self, count: int, text: Callable[[int], str]) -> None:
        self.numbers, self.text = range(count), text

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self.text(number) for number in self.numbers[index]]
        return self.text(self.numbers[index])


class Ended(Trace):
    """A trace whose end is known before its columns are."""

    def __init__(self, *columns: Any, elapsed: float, **facts: Any) -> None:
        super().__init__(*columns, **facts)
        self._elapsed = elapsed

    @property
    def elapsed(self) -> float:
        """Seconds from the first submission to the last receipt; 0 without spans."""
        return self._elapsed


def started_of(trace: Trace) -> np.ndarray:
    return trace.finished - trace.cpu


def finished_of(trace: Trace) -> np.ndarray:
    return trace.finished


def cpu_of(trace: Trace) -> np.ndarray:
    """CPU seconds of workers that compute whenever they are occupied."""
    return trace.finished - trace.started


def limited(what: str, number: int) -> int:
    if (count := check_count(what, number)) > MOST:
        raise PlanError(f"{what} must be at most {MOST:,}, not {count:,}: a larger trace does not fit into memory")
    return count


def checked_costs(what: str, costs: ArrayLike, dimensions: int) -> np.ndarray:
    """The costs as floats; refuses what is no row (or table) of seconds."""
    try:
        array = np.asarray(costs, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be an array of seconds, not {costs!r}") from None
    if array.ndim != dimensions:
        raise PlanError(f"{what} must be a row of seconds, one for each task, not of shape {array.shape}")
    if array.size and not (array.min() >= 0 and array.max() < np.inf):  # nan is neither
        wrong = int(np.argmin((array >= 0) & (array < np.inf)))
        raise PlanError(
            f"{what} must be finite numbers of seconds, 0 or more, but entry {wrong} is {array.flat[wrong]}"
        )
    limited(f"the number of {what}", max(array.size, 1))
    return array


def checked_speeds(speeds: ArrayLike, workers: int) -> np.ndarray:
    row = np.asarray(speeds, dtype=float)
    if row.ndim != 1 or len(row) < workers:
        raise PlanError(
            f"speeds must be a row with one number for each of the {workers} workers, not of shape {row.shape}"
        )
    if not (row > 0).all() or not (row < np.inf).all():
        raise PlanError("speeds must be finite numbers greater than 0")
    return row[:workers]

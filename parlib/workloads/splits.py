"""Who computes which part of an array, and what must be there before that can begin? A split is a list of parts.

    ┌────┬────┐   where       the place of a part in the result
    │ 0  │ 1  │   reads       the pieces of the inputs it is made from
    ├────┼────┤   sent        bytes of these: what a worker that has nothing must be sent
    │ 2  │ 3  │   returned    bytes of the part itself
    └────┴────┘   operations  additions and multiplications

A part does not know who will compute it. Parts never overlap in the result; in what they read they
may, and that is the price of a split.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from ..paradigms import block_bounds
from ..plan import Plan, Task, check_count, name_of

__all__ = ["Part", "Split", "bounds_of", "grid_of", "label", "part", "seconds_of"]

Where: TypeAlias = tuple[slice, ...]


@dataclass(frozen=True, repr=False)
class Part:
    """One part of a result: its place, what it is made from, and how much work that is."""

    where: Where
    reads: dict[str, np.ndarray]  # by a name that says which piece: equal names are the same piece
    operations: int
    returned: int

    @property
    def sent(self) -> int:
        """Bytes that a worker which has nothing must be sent before it can begin."""
        return sum(piece.nbytes for piece in self.reads.values())

    @property
    def intensity(self) -> float:
        """Operations per byte that is sent or returned (Williams, Waterman, Patterson, 2009)."""
        return self.operations / max(1, self.sent + self.returned)

    def __repr__(self) -> str:
        return f"<Part: [{label(self.where)}], {self.sent} bytes sent, {self.operations} operations>"


@dataclass(frozen=True, repr=False)
class Split:
    """A result cut into parts: `fn(*reads)` makes each of them."""

    fn: Callable[..., np.ndarray]
    shape: tuple[int, ...]
    dtype: np.dtype
    parts: Sequence[Part]

    @property
    def sent(self) -> int:
        """Bytes that are sent, if every part is computed by a worker that has nothing."""
        return sum(part.sent for part in self.parts)

    @property
    def returned(self) -> int:
        """Bytes that come back: the result, once."""
        return sum(part.returned for part in self.parts)

    @property
    def operations(self) -> int:
        """Additions and multiplications: as many as without a split."""
        return sum(part.operations for part in self.parts)

    def plan(self) -> Plan:
        """One task per part; the result is put together where its parts belong."""
        kind, tasks, places = name_of(self.fn), [], {}
        inputs: dict[str, np.ndarray] = {}
        for number, part in enumerate(self.parts):
            name = f"{kind}[{label(part.where)}]"
            tasks.append(Task(name, self.fn, tuple(part.reads), kind=kind, item=number))
            inputs |= part.reads
            places[name] = part.where
        return Plan(tasks, inputs, finish=Paste(self.shape, self.dtype, places))

    def __repr__(self) -> str:
        moved = f"{self.sent} bytes sent, {self.returned} returned, {self.operations} operations"
        return f"<Split: {name_of(self.fn)} in {len(self.parts)} part{'s' * (len(self.parts) != 1)}, {moved}>"


@dataclass(frozen=True)
class Paste:
    """Puts parts where they belong; a part that is missing leaves zeros."""

    shape: tuple[int, ...]
    dtype: np.dtype
    places: dict[str, Where]

    def __call__(self, values: dict[str, Any]) -> np.ndarray:
        whole = np.zeros(self.shape, self.dtype)
        for name, part in values.items():
            if isinstance(part, np.ndarray):
                whole[self.places[name]] = part
        return whole


def bounds_of(length: int, chunks: int) -> list[slice]:
    """`length` places in `chunks` neighborhoods of nearly equal size; never more than there are places.

    >>> bounds_of(5, 2)
    [slice(0, 3, None), slice(3, 5, None)]
    """
    return [slice(*bounds) for bounds in block_bounds(length, min(check_count("chunks", chunks), length))]


def grid_of(rows: int, columns: int, chunks: int) -> list[tuple[slice, slice]]:
    """A rectangle in `chunks` blocks, as near to squares as it goes: these read the least for what they make.

    >>> [label(block) for block in grid_of(4, 6, chunks=4)]
    ['0:2, 0:3', '0:2, 3:6', '2:4, 0:3', '2:4, 3:6']
    """
    check_count("chunks", chunks)
    pairs = [(down, chunks // down) for down in range(1, chunks + 1) if chunks % down == 0]
    fitting = [pair for pair in pairs if pair[0] <= rows and pair[1] <= columns] or [(min(chunks, rows), columns)]
    down, across = min(fitting, key=lambda pair: rows / max(1, pair[0]) + columns / max(1, pair[1]))
    across = max(1, min(across, chunks // max(1, down), columns))
    return [(one, other) for one in bounds_of(rows, max(1, down)) for other in bounds_of(columns, across)]


def label(where: Where) -> str:
    """How a place is written: '0:2, 0:3'; all of an axis is ':'.

    >>> label((slice(0, 2), slice(None)))
    '0:2, :'
    """
    return ", ".join(":" if piece == slice(None) else f"{piece.start}:{piece.stop}" for piece in where)


def seconds_of(task: Task, shape: Sequence[int], each: float) -> float:
    """Seconds for the task of a part, of which every number takes `each`; `shape` is that of the whole result.

    >>> seconds_of(Task("times[0:2, :]", None), (4, 6), each=0.5)
    6.0
    """
    cuts = task.name[task.name.index("[") + 1 : -1].split(", ")
    ends = [cut.split(":") for cut in cuts]
    return each * math.prod(int(stop or side) - int(start or 0) for (start, stop), side in zip(ends, shape))


def part(
    where: Where, inputs: Mapping[str, tuple[np.ndarray, Where]], made: Sequence[int], each: int, item: int
) -> Part:
    """A part of shape `made`, from pieces of inputs; `each` operations and `item` bytes for every number."""
    reads = {f"{name}[{label(piece)}]": array[piece] for name, (array, piece) in inputs.items()}
    return Part(where, reads, math.prod(made) * each, math.prod(made) * item)

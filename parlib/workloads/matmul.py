"""Arithmetic on large arrays: a matrix product spends CPU and releases the GIL, adding spends memory bandwidth.

    rows      a strip of left  × all of right       columns   all of left × a strip of right
    blocks    a strip of left  × a strip of right: the least to read for what is made

    by_rows   left ─┬─ rows ──► times(rows, right) ─┬─ product      many multiplications for each number read
              right ┴───────────────────────────────┘
    adding    pages ──► scale_add ──► one number a page             one multiplication for each number read

Both are NumPy, which lets other threads run while it computes. The first keeps a core busy with
what it has at hand; the second waits for the memory, which all cores share.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from ..plan import Plan, Task, did_you_mean
from .splits import Split, bounds_of, grid_of, part, seconds_of
from .workload import Workload, block_plan

PAGES, PAGE = 128, 2**16  # 128 pages of two rows of 64 Ki numbers: 128 MiB, more than any cache holds
FACTOR = 0.5
SPEED = 40e9  # operations per second of one core: an ordinary laptop's, for the estimate


@cache
def matrices(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Two matrices, left and right, of `size` × `size` numbers in [0, 1); made once, the same every time."""
    numbers = np.random.default_rng(size)
    return numbers.random((size, size)), numbers.random((size, size))


def times(rows: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Some rows of the product: (r, n) times (n, m) is (r, m).

    >>> times(np.array([[1, 2]]), np.eye(2)).tolist()
    [[1.0, 2.0]]
    """
    return rows @ right


def row_plan(left: np.ndarray, right: np.ndarray, chunks: int) -> Plan:
    """The product of two matrices in blocks of rows, put together again.

    >>> from parlib import execute
    >>> execute(row_plan(np.eye(3), np.ones((3, 2)), chunks=2), workers=2).result.shape
    (3, 2)
    """
    return block_plan(partial(times, right=right), left, chunks=chunks, combine=np.concatenate)


def product_split(left: np.ndarray, right: np.ndarray, chunks: int, how: str = "rows") -> Split:
    """The product of two matrices, (n, k) times (k, m), cut by "rows", "columns" or "blocks".

    Each number of the product takes k multiplications and k additions. Raises ValueError for
    shapes that do not match.

    >>> left, right = np.ones((4, 2)), np.ones((2, 6))
    >>> [product_split(left, right, 4, how).sent for how in ("rows", "columns", "blocks")]
    [448, 352, 320]
    """
    _refuse_misfits(left, right)
    rows, columns = left.shape[0], right.shape[1]
    cuts = {
        "rows": lambda: [(strip, slice(None)) for strip in bounds_of(rows, chunks)],
        "columns": lambda: [(slice(None), strip) for strip in bounds_of(columns, chunks)],
        "blocks": lambda: grid_of(rows, columns, chunks),
    }
    if how not in cuts:
        raise ValueError(f"a product cannot be cut by {how!r}{did_you_mean(how, cuts)}")
    whole, dtype = np.broadcast_to(np.int8(0), (rows, columns)), np.result_type(left, right)
    parts = []
    for down, across in cuts[how]():
        inputs = {"left": (left, (down, slice(None))), "right": (right, (slice(None), across))}
        made = whole[down, across].shape
        parts.append(part((down, across), inputs, made, 2 * left.shape[1], dtype.itemsize))
    return Split(times, whole.shape, dtype, parts)


@cache
def pages() -> np.ndarray:
    """A book of pages with two rows of numbers each, shape (128, 2, 65536); made once."""
    return np.random.default_rng(0).random((PAGES, 2, PAGE))


def scale_add(block: np.ndarray, passes: int) -> np.ndarray:
    """The mean of factor · first row + second row, for every page, summed over so many passes.

    The numbers are read anew in every pass: no cache holds them until the next.
    """
    means, row = np.zeros(len(block)), np.empty(block.shape[-1])
    for _ in range(passes):
        for number, (first, second) in enumerate(block):
            np.multiply(first, FACTOR, out=row)
            row += second
            means[number] += row.mean()
    return means


def _refuse_misfits(left: np.ndarray, right: np.ndarray) -> None:
    if left.ndim != 2 or right.ndim != 2:
        raise ValueError(f"a product needs two matrices: left has shape {left.shape} and right {right.shape}")
    if left.shape[1] != right.shape[0]:
        shapes = f"left has shape {left.shape} and right {right.shape}"
        raise ValueError(
            f"{shapes}: left must have as many columns ({left.shape[1]}) as right has rows ({right.shape[0]})"
        )


def _columns_plan(size: int, chunks: int) -> Plan:
    return product_split(*matrices(size), chunks, "columns").plan()


def _blocks_plan(size: int, chunks: int) -> Plan:
    return product_split(*matrices(size), chunks, "blocks").plan()


def _part_costs(size: int) -> Callable[[Task], float]:
    return partial(seconds_of, shape=(size, size), each=2 * size / SPEED)


def _rows_plan(size: int, chunks: int) -> Plan:
    return row_plan(*matrices(size), chunks)


def _rows_serial(size: int) -> np.ndarray:
    return times(*matrices(size))


def _rows_costs(size: int) -> float:
    return 2 * size**2 / SPEED


def _adding_plan(size: int, chunks: int) -> Plan:
    return block_plan(partial(scale_add, passes=size), pages(), chunks=chunks, combine=np.concatenate)


def _adding_serial(size: int) -> np.ndarray:
    return scale_add(pages(), size)


def _adding_costs(size: int) -> float:
    return size * 100e-6


SIZES = (1200, 2000, 2800)
by_rows = Workload(
    "matmul.by_rows", _rows_plan, _rows_serial, SIZES, "CPU, releasing the GIL", _rows_costs, same=np.allclose
)
"""The product of two `size` × `size` matrices, a strip of rows to each."""

by_columns = Workload(
    "matmul.by_columns", _columns_plan, _rows_serial, SIZES, "CPU, releasing the GIL", _part_costs, same=np.allclose
)
"""The same product, a strip of columns to each."""

by_blocks = Workload(
    "matmul.by_blocks", _blocks_plan, _rows_serial, SIZES, "CPU, releasing the GIL", _part_costs, same=np.allclose
)
"""The same product, a block to each."""

adding = Workload("matmul.adding", _adding_plan, _adding_serial, (6, 20, 60), "memory bandwidth", _adding_costs)
"""`size` passes of scaling and adding over 128 MiB of numbers."""

"""The jobs that are measured. They live in a module of their own, so that every pool can import them.

The array job turns each row of 32 numbers by a fixed rotation, `turns` times over. It goes
block by block, and a block stays in the cache nearest to its core while it is turned. So
`turns` sets how long the job takes, and the memory it touches stays the same: one reading
of the array, and for `turned` one writing of an array of the same size.

A product of two matrices gives up the interpreter lock and uses the BLAS, so the job suits
threads and processes alike, and the memory bus is not what limits it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

COLUMNS = 32
BLOCK = 1024  # rows: with its twin 512 KB, half of a usual second-level cache
ROTATION = np.linalg.qr(np.random.default_rng(7).standard_normal((COLUMNS, COLUMNS)))[0]  # lengths stay as they are


def make(megabytes: float, seed: int = 0) -> np.ndarray:
    """An array of shape (rows, 32) that fills so many megabytes (2**20 bytes)."""
    return np.random.default_rng(seed).standard_normal((int(megabytes * 2**20) // (8 * COLUMNS), COLUMNS))


def turned(rows: np.ndarray, turns: int) -> np.ndarray:
    """All rows, turned `turns` times: an answer as large as the question."""
    answer = np.empty_like(rows)
    for start, block in _blocks(rows, turns):
        answer[start : start + len(block)] = block
    return answer


def total(rows: np.ndarray, turns: int) -> float:
    """The sum of all rows, turned `turns` times: an answer of a few bytes."""
    return sum(float(block.sum()) for _, block in _blocks(rows, turns))


def _blocks(rows: np.ndarray, turns: int) -> Iterator[tuple[int, np.ndarray]]:
    """Where each block starts, and the block turned; valid until the next is asked for."""
    here, there = np.empty((2, BLOCK, COLUMNS))
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        for _ in range(turns):
            block = np.matmul(block, ROTATION, out=there[: len(block)])
            here, there = there, here
        yield start, block


def increment(number: int) -> int:
    """The tiny call."""
    return number + 1


def count(*values: object) -> int:
    """The tiny task of a graph: how many values it received."""
    return len(values)

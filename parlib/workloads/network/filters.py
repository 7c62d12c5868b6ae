"""What does a layer for images do? Slide filters over them, and keep the largest of each four neighbors.

    Filters    (n, h, w, c) ──► (n, h−k+1, w−k+1, f)      (LeCun et al., 1989)
    Largest    (n, h, w, f) ──► (n, h/2, w/2, f)

The twins of the layers for rows of numbers: the same two methods, the same order of words. The
filters slide as in `convolution.convolve`: by a product of matrices, and so does the way back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..convolution import convolve, patches
from .layers import Weights

__all__ = ["Filters", "Largest"]


@dataclass(frozen=True)
class Filters:
    """Every number out is a weighted sum of side × side neighbors in all colors, plus one of its own.

    >>> Filters(3, 1, 8).forward(np.ones((5, 8, 8, 1)), [np.ones((3, 3, 1, 8)), np.zeros(8)]).shape
    (5, 6, 6, 8)
    """

    side: int
    colors: int
    filters: int

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The filters, and a number for each of them."""
        return (self.side, self.side, self.colors, self.filters), (self.filters,)

    def forward(self, x: np.ndarray, weights: Weights) -> np.ndarray:
        """The weighted sums, wherever a filter fits."""
        kernel, offset = weights
        answers = convolve(x, kernel)
        answers += offset
        return answers

    def backward(self, slope: np.ndarray, x: np.ndarray, weights: Weights) -> tuple[np.ndarray, list[np.ndarray]]:
        """Each place in is to blame as far as it was weighed, each weight as far as its places were large."""
        kernel, _ = weights
        blame = np.zeros(x.shape, slope.dtype)
        rows = slope @ kernel.reshape(-1, self.filters).T  # what a filter blames on all that it has seen
        seen = np.split(rows, self.side**2, axis=3)
        for (down, right), share in zip(np.ndindex(self.side, self.side), seen):
            blame[:, down : down + slope.shape[1], right : right + slope.shape[2]] += share
        faults = np.tensordot(patches(x, self.side, self.side), slope, axes=((0, 1, 2), (0, 1, 2)))
        return blame, [faults.reshape(kernel.shape), slope.sum(axis=(0, 1, 2))]


@dataclass(frozen=True)
class Largest:
    """The largest of each 2 × 2 neighbors; a last row or column without a neighbor is left out.

    >>> Largest().forward(np.arange(16.0).reshape(1, 4, 4, 1), []).ravel().tolist()
    [5.0, 7.0, 13.0, 15.0]
    """

    shapes = ()

    def forward(self, x: np.ndarray, weights: Weights) -> np.ndarray:
        """The largest of each four."""
        first, second, third, fourth = _fours(x)
        return np.maximum(np.maximum(first, second), np.maximum(third, fourth))

    def backward(self, slope: np.ndarray, x: np.ndarray, weights: Weights) -> tuple[np.ndarray, list[np.ndarray]]:
        """Only the largest is to blame; where several are, the first of them."""
        blame, largest = np.zeros(x.shape, slope.dtype), self.forward(x, weights)
        blameless = np.ones(slope.shape, bool)
        for part, own in zip(_fours(blame), _fours(x)):
            guilty = blameless & (own == largest)
            np.multiply(slope, guilty, out=part)
            blameless &= ~guilty
        return blame, []


def _fours(x: np.ndarray) -> list[np.ndarray]:
    """The four neighbors, (n, h/2, w/2, f) each: the first of all, the second of all, and so on; views."""
    even = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
    return [even[:, place // 2 :: 2, place % 2 :: 2] for place in range(4)]

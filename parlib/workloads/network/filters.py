"""What does a layer for images do? Slide filters over them, and keep the largest of each four neighbors.

    Filters    (n, h, w, c) ──► (n, h−k+1, w−k+1, f)      (LeCun et al., 1989)
    Largest    (n, h, w, f) ──► (n, h/2, w/2, f)

The twins of the layers for rows of numbers: the same two methods, the same order of words. The
filters slide as in `convolution.convolve`; on the way back they slide over what came out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..convolution import convolve
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
        return convolve(x, kernel) + offset

    def backward(self, slope: np.ndarray, x: np.ndarray, weights: Weights) -> tuple[np.ndarray, list[np.ndarray]]:
        """Each place in is to blame as far as it was weighed, each weight as far as its places were large."""
        kernel, _ = weights
        blame, faults = np.zeros(x.shape, slope.dtype), np.zeros_like(kernel)
        for down, right in np.ndindex(kernel.shape[:2]):
            seen = np.s_[:, down : down + slope.shape[1], right : right + slope.shape[2]]
            blame[seen] += slope @ kernel[down, right].T
            faults[down, right] = np.tensordot(x[seen], slope, axes=((0, 1, 2), (0, 1, 2)))
        return blame, [faults, slope.sum(axis=(0, 1, 2))]


@dataclass(frozen=True)
class Largest:
    """The largest of each 2 × 2 neighbors; a last row or column without a neighbor is left out.

    >>> Largest().forward(np.arange(16.0).reshape(1, 4, 4, 1), []).ravel().tolist()
    [5.0, 7.0, 13.0, 15.0]
    """

    shapes = ()

    def forward(self, x: np.ndarray, weights: Weights) -> np.ndarray:
        """The largest of each four."""
        return _fours(x).max(axis=3)

    def backward(self, slope: np.ndarray, x: np.ndarray, weights: Weights) -> tuple[np.ndarray, list[np.ndarray]]:
        """Only the largest is to blame; where several are, the first of them."""
        fours = _fours(x)
        winners = np.zeros(fours.shape, slope.dtype)
        np.put_along_axis(winners, fours.argmax(axis=3)[:, :, :, None], slope[:, :, :, None], axis=3)
        blame = np.zeros(x.shape, slope.dtype)
        for place in range(4):
            blame[:, place // 2 : 2 * fours.shape[1] : 2, place % 2 : 2 * fours.shape[2] : 2] = winners[:, :, :, place]
        return blame, []


def _fours(x: np.ndarray) -> np.ndarray:
    """The four neighbors side by side: (n, h, w, f) becomes (n, h/2, w/2, 4, f)."""
    high, wide = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    return np.stack([x[:, place // 2 : high : 2, place % 2 : wide : 2] for place in range(4)], axis=3)

"""What does a layer do? Forward it turns numbers into numbers; backward it passes on who is to blame.

    forward    x ────────────────────────────► y
    backward   ∂loss/∂x ◄──────────────────── ∂loss/∂y
                         └──► ∂loss/∂weights               (Rumelhart, Hinton, Williams, 1986)

Axis 0 is the examples. What a layer needs on the way back (x, and its weights) is handed to it
again: a layer remembers nothing, so that many workers can use the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["Dense", "Flat", "Layer", "Positive"]

Weights = Sequence[np.ndarray]


class Layer(Protocol):
    """A part of a network; `shapes` are those of its weights."""

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]: ...
    def forward(self, x: np.ndarray, weights: Weights) -> np.ndarray: ...
    def backward(self, slope: np.ndarray, x: np.ndarray, weights: Weights) -> tuple[np.ndarray, list[np.ndarray]]: ...


@dataclass(frozen=True)
class Dense:
    """Every number out is a weighted sum of all numbers in, plus one of its own: (n, inputs) to (n, outputs).

    >>> Dense(2, 1).forward(np.array([[1.0, 2.0]]), [np.array([[10.0], [1.0]]), np.array([0.5])]).tolist()
    [[12.5]]
    """

    inputs: int
    outputs: int

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """A matrix, and a number for each output."""
        return (self.inputs, self.outputs), (self.outputs,)

    def forward(self, x: np.ndarray, weights: Weights) -> np.ndarray:
        """The weighted sums."""
        matrix, offset = weights
        return x @ matrix + offset

    def backward(self, slope: np.ndarray, x: np.ndarray, weights: Weights) -> tuple[np.ndarray, list[np.ndarray]]:
        """Each number in is to blame as far as it was weighed, each weight as far as its number was large."""
        matrix, _ = weights
        return slope @ matrix.T, [x.T @ slope, slope.sum(axis=0)]


@dataclass(frozen=True)
class Positive:
    """What is positive passes, what is negative becomes 0 (known as ReLU; Nair, Hinton, 2010).

    >>> Positive().forward(np.array([-1.0, 2.0]), []).tolist()
    [0.0, 2.0]
    """

    shapes = ()

    def forward(self, x: np.ndarray, weights: Weights) -> np.ndarray:
        """The positive part."""
        return np.maximum(x, 0)

    def backward(self, slope: np.ndarray, x: np.ndarray, weights: Weights) -> tuple[np.ndarray, list[np.ndarray]]:
        """Who did not pass is not to blame."""
        return slope * (x > 0), []


@dataclass(frozen=True)
class Flat:
    """Each example's numbers in one row: (n, h, w, c) to (n, h·w·c).

    >>> Flat().forward(np.ones((5, 2, 2, 3)), []).shape
    (5, 12)
    """

    shapes = ()

    def forward(self, x: np.ndarray, weights: Weights) -> np.ndarray:
        """The same numbers in rows."""
        return x.reshape(len(x), -1)

    def backward(self, slope: np.ndarray, x: np.ndarray, weights: Weights) -> tuple[np.ndarray, list[np.ndarray]]:
        """The same numbers in their old places."""
        return slope.reshape(x.shape), []

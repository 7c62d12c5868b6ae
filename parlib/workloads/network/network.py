"""What is a network? Layers in a row, whose weights are one long vector: to be sent, added and averaged.

    images ──► layer ──► layer ──► scores ──► loss
    slope  ◄── layer ◄── layer ◄── slope  ◄───┘          (back-propagation)

The slope of a batch is the mean of the slopes of its examples. So the slopes of shards, each counted
by its number of examples, average to the slope of the whole batch: all of data-parallel training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .filters import Filters, Largest
from .layers import Dense, Flat, Layer, Positive
from .loss import cross_entropy

__all__ = ["Network", "Slope", "average", "classifier", "convolutional"]


class Slope(NamedTuple):
    """What some examples say about the weights: mean loss, mean gradient, and how many examples they are."""

    loss: float
    gradient: np.ndarray
    examples: int


@dataclass(frozen=True)
class Network:
    """Layers in a row.

    >>> Network((Flat(), Dense(64, 10))).size
    650
    """

    layers: tuple[Layer, ...]

    @property
    def size(self) -> int:
        """How many weights it has."""
        return sum(math.prod(shape) for layer in self.layers for shape in layer.shapes)

    def start(self, seed: int = 0) -> np.ndarray:
        """Weights to begin with: random, and the smaller the more of them share a sum (He et al., 2015)."""
        numbers, shapes = np.random.default_rng(seed), [shape for layer in self.layers for shape in layer.shapes]
        scales = [math.sqrt(2 / math.prod(shape[:-1])) if len(shape) > 1 else 0.0 for shape in shapes]
        return np.concatenate([scale * numbers.normal(size=math.prod(shape)) for scale, shape in zip(scales, shapes)])

    def cut(self, weights: np.ndarray) -> list[list[np.ndarray]]:
        """The vector as each layer wants it: views, by layer."""
        if weights.shape != (self.size,):
            raise ValueError(f"this network has {self.size} weights in one row, not an array of shape {weights.shape}")
        shapes = [shape for layer in self.layers for shape in layer.shapes]
        ends = np.cumsum([0, *(math.prod(shape) for shape in shapes)])
        pieces = (weights[start:stop].reshape(shape) for (start, stop), shape in zip(pairwise(ends), shapes))
        return [[next(pieces) for _ in layer.shapes] for layer in self.layers]

    def scores(self, weights: np.ndarray, images: np.ndarray) -> np.ndarray:
        """What it says: a score for each image and class."""
        for layer, own in zip(self.layers, self.cut(weights)):
            images = layer.forward(images, own)
        return images

    def slope(self, weights: np.ndarray, images: np.ndarray, labels: np.ndarray) -> Slope:
        """The loss on some examples and its gradient, as long as the weights."""
        cut, seen = self.cut(weights), [images]
        for layer, own in zip(self.layers, cut):
            seen.append(layer.forward(seen[-1], own))
        loss, slope = cross_entropy(seen.pop(), labels)
        faults: list[np.ndarray] = []
        for layer, own, x in zip(self.layers[::-1], cut[::-1], seen[::-1]):
            slope, own_faults = layer.backward(slope, x, own)
            faults[:0] = own_faults
        return Slope(loss, np.concatenate([fault.ravel() for fault in faults]), len(labels))

    def accuracy(self, weights: np.ndarray, images: np.ndarray, labels: np.ndarray) -> float:
        """The share of images, 0 … 1, whose highest score is that of the right label."""
        return float((self.scores(weights, images).argmax(axis=1) == labels).mean())


def average(slopes: Iterable[Slope]) -> Slope:
    """The slope of all examples together, from those of shards: each counts by its number of examples.

    >>> average([Slope(1.0, np.array([0.0]), 1), Slope(2.0, np.array([4.0]), 3)])
    Slope(loss=1.75, gradient=array([3.]), examples=4)
    """
    slopes = list(slopes)
    total = sum(slope.examples for slope in slopes)
    loss = sum(slope.examples * slope.loss for slope in slopes) / total
    return Slope(loss, sum(slope.gradient * (slope.examples / total) for slope in slopes), total)  # type: ignore[arg-type]


def classifier(inputs: int = 64, hidden: Sequence[int] = (64,), classes: int = 10) -> Network:
    """A small network of dense layers, for images of so many numbers.

    >>> classifier().size
    4810
    """
    sizes = [inputs, *hidden, classes]
    layers = [layer for pair in pairwise(sizes) for layer in (Dense(*pair), Positive())]
    return Network((Flat(), *layers[:-1]))


def convolutional(side: int = 8, colors: int = 1, filters: int = 8, classes: int = 10) -> Network:
    """A small network for images of side × side places: filters, the largest of each four, and a dense layer.

    >>> convolutional().size
    810
    """
    inputs = ((side - 2) // 2) ** 2 * filters
    return Network((Filters(3, colors, filters), Positive(), Largest(), Flat(), Dense(inputs, classes)))

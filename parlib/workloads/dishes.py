"""The same dish by different chefs: three tasks of AI, each written for several kinds of workers.

    product    two square matrices     pure Python, NumPy, NumPy in float32, NumPy on two workers
    see        digits in images        pure Python, NumPy, NumPy in float32
    read       feelings of sentences   pure Python only: nobody has written it for another

The answers agree, to within rounding. Pass `dishes()` to `cost_table` to see who suits what, here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ..plan import check_count
from ..schedule import execute
from .digits import digits
from .matmul import matrices, product_split
from .network import classifier
from .sentiment import feelings, sentences
from .training import train

__all__ = ["dishes", "product_in_python", "scores_in_python"]

PYTHON, NUMPY, SINGLE, PAIR = "pure Python", "NumPy", "float32", "NumPy, two threads"


def dishes(side: int = 64, images: int = 20, texts: int = 40) -> dict[str, dict[str, Callable[[], Any]]]:
    """Calls without arguments, by task and kind of worker: matrices of this side, so many images and sentences.

    >>> {task: list(kinds) for task, kinds in dishes(4, 1, 1).items()}["read"]
    ['pure Python']
    """
    left, right = matrices(check_count("side", side))
    rows, columns, shown = left.tolist(), right.tolist(), digits().test_images[: check_count("images", images)]
    network, weights = _small_model()
    single, light = (left.astype(np.float32), right.astype(np.float32)), weights.astype(np.float32)
    pages, plain = sentences()[: check_count("texts", texts)], [image.ravel().tolist() for image in shown]
    layers = [[part.tolist() for part in layer] for layer in network.cut(weights) if layer]
    small = shown.astype(np.float32)
    return {
        "product": {
            PYTHON: lambda: product_in_python(rows, columns),
            NUMPY: lambda: left @ right,
            SINGLE: lambda: single[0] @ single[1],
            PAIR: lambda: execute(product_split(left, right, 2).plan(), 2).result,
        },
        "see": {
            PYTHON: lambda: scores_in_python(layers, plain),
            NUMPY: lambda: network.scores(weights, shown),
            SINGLE: lambda: network.scores(light, small),
        },
        "read": {PYTHON: lambda: feelings(pages)},
    }


def product_in_python(left: list[list[float]], right: list[list[float]]) -> list[list[float]]:
    """The product of two matrices, number by number.

    >>> product_in_python([[1, 2]], [[3], [4]])
    [[11]]
    """
    columns = list(zip(*right))
    return [[sum(one * other for one, other in zip(row, column)) for column in columns] for row in left]


def scores_in_python(layers: list[list[Any]], images: list[list[float]]) -> list[list[float]]:
    """The scores of a classifier of dense layers, number by number; `layers` are its weights and offsets."""
    for place, (weights, offsets) in enumerate(layers):
        sums = product_in_python(images, weights)
        images = [[number + offset for number, offset in zip(row, offsets)] for row in sums]
        if place < len(layers) - 1:
            images = [[max(0.0, number) for number in row] for row in images]
    return images


@cache
def _small_model() -> Any:
    """A classifier small enough for pure Python, and its weights after three times all digits."""
    network = classifier()
    return network, train(network, digits().images, digits().labels, epochs=3).weights

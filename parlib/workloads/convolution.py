"""Photographs through the first layer of a convolutional network: spends CPU, releasing the GIL.

    photograph ──► convolve with 8 filters ──► keep what is positive ──► mean ──► 8 numbers
    (h, w, 3)      (h−2, w−2, 8)

The photographs are the two that come with scikit-learn, cut into overlapping pieces, some of them
mirrored. The convolution is a sliding sum in NumPy: as many additions of shifted images as the
filter has places (what libraries call convolution is this correlation, the filter unturned).
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..paradigms import data_plan
from ..plan import Plan
from .workload import Workload

SIDE = 224  # pixels of a piece, as networks for photographs like them
FILTERS = 8


@cache
def sample_images() -> tuple[np.ndarray, np.ndarray]:
    """Two photographs, a temple and a flower: (427, 640, 3) numbers in 0 … 255."""
    from PIL import Image

    found = find_spec("sklearn")  # found, not imported: that would take longer than all else here
    if found is None or found.origin is None:
        raise ImportError("the photographs come with scikit-learn: pip install scikit-learn")
    folder = Path(found.origin).parent / "datasets" / "images"
    return np.asarray(Image.open(folder / "china.jpg")), np.asarray(Image.open(folder / "flower.jpg"))


@cache
def pieces(size: int) -> np.ndarray:
    """`size` square pieces of the sample images, every other one mirrored: (size, 224, 224, 3); made once."""
    numbers, images = np.random.default_rng(0), sample_images()
    cut = [_piece(images[number % 2], numbers) for number in range(size)]
    return np.stack([piece[:, ::-1] if number % 4 > 1 else piece for number, piece in enumerate(cut)])


@cache
def kernels() -> np.ndarray:
    """Eight filters of 3 × 3 places and 3 colors, (3, 3, 3, 8): random, as in a network before its training."""
    return np.random.default_rng(1).normal(0, 0.3, (3, 3, 3, FILTERS)).astype(np.float32)


def convolve(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Slide a filter over an image: (h, w, c) with (k, l, c, f) filters gives (h−k+1, w−l+1, f).

    >>> convolve(np.ones((4, 5, 3)), np.ones((3, 3, 3, 2)))[:, :, 0].tolist()
    [[27.0, 27.0, 27.0], [27.0, 27.0, 27.0]]
    """
    height, width = (side - places + 1 for side, places in zip(image.shape, kernel.shape[:2]))
    total = np.zeros((height, width, kernel.shape[-1]), np.result_type(image, kernel))
    for down, right in np.ndindex(kernel.shape[:2]):
        total += image[down : down + height, right : right + width] @ kernel[down, right]
    return total


def features(image: np.ndarray) -> np.ndarray:
    """What the first layer of a network sees: the mean of the positive answers of each filter, shape (8,)."""
    brightness = image.astype(np.float32) / 255
    return np.maximum(convolve(brightness, kernels()), 0).mean(axis=(0, 1))


def _piece(image: np.ndarray, numbers: np.random.Generator) -> np.ndarray:
    top, left = numbers.integers(0, (image.shape[0] - SIDE, image.shape[1] - SIDE))
    return image[top : top + SIDE, left : left + SIDE]


def _plan(size: int, chunks: int) -> Plan:
    return data_plan(features, pieces(size), chunks=chunks, combine=np.stack)


def _serial(size: int) -> np.ndarray:
    return np.stack([features(image) for image in pieces(size)])


def _costs(size: int) -> float:
    return 0.004


photos = Workload("convolution.photos", _plan, _serial, (20, 80, 320), "CPU, releasing the GIL", _costs)
"""The features of `size` pieces of photographs."""

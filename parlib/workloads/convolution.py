"""Photographs through the first layer of a convolutional network: spends CPU, releasing the GIL.

    photograph ──► convolve with 8 filters ──► keep what is positive ──► mean ──► 8 numbers
    (h, w, 3)      (h−2, w−2, 8)

A batch can be cut by images, by tiles (with a halo: places of the neighbors that the filter reaches) or by
filters. The photographs are the two that come with scikit-learn, cut into overlapping pieces, some of them
mirrored. What a filter sees at each of its places is written in a row, so that sliding becomes a product
of matrices (what libraries call convolution is this correlation, the filter unturned).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..paradigms import data_plan
from ..plan import Plan, Task, did_you_mean
from .splits import Split, bounds_of, grid_of, part, seconds_of
from .workload import Workload

SIDE = 224  # pixels of a piece, as networks for photographs like them
FILTERS = 8
CACHED = 2**20  # bytes of patches that are made at a time: about what a core's own cache holds


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

    The same for a batch of images, (n, h, w, c).

    >>> convolve(np.ones((4, 5, 3)), np.ones((3, 3, 3, 2)))[:, :, 0].tolist()
    [[27.0, 27.0, 27.0], [27.0, 27.0, 27.0]]
    """
    height, width = (side - places + 1 for side, places in zip(image.shape[-3:-1], kernel.shape))
    images = image.reshape(-1, *image.shape[-3:])
    answers = np.empty((len(images), height, width, kernel.shape[-1]), np.result_type(image, kernel))
    weights = kernel.reshape(-1, kernel.shape[-1])  # a column for each filter
    patch = len(weights) * images.itemsize
    few = max(1, CACHED // max(1, patch * height * width))  # images at a time, and rows of them
    band = max(1, CACHED // max(1, patch * width * min(few, len(images))))
    for first, top in product(range(0, len(images), few), range(0, height, band)):
        seen = patches(images[first : first + few, top : top + band + kernel.shape[0] - 1], *kernel.shape[:2])
        part = answers[first : first + few, top : top + band]
        part[...] = (seen.reshape(-1, len(weights)) @ weights).reshape(part.shape)
    return answers.reshape(*image.shape[:-3], *answers.shape[1:])


def patches(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """What a filter sees at each of its places, in a row: (n, h, w, c) gives (n, h−k+1, w−l+1, k·l·c).

    Known as im2col (Chellapilla, Puri, Simard, 2006).

    >>> patches(np.arange(12.0).reshape(1, 3, 4, 1), 2, 2)[0, 0].tolist()
    [[0.0, 1.0, 4.0, 5.0], [1.0, 2.0, 5.0, 6.0], [2.0, 3.0, 6.0, 7.0]]
    """
    windows = np.moveaxis(sliding_window_view(images, (height, width), axis=(1, 2)), 3, -1)
    return windows.reshape(*windows.shape[:3], -1)


def convolution_split(images: np.ndarray, kernel: np.ndarray, chunks: int, how: str = "images") -> Split:
    """A batch (n, h, w, c) through filters (k, l, c, f), cut by "images", "tiles" or "filters".

    A tile of the answer needs a tile of the images that is k − 1 places higher and l − 1 wider:
    its halo. Each number of the answer takes k·l·c multiplications and as many additions.
    Raises ValueError for shapes that do not match.

    >>> images, kernel = np.ones((4, 6, 6, 1)), np.ones((3, 3, 1, 2))
    >>> [convolution_split(images, kernel, 2, how).sent for how in ("images", "tiles", "filters")]
    [1440, 1824, 2448]
    """
    shape, dtype = _shape_of_answer(images, kernel), np.result_type(images, kernel)
    whole, all_of, parts = np.broadcast_to(np.int8(0), shape), slice(None), []
    cuts = {
        "images": lambda: [(some, all_of, all_of, all_of) for some in bounds_of(shape[0], chunks)],
        "tiles": lambda: [(all_of, *tile, all_of) for tile in grid_of(shape[1], shape[2], chunks)],
        "filters": lambda: [(all_of, all_of, all_of, some) for some in bounds_of(shape[3], chunks)],
    }
    if how not in cuts:
        raise ValueError(f"a convolution cannot be cut by {how!r}{did_you_mean(how, cuts)}")
    for where in cuts[how]():
        seen = where[0], *map(_with_halo, where[1:3], kernel.shape[:2]), all_of
        inputs = {"images": (images, seen), "kernel": (kernel, (all_of, all_of, all_of, where[3]))}
        made = whole[where].shape
        parts.append(part(where, inputs, made, 2 * math.prod(kernel.shape[:3]), dtype.itemsize))
    return Split(convolve, shape, dtype, parts)


def features(image: np.ndarray) -> np.ndarray:
    """What the first layer of a network sees: the mean of the positive answers of each filter, shape (8,)."""
    brightness = image.astype(np.float32) / 255
    answers = convolve(brightness, kernels())
    return np.maximum(answers, 0, out=answers).mean(axis=(0, 1))  # in place: new memory costs more than the arithmetic


def _with_halo(places: slice, reach: int) -> slice:
    """The places of the images that these places of the answer are made from."""
    return places if places == slice(None) else slice(places.start, places.stop + reach - 1)


def _shape_of_answer(images: np.ndarray, kernel: np.ndarray) -> tuple[int, int, int, int]:
    shapes = f"the images have shape {images.shape} and the filters {kernel.shape}"
    if images.ndim != 4 or kernel.ndim != 4:
        raise ValueError(f"{shapes}: they must be (n, height, width, colors) and (height, width, colors, filters)")
    if images.shape[3] != kernel.shape[2]:
        raise ValueError(f"{shapes}: the images have {images.shape[3]} colors, and the filters want {kernel.shape[2]}")
    height, width = (side - places + 1 for side, places in zip(images.shape[1:3], kernel.shape))
    if min(height, width, kernel.shape[0], kernel.shape[1]) < 1:
        raise ValueError(f"{shapes}: a filter must have at least 1 × 1 places, and no more than the images")
    return images.shape[0], height, width, kernel.shape[3]


def _piece(image: np.ndarray, numbers: np.random.Generator) -> np.ndarray:
    top, left = numbers.integers(0, (image.shape[0] - SIDE, image.shape[1] - SIDE))
    return image[top : top + SIDE, left : left + SIDE]


@cache
def batch(size: int) -> tuple[np.ndarray, np.ndarray]:
    """`size` pieces as one batch, (size, 224, 224, 3), and filters of 11 × 11 places, as AlexNet begins with."""
    filters = np.random.default_rng(2).normal(0, 0.1, (11, 11, 3, FILTERS)).astype(np.float32)
    return pieces(size).astype(np.float32) / 255, filters


def _batch_plan(size: int, chunks: int, how: str) -> Plan:
    return convolution_split(*batch(size), chunks, how).plan()


def _batch_serial(size: int) -> np.ndarray:
    return convolve(*batch(size))


def _batch_costs(size: int) -> Callable[[Task], float]:
    return partial(seconds_of, shape=(size, SIDE - 10, SIDE - 10, FILTERS), each=25e-9)


def _plan(size: int, chunks: int) -> Plan:
    return data_plan(features, pieces(size), chunks=chunks, combine=np.stack)


def _serial(size: int) -> np.ndarray:
    return np.stack([features(image) for image in pieces(size)])


def _costs(size: int) -> float:
    return 0.003


close = partial(np.allclose, rtol=0, atol=1e-4)  # numbers of about 1, in single precision, added up in any order
photos = Workload("convolution.photos", _plan, _serial, (20, 80, 320), "CPU, releasing the GIL", _costs, same=close)
"""The features of `size` pieces of photographs."""


def _cut(how: str) -> Workload:
    plan, name, spends = partial(_batch_plan, how=how), f"convolution.by_{how}", "CPU, releasing the GIL"
    return Workload(name, plan, _batch_serial, (8, 32, 80), spends, _batch_costs, same=close)


by_images = _cut("images")
"""`size` pieces through wide filters, some images to each worker."""

by_tiles = _cut("tiles")
"""The same, a tile of all images to each, with its halo."""

by_filters = _cut("filters")
"""The same, some of the filters to each, and all images to all."""

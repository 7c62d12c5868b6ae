"""Handwritten digits, to learn from: 1,797 images of 8 × 8 places that come with scikit-learn.

    images (n, 8, 8, 1), brightness 0 … 1        labels (n,), 0 … 9        (Alpaydın, Kaynak, 1998)

Three quarters are to train with, the rest to test with; who is where is drawn once, by a seed.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

__all__ = ["Digits", "digits"]


class Digits(NamedTuple):
    """Images and labels to train with, and others to test with."""

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


@cache
def digits(seed: int = 0) -> Digits:
    """All digits, shuffled by a seed and dealt out: 1,347 to train with, 450 to test with; read only.

    >>> digits().images.shape, digits().test_labels.shape
    ((1347, 8, 8, 1), (450,))
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    images, labels = images[order].reshape(-1, 8, 8, 1) / 16, labels[order]
    cut = 3 * len(labels) // 4
    arrays = images[:cut], labels[:cut], images[cut:], labels[cut:]
    for array in arrays:
        array.flags.writeable = False  # there is one copy for all
    return Digits(*arrays)

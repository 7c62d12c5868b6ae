"""How wrong are the scores? Cross-entropy: the surprise at the right answer, and its slope.

scores ──► shares (softmax) ──► −log(share of the right label), the mean over the examples
slope  = (shares − 1 at the right label) / examples
"""

from __future__ import annotations

import numpy as np

__all__ = ["cross_entropy"]


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean surprise at the right labels, and ∂loss/∂scores (Bridle, 1990).

    `scores` is (n, classes), `labels` (n,) whole numbers. Scores that say nothing surprise by log(classes):

    >>> loss, slope = cross_entropy(np.zeros((1, 2)), np.array([0]))
    >>> round(loss, 4), slope.tolist()
    (0.6931, [[-0.5, 0.5]])
    """
    rows, raised = np.arange(len(labels)), scores - scores.max(axis=1, keepdims=True)  # exp must not overflow
    shares = np.exp(raised)
    total = shares.sum(axis=1, keepdims=True)
    loss = float((np.log(total[:, 0]) - raised[rows, labels]).mean())
    shares /= total
    shares[rows, labels] -= 1
    return loss, shares / len(labels)

"""How are weights changed? A step downhill, which remembers a part of the step before.

speed    ◄── momentum · speed − rate · gradient
weights  ◄── weights + speed                         (Polyak, 1964)
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

__all__ = ["Descent"]


@dataclass(frozen=True)
class Descent:
    """Stochastic gradient descent: `rate` is the length of a step per slope, `momentum` what is kept of the last.

    >>> Descent(rate=0.5, momentum=0.0)(np.array([1.0]), np.array([0.0]), np.array([0.2]))
    (array([0.9]), array([-0.1]))
    """

    _: KW_ONLY
    rate: float = 0.1
    momentum: float = 0.9

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise ValueError(f"rate must be more than 0, not {self.rate}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must be at least 0 and less than 1, not {self.momentum}")

    def __call__(self, weights: np.ndarray, speed: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The weights and the speed after one step; the old ones stay as they were."""
        speed = self.momentum * speed - self.rate * gradient
        return weights + speed, speed

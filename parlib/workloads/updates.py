"""Must workers wait for each other? In step, all wait for the slowest; as they come, slopes are out of date.

    in step        0 ███ │ ███ │ ███        as they come   0 ███ ███ ███ ███
                   1 ███ │ ███ │ ███                       1 ███ ███ ███ ███
    (slow)         2 █████ █████ █████                     2 █████ █████ ███

The clock jumps, as in `Simulated`, and the arithmetic is real: each slope is computed from the weights
that the worker had read when it began. How many updates others made meanwhile is its *staleness*.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..plan import check_count, check_seconds, counted
from ..trace import Span, Trace
from .network import Descent, Network, average
from .training import Shard, batches

__all__ = ["Updates", "as_they_come", "in_step"]


@dataclass(frozen=True, repr=False)
class Updates:
    """What came of it: weights, and for every slope its loss, when it arrived (seconds), and how stale it was."""

    weights: np.ndarray
    losses: list[float]
    moments: list[float]
    staleness: list[int]
    trace: Trace

    def __repr__(self) -> str:
        stale = sum(self.staleness) / max(1, len(self.staleness))
        many, workers = counted(len(self.losses), "slope"), counted(self.trace.workers, "simulated worker")
        return f"<Updates: {many} from {workers}, {self.trace.elapsed:.2f} s, {stale:.1f} updates stale on average>"


def in_step(
    network: Network,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    speeds: Sequence[float],
    slopes: int,
    seconds: float = 1.0,
    batch: int = 64,
    descent: Descent | None = None,
    seed: int = 0,
) -> Updates:
    """Synchronous updates: every worker computes one slope, all wait, the average makes one step.

    One worker for each of `speeds`; a batch of images takes `seconds` at speed 1. `slopes` in all:
    with p workers slopes/p steps, rounded up.
    """
    times, descent, weights = _times(speeds, seconds), descent or Descent(momentum=0.0), network.start(seed)
    supply = _supply(len(images), batch, slopes, seed)
    story, now, speed = _Story(len(times)), 0.0, np.zeros_like(weights)
    for step in range(-(-check_count("slopes", slopes) // len(times))):
        shard, arrived = Shard(network, weights, images, labels), []
        for worker, lasts in enumerate(times[: slopes - step * len(times)]):
            arrived.append(shard(next(supply)))
            story.tell(worker, now, now + lasts, arrived[-1].loss, stale=0)
        now = max(story.moments[-len(arrived) :])
        weights, speed = descent(weights, speed, average(arrived).gradient)
    return story.end(weights)


def as_they_come(
    network: Network,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    speeds: Sequence[float],
    slopes: int,
    seconds: float = 1.0,
    batch: int = 64,
    descent: Descent | None = None,
    seed: int = 0,
) -> Updates:
    """Asynchronous updates: each slope makes a step of its own when it arrives (Dean et al., 2012).

    One worker for each of `speeds`; a batch of images takes `seconds` at speed 1. `slopes` in all,
    each of them a step; those under way when the last one arrives are lost.
    """
    times, descent, weights = _times(speeds, seconds), descent or Descent(momentum=0.0), network.start(seed)
    supply = _supply(len(images), batch, check_count("slopes", slopes) + len(times), seed)
    story, speed = _Story(len(times)), np.zeros_like(weights)
    coming = [(lasts, worker, 0.0, 0, weights, next(supply)) for worker, lasts in enumerate(times)]
    heapq.heapify(coming)  # the next to arrive first; no two have the same worker, so nothing else is compared
    for version in range(slopes):
        now, worker, began, read, old, places = coming[0]
        slope = Shard(network, old, images, labels)(places)
        story.tell(worker, began, now, slope.loss, stale=version - read)
        weights, speed = descent(weights, speed, slope.gradient)
        heapq.heapreplace(coming, (now + times[worker], worker, now, version + 1, weights, next(supply)))
    return story.end(weights)


class _Story:
    """What both tell while they go on."""

    def __init__(self, workers: int) -> None:
        self.workers, self.spans = workers, list[Span]()
        self.losses, self.moments, self.staleness = list[float](), list[float](), list[int]()

    def tell(self, worker: int, began: float, ended: float, loss: float, stale: int) -> None:
        name = f"slope[{len(self.spans)}]"
        self.spans.append(Span(name, "slope", worker, began, began, ended, ended, ended - began, None))
        self.losses.append(loss)
        self.moments.append(ended)
        self.staleness.append(stale)

    def end(self, weights: np.ndarray) -> Updates:
        trace = Trace.of(self.spans, workers=self.workers, source="simulated")
        return Updates(weights, self.losses, self.moments, self.staleness, trace)


def _supply(images: int, batch: int, count: int, seed: int) -> Iterator[np.ndarray]:
    """Batches enough for so many slopes."""
    return batches(images, check_count("batch", batch), -(-count * batch // images) + 1, seed)


def _times(speeds: Sequence[float], seconds: float) -> list[float]:
    if not len(speeds) or not all(speed > 0 for speed in speeds):
        raise ValueError(f"speeds must be a number above 0 for each worker, and at least one, not {speeds!r}")
    return [check_seconds("seconds", seconds) / speed for speed in speeds]

"""How do many workers train one network? Each takes a shard of the batch; the average of their slopes is its slope.

    weights ──┬──► shard 0 ──► slope ──┐
              ├──► shard 1 ──► slope ──┼──► average ──► a step downhill ──► weights ──► …
              └──► shard 2 ──► slope ──┘

Every worker has all the images; what is sent for a step are the weights and, for each shard, which
images are in it. A step is one `data_parallel`, so it runs wherever that does, and it computes what
one worker alone would compute, to within the rounding of a sum in another order.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np

from ..backends import count_workers
from ..paradigms import data_parallel, split
from ..plan import Plan, check_count, counted
from ..sharing import share
from ..trace import Run, Trace, add_note
from .digits import digits
from .network import Descent, Network, Slope, average, classifier
from .workload import Workload, block_plan

__all__ = ["Shard", "Training", "batches", "slope_of", "step", "train"]


@dataclass(frozen=True)
class Shard:
    """What every worker has: the network, its weights now, and the data. Called with the places of some images.

    Raises ValueError where an image holds something that is no number, and says which.
    """

    network: Network
    weights: np.ndarray
    images: np.ndarray
    labels: np.ndarray

    def __call__(self, places: np.ndarray) -> Slope:
        images = self.images[places]
        if not np.isfinite(images).all():
            example, *place = (int(number) for number in np.argwhere(~np.isfinite(images))[0])
            value = images[(example, *place)]
            raise ValueError(f"image {places[example]} holds {value} at {place}: training needs numbers everywhere")
        with np.errstate(over="ignore", invalid="ignore"):  # told below, in words
            slope = self.network.slope(self.weights, images, self.labels[places])
        if not np.isfinite(slope.loss):
            raise FloatingPointError(f"the loss is {slope.loss}, though all images hold numbers: take a smaller rate")
        return slope


@dataclass(frozen=True, repr=False)
class Training:
    """What came of a training: the weights, and the mean loss of the batch at every step."""

    weights: np.ndarray
    losses: list[float]
    workers: int
    traces: list[Trace] = field(default_factory=list)  # of the last step, one for each part of its batch

    def __repr__(self) -> str:
        fell = f"loss {self.losses[0]:.3f} to {self.losses[-1]:.3f}" if self.losses else "no loss yet"
        return f"<Training: {counted(len(self.losses), 'step')} by {counted(self.workers, 'worker')}, {fell}>"


def slope_of(shard: Shard, places: np.ndarray, *, workers: int | None = None, backend: Any = "threads") -> Run:
    """The slope of a batch, computed by all workers: `result` is a `Slope`.

    With fewer images than workers, there is a shard of one image for some, and none for the others.
    """
    workers = count_workers(workers, backend)
    shards = [part for part in split(places, workers) if len(part)]
    return data_parallel(shard, shards, workers=workers, backend=backend, chunks=workers, combine=average)


def train(
    network: Network,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: int = 10,
    batch: int = 64,
    accumulate: int = 1,
    descent: Descent | None = None,
    workers: int | None = 1,
    backend: Any = "threads",
    seed: int = 0,
) -> Training:
    """Train a network: in each of `epochs` all images come once, in an order drawn by `seed`, `batch` at a step.

    `accumulate` computes a batch in so many parts, one after the other, where it is too large for
    the memory of the workers. `descent` is how the weights change (`Descent()`, unless said).

    Raises ValueError where an image holds what is no number; the exception says which image and which step.

    >>> from parlib.workloads.digits import digits
    >>> from parlib.workloads.network import classifier
    >>> train(classifier(), digits().images, digits().labels, epochs=1, workers=2)
    <Training: 22 steps by 2 workers, loss 2.4... to 0...>
    """
    workers, descent = count_workers(workers, backend), descent or Descent()
    _check(images, labels, batch, workers * check_count("accumulate", accumulate))
    images, labels = (share(images), share(labels)) if backend == "processes" else (images, labels)
    weights = network.start(seed)
    speed, losses, traces = np.zeros_like(weights), [], []
    for number, places in enumerate(batches(len(images), batch, epochs, seed)):
        try:
            shard, parts = Shard(network, weights, images, labels), split(places, accumulate)
            runs = [slope_of(shard, part, workers=workers, backend=backend) for part in parts if len(part)]
        except (ValueError, FloatingPointError) as error:
            add_note(error, f"in step {number}, epoch {number // -(-len(images) // batch)}")
            raise
        slope = average(run.result for run in runs)
        weights, speed = descent(weights, speed, slope.gradient)
        losses.append(slope.loss)
        traces = [run.trace for run in runs]
    return Training(weights, losses, workers, traces)


def batches(images: int, batch: int, epochs: int, seed: int = 0) -> Iterator[np.ndarray]:
    """The places of the images of each step; the last batch of an epoch may be smaller.

    >>> [len(places) for places in batches(5, batch=2, epochs=1)]
    [2, 2, 1]
    """
    numbers = np.random.default_rng(seed)
    for _ in range(epochs):
        order = numbers.permutation(images)
        yield from (order[start : start + batch] for start in range(0, images, batch))


def _check(images: np.ndarray, labels: np.ndarray, batch: int, hands: int) -> None:
    if len(images) != len(labels):
        raise ValueError(f"there are {len(images)} images and {len(labels)} labels: each image needs one")
    if not len(images):
        raise ValueError("there are no images to learn from")
    if check_count("batch", batch) < hands:
        idle = f"{hands - batch} of {hands} shards of every step are empty, and who has one of them stands idle"
        warnings.warn(f"a batch of {batch} is smaller than the number of shards: {idle}", RuntimeWarning, stacklevel=3)


HIDDEN = 512, 512  # numbers in the layers between


@cache
def _ready(size: int) -> Shard:
    """A network of some size, its weights at the start, and `size` digits, from the first again after the last."""
    data, network = digits(), classifier(hidden=HIDDEN)
    places = np.arange(size) % len(data.labels)
    return Shard(network, network.start(), share(data.images[places]), share(data.labels[places]))


def _step_plan(size: int, chunks: int) -> Plan:
    return block_plan(_ready(size), np.arange(size), chunks=chunks, combine=_gradient)


def _step_serial(size: int) -> np.ndarray:
    shard = _ready(size)
    return shard.network.slope(shard.weights, shard.images, shard.labels).gradient


def _gradient(slopes: list[Slope]) -> np.ndarray:
    return average(slopes).gradient


def _step_costs(size: int) -> float:
    return 45e-6


step = Workload(
    "training.step",
    _step_plan,
    _step_serial,
    (2000, 8000, 32000),
    "CPU, releasing the GIL",
    _step_costs,
    same=partial(np.allclose, rtol=0, atol=1e-10),
)
"""The slope of a batch of `size` digits, for a network of three dense layers."""

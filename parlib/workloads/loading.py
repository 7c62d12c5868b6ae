"""Who feeds the trainer? Loaders decode and vary image files while the trainer learns from the batch before.

    worker 1   load 0 ─► load 1 ─► load 2 ─► …          load[i]    files to numbers
    worker 0        └──► train 0 ─► train 1 ─► …        train[i]   needs load[i], and the weights of train[i−1]

The state of the training is a value that goes from task to task, so the plan runs on threads and
processes alike. At most `buffer` batches are loaded ahead: back-pressure is an edge. With no loader
the trainer loads by itself, and waits for every file.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..orders import Schedule
from ..plan import Plan, Task, check_buffer, check_count, did_you_mean
from ..schedule import execute
from ..trace import Run
from .convolution import SIDE, pieces
from .network import Descent, Network, convolutional
from .training import Shard, batches
from .workload import Workload

__all__ = ["Batch", "Learned", "Load", "feed", "feeding_plan", "trainer_first", "waiting", "write_photographs"]

SEEN = 32  # pixels of the side of an image as the network sees it
BAD = ("stop", "skip")


class Batch(NamedTuple):
    """Images ready to train with, their labels, and the files that could not be decoded."""

    images: np.ndarray  # (n, 32, 32, 3), 0 … 1
    labels: np.ndarray
    skipped: tuple[str, ...] = ()


class Learned(NamedTuple):
    """Where the training is: handed on from batch to batch."""

    weights: np.ndarray
    speed: np.ndarray
    losses: tuple[float, ...] = ()
    skipped: tuple[str, ...] = ()


def write_photographs(folder: Any, count: int, *, side: int = SIDE) -> list[Path]:
    """Write pieces of two photographs as JPEG files, named for what they show: a temple, or a flower.

    >>> import tempfile
    >>> [path.name for path in write_photographs(tempfile.mkdtemp(), 2)]
    ['temple-0000.jpg', 'flower-0001.jpg']
    """
    from PIL import Image

    folder, paths = Path(folder), []
    for number, piece in enumerate(pieces(check_count("count", count))):
        paths.append(folder / f"{('temple', 'flower')[number % 2]}-{number:04}.jpg")
        Image.fromarray(np.ascontiguousarray(piece[:side, :side])).save(paths[-1], quality=90)
    return paths


def label_of(path: Path) -> int:
    """0 for a temple, 1 for a flower: what the name of the file says."""
    return int(Path(path).name.startswith("flower"))


@dataclass(frozen=True)
class Load:
    """Decodes files and varies them; `on_bad` says what becomes of a file that is no image: "stop" or "skip".

    The same file is varied in the same way for the same seed, whoever loads it.
    """

    on_bad: str = "stop"
    seed: int = 0
    label: Callable[[Path], int] = label_of

    def __post_init__(self) -> None:
        if self.on_bad not in BAD:
            raise ValueError(f"on_bad must be 'stop' or 'skip', not {self.on_bad!r}{did_you_mean(self.on_bad, BAD)}")

    @property
    def lenient(self) -> Load:
        """The same, going on after a bad file."""
        return replace(self, on_bad="skip")

    def __call__(self, paths: Sequence[Path], number: int = 0) -> Batch:
        """The batch made of these files; `number` is the number of the batch, and varies it too."""
        images, labels, skipped = [], [], []
        chance = np.random.default_rng((self.seed, number))
        for path in paths:
            try:
                pixels = decode(path)
            except Exception as error:
                if self.on_bad == "stop":
                    raise ValueError(f"{path} cannot be decoded: {error}; pass on_bad='skip' to go on") from error
                skipped.append(str(path))
                continue
            images.append(vary(pixels, chance))
            labels.append(self.label(path))
        shape = (len(images), SEEN, SEEN, 3)
        return Batch(np.array(images).reshape(shape), np.array(labels, dtype=int), tuple(skipped))


def decode(path: Path) -> np.ndarray:
    """The pixels of an image file, (h, w, 3), 0 … 255."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def vary(pixels: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """One of many views of the same thing, (32, 32, 3), 0 … 1: a part of it, perhaps mirrored, lighter or darker."""
    from PIL import Image

    high, wide = pixels.shape[:2]
    side = max(1, int(min(high, wide) * chance.uniform(0.7, 1)))
    top, left = chance.integers(0, (high - side + 1, wide - side + 1))
    part = Image.fromarray(pixels[top : top + side, left : left + side]).resize((SEEN, SEEN), Image.Resampling.BILINEAR)
    view = np.asarray(part, float) / 255 * chance.uniform(0.8, 1.2)
    return np.clip(view[:, ::-1] if chance.random() < 0.5 else view, 0, 1)


@dataclass(frozen=True)
class Learn:
    """One step of the training on one batch; a batch of which nothing could be decoded changes nothing."""

    network: Network
    descent: Descent

    def __call__(self, batch: Batch, learned: Learned) -> Learned:
        skipped = learned.skipped + batch.skipped
        if not len(batch.images):
            return learned._replace(skipped=skipped)
        shard = Shard(self.network, learned.weights, batch.images, batch.labels)
        slope = shard(np.arange(len(batch.images)))
        weights, speed = self.descent(learned.weights, learned.speed, slope.gradient)
        return Learned(weights, speed, (*learned.losses, slope.loss), skipped)


def feeding_plan(
    network: Network,
    paths: Sequence[Path],
    *,
    batch: int = 16,
    epochs: int = 1,
    buffer: int | None = 2,
    load: Load | None = None,
    descent: Descent | None = None,
    seed: int = 0,
) -> Plan:
    """A task to load each batch, and one to learn from it; the result is `Learned`.

    Batch i is loaded no sooner than batch i − buffer − 1 has been learned from, so at most
    `buffer` batches wait (None: any number).

    >>> from parlib.workloads.network import convolutional
    >>> feeding_plan(convolutional(32, 3), ["a.jpg", "b.jpg", "c.jpg"], batch=1)
    <Plan: 6 tasks, 5 edges>
    """
    load, learn, weights = load or Load(), Learn(network, descent or Descent(rate=0.01)), network.start(seed)
    inputs: dict[str, Any] = {"weights at the start": Learned(weights, np.zeros_like(weights))}
    gap, tasks, last = None if buffer is None else check_buffer(buffer) + 1, [], "weights at the start"
    for number, places in enumerate(batches(len(paths), check_count("batch", batch), epochs, seed)):
        inputs[files := f"files of batch {number}"] = [paths[place] for place in places]
        inputs[which := f"number of batch {number}"] = number
        room = [f"train[{number - gap}]"] if gap is not None and number >= gap else []
        tasks.append(Task(f"load[{number}]", load, [files, which], after=room, kind="load", item=number))
        tasks.append(Task(f"train[{number}]", learn, [f"load[{number}]", last], kind="train", item=number))
        last = tasks[-1].name
    finish = Last(inputs["weights at the start"])
    return Plan(tasks, inputs, keep=[last] if tasks else [], finish=finish)


@dataclass(frozen=True)
class Last:
    """The state after the last batch; without any, that at the start."""

    start: Learned

    def __call__(self, values: dict[str, Any]) -> Any:
        return next(iter(values.values()), self.start)


def feed(
    network: Network,
    paths: Sequence[Path],
    *,
    loaders: int = 1,
    backend: Any = "threads",
    **more: Any,
) -> Run:
    """Train from files: worker 0 is the trainer, and `loaders` others load for it (0: it loads by itself).

    `more` is what `feeding_plan` takes: batch, epochs, buffer, load, descent, seed.
    """
    began = time.perf_counter()
    plan = feeding_plan(network, paths, **more)
    workers = 1 + (check_count("loaders", loaders) if loaders or isinstance(loaders, bool) else 0)
    return execute(plan, workers, backend, order=trainer_first, began=began)


def trainer_first(plan: Plan, workers: int, backend: Any) -> Schedule:
    """An order: training on worker 0; loading on the others in turn, if there are any."""
    hands = workers - 1
    slots = {task.name: 1 + (task.item or 0) % hands if hands and task.kind == "load" else 0 for task in plan.tasks}
    ranks = {task.name: float(task.item or 0) for task in plan.tasks}
    return Schedule(ranks, slots)


def waiting(run: Run) -> float:
    """The share of the time, 0 … 1, in which the trainer had nothing to learn from."""
    spans, own = run.trace, run.trace.worker == 0
    learning = np.array([kind == "train" for kind in spans.kinds or ()], bool) & own
    busy = float((spans.finished - spans.started)[learning].sum())
    return 1 - busy / run.trace.elapsed if run.trace.elapsed else 0.0


LOADED = 16  # photographs in a batch of the workload
SEER = convolutional(side=SEEN, colors=3, filters=8, classes=2)


@cache
def _files(size: int) -> tuple[Any, list[Path]]:
    """A folder that lasts as long as this process, and `size` photographs in it; written once."""
    folder = tempfile.TemporaryDirectory(prefix="parlib-photographs-", ignore_cleanup_errors=True)
    return folder, write_photographs(folder.name, size)


def _feeding_plan(size: int, chunks: int) -> Plan:
    return feeding_plan(SEER, _files(size)[1], batch=LOADED)


def _feeding_serial(size: int) -> Learned:
    load, learn, weights, paths = Load(), Learn(SEER, Descent(rate=0.01)), SEER.start(), _files(size)[1]
    learned = Learned(weights, np.zeros_like(weights))
    for number, places in enumerate(batches(len(paths), LOADED, epochs=1)):
        learned = learn(load([paths[place] for place in places], number), learned)
    return learned


def _feeding_costs(size: int) -> dict[str, float]:
    return {"load": 0.011, "train": 0.006}


feeding = Workload(
    "loading.feeding",
    _feeding_plan,
    _feeding_serial,
    (64, 256, 640),
    "CPU, releasing the GIL",
    _feeding_costs,
    same=lambda one, other: np.allclose(one.weights, other.weights, rtol=0, atol=1e-10),
    order=trainer_first,
)
"""A network learns from `size` photographs in files: worker 0 is the trainer, all others load for it."""

"""How can a model be of use while it still learns? Three chefs at once: one prepares, one trains, one answers.

    worker 2   load 1    load 2    load 3          load[n]     files decoded and cleaned
    worker 0   train 0   train 1   train 2         train[n]    needs load[n], and the model of train[n−1]
    worker 1   answer 0  answer 1  answer 2        answer[n]   the requests of this moment, by that model

While batch n + 1 is being decoded and batch n learned from, requests are answered by the last good model,
that of batch n − 1. Which model answers what is settled by the plan, not by who is faster; so the answers
are those of plain nested loops, on any workers. Where a run skips errors, a batch that cannot be decoded
or learned from leaves the model as it was, and the requests are answered all the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..orders import Schedule
from ..paradigms import Each, block_bounds
from ..plan import Plan, Task
from ..schedule import execute
from ..trace import Run, Skipped, describe
from .loading import LOADED, SEEN, SEER, Batch, Learn, Learned, Load, _files, decode, feeding_plan
from .network import Descent, Network
from .training import batches
from .workload import Workload

__all__ = ["Answer", "Streamed", "chefs", "kitchen", "stream", "stream_in_turn", "streaming_plan"]

WORDS = "temple", "flower"  # what a photograph can show
PER_MOMENT = 16  # requests for each batch of the workload


class Streamed(NamedTuple):
    """What came of it: an answer to each request, by its number, and the model at the end."""

    answers: dict[int, Any]
    learned: Learned


@dataclass(frozen=True)
class Answer:
    """What is on each photograph? Called with files and a model; `skip` leaves a `Skipped` where a file is no image."""

    network: Network
    skip: bool = False

    def __call__(self, paths: Sequence[Path], learned: Learned) -> list[Any]:
        return Each(partial(self.one, learned.weights), self.skip)(paths)

    def one(self, weights: np.ndarray, path: Path) -> str:
        """The word for one photograph."""
        from PIL import Image

        small = Image.fromarray(decode(path)).resize((SEEN, SEEN), Image.Resampling.BILINEAR)
        return WORDS[int(self.network.scores(weights, np.asarray(small, float)[None] / 255).argmax())]

    @cached_property
    def lenient(self) -> Answer:
        """The same, going on after a failure."""
        return replace(self, skip=True)


@dataclass(frozen=True)
class GoOn:
    """Calls `fn`; where a run skips errors, `instead(error, *values)` takes the place of what failed.

    Without it a task that fails takes all with it that need its value: in a stream, everything to come.
    """

    fn: Callable[..., Any]
    instead: Callable[..., Any]
    skip: bool = False

    def __call__(self, *values: Any) -> Any:
        try:
            return self.fn(*values)
        except Exception as error:
            if not self.skip:
                raise
            return self.instead(describe(error), *values)

    @cached_property
    def lenient(self) -> GoOn:
        """The same, going on after a failure."""
        return GoOn(getattr(self.fn, "lenient", self.fn), self.instead, skip=True)


def _no_batch(error: str, files: Sequence[Path], number: int) -> Batch:
    return Batch(np.empty((0, SEEN, SEEN, 3)), np.empty(0, int), (f"load[{number}]: {error}",))


def _same_model(error: str, batch: Batch, learned: Learned) -> Learned:
    return learned._replace(skipped=(*learned.skipped, *batch.skipped, f"a batch of {len(batch.images)}: {error}"))


def streaming_plan(
    network: Network,
    paths: Sequence[Path],
    requests: Sequence[Path],
    *,
    batch: int = 16,
    buffer: int | None = 2,
    load: Callable[..., Batch] | None = None,
    learn: Callable[..., Learned] | None = None,
    answer: Callable[..., list[Any]] | None = None,
    descent: Descent | None = None,
    seed: int = 0,
) -> Plan:
    """Prepare, train and answer at once: three tasks for each batch of `paths`; the result is `Streamed`.

    `requests` (files, too) are dealt out evenly over the batches; those of batch n are answered by the
    model that has learned from all batches before n. `load`, `learn` and `answer` replace the three chefs'
    work. At most `buffer` batches wait to be learned from (None: any number).

    >>> from parlib.workloads.network import convolutional
    >>> streaming_plan(convolutional(32, 3), ["a.jpg", "b.jpg", "c.jpg"], ["d.jpg"] * 6, batch=1)
    <Plan: 9 tasks, 7 edges>
    """
    prepare: Any = load  # `feeding_plan` asks no more of it than to be called
    feeding = feeding_plan(network, paths, batch=batch, buffer=buffer, load=prepare, descent=descent, seed=seed)
    answer, tasks, inputs, bounds = answer or Answer(network), list[Task](), dict(feeding.inputs), {}
    moments = max(len(feeding) // 2, 1 if len(requests) else 0)
    for number, (start, stop) in enumerate(block_bounds(len(requests), moments)):
        tasks += [_going_on(task, learn) for task in feeding.tasks[2 * number : 2 * number + 2]]
        inputs[questions := f"requests of batch {number}"] = list(requests[start:stop])
        needs = [questions, f"train[{number - 1}]" if number else "weights at the start"]
        tasks.append(Task(f"answer[{number}]", answer, needs, kind="answer", items=range(start, stop)))
        bounds[tasks[-1].name] = range(start, stop)
    keep = [task.name for task in tasks if task.kind in ("train", "answer")]
    return Plan(tasks, inputs, keep=keep, finish=_Streaming(inputs["weights at the start"], bounds))


def _going_on(task: Task, learn: Callable[..., Learned] | None) -> Task:
    own: Any = task.fn
    return replace(task, fn=GoOn(own, _no_batch) if task.kind == "load" else GoOn(learn or own, _same_model))


@dataclass(frozen=True)
class _Streaming:
    """The answers there are, by number of request, and the last model there is."""

    start: Learned
    bounds: dict[str, range]

    def __call__(self, values: dict[str, Any]) -> Streamed:
        answers: dict[int, Any] = {}
        for name, numbers in self.bounds.items():
            if isinstance(values.get(name), Skipped):
                answers |= dict.fromkeys(numbers, values[name])
            elif name in values:
                answers |= zip(numbers, values[name], strict=True)
        models = [value for name, value in values.items() if name not in self.bounds]
        return Streamed(answers, models[-1] if models else self.start)

    so_far = __call__


def stream(
    network: Network,
    paths: Sequence[Path],
    requests: Sequence[Path],
    *,
    workers: int = 3,
    backend: Any = "threads",
    on_error: str = "stop",
    **more: Any,
) -> Run:
    """Prepare, train and answer at once, on `workers` workers; `more` is what `streaming_plan` takes.

    With `on_error="skip"` a bad file is left out, a batch that cannot be learned from leaves the model as
    it was, and a request that cannot be answered is `Skipped`; all others get their answers.
    """
    began = time.perf_counter()
    plan = streaming_plan(network, paths, requests, **more)
    return execute(plan, workers, backend, order=chefs, on_error=on_error, began=began)


def chefs(plan: Plan, workers: int, backend: Any) -> Schedule:
    """An order: worker 0 trains, worker 1 answers, the others load.

    With fewer than three workers, whoever is free does what is most urgent: first train, because
    everybody waits for the model, then answer, then load.
    """
    urgent = {"train": 0.0, "answer": 1.0}
    ranks = {task.name: urgent.get(task.kind, 2.0) for task in plan.tasks}
    if workers < 3:
        return Schedule(ranks)
    own = {"train": 0, "answer": 1}
    hands = workers - 2
    return Schedule(ranks, {task.name: own.get(task.kind, 2 + (task.item or 0) % hands) for task in plan.tasks})


def stream_in_turn(
    network: Network,
    paths: Sequence[Path],
    requests: Sequence[Path],
    *,
    batch: int = 16,
    load: Callable[..., Batch] | None = None,
    descent: Descent | None = None,
    seed: int = 0,
) -> Streamed:
    """The same by plain nested loops, one thing after the other: what every plan must make too."""
    load, learn, answer = load or Load(), Learn(network, descent or Descent(rate=0.01)), Answer(network)
    learned, answers = Learned(weights := network.start(seed), np.zeros_like(weights)), dict[int, Any]()
    parts = list(batches(len(paths), batch, epochs=1, seed=seed))
    for number, (start, stop) in enumerate(block_bounds(len(requests), max(len(parts), 1 if len(requests) else 0))):
        for request in range(start, stop):
            answers[request] = answer.one(learned.weights, requests[request])
        if number < len(parts):
            learned = learn(load([paths[place] for place in parts[number]], number), learned)
    return Streamed(answers, learned)


def _material(size: int) -> tuple[list[Path], list[Path]]:
    """Photographs to learn from, and as many requests for each batch as it has photographs."""
    paths = _files(size)[1]
    return paths, paths[: -(-size // LOADED) * PER_MOMENT][::-1]


def _plan(size: int, chunks: int) -> Plan:
    return streaming_plan(SEER, *_material(size), batch=LOADED)


def _serial(size: int) -> Streamed:
    return stream_in_turn(SEER, *_material(size), batch=LOADED)


def _costs(size: int) -> dict[str, float]:
    return {"load": 0.011, "train": 0.006, "answer": 0.012 / PER_MOMENT}


def _same(one: Streamed, other: Streamed) -> bool:
    weights = one.learned.weights, other.learned.weights
    return one.answers == other.answers and np.allclose(*weights, rtol=0, atol=1e-10)


kitchen = Workload(
    "streaming.kitchen",
    _plan,
    _serial,
    (64, 192, 480),
    "CPU, releasing the GIL",
    _costs,
    same=_same,
    order=chefs,
)
"""A model learns from `size` photographs in files and answers a request for each of them meanwhile."""

"""Who has to wait for whom? Two services answer one stream of requests: some show images, some are pages of text.

    arrivals   ▾  ▾▾    ▾   ▾ ▾                 see[i]    digits in images: NumPy, releases the GIL
    worker 0   see 0    read 2  see 4           read[i]   feelings of sentences: pure Python, holds it
    worker 1      read 1  see 3      read 5

A request is a task that is released when it arrives. What its sender feels is the response time:
from the arrival to the answer, waiting in line included. Two requests that share a lock slow each
other down, whoever works on them; on processes there is no such lock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..paradigms import InOrder
from ..plan import Plan, Task, check_count, counted
from ..trace import Run
from .digits import digits
from .network import Network, classifier
from .sentiment import feelings, sentences
from .training import train
from .workload import Workload

__all__ = ["Request", "Responses", "See", "mixed", "model", "requests", "responses", "serve_in_turn", "serving_plan"]

KINDS = ("see", "read")


class Request(NamedTuple):
    """What somebody asks: images to see, or sentences to read; `arrives` in seconds after the start."""

    kind: str
    content: Any
    arrives: float


class Model(NamedTuple):
    """A network and the weights it has learned."""

    network: Network
    weights: np.ndarray


@dataclass(frozen=True)
class See:
    """Which digit is in each image: (n, 8, 8, 1), brightness 0 … 16, and weights give n numbers, 0 … 9."""

    network: Network

    def __call__(self, images: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return self.network.scores(weights, images / 16).argmax(axis=1)


@cache
def model() -> Model:
    """A classifier of digits, trained here: of those it has not seen it knows more than 95 in 100.

    >>> network, weights = model()
    >>> network.accuracy(weights, digits().test_images, digits().test_labels) > 0.95
    True
    """
    network = classifier(hidden=(256, 256))
    return Model(network, train(network, digits().images, digits().labels, epochs=5).weights)


def requests(
    count: int,
    *,
    rate: float = math.inf,
    reading: float = 0.5,
    images: int = 1024,
    texts: int = 80,
    seed: int = 0,
) -> list[Request]:
    """`count` requests at random moments, `rate` of them a second on average (inf: all at once, at the start).

    The gaps between arrivals are exponential, so the arrivals are a Poisson process. A share of
    `reading` (0 … 1) are `texts` sentences to read, the others `images` digits to see, one byte a place, as
    images travel.

    >>> [(request.kind, round(request.arrives, 2)) for request in requests(3, rate=10, seed=3)]
    [('see', 0.01), ('read', 0.05), ('read', 0.19)]
    """
    count, images, texts = check_count("count", count), check_count("images", images), check_count("texts", texts)
    if not rate > 0:
        raise ValueError(f"rate must be a number of requests a second, more than 0, not {rate}")
    if not 0 <= reading <= 1:
        raise ValueError(f"reading must be a share from 0 to 1, not {reading}")
    pictures = (16 * digits().test_images).astype(np.uint8)
    chance, stream = np.random.default_rng(seed), []
    arrivals = np.cumsum(chance.exponential(1 / rate, count))
    for moment, number in zip(arrivals, chance.random(count), strict=True):
        if number < reading:
            stream.append(Request("read", _some(sentences(), texts, chance), float(moment)))
        else:
            places = chance.integers(len(pictures), size=images)
            stream.append(Request("see", pictures[places], float(moment)))
    return stream


def serving_plan(stream: Sequence[Request], *, served_by: Model | None = None) -> Plan:
    """One task per request, released when it arrives; the result is a list of answers, in the order of the requests.

    >>> serving_plan(requests(3))
    <Plan: 3 tasks, 0 edges>
    """
    network, weights = served_by or model()
    inputs, tasks, see = {"weights": weights}, list[Task](), See(network)
    for number, (kind, content, arrives) in enumerate(stream):
        _refuse_unknown(kind, number)
        inputs[question := f"question {number}"] = content
        fn, needs = (see, [question, "weights"]) if kind == "see" else (feelings, [question])
        tasks.append(Task(f"{kind}[{number}]", fn, needs, kind=kind, release=arrives, item=number))
    return Plan(tasks, inputs, finish=InOrder())


def serve_in_turn(stream: Sequence[Request], *, served_by: Model | None = None) -> list[Any]:
    """The answers to all requests by a plain loop: what every plan must answer too."""
    network, weights = served_by or model()
    see, answers = See(network), []
    for number, (kind, content, _) in enumerate(stream):
        _refuse_unknown(kind, number)
        answers.append(see(content, weights) if kind == "see" else feelings(content))
    return answers


@dataclass(frozen=True, repr=False)
class Responses:
    """How long requests waited for their answers, in seconds, by kind, in the order of their arrival.

    `seconds[kind]` is from arrival to answer, `waiting[kind]` the part of it before work on it began.
    """

    seconds: dict[str, np.ndarray]
    waiting: dict[str, np.ndarray]
    unanswered: tuple[str, ...]
    source: str

    def __repr__(self) -> str:
        head = f"{'response':>12} {'requests':>9} {'median':>9} {'95 in 100':>9} {'worst':>9}"
        lines = [_line(kind, seconds) for kind, seconds in self.seconds.items()]
        lost = [f"{counted(len(self.unanswered), 'request')} without an answer"] if self.unanswered else []
        return "\n".join([head, *lines, *lost, f"({self.source})"])


def responses(run: Run) -> Responses:
    """The response times of a run: of every task, from its release to the moment its answer was received.

    Requests that failed, or whose turn never came, are named in `unanswered`.

    >>> from parlib import Plan, Simulated, execute
    >>> plan = Plan([Task(f"read[{n}]", None, kind="read", cost=2.0, release=float(n)) for n in range(3)])
    >>> responses(execute(plan, 1, Simulated()))
        response  requests    median 95 in 100     worst
            read         3    3.00 s    3.90 s    4.00 s
    (simulated)
    """
    trace = run.trace
    answered = {name: place for place, name in enumerate(trace.tasks) if place not in trace.errors}
    seconds: dict[str, list[float]] = {}
    waiting: dict[str, list[float]] = {}
    for task in sorted(run.plan.tasks, key=lambda task: task.release):
        if task.name in answered:
            place = answered[task.name]
            seconds.setdefault(task.kind, []).append(float(trace.received[place]) - task.release)
            waiting.setdefault(task.kind, []).append(float(trace.started[place]) - task.release)
    lost = tuple(task.name for task in run.plan.tasks if task.name not in answered)
    return Responses(_arrays(seconds), _arrays(waiting), lost, run.source)


def _some(texts: Sequence[str], count: int, chance: np.random.Generator) -> list[str]:
    """`count` neighbors, from a random one on; from the first again after the last."""
    first = int(chance.integers(len(texts)))
    return [texts[(first + number) % len(texts)] for number in range(count)]


def _refuse_unknown(kind: str, number: int) -> None:
    if kind not in KINDS:
        raise ValueError(f"request {number} is to {kind!r}, and there are services to {' and to '.join(KINDS)} only")


def _arrays(table: dict[str, list[float]]) -> dict[str, np.ndarray]:
    return {kind: np.array(row) for kind, row in table.items()}


def _line(kind: str, seconds: np.ndarray) -> str:
    numbers = np.median(seconds), np.percentile(seconds, 95), seconds.max()
    return f"{kind:>12} {len(seconds):>9} " + " ".join(f"{_told(float(number)):>9}" for number in numbers)


def _told(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if 0 < seconds < 0.1 else f"{seconds:.2f} s"


@cache
def _stream(size: int) -> tuple[Request, ...]:
    return tuple(requests(size))


def _plan(size: int, chunks: int) -> Plan:
    return serving_plan(_stream(size))


def _serial(size: int) -> list[Any]:
    return serve_in_turn(_stream(size))


def _costs(size: int) -> dict[str, float]:
    return {"see": 0.005, "read": 0.005}


mixed = Workload("serving.mixed", _plan, _serial, (16, 80, 240), "CPU, holding the GIL", _costs)
"""`size` requests that are all there at the start: half of them images, which release the GIL, half sentences."""

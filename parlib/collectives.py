"""How do workers agree on one value? By messages, and one task of the plan is one message.

    naive   1 ──►┐      ┌──► 1        ring   0 ──► 1 ──► 2 ──► 3 ──┐
            2 ──►│ 0 ───┼──► 2               ▲                     │
            3 ──►┘      └──► 3               └─────────────────────┘

Both begin with one array per rank and end with the sum of all of them on every rank, the same
to the last bit. Naive: all send to rank 0, which adds and sends back. Ring: arrays are cut into
as many pieces as there are ranks; pieces go round once to be added, and once more to be known.

A rank is not a worker: tasks wait for messages, workers do not. So fewer workers than ranks
take longer, and cannot wait for each other forever.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .backends import find
from .orders import Schedule
from .plan import Plan, Task, check_count, did_you_mean
from .schedule import execute
from .simulation import Simulated
from .trace import Run

__all__ = ["Traffic", "all_reduce", "naive_plan", "ring_plan", "traffic"]


def all_reduce(
    arrays: Sequence[Any],
    *,
    algorithm: str = "ring",
    workers: int | None = None,
    backend: Any = "threads",
) -> Run:
    """Add up arrays, one per rank, such that every rank holds the sum: `result` is a list of equal arrays.

    `algorithm` is "ring" (Patarasuk, Yuan, 2009) or "naive", through rank 0. `workers` is one for
    each rank, unless said (on a real machine: at most as many as it can keep busy). On a
    simulated machine a message takes latency + bytes / bandwidth.

    Raises ValueError for shapes that differ, and TypeError for kinds of numbers that differ.

    >>> run = all_reduce([[1, 2, 3], [10, 20, 30]])
    >>> [rank.tolist() for rank in run.result]
    [[11, 22, 33], [11, 22, 33]]
    """
    began = time.perf_counter()
    if algorithm not in PLANS:
        raise ValueError(f"there is no algorithm {algorithm!r} for all_reduce{did_you_mean(algorithm, PLANS)}")
    plan = PLANS[algorithm](arrays)
    workers = _one_each(plan, backend) if workers is None else check_count("workers", workers)
    return execute(plan, workers, backend, order=to_its_rank, began=began)


def naive_plan(arrays: Sequence[Any]) -> Plan:
    """All ranks send to rank 0, which adds, and sends the sum back: 2(p − 1) messages of n bytes, all through rank 0.

    They come one after the other, so it takes 2(p − 1)(latency + n / bandwidth): that many times `point_to_point`
    (Hockney, 1994).

    >>> naive_plan([[1, 2], [3, 4], [5, 6]])
    <Plan: 4 tasks, 3 edges>
    """
    ranks = _checked(arrays)
    inputs = {f"rank {rank}": array.reshape(-1) for rank, array in enumerate(ranks)}
    tasks, total = [], "rank 0"
    for rank, array in enumerate(ranks[1:], 1):
        tasks.append(_message("add", 0, rank, 0, [total, f"rank {rank}"], array, at=0))
        total = tasks[-1].name
    copies = [_message("copy", 1, 0, rank, [total], array, at=0) for rank, array in enumerate(ranks[1:], 1)]
    held = [[name] for name in (total, *(task.name for task in copies))][: len(ranks)]
    return _plan([*tasks, *copies], inputs, ranks, held)


def ring_plan(arrays: Sequence[Any]) -> Plan:
    """Every rank sends pieces to the next: 2p(p − 1) messages of n/p bytes, 2(p − 1) of them to each rank.

    >>> ring_plan([[1, 2], [3, 4], [5, 6]])
    <Plan: 12 tasks, 9 edges>
    """
    ranks = _checked(arrays)
    pieces = [np.array_split(array.reshape(-1), len(ranks)) for array in ranks]
    inputs = {_piece(rank, part): piece for rank, row in enumerate(pieces) for part, piece in enumerate(row)}
    held = [[_piece(rank, part) for part in range(len(ranks))] for rank in range(len(ranks))]
    tasks: list[Task] = []
    for step in range(2 * (len(ranks) - 1)):
        kind = "add" if step < len(ranks) - 1 else "copy"
        sent = [(rank, (rank + 1) % len(ranks), (rank - step) % len(ranks)) for rank in range(len(ranks))]
        for rank, neighbor, part in sent:  # in one step all ranks send, each another piece
            needs = [held[rank][part], held[neighbor][part]] if kind == "add" else [held[rank][part]]
            tasks.append(_message(kind, step, rank, neighbor, needs, pieces[rank][part], at=neighbor))
        for task, (_, neighbor, part) in zip(tasks[-len(ranks) :], sent, strict=True):
            held[neighbor][part] = task.name
    return _plan(tasks, inputs, ranks, held)


PLANS = {"ring": ring_plan, "naive": naive_plan}
"""The algorithms, by name."""


class Traffic(NamedTuple):
    """What has been sent: by how many messages, how many bytes, and how many of them at the busiest rank."""

    messages: int
    nbytes: int
    busiest: int  # bytes of the messages that one rank takes care of; the others wait for it


def traffic(run: Run) -> Traffic:
    """The messages that a run has sent, counted in its trace.

    >>> traffic(all_reduce([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], algorithm="naive"))
    Traffic(messages=4, nbytes=64, busiest=64)
    """
    tasks = [run.plan.tasks[run.plan.position[name]] for name in run.trace.tasks]
    at: Counter[int | None] = Counter()
    for message in (messages := [task for task in tasks if task.nbytes is not None]):
        at[message.item] += int(message.nbytes or 0)
    return Traffic(len(messages), at.total(), max(at.values(), default=0))


def to_its_rank(plan: Plan, workers: int, backend: Any) -> Schedule:
    """An order: the messages that a rank takes care of go to its worker; with fewer workers, one stands for several."""
    return Schedule({}, {task.name: (task.item or 0) % workers for task in plan.tasks})


def add(coming: np.ndarray, own: np.ndarray) -> np.ndarray:
    """What a rank makes of a message that is to be added to what it has."""
    return coming + own


def copy(coming: np.ndarray) -> np.ndarray:
    """What a rank makes of a message that is to be kept."""
    return coming.copy()


@dataclass(frozen=True)
class Assemble:
    """Puts together what every rank holds in the end: messages, and where it got none its own."""

    shape: tuple[int, ...]
    held: list[list[str]]  # by rank: the names of its pieces
    own: dict[str, np.ndarray]

    def __call__(self, values: dict[str, Any]) -> Any:
        known = self.own | values
        if not all(isinstance(known.get(name), np.ndarray) for names in self.held for name in names):
            return values  # of a run that ended early: without its last message no rank can be sure of the sum
        return [np.concatenate([known[name].reshape(-1) for name in names]).reshape(self.shape) for names in self.held]


def _message(kind: str, step: int, sender: int, receiver: int, needs: list[str], load: np.ndarray, at: int) -> Task:
    name = f"{kind}[{step}] {sender}→{receiver}"
    return Task(name, add if kind == "add" else copy, needs, kind=kind, item=at, nbytes=load.nbytes)


def _plan(tasks: list[Task], inputs: dict[str, Any], ranks: list[np.ndarray], held: list[list[str]]) -> Plan:
    made = {task.name for task in tasks}
    ends = [name for names in held for name in names]
    own = {name: inputs[name] for name in ends if name not in made}
    finish = Assemble(ranks[0].shape if ranks else (), held, own)
    keep = [name for name in dict.fromkeys(ends) if name in made]
    return Plan(tasks, inputs, keep=keep, finish=finish, workers=len(ranks) or None)


def _one_each(plan: Plan, backend: Any) -> int:
    """A worker for each rank, but on a real machine no more than it can keep busy."""
    place, ranks = find(backend), plan.workers or 1
    return ranks if isinstance(place, Simulated) else min(ranks, place.count())


def _piece(rank: int, part: int) -> str:
    return f"piece {part} of rank {rank}"


def _checked(arrays: Sequence[Any]) -> list[np.ndarray]:
    """The arrays, all of one shape and one kind of numbers."""
    if isinstance(arrays, str | bytes | dict | set) or not hasattr(arrays, "__iter__"):
        raise TypeError(f"all_reduce needs a list of arrays, one for each rank, not {arrays!r}")
    ranks = [np.asarray(array) for array in arrays]
    for rank, array in enumerate(ranks):
        if array.dtype.kind not in "iufc":
            raise TypeError(f"all_reduce adds numbers, and rank {rank} holds {array.dtype}: convert it first")
        if array.shape != ranks[0].shape:
            first = f"rank 0 holds an array of shape {ranks[0].shape}"
            raise ValueError(f"{first} and rank {rank} one of shape {array.shape}: all must have the same shape")
        if array.dtype != ranks[0].dtype:
            first = f"rank 0 holds {ranks[0].dtype} numbers"
            raise TypeError(f"{first} and rank {rank} {array.dtype}: convert them to one kind, such as float64")
    return ranks

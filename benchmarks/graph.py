"""A graph of many tiny tasks on threads: what does the scheduler cost per task?

    layers         each task needs three of the layer before: the usual web of tasks
    tree           each task needs two others: a reduction
    independent    no task needs another

Dask's threaded scheduler gets the same graph and the same number of threads. It is measured
as its own parts are used: `dask.threaded.get` on a graph in Dask's own form (nothing left to
build), on a plain dict (which it turns into that form), and as most people write it, with
`dask.delayed` and `compute`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import dask
import dask.threaded
from dask._task_spec import convert_legacy_graph

from parlib import Plan, Task, execute

from . import work
from .contest import Competitor, hold, ratio
from .report import Target, row, seconds_of, table, times_of

TITLE = "A graph of many tiny tasks"
RUN, BUILD_AND_RUN = "parlib, the plan is there", "parlib, the plan is built"
GET, BUILD_AND_GET, DELAYED = (
    "`dask.threaded.get`, its graph is there",
    "`dask.threaded.get`, from a dict",
    "`dask.delayed`",
)

# scale: tasks, rounds
SCALES = {"full": (10_000, 3), "quick": (10_000, 2), "mini": (100, 2)}

Graph = dict[str, tuple[str, ...]]  # what each task needs, by name


def layers(tasks: int) -> Graph:
    width, pick = 100, random.Random(7)
    before = {number: range(number // width * width - width, number // width * width) for number in range(tasks)}
    return {
        f"t{n}": tuple(f"t{need}" for need in pick.sample(before[n], 3)) if n >= width else () for n in range(tasks)
    }


def tree(tasks: int) -> Graph:
    return {f"t{n}": tuple(f"t{need}" for need in (2 * n + 1, 2 * n + 2) if need < tasks) for n in range(tasks)}


def independent(tasks: int) -> Graph:
    return {f"t{n}": () for n in range(tasks)}


def sections(scale: str) -> dict[str, Callable[[], dict[str, Any]]]:
    tasks, rounds = SCALES[scale]
    return {
        f"{tasks:,} tiny tasks, {shape.__name__}": partial(measure, shape(tasks), rounds)
        for shape in (layers, tree, independent)
    }


def measure(graph: Graph, rounds: int) -> dict[str, Any]:
    """One graph, and the last results of it: those that nobody needs."""
    needed = {need for needs in graph.values() for need in needs}
    last = [name for name in graph if name not in needed]
    plan, ready = planned(graph, last), convert_legacy_graph(listed(graph))
    competitors = {
        RUN: Competitor(lambda _: list(execute(plan, 2).result.values())),
        GET: Competitor(lambda _: list(dask.threaded.get(ready, last, num_workers=2))),
        BUILD_AND_RUN: Competitor(lambda _: list(execute(planned(graph, last), 2).result.values())),
        BUILD_AND_GET: Competitor(lambda _: list(dask.threaded.get(listed(graph), last, num_workers=2))),
        DELAYED: Competitor(lambda _: computed(graph, last)),
    }
    truth = [len(graph[name]) for name in last]
    return hold(competitors, rounds=rounds, check=lambda answer: answer == truth) | {"tasks": len(graph)}


def planned(graph: Graph, last: list[str]) -> Plan:
    return Plan([Task(name, work.count, needs) for name, needs in graph.items()], keep=last)


def listed(graph: Graph) -> dict[str, tuple[Any, ...]]:
    """The graph as Dask's users have always written it: a dict of calls."""
    return {name: (work.count, *needs) for name, needs in graph.items()}


def computed(graph: Graph, last: list[str]) -> list[int]:
    made: dict[str, Any] = {}
    task = dask.delayed(work.count, pure=False)
    for name in _needs_first(graph):
        made[name] = task(*(made[need] for need in graph[name]))
    return list(dask.compute(*(made[name] for name in last), scheduler="threads", num_workers=2))


def _needs_first(graph: Graph) -> list[str]:
    """The tasks so that each comes after what it needs: the layers do so already, the tree from its end."""
    return list(graph) if not graph["t0"] else list(reversed(graph))


def report(records: dict[str, dict[str, Any]]) -> str:
    """All tables, one for each graph."""
    return "\n\n".join(_table(title, record) for title, record in records.items())


def _table(title: str, record: dict[str, Any]) -> str:
    each = {name: [time / record["tasks"] for time in times] for name, times in record["seconds"].items()}
    lines = [
        row(
            name,
            seconds_of(times),
            times_of(ratio(times, each[RUN if name == GET else BUILD_AND_RUN])),
            _verdict(name, each),
        )
        for name, times in each.items()
    ]
    return table(title, record, ["", "time per task", "this ÷ parlib", "target"], lines)


def _verdict(name: str, each: dict[str, list[float]]) -> str:
    if name in (RUN, BUILD_AND_RUN):
        return str(Target("µs a task", ratio(each[name], [1e-6] * len(each[name])).median, at_most=100))
    ours = RUN if name == GET else BUILD_AND_RUN
    return str(Target("times ours", ratio(each[name], each[ours]).median, at_least=2))

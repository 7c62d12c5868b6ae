"""The simulator: what does a machine of many workers cost to imagine?

    a bag of tasks   a million tasks on ten thousand workers, of one length or of random ones
    a line           a million items through eight stages
    a graph          a hundred thousand tasks, through the loop that also runs real plans

Beside `simulate` stand a heap and a loop, as one would write them by hand, and SimPy in its
usual style: every worker a process that takes the next task. All must find the same makespan.
"""

from __future__ import annotations

import heapq
import random
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import simpy

from parlib import Plan, Simulated, Task, Trace, execute, simulate, simulate_pipeline

from .contest import Competitor, hold, ratio
from .report import Target, row, seconds_of, table, times_of

TITLE = "The simulator"
OURS, TRACE, HEAP, SIMPY, LOOP = (
    "`simulate`, the makespan",
    "`simulate`, every column of the trace",
    "a heap and a loop",
    "SimPy, a process for each worker",
    "two loops, the makespan",
)
LINE, GRAPH = "`simulate_pipeline`, the makespan", "`execute` on `Simulated`, the plan is built"
STAGES = 8
MOST = {"simulate": 200, "execute": 1000}  # bytes a task

# scale: tasks, workers, tasks of the graph, rounds
SCALES = {"full": (1_000_000, 10_000, 100_000, 5), "quick": (1_000_000, 10_000, 100_000, 2), "mini": (500, 60, 200, 2)}


def sections(scale: str) -> dict[str, Callable[[], dict[str, Any]]]:
    tasks, workers, nodes, rounds = SCALES[scale]
    uniform, exponential = np.ones(tasks), np.random.default_rng(7).exponential(size=tasks)
    return {
        f"{tasks:,} tasks of one second on {workers:,} workers": partial(bag, uniform, workers, 0.15, rounds),
        f"{tasks:,} tasks of exponential times on {workers:,} workers": partial(bag, exponential, workers, 0.6, rounds),
        f"{tasks:,} items through {STAGES} stages": partial(line, tasks, rounds),
        f"A graph of {nodes:,} tasks on 64 workers": partial(graph, nodes, rounds),
    }


def bag(costs: np.ndarray, workers: int, limit: float, rounds: int) -> dict[str, Any]:
    """Independent tasks, each to the worker that is free first."""
    plain = costs.tolist()
    competitors = {
        OURS: Competitor(lambda _: simulate(costs, workers).elapsed),
        TRACE: Competitor(lambda _: all_columns(simulate(costs, workers))),
        HEAP: Competitor(lambda _: by_heap(plain, workers)),
        SIMPY: Competitor(lambda _: by_simpy(plain, workers)),
    }
    truth = by_heap(plain, workers)
    facts = {"limit": limit, "bytes": {"simulate": memory(lambda: simulate(costs, workers).cpu) / len(costs)}}
    return hold(competitors, rounds=rounds, check=lambda answer: abs(answer - truth) < 1e-9 * truth) | facts


def line(items: int, rounds: int) -> dict[str, Any]:
    """Every item through every stage."""
    costs = np.linspace(1, 2, STAGES)
    competitors = {
        LINE: Competitor(lambda _: simulate_pipeline(costs, items).elapsed),
        LOOP: Competitor(lambda _: by_loops(costs.tolist(), items)),
    }
    truth = by_loops(costs.tolist(), items)
    return hold(competitors, rounds=rounds, check=lambda answer: abs(answer - truth) < 1e-9 * truth) | {"limit": 0.2}


def graph(tasks: int, rounds: int) -> dict[str, Any]:
    """Each task needs three of the hundred before it; what the loop takes for each."""
    dice = random.Random(7)
    needs = [dice.sample(range(max(0, n - 100), n), min(n, 3)) for n in range(tasks)]
    named = [(f"t{n}", [f"t{need}" for need in row]) for n, row in enumerate(needs)]

    def built_and_run(_: Any = None) -> float:
        return execute(Plan([Task(name, None, row, cost=1.0) for name, row in named], keep=()), 64, Simulated()).elapsed

    truth, each = built_and_run(), memory(built_and_run) / tasks
    found = hold({GRAPH: Competitor(built_and_run)}, rounds=rounds, check=lambda answer: answer == truth)
    return found | {"tasks": tasks, "bytes": {"execute": each}}


def all_columns(trace: Trace) -> float:
    columns = trace.worker, trace.submitted, trace.started, trace.finished, trace.received, trace.cpu
    return trace.elapsed if all(len(column) for column in columns) else 0.0


def by_heap(costs: list[float], workers: int) -> float:
    free = [0.0] * workers
    for cost in costs:
        heapq.heapreplace(free, free[0] + cost)
    return max(free)


def by_simpy(costs: list[float], workers: int) -> float:
    kitchen, tasks = simpy.Environment(), iter(costs)

    def worker() -> Any:
        for cost in tasks:  # all take from one list
            yield kitchen.timeout(cost)

    for _ in range(workers):
        kitchen.process(worker())
    kitchen.run()
    return float(kitchen.now)


def by_loops(costs: list[float], items: int) -> float:
    free = [0.0] * len(costs)
    for _ in range(items):
        ready = 0.0
        for stage, cost in enumerate(costs):
            free[stage] = ready = max(ready, free[stage]) + cost
    return free[-1]


def memory(call: Callable[[], Any]) -> float:
    """Bytes that a call holds at most, its answer included."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def report(records: dict[str, dict[str, Any]]) -> str:
    """All tables, one for each kind of plan."""
    return "\n\n".join(_table(title, record) for title, record in records.items())


def _table(title: str, record: dict[str, Any]) -> str:
    seconds = record["seconds"]
    ours = next(iter(seconds))
    lines = [
        row(name, seconds_of(times), times_of(ratio(times, seconds[ours])), _verdict(name, record))
        for name, times in seconds.items()
    ]
    lines += [
        row(f"memory through `{name}`", f"{each:.0f} bytes a task", "", str(Target("bytes", each, at_most=MOST[name])))
        for name, each in record.get("bytes", {}).items()
    ]
    return table(title, record, ["", "time", "this ÷ ours", "target"], lines)


def _verdict(name: str, record: dict[str, Any]) -> str:
    seconds = record["seconds"]
    middle = ratio(seconds[name], [1.0] * len(seconds[name])).median
    if name == GRAPH:
        return str(Target("µs a task", 1e6 * middle / record["tasks"], at_most=30))
    if name in (OURS, LINE):
        return str(Target("s", middle, at_most=record["limit"]))
    times_ours = ratio(seconds[name], seconds[next(iter(seconds))]).median
    if name == TRACE:
        return str(Target("times the makespan alone", times_ours, at_most=2))
    return str(Target("times ours", times_ours, at_least=10)) if name == SIMPY else ""

"""What if workers share one thing that serves only so many at a time? A lock, or the memory's bandwidth.

    capacity 1, two tasks of 1 s      worker 0 ▐▄▄▄▄▄▄▄▄▌   each advances at half speed: 2 s
                                      worker 1 ▐▄▄▄▄▄▄▄▄▌

While k tasks are going on and the thing serves c of them, each advances at speed min(1, c/k)
(processor sharing, Kleinrock 1967). Tasks start in plan order, on the lowest free worker.
"""

from __future__ import annotations

from graphlib import TopologicalSorter

from ..plan import Plan, cost_or_one
from ..trace import Span, Trace

__all__ = ["take_turns"]


def take_turns(plan: Plan, workers: int, capacity: float, *, stalled: bool = False) -> Trace:
    """The simulated run of a plan whose tasks share what serves only `capacity` of them at a time.

    `stalled` workers burn CPU seconds while they wait for their share, as for memory; others do not, as for a lock.

    >>> from parlib import Plan, Task
    >>> take_turns(Plan([Task("a", None, cost=1.0), Task("b", None, cost=1.0)]), workers=2, capacity=1)
    <Trace: 2 spans on 2 workers, 2.00 s, simulated>
    """
    sorter, free, now = TopologicalSorter(plan.graph), list(range(workers)), 0.0
    sorter.prepare()
    ready, going, spans = list(sorter.get_ready()), {}, []  # type: list[str], dict[str, list[float]], list[Span]
    while ready or going:
        ready.sort(key=plan.position.__getitem__)
        while ready and free:
            name = ready.pop(0)
            going[name] = [cost_or_one(plan.tasks[plan.position[name]]), now, free.pop(0)]
        speed = min(1.0, capacity / len(going))
        least = min(left for left, *_ in going.values())
        now += least / speed
        for name in list(going):
            going[name][0] -= least
            if going[name][0] <= 1e-12:
                spans.append(_span(plan, name, going.pop(name), now, stalled))
                free = sorted([*free, spans[-1].worker])
                sorter.done(name)
        ready += sorter.get_ready()
    return Trace.of(spans, workers=workers, source="simulated")


def _span(plan: Plan, name: str, state: list[float], now: float, stalled: bool) -> Span:
    task, (_, started, worker) = plan.tasks[plan.position[name]], state
    cpu = now - started if stalled else cost_or_one(task)
    return Span(name, task.kind, int(worker), started, started, now, now, cpu, None)

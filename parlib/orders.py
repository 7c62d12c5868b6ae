"""Which ready task goes first, and to whom? An order gives tasks a rank, a worker, or both.

    order(plan, workers, backend) -> Schedule(rank={task: number}, worker={task: slot})

Ranks decide between tasks that are ready at the same moment: the lowest goes first. A task
that is given a worker waits for that worker, even while others are idle. Whatever a
schedule leaves open, the loop decides by plan position and lowest slot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

from .plan import Plan, PlanError, did_you_mean

__all__ = ["Schedule", "by_assignment", "greedy", "in_turn", "longest_path_first", "optimum"]

FEW = 10  # tasks for which trying every schedule takes seconds, not hours


@dataclass(frozen=True)
class Schedule:
    """Ranks (lowest first) and workers (slots), by task name; both may be incomplete."""

    rank: Mapping[str, float] = field(default_factory=dict)
    worker: Mapping[str, int] = field(default_factory=dict)


def in_turn(plan: Plan, workers: int, backend: Any) -> Schedule:
    """Tasks in the order in which the plan lists them."""
    return Schedule()


def longest_path_first(plan: Plan, workers: int, backend: Any) -> Schedule:
    """First the task from which the way to the end is longest, in seconds of cost.

    Hu 1961; Graham 1969 for independent tasks, where it means the longest task first.
    """
    costs = {task.name: sum(row := cost_row(plan, task, workers, backend)) / len(row) for task in plan.tasks}
    to_the_end = dict(costs)
    for name in reversed(list(TopologicalSorter(plan.graph).static_order())):
        for need in plan.graph[name]:
            to_the_end[need] = max(to_the_end[need], costs[need] + to_the_end[name])
    return Schedule(rank={name: -seconds for name, seconds in to_the_end.items()})


def by_assignment(assignment: Mapping[str, int]) -> Callable[[Plan, int, Any], Schedule]:
    """Each named task on the worker you say; the rest go wherever a slot is free.

    Raises PlanError for a task that the plan does not have.
    """

    def order(plan: Plan, workers: int, backend: Any) -> Schedule:
        for name in assignment:
            if name not in plan.position:
                raise PlanError(
                    f"the assignment names {name!r}, which is no task of the plan{did_you_mean(name, plan.position)}"
                )
        return Schedule(worker=dict(assignment))

    return order


def greedy(plan: Plan, workers: int, backend: Any) -> Schedule:
    """Each task in turn on the worker that would finish it first; transfers and the future are ignored."""
    tasks = {task.name: task for task in plan.tasks}
    free, finish, chosen = [0.0] * workers, dict[str, float](), dict[str, int]()
    for name in TopologicalSorter(plan.graph).static_order():
        ready = max((finish[need] for need in plan.graph[name]), default=tasks[name].release)
        row = cost_row(plan, tasks[name], workers, backend)
        ends = [max(free[slot], ready) + row[slot] for slot in range(workers)]
        chosen[name] = slot = ends.index(min(ends))
        finish[name] = free[slot] = ends[slot]
    return Schedule(rank={name: number for number, name in enumerate(chosen)}, worker=chosen)


def optimum(plan: Plan, workers: int, backend: Any) -> Schedule:
    """The fastest of all schedules, found by trying them; transfers between workers are ignored.

    Raises PlanError for more than 10 tasks: the number of schedules grows beyond patience.
    """
    if len(plan) > FEW:
        raise PlanError(
            f"optimum tries every schedule, and {len(plan)} tasks have too many: use at most {FEW}, or another order"
        )
    search = _Search(plan, workers, backend)
    search.extend({}, [0.0] * workers, 0.0)
    chosen = sorted(search.best, key=lambda name: search.best[name][0])
    return Schedule(
        {name: number for number, name in enumerate(chosen)}, {name: search.best[name][2] for name in chosen}
    )


class _Search:
    """Branch and bound over schedules: name → (start, end, slot); `best` is the shortest so far."""

    def __init__(self, plan: Plan, workers: int, backend: Any) -> None:
        self.plan, self.slots = plan, range(workers)
        self.release = {task.name: task.release for task in plan.tasks}
        self.rows = {task.name: cost_row(plan, task, workers, backend) for task in plan.tasks}
        self.columns = [tuple(row[slot] for row in self.rows.values()) for slot in self.slots]
        self.after = dict.fromkeys(self.rows, 0.0)  # seconds that must still follow a task
        for name in reversed(list(TopologicalSorter(plan.graph).static_order())):
            for need in plan.graph[name]:
                self.after[need] = max(self.after[need], min(self.rows[name]) + self.after[name])
        self.best: dict[str, tuple[float, float, int]] = {}
        self.seconds = float("inf")

    def extend(self, chosen: dict[str, tuple[float, float, int]], free: list[float], last: float) -> None:
        """Try every next start that could still lead to something shorter."""
        if len(chosen) == len(self.rows) and self._loop_would_do(chosen):
            self.best, self.seconds = chosen, max((end for _, end, _ in chosen.values()), default=0.0)
        for start, name, slot in sorted(self._starts(chosen, free)):
            end = start + self.rows[name][slot]
            if start >= last and end + self.after[name] < self.seconds:
                self.extend(chosen | {name: (start, end, slot)}, free[:slot] + [end] + free[slot + 1 :], start)

    def _starts(
        self, chosen: dict[str, tuple[float, float, int]], free: list[float]
    ) -> Iterator[tuple[float, str, int]]:
        alike = {(free[slot], self.columns[slot]): slot for slot in reversed(self.slots)}  # one of each kind is enough
        for name in self.rows.keys() - chosen.keys():
            if all(need in chosen for need in self.plan.graph[name]):
                for slot in alike.values():
                    yield max(free[slot], self._ready(name, chosen)), name, slot

    def _ready(self, name: str, chosen: dict[str, tuple[float, float, int]]) -> float:
        return max((chosen[need][1] for need in self.plan.graph[name]), default=self.release[name])

    def _loop_would_do(self, chosen: dict[str, tuple[float, float, int]]) -> bool:
        """Whether no slot idles in front of a task that is ready: the loop never does that."""
        free = dict.fromkeys(self.slots, 0.0)
        for start, end, slot in sorted(chosen.values()):
            waiting = [
                self._ready(name, chosen) for name, (begin, _, at) in chosen.items() if at == slot and begin >= start
            ]
            if min(waiting) < start and free[slot] < start:
                return False
            free[slot] = end
        return True


def cost_row(plan: Plan, task: Any, workers: int, backend: Any) -> list[float]:
    """Seconds of a task on each worker, as far as anybody has said; 1 where nobody has."""
    known = getattr(backend, "seconds", None)
    cost = known(task, plan) if known else task.cost
    costs = list(cost) if isinstance(cost, Iterable) else [1.0 if cost is None else cost] * workers
    speed = getattr(backend, "speed", lambda task, worker: 1.0)
    overhead = getattr(backend, "overhead", 0.0)
    return [(overhead + costs[slot]) / speed(task, slot) for slot in range(workers)]

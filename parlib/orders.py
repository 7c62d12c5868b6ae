"""Which ready task goes first, and to whom? An order gives tasks a rank, a worker, or both.

    order(plan, workers, backend) -> Schedule(rank={task: number}, worker={task: slot})

Ranks decide between tasks that are ready at the same moment: the lowest goes first. A task
that is given a worker waits for that worker, even while others are idle. Whatever a
schedule leaves open, the loop decides by plan position and lowest slot.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

from .plan import Plan, PlanError, Task, counted, did_you_mean

__all__ = ["Schedule", "by_assignment", "earliest_finish", "greedy", "in_turn", "longest_path_first", "optimum"]

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
    """Each named task, or each task of a named kind, on the worker you say; the rest go wherever a slot is free.

    A task's own name comes before its kind. Raises PlanError for a name that is neither in the plan.
    """

    def order(plan: Plan, workers: int, backend: Any) -> Schedule:
        known = dict.fromkeys([*plan.position, *(task.kind for task in plan.tasks if task.kind)])
        for name in assignment:
            if name not in known:
                guess = did_you_mean(name, known)
                raise PlanError(f"the assignment names {name!r}, which is no task of the plan{guess}")
        chosen = {task.name: assignment.get(task.name, assignment.get(task.kind)) for task in plan.tasks}
        return Schedule(worker={name: slot for name, slot in chosen.items() if slot is not None})

    return order


def greedy(plan: Plan, workers: int, backend: Any) -> Schedule:
    """Each task in turn on the worker that would finish it first; transfers and the future are ignored."""
    tasks = {task.name: task for task in plan.tasks}
    free, finish, chosen = [0.0] * workers, dict[str, float](), dict[str, int]()
    for name in TopologicalSorter(plan.graph).static_order():
        ready = max([tasks[name].release, *(finish[need] for need in plan.graph[name])])
        row = cost_row(plan, tasks[name], workers, backend)
        ends = [max(free[slot], ready) + row[slot] for slot in range(workers)]
        chosen[name] = slot = ends.index(min(ends))
        finish[name] = free[slot] = ends[slot]
    return Schedule(rank={name: number for number, name in enumerate(chosen)}, worker=chosen)


def earliest_finish(plan: Plan, workers: int, backend: Any) -> Schedule:
    """HEFT: the most urgent task next, on the worker where it would be finished first, transfers included.

    Urgent is a task from which the way to the end is long, in mean seconds of tasks and of
    transfers. A task may fill a gap that is long enough for it (Topcuoglu, Hariri and Wu, 2002).
    """
    rows = {task.name: cost_row(plan, task, workers, backend) for task in plan.tasks}
    finish, slots, chosen = dict[str, float](), [_Gaps() for _ in range(workers)], dict[str, tuple[float, int]]()
    for name in _most_urgent_first(plan, rows, workers, backend):
        task = plan.tasks[plan.position[name]]
        options = []
        for slot in range(workers):
            arrivals = (
                finish[need] + transfer(task, need, backend, chosen[need][1] != slot) for need in plan.graph[name]
            )
            start = slots[slot].earliest(max([task.release, *arrivals]), rows[name][slot])
            options.append((start + rows[name][slot], slot, start))
        finish[name], slot, start = min(options)
        slots[slot].take(start, finish[name])
        chosen[name] = start, slot
    in_time = sorted(chosen, key=chosen.__getitem__)
    return Schedule({name: n for n, name in enumerate(in_time)}, {name: slot for name, (_, slot) in chosen.items()})


def _most_urgent_first(plan: Plan, rows: Mapping[str, list[float]], workers: int, backend: Any) -> list[str]:
    """The tasks by the mean seconds from their start to the end of the plan, longest first (the upward rank)."""
    mean = {name: sum(row) / len(row) for name, row in rows.items()}
    rank = dict(mean)
    for name in reversed(list(TopologicalSorter(plan.graph).static_order())):
        for need in plan.graph[name]:
            way = transfer(plan.tasks[plan.position[name]], need, backend, workers > 1) + rank[name]
            rank[need] = max(rank[need], mean[need] + way)
    order = {name: number for number, name in enumerate(TopologicalSorter(plan.graph).static_order())}
    return sorted(rank, key=lambda name: (-rank[name], order[name]))  # of equals, whoever is needed comes first


class _Gaps:
    """The time of one worker: which stretches are taken."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, float]] = []  # in order

    def earliest(self, ready: float, seconds: float) -> float:
        """The first moment from `ready` on with so many seconds free."""
        for begin, end in self.taken:
            if ready + seconds <= begin:
                return ready
            ready = max(ready, end)
        return ready

    def take(self, begin: float, end: float) -> None:
        insort(self.taken, (begin, end))


def transfer(task: Task, need: str, backend: Any, elsewhere: bool) -> float:
    """Seconds until a value that `task` needs has arrived, as far as the plan tells its size; 0 if made where it is."""
    if not elsewhere or need not in task.needs:
        return 0.0
    nbytes = task.needs[need] if isinstance(task.needs, Mapping) else 0
    return getattr(backend, "latency", 0.0) + nbytes / getattr(backend, "bandwidth", math.inf)


def optimum(plan: Plan, workers: int, backend: Any) -> Schedule:
    """The fastest of all schedules, found by trying them, transfers between workers included.

    Raises PlanError for more than 10 tasks: the number of schedules grows beyond patience.
    """
    if len(plan) > FEW:
        raise PlanError(
            f"optimum tries every schedule, and {len(plan)} tasks have too many: use at most {FEW}, or another order"
        )
    search = _Search(plan, workers, backend)
    search.extend({}, ((0.0, 0.0),) * workers, (0.0, -1))
    chosen = sorted(search.best, key=lambda name: search.best[name][0])
    return Schedule(
        {name: number for number, name in enumerate(chosen)}, {name: search.best[name][2] for name in chosen}
    )


Chosen = dict[str, tuple[float, float, int]]  # by task: its start, its end, its slot
Slots = tuple[tuple[float, float], ...]  # by slot: free from when, and the end of its last idle time
Start = tuple[float, float, str, int, float]  # its moment, its urgency, the task, the slot, and since when that waits


class _Search:
    """Branch and bound over schedules, start by start in the order of time; `best` is the shortest so far.

    Three things keep it short: a branch is cut when even its lower bound is no better than
    the best, when the same situation has been met before, and when an equal worker or an
    earlier place among equal starts has had its turn.
    """

    def __init__(self, plan: Plan, workers: int, backend: Any) -> None:
        self.plan, self.slots = plan, range(workers)
        self.release = {task.name: task.release for task in plan.tasks}
        self.rows = {task.name: cost_row(plan, task, workers, backend) for task in plan.tasks}
        self.columns = [tuple(row[slot] for row in self.rows.values()) for slot in self.slots]
        self.least = {name: min(row) for name, row in self.rows.items()}
        names = list(TopologicalSorter(plan.graph).static_order())
        self.place = {name: number for number, name in enumerate(names)}
        self.after = dict.fromkeys(names, 0.0)  # seconds that must still follow a task
        for name in reversed(names):
            for need in plan.graph[name]:
                self.after[need] = max(self.after[need], self.least[name] + self.after[name])
        self.ways = {
            (task.name, need): transfer(task, need, backend, workers > 1)
            for task in plan.tasks
            for need in plan.graph[task.name]
        }
        self.best: Chosen = {}
        self.seconds = float("inf")
        self.seen: dict[Any, tuple[float, int]] = {}

    def extend(self, chosen: Chosen, slots: Slots, last: tuple[float, int]) -> None:
        """Try every next start that could still lead to something shorter."""
        if len(chosen) == len(self.rows):
            self.best, self.seconds = chosen, max((end for _, end, _ in chosen.values()), default=0.0)
        if self._met_before(chosen, slots, last):
            return
        for start, _, name, slot, asked in sorted(self._starts(chosen, slots, last)):
            free, gap = slots[slot]
            end = start + self.rows[name][slot]
            then = (*slots[:slot], (end, asked if asked > free else gap), *slots[slot + 1 :])
            more = chosen | {name: (start, end, slot)}
            if max(end + self.after[name], self._fair_share(more, then, start)) < self.seconds:
                self.extend(more, then, (start, self.place[name]))

    def _starts(self, chosen: Chosen, slots: Slots, last: tuple[float, int]) -> Iterator[Start]:
        """What may start next: when, with the longest way to go first, which task, on which slot, since when held."""
        at = self._at(chosen)
        alike = {(slots[slot], self.columns[slot], at.get(slot, ())): slot for slot in reversed(self.slots)}
        for name in self.rows.keys() - chosen.keys():
            if all(need in chosen for need in self.plan.graph[name]):
                ready = max([self.release[name], *(chosen[need][1] for need in self.plan.graph[name])])
                for slot in alike.values():  # one of each kind is enough
                    free, gap = slots[slot]
                    start = max([free, ready, *self._arrivals(name, slot, chosen)])
                    if ready >= gap and (start, self.place[name]) > last:  # the loop never idles beside a ready task
                        yield start, -self.least[name] - self.after[name], name, slot, max(free, ready)

    def _arrivals(self, name: str, slot: int, chosen: Chosen) -> Iterator[float]:
        """When that which is made elsewhere has come to `slot`."""
        for need in self.plan.graph[name]:
            _, end, maker = chosen[need]
            yield end + self.ways[name, need] * (maker != slot)

    def _at(self, chosen: Chosen) -> dict[int, tuple[str, ...]]:
        """By slot, which values lie there and have a way to go; nothing where moving takes no time."""
        found: dict[int, tuple[str, ...]] = {}
        for (name, need), way in self.ways.items():
            if way and need in chosen and name not in chosen:
                slot = chosen[need][2]
                found[slot] = (*found.get(slot, ()), need)
        return found

    def _fair_share(self, chosen: Iterable[str], slots: Slots, now: float) -> float:
        """When all workers would be done if the rest, none of which starts before `now`, could be dealt out evenly."""
        rest = sum(seconds for name, seconds in self.least.items() if name not in chosen)
        return (sum(max(free, now) for free, _ in slots) + rest) / len(slots)

    def _met_before(self, chosen: Chosen, slots: Slots, last: tuple[float, int]) -> bool:
        waited_for = {need for name in self.rows.keys() - chosen.keys() for need in self.plan.graph[name]}
        ends = frozenset((name, chosen[name][1]) for name in waited_for & chosen.keys())
        at = self._at(chosen)
        crew = zip(self.columns, slots, (at.get(slot, ()) for slot in self.slots))
        key = frozenset(chosen), ends, tuple(sorted(crew))
        before = self.seen.get(key)
        if before is None or last < before:
            self.seen[key] = last
            return False
        return True


def cost_row(plan: Plan, task: Any, workers: int, backend: Any) -> list[float]:
    """Seconds of a task on each worker, as far as anybody has said; 1 where nobody has."""
    known = getattr(backend, "seconds", None)
    cost = known(task, plan) if known else task.cost
    costs = list(cost) if isinstance(cost, Iterable) else [1.0 if cost is None else cost] * workers
    if len(costs) < workers:
        raise PlanError(f"task {task.name!r} has costs for {counted(len(costs), 'worker')}, but there are {workers}")
    speed = getattr(backend, "speed", lambda task, worker: 1.0)
    overhead = getattr(backend, "overhead", 0.0)
    return [(overhead + costs[slot]) / speed(task, slot) for slot in range(workers)]

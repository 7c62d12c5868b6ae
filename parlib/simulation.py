"""What if I had a million workers? One more backend, whose clock jumps.

    real        submit ─ ─ wait ─ ─ the worker's clock ticks ─ ─ done
    simulated   submit ─ compute when it would be done ─ jump there ─ done

The loop, the plan, the trace and the pictures are those of real runs. A task goes to a
free worker and starts `dispatch` after the later of "the coordinator is free" and "the
worker is free", once all its values have arrived; it lasts (overhead + cost) / speed.
With every cost given and the same seed, the same plan gives the same trace.

The simulator does not know how long anything takes: you say it, or it runs each task once
here and times it.
"""

from __future__ import annotations

import heapq
import math
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np

from .blas import one_thread
from .plan import Plan, PlanError, Task, check_seconds, counted, did_you_mean
from .trace import Done
from .worker import Report, perform

__all__ = ["Simulated"]

Cost = float | Sequence[float] | Mapping[str, float] | Callable[[Task], float] | None
Noise: TypeAlias = "float | tuple[float, float] | Callable[[np.random.Generator], float] | None"  # not loaded yet


NOTHING = Report(None, None, 0.0, 0.0, 0.0, False)  # of a task that is only waited for


class Simulated:
    """A machine that exists only in numbers. All times in seconds.

    cost       seconds per item of a data plan, else per task: a number, an array (one for
               each item or task), a mapping by task name or kind, or a function of the
               task. A task's own cost comes first. None: run the task once here, and time it.
    startup    before a worker's first task
    overhead   added to every task, on its worker
    dispatch   that the one coordinator spends on every task, one task after the other
    latency    for a value that moves from one worker to another, and for a task that is a
               message, plus its bytes / bandwidth
    bandwidth  bytes per second between workers
    speeds     how fast each worker is (1 = as the costs say), or {kind: [for each worker]}
    noise      stragglers: (probability, factor) makes some tasks that many times longer;
               a number is the spread of a log-normal factor; or a function of a generator
    seed       of the noise

    With a cost given, a task without a function (`fn=None`) is only waited for.

    >>> Simulated(cost=1.0, dispatch=0.25)
    Simulated(cost=1.0, dispatch=0.25)
    """

    name, noun = "simulated", "simulated worker"

    def __init__(
        self,
        cost: Cost = None,
        *,
        startup: float = 0.0,
        overhead: float = 0.0,
        dispatch: float = 0.0,
        latency: float = 0.0,
        bandwidth: float = math.inf,
        speeds: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
        noise: Noise = None,
        seed: int = 0,
    ) -> None:
        self.cost = _checked_cost(cost)
        self.startup = check_seconds("startup", startup)
        self.overhead = check_seconds("overhead", overhead)
        self.dispatch = check_seconds("dispatch", dispatch)
        self.latency = check_seconds("latency", latency)
        self.bandwidth = math.inf if bandwidth == math.inf else _positive("bandwidth", bandwidth)
        self.speeds = _checked_speeds(speeds)
        self.noise, self.seed = _checked_noise(noise), _checked_seed(seed)

    def __repr__(self) -> str:
        usual = vars(Simulated())
        said = [f"{name}={_short(value)}" for name, value in vars(self).items() if not _same(value, usual[name])]
        return f"Simulated({', '.join(said)})"

    def count(self) -> int:
        """Workers, when nobody says how many: one for each speed, else 4."""
        tables = self.speeds.values() if isinstance(self.speeds, dict) else [self.speeds]
        return next((len(table) for table in tables if table is not None), 4)

    def hire(self, plan: Plan, workers: int, began: float) -> SimulatedCrew:
        """The workers of one run; their clock starts at 0."""
        return SimulatedCrew(self, plan, workers)

    def seconds(self, task: Task, plan: Plan | None = None) -> float | tuple[float, ...] | None:
        """The cost of a task (one for each worker, if they differ), or None if only running it can tell."""
        if task.cost is not None:
            return task.cost  # type: ignore[return-value]  # a float or a tuple, as Task has seen to
        if self.cost is None or isinstance(self.cost, Mapping):
            cost = (self.cost or {}).get(task.name, (self.cost or {}).get(task.kind))
            return None if cost is None else cost * self._items(task)
        if callable(self.cost):
            return check_seconds(f"the cost of task {task.name!r}", self.cost(task))
        if isinstance(self.cost, np.ndarray):
            return self._from_array(task, plan)
        return self.cost * self._items(task)

    def speed(self, task: Task, worker: int) -> float:
        """How fast `worker` is at `task`; 1 unless `speeds` say otherwise."""
        table = self.speeds
        if isinstance(table, dict):
            if task.kind not in table:
                raise PlanError(
                    f"speeds has no entry for kind {task.kind!r} of task {task.name!r}{did_you_mean(task.kind, table)}"
                )
            table = table[task.kind]
        return 1.0 if table is None else table[worker]

    def message(self, task: Task) -> float:
        """Seconds that a task which is a message is under way; 0 for all others."""
        return 0.0 if task.nbytes is None else self.latency + task.nbytes / self.bandwidth

    def _from_array(self, task: Task, plan: Plan | None) -> float:
        places = task.items
        if places is None:
            position = plan.position[task.name] if plan else 0
            places = range(position, position + 1)
        if len(places) and len(self.cost) <= places[-1]:
            have = f"cost has {len(self.cost)} entries"
            raise PlanError(f"{have}, but task {task.name!r} needs entry {places[-1]}: give one for each")
        return math.fsum(self.cost[places.start : places.stop])

    @staticmethod
    def _items(task: Task) -> int:
        return 1 if task.items is None else len(task.items)


class SimulatedCrew:
    """The workers of one simulated run: when each is free, where each value lies, what time it is."""

    bill = 0, 0.0  # nothing is copied anywhere

    def __init__(self, place: Simulated, plan: Plan, workers: int) -> None:
        self.place, self.plan, self.now = place, plan, 0.0
        self.free = [place.startup] * workers  # when each worker is free
        self.coordinator = 0.0  # when the coordinator is free
        self.moves = place.latency > 0 or place.bandwidth < math.inf  # whether values take time to move
        self.made: dict[str, tuple[int, float, int]] = {}  # by value: who made it, when, how many bytes
        self.coming: list[tuple[float, int, Done]] = []  # a heap: the next to finish first
        self.factor = self._stragglers()
        self.source = "simulated"
        self.times = False  # whether tasks must be run to know how long they take
        self._check(workers)

    def __enter__(self) -> SimulatedCrew:
        if self.times:
            one_thread.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self.times:
            one_thread.__exit__()

    @property
    def running(self) -> bool:
        """Whether anything is on its way."""
        return bool(self.coming)

    def clock(self) -> float:
        """Virtual seconds since the run began."""
        return self.now

    def submit(self, task: Task, slot: int, values: list[Any]) -> None:
        """Work out when `slot` will have finished `task`, and what it makes."""
        self.coordinator = started = max(self.coordinator, self.now, self.free[slot]) + self.place.dispatch
        if self.moves and task.nbytes is None:
            started = max([started, *(self._arrival(task, need, slot) for need in task.needs)])
        report, seconds = self._do(task, values, slot)
        speed = self.place.speed(task, slot)
        finished = started + (self.place.overhead + seconds) / speed * self.factor[self.plan.position[task.name]]
        finished += self.place.message(task)
        self.free[slot] = finished
        life = self.now, started, finished, finished, finished - started
        done = Done(task, slot, report.value, report.error, *life, report.nested)
        heapq.heappush(self.coming, (finished, slot, done))

    def wait(self, until: float | None = None) -> list[Done]:
        """Jump to the moment when the next tasks finish, or to `until` if that is earlier."""
        if not self.coming or (until is not None and until < self.coming[0][0]):
            self.now = max(self.now, until or 0.0)
            return []
        self.now = self.coming[0][0]
        done = []
        while self.coming and self.coming[0][0] == self.now:
            done.append(heapq.heappop(self.coming)[2])
        if self.moves:
            self.made |= {one.task.name: (one.slot, self.now, self._bytes(one.value)) for one in done}
        return done

    def stop(self, grace: float) -> list[Done]:
        """Nothing goes on in a simulation."""
        self.coming.clear()
        return []

    def _do(self, task: Task, values: list[Any], slot: int) -> tuple[Report, float]:
        """What the task makes, and how long it takes at speed 1."""
        seconds = self.place.seconds(task, self.plan)
        if isinstance(seconds, tuple):
            seconds = seconds[slot]
        if task.fn is None:
            return NOTHING, seconds or 0.0
        report = perform(task.fn, *values)
        if seconds is None:
            self.source = "simulated from a measured cost"
            seconds = report.finished - report.started
        return report, seconds

    def _arrival(self, task: Task, need: str, slot: int) -> float:
        maker, finished, size = self.made.get(need, (slot, 0.0, 0))
        if maker == slot:
            return finished
        size = task.needs[need] if isinstance(task.needs, dict) else size
        return finished + self.place.latency + size / self.place.bandwidth

    def _bytes(self, value: Any) -> int:
        return 0 if self.place.bandwidth == math.inf else nbytes(value)

    def _stragglers(self) -> list[float]:
        """How much longer each task of the plan takes, drawn in plan order, whoever works on it."""
        noise, generator, tasks = self.place.noise, np.random.default_rng(self.place.seed), len(self.plan)
        if noise is None:
            return [1.0] * tasks
        if callable(noise):
            return [check_seconds("noise", noise(generator)) for _ in range(tasks)]
        if isinstance(noise, tuple):
            return np.where(generator.random(tasks) < noise[0], noise[1], 1.0).tolist()
        return np.exp(noise * generator.standard_normal(tasks)).tolist()

    def _check(self, workers: int) -> None:
        tables = self.place.speeds.values() if isinstance(self.place.speeds, dict) else [self.place.speeds]
        for table in tables:
            if table is not None and len(table) < workers:
                raise PlanError(
                    f"speeds has {len(table)} entries, one for each worker, but there are {workers} workers"
                )
        for task in self.plan.tasks:
            seconds = self.place.seconds(task, self.plan)
            self.times = self.times or seconds is None
            if seconds is None and task.fn is None:
                raise PlanError(f"task {task.name!r} has neither a function to time nor a cost: give it one of them")
            if isinstance(seconds, tuple) and len(seconds) < workers:
                raise PlanError(
                    f"task {task.name!r} has costs for {counted(len(seconds), 'worker')}, but there are {workers}"
                )
            self.place.speed(task, 0)


def nbytes(value: Any) -> int:
    """How many bytes a value would take on its way: those of an array, else of its pickle."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    try:
        return len(pickle.dumps(value))
    except Exception:  # what cannot be pickled does not travel: nothing to charge
        return 0


def _checked_cost(cost: Any) -> Any:
    if cost is None or callable(cost):
        return cost
    if isinstance(cost, Mapping):
        return {name: check_seconds(f"the cost of {name!r}", seconds) for name, seconds in cost.items()}
    if isinstance(cost, str) or not isinstance(cost, Iterable):
        return check_seconds("cost", cost)
    array = np.array(cost, dtype=float)
    if array.ndim != 1 or not (np.isfinite(array) & (array >= 0)).all():
        raise PlanError("cost must be a row of finite numbers of seconds, 0 or more, one for each item or task")
    return array


def _checked_speeds(speeds: Any) -> Any:
    if speeds is None:
        return None
    if isinstance(speeds, Mapping):
        return {kind: _checked_speeds(row) for kind, row in speeds.items()}
    if isinstance(speeds, str) or not isinstance(speeds, Iterable):
        raise TypeError(f"speeds must be a row of numbers, one for each worker, or {{kind: row}}, not {speeds!r}")
    row = [_positive(f"the speed of worker {worker}", speed) for worker, speed in enumerate(speeds)]
    if not row:
        raise ValueError("speeds must have a number for each worker, and this row is empty")
    return row


def _checked_noise(noise: Any) -> Any:
    if noise is None or callable(noise):
        return noise
    if not isinstance(noise, Sequence):
        return check_seconds("noise", noise)
    if isinstance(noise, str) or len(noise) != 2:
        raise TypeError(f"noise must be a number, (probability, factor) or a function of a generator, not {noise!r}")
    probability, factor = noise
    if not 0 <= probability <= 1:
        raise ValueError(f"noise=(probability, factor) needs a probability from 0 to 1, not {probability}")
    return float(probability), check_seconds("the factor of noise", factor)


def _checked_seed(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise TypeError(f"seed must be a whole number, so that the same one gives the same noise, not {seed!r}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")
    return int(seed)


def _positive(what: str, number: Any) -> float:
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TypeError(f"{what} must be a number, not {number!r}")
    if not 0 < float(number) < math.inf:
        raise ValueError(f"{what} must be more than 0 and finite, not {number}")
    return float(number)


def _short(value: Any) -> str:
    return f"<{len(value)} numbers>" if isinstance(value, np.ndarray) else repr(value)


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and not isinstance(one, np.ndarray) and one == other)

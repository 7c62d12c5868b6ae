"""What is there to do? A plan: tasks, and what each of them needs.

    inputs ──► Task ──► Task ──► result          a plan is a graph without cycles
                  └───► Task ──────┘

A task names the values it needs: results of other tasks, or inputs of the plan. A plan is
checked once, at birth, and never changes; so every mistake in it is reported before any
work has begun.

A plan does not know where it will run, on how many workers, or when. Those are the
business of `parlib.schedule` and `parlib.backends`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from difflib import get_close_matches
from functools import cached_property, partial
from graphlib import CycleError, TopologicalSorter
from numbers import Integral, Real
from typing import Any

__all__ = ["Plan", "PlanError", "Stage", "Task"]


class PlanError(ValueError):
    """A plan that cannot be carried out, found before anything ran."""


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work: a function, and the names of the values it needs.

    `fn` receives its needs positionally, in the order of `needs`. `needs` may also map
    each name to a size in bytes, which then replaces the measured size wherever moving
    the value is charged for. `after` names tasks to wait for without receiving their
    value. `cost` is in seconds, one number or one for each worker. `release` is the
    moment, in seconds after the start of the run, before which the task may not start.
    `items` are the positions in the data that a chunk works on, `item` the one position
    that a station of a pipeline works on. With `nbytes` the task is a message of that size:
    on a simulated machine it takes as long as its bytes, and nothing else moves for it.

    >>> Task("plate", print, needs=("sauce", "meat"))
    <Task: plate(sauce, meat)>
    """

    name: str
    fn: Callable[..., Any] | None
    needs: Sequence[str] | Mapping[str, int] = ()
    _: KW_ONLY
    after: Sequence[str] = ()
    kind: str = ""
    cost: float | Sequence[float] | None = None
    release: float = 0.0
    items: range | None = None
    item: int | None = None
    nbytes: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise TypeError(f"a task's name must be a text of at least one letter, not {self.name!r}")
        if self.fn is not None and not callable(self.fn):
            raise TypeError(f"task {self.name!r} needs a function to call, not {self.fn!r}")
        check_seconds(f"the release of task {self.name!r}", self.release)
        if self.nbytes is not None:
            check_amount(f"the size of message {self.name!r}", self.nbytes, "bytes")
        for field, check in ("needs", _checked_names), ("after", _checked_names), ("cost", _checked_cost):
            object.__setattr__(self, field, check(self.name, getattr(self, field)))  # a copy: the caller's may change

    def __repr__(self) -> str:
        return f"<Task: {self.name}({', '.join(self.needs)})>"


@dataclass(frozen=True)
class Stage:
    """One station of a pipeline: a function, and how many workers stand there.

    >>> Stage(len, workers=2)
    <Stage: len, 2 workers>
    """

    fn: Callable[..., Any]
    _: KW_ONLY
    workers: int = 1

    def __post_init__(self) -> None:
        if not callable(self.fn):
            raise TypeError(f"a stage needs a function to call, not {self.fn!r}")
        check_count("workers of a stage", self.workers)

    def __repr__(self) -> str:
        return f"<Stage: {name_of(self.fn)}, {self.workers} worker{'s' * (self.workers != 1)}>"


class Plan:
    """Tasks joined by their needs, checked once at birth and never changed.

    `inputs` are values that are there from the start. `keep` names the tasks whose values
    the result is made of (all of them, unless said), and `finish` makes the result from a
    dict of those values, in that order; without it the result is the dict itself. `workers` is how
    many workers the plan would like (None: no opinion).

    Raises `PlanError` for a name used twice, a need that nobody makes, or a cycle.

    >>> Plan([Task("flour", int), Task("dough", str, needs=["flour"])])
    <Plan: 2 tasks, 1 edge>
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        inputs: Mapping[str, Any] | None = None,
        *,
        keep: Sequence[str] | None = None,
        finish: Callable[[dict[str, Any]], Any] = dict,
        workers: int | None = None,
    ) -> None:
        self.tasks = tuple(tasks)
        self.inputs = check_inputs(inputs)
        self._refuse_doubles()
        self.position = {task.name: number for number, task in enumerate(self.tasks)}
        self.graph = {task.name: self._waits_for(task) for task in self.tasks}
        self._refuse_cycles()
        self.keep = tuple(self.position if keep is None else keep)
        self._refuse_unknown(self.keep)
        self.finish = finish
        self.workers = workers

    @property
    def work(self) -> float:
        """Cost of all tasks together, in seconds; a task without a cost counts as 1."""
        return math.fsum(map(cost_or_one, self.tasks))

    @property
    def depth(self) -> float:
        """Cost along the longest chain of needs, in seconds: no crew can be faster."""
        return max((self._finish_alone[name] for name in self.graph), default=0.0)

    @property
    def critical_path(self) -> tuple[str, ...]:
        """The names along that longest chain, first to last."""
        path: list[str] = []
        candidates: Iterable[str] = self.graph
        while candidates:
            path.append(max(candidates, key=self._finish_alone.__getitem__))
            candidates = self.graph[path[-1]]
        return tuple(reversed(path))

    def __or__(self, other: Plan) -> Plan:
        """Both plans at once, sharing the workers; the result is a tuple of both results."""
        if not isinstance(other, Plan):
            return NotImplemented
        twice = sorted(self.position.keys() & other.position.keys())
        if twice:
            raise PlanError(f"both plans have a task named {twice[0]!r}: rename one of them, names must differ")
        for name in self.inputs.keys() & other.inputs.keys():
            if self.inputs[name] is not other.inputs[name]:
                raise PlanError(f"both plans have an input named {name!r}, with different values: rename one of them")
        return Plan(
            self.tasks + other.tasks,
            self.inputs | other.inputs,
            keep=self.keep + other.keep,
            finish=_Each(*_parts(self), *_parts(other)),
            workers=self.workers + other.workers if self.workers and other.workers else None,
        )

    def __len__(self) -> int:
        return len(self.tasks)

    def __repr__(self) -> str:
        edges = sum(map(len, self.graph.values()))
        return f"<Plan: {counted(len(self), 'task')}, {counted(edges, 'edge')}>"

    def _refuse_doubles(self) -> None:
        seen: set[str] = set()
        for task in self.tasks:
            if not isinstance(task, Task):
                raise TypeError(f"a plan is made of Task objects, not {task!r}")
            if task.name in seen:
                raise PlanError(f"two tasks are named {task.name!r}: give each task a name of its own")
            if task.name in self.inputs:
                raise PlanError(f"{task.name!r} is both an input and a task: rename one of them")
            seen.add(task.name)

    def _refuse_unknown(self, kept: tuple[str, ...]) -> None:
        for name in kept:
            if name not in self.position:
                raise PlanError(f"keep names {name!r}, which is no task of the plan{did_you_mean(name, self.position)}")

    def _waits_for(self, task: Task) -> tuple[str, ...]:
        """The tasks that `task` waits for; every one of its names is known afterwards."""
        for name in (*task.needs, *task.after):
            if name not in self.position and (name not in self.inputs or name in task.after):
                known = [*self.position, *self.inputs]
                raise PlanError(f"task {task.name!r} needs {name!r}, which nobody makes{did_you_mean(name, known)}")
        names = tuple(dict.fromkeys((*(name for name in task.needs if name in self.position), *task.after)))
        return task.needs if names == task.needs else names  # the same tuple twice would take more room

    def _refuse_cycles(self) -> None:
        if all(self.position[need] < place for place, needs in enumerate(self.graph.values()) for need in needs):
            return  # everything is listed after what it needs, as in most plans
        try:
            TopologicalSorter(self.graph).prepare()
        except CycleError as error:
            circle = " needs ".join(map(repr, reversed(error.args[1])))
            raise PlanError(f"the plan goes in a circle, so no task of it could start: {circle}") from None

    @cached_property
    def _finish_alone(self) -> dict[str, float]:
        """When each task would finish if there were a worker for everyone, in seconds."""
        finish: dict[str, float] = {}
        for name in TopologicalSorter(self.graph).static_order():
            ready = max((finish[need] for need in self.graph[name]), default=0.0)
            finish[name] = ready + cost_or_one(self.tasks[self.position[name]])
        return finish


class _Each:
    """The finish of a joined plan: each part makes its own result from its own values."""

    def __init__(self, *parts: Plan) -> None:
        self.parts = parts

    def __call__(self, values: dict[str, Any]) -> tuple[Any, ...]:
        return self._of_each(values, lambda finish: finish)

    def so_far(self, values: dict[str, Any]) -> tuple[Any, ...]:
        """The same while tasks are still running."""
        return self._of_each(values, so_far)

    def _of_each(
        self, values: dict[str, Any], kind: Callable[[Any], Callable[[dict[str, Any]], Any]]
    ) -> tuple[Any, ...]:
        kept = ({name: values[name] for name in part.keep if name in values} for part in self.parts)
        return tuple(kind(part.finish)(some) for part, some in zip(self.parts, kept, strict=True))


def so_far(finish: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
    """What makes a result of the values there are, while some are missing: a method of `finish`, or by task name."""
    return getattr(finish, "so_far", dict)


def _parts(plan: Plan) -> tuple[Plan, ...]:
    return plan.finish.parts if isinstance(plan.finish, _Each) else (plan,)


def _checked_names(owner: str, names: Any) -> tuple[str, ...] | dict[str, float]:
    """The names as a tuple, or as a dict where each comes with a size in bytes."""
    if type(names) in (list, tuple) and {*map(type, names)} <= {str}:
        return tuple(names)  # the usual case, and a long line has thousands of them
    if isinstance(names, str) or not isinstance(names, Iterable):
        way_out = f": write [{names!r}]" if isinstance(names, str) else ""
        raise TypeError(f"the needs of task {owner!r} must be a list of names, not {names!r}{way_out}")
    kept = dict(names) if isinstance(names, Mapping) else tuple(names)
    for name in kept:
        if not isinstance(name, str):
            raise TypeError(f"task {owner!r} needs names of tasks or inputs, not {name!r}")
        if isinstance(kept, dict):
            check_amount(f"the size of {name!r} for task {owner!r}", kept[name], "bytes")
    return kept


def _checked_cost(owner: str, cost: Any) -> float | tuple[float, ...] | None:
    """The cost as a float, or as a tuple of one for each worker; None stays None."""
    what = f"the cost of task {owner!r}"
    if cost is None:
        return None
    if isinstance(cost, str) or not isinstance(cost, Iterable):
        return check_seconds(what, cost)
    row = tuple(check_seconds(what, seconds) for seconds in cost)
    if not row:
        raise PlanError(f"{what} is an empty row: give one number, or one for each worker")
    return row


def cost_or_one(task: Task) -> float:
    """Seconds of a task (mean over the workers where they differ), or 1 if it has no cost."""
    if task.cost is None:
        return 1.0
    if isinstance(task.cost, Iterable):
        costs = [float(seconds) for seconds in task.cost]
        return math.fsum(costs) / len(costs)
    return float(task.cost)


def name_of(fn: Callable[..., Any]) -> str:
    """What a function is called: its name, that of the function inside a partial, or its class."""
    inner = fn.func if isinstance(fn, partial) else fn
    return getattr(inner, "__name__", type(inner).__name__)


def counted(number: int, noun: str) -> str:
    """A number with its noun: '1 task', '2 tasks', '3 processes'."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number} {noun if number == 1 else plural}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that is not known: a guess, or the list of what is."""
    known = list(known)
    close = get_close_matches(str(name), known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    shown = ", ".join(map(repr, known[:8])) + (", …" if len(known) > 8 else "")
    return f"; known are {shown}" if known else "; nothing is known here"


def check_count(what: str, number: object) -> int:
    """`number` as an int ≥ 1; TypeError or ValueError with one sentence otherwise."""
    if isinstance(number, bool) or not isinstance(number, Integral):
        raise TypeError(f"{what} must be a whole number of at least 1, not {number!r}")
    if number < 1:
        raise ValueError(f"{what} must be at least 1, not {number}")
    return int(number)


def check_buffer(buffer: object) -> int:
    """`buffer` as an int ≥ 0; TypeError or ValueError with one sentence otherwise (None is for the caller to see)."""
    what, any_number = "buffer (places before each next stage)", "or None for any number of places"
    if isinstance(buffer, bool) or not isinstance(buffer, Integral):
        raise TypeError(f"{what} must be a whole number of at least 0, {any_number}, not {buffer!r}")
    if buffer < 0:
        raise ValueError(f"{what} must be at least 0, {any_number}, not {buffer}")
    return int(buffer)


def check_inputs(inputs: object) -> dict[str, Any]:
    """`inputs` as a dict of its own (None: empty); TypeError if it is no mapping of names to values."""
    if inputs is None:
        return {}
    if not isinstance(inputs, Mapping) or not all(isinstance(name, str) for name in inputs):
        raise TypeError(f"inputs must map names to values, as in {{'flour': 2}}, not {inputs!r}")
    return dict(inputs)


def check_seconds(what: str, seconds: object) -> float:
    """`seconds` as a finite float ≥ 0; TypeError or PlanError with one sentence otherwise."""
    return check_amount(what, seconds, "seconds")


def check_amount(what: str, amount: object, unit: str) -> float:
    """`amount` as a finite float ≥ 0; TypeError or PlanError with one sentence otherwise."""
    if type(amount) is float and 0 <= amount < math.inf:  # the usual case, and there may be a million of them
        return amount
    if isinstance(amount, bool) or not isinstance(amount, Real):
        raise TypeError(f"{what} must be a number of {unit}, not {amount!r}")
    if not 0 <= (number := float(amount)) < math.inf:
        raise PlanError(f"{what} must be a finite number of {unit}, 0 or more, not {amount}")
    return number

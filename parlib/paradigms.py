"""What are the three paradigms? Three ways to make a plan; the loop that runs it is the same.

    data_parallel      the same function on different parts of one data set
    task_parallel      different functions at the same time, joined by their names
    pipeline_parallel  every item through every function, as on a factory line

Each is `execute(its plan, workers, backend)`. Read the three side by side: what differs is
what the paradigms differ in.
"""

from __future__ import annotations

import inspect
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from .backends import count_workers
from .plan import Plan, PlanError, Stage, Task, check_buffer, check_count, check_inputs, did_you_mean, name_of
from .schedule import execute
from .trace import Gaps, Run, Skipped

__all__ = [
    "data_parallel",
    "data_plan",
    "pipeline_parallel",
    "pipeline_plan",
    "split",
    "task_parallel",
    "task_plan",
]


def data_parallel(
    fn: Callable[[Any], Any],
    data: Iterable[Any],
    *,
    workers: int | None = None,
    backend: Any = "threads",
    chunks: int | None = None,
    combine: Callable[[list[Any]], Any] | None = None,
    on_error: str = "stop",
) -> Run:
    """The same function on every item of `data`.

    An item is `data[i]`, for arrays along axis 0. `chunks` is the number of tasks (one per
    worker, unless said). The result is a list in input order, or what `combine` makes of it.

    >>> data_parallel(abs, [-3, 1, -2], workers=2, combine=sum).result
    6
    """
    began = time.perf_counter()
    chunks = count_workers(workers, backend) if chunks is None else chunks
    plan = data_plan(fn, data, chunks=chunks, combine=combine)
    return execute(plan, workers, backend, on_error=on_error, began=began)


def task_parallel(
    *functions: Callable[..., Any],
    workers: int | None = None,
    backend: Any = "threads",
    inputs: Mapping[str, Any] | None = None,
    on_error: str = "stop",
) -> Run:
    """Different functions, joined by their parameter names.

    A function is named for the thing it makes; a parameter of that name receives it. The
    result is a dict, one entry per function.

    >>> def sauce(tomatoes): return f"sauce of {tomatoes} tomatoes"
    >>> def plate(sauce): return f"plate with {sauce}"
    >>> task_parallel(sauce, plate, workers=2, inputs={"tomatoes": 6}).result["plate"]
    'plate with sauce of 6 tomatoes'
    """
    began = time.perf_counter()
    plan = task_plan(*functions, inputs=inputs)
    return execute(plan, workers, backend, on_error=on_error, began=began)


def pipeline_parallel(
    *stages: Callable[[Any], Any] | Stage,
    data: Iterable[Any],
    workers: int | None = None,
    backend: Any = "threads",
    buffer: int | None = None,
    on_error: str = "stop",
) -> Run:
    """Every item through every stage, as on a factory line.

    `buffer` is how many items may wait before each next stage (None: any number). The
    result is a list, one per item, in input order.

    >>> pipeline_parallel(str.strip, str.title, data=[" rye ", " spelt "]).result
    ['Rye', 'Spelt']
    """
    began = time.perf_counter()
    plan = pipeline_plan(*stages, data=data, buffer=buffer)
    return execute(plan, workers, backend, on_error=on_error, began=began)


def data_plan(
    fn: Callable[[Any], Any],
    data: Iterable[Any],
    *,
    chunks: int,
    combine: Callable[[list[Any]], Any] | None = None,
) -> Plan:
    """One task per chunk of the data; no task waits for another.

    >>> data_plan(abs, [-3, 1, -2], chunks=2).tasks
    (<Task: abs[0:2](items of abs[0:2])>, <Task: abs[2:3](items of abs[2:3])>)
    """
    if not callable(fn):
        raise TypeError(f"data_parallel needs a function to apply to each item, not {fn!r}")
    if combine is not None and not callable(combine):
        raise TypeError(f"combine must be a function of the list of results, not {combine!r}")
    items, each, kind = as_items(data), Each(fn), name_of(fn)
    bounds = block_bounds(len(items), min(check_count("chunks", chunks), len(items)))
    tasks, inputs = [], {}
    for start, stop in bounds:
        name = f"{kind}[{start}:{stop}]"
        tasks.append(Task(name, each, [f"items of {name}"], kind=kind, items=range(start, stop)))
        inputs[f"items of {name}"] = items[start:stop]
    return Plan(tasks, inputs, finish=Combine(combine))


def task_plan(*functions: Callable[..., Any], inputs: Mapping[str, Any] | None = None) -> Plan:
    """One task per function; a task waits for those its parameters are named after.

    A parameter is an input, else a task, else its default, else a `PlanError`.

    >>> def dough(flour): ...
    >>> task_plan(dough, inputs={"flour": "rye"}).tasks
    (<Task: dough(flour)>,)
    """
    inputs = check_inputs(inputs)
    for fn in functions:
        if not callable(fn):
            raise TypeError(f"task_parallel needs functions, not {fn!r}: write the name without calling it")
    names = unique([name_of(fn) for fn in functions])
    known = {*names, *inputs}
    tasks = [Task(name, *_call(fn, name, known), kind=name_of(fn)) for name, fn in zip(names, functions, strict=True)]
    return Plan(tasks, inputs)


def pipeline_plan(*stages: Callable[[Any], Any] | Stage, data: Iterable[Any], buffer: int | None = None) -> Plan:
    """One task per item and stage: a grid, in which item i at stage s waits for

    - item i at stage s−1, whose result it takes further,
    - item i−k at stage s, since a stage of k workers has only k pairs of hands,
    - item i−B−k′ at stage s+1 (k′ workers) if a buffer holds only B: back-pressure is an edge.

    >>> pipeline_plan(str.strip, str.title, data=["a", "b"])
    <Plan: 4 tasks, 4 edges>
    """
    if not stages:
        raise PlanError("pipeline_parallel needs at least one stage: give it one function or more")
    line = [stage if isinstance(stage, Stage) else Stage(stage) for stage in stages]
    room = None if buffer is None else check_buffer(buffer)
    names = unique([name_of(stage.fn) for stage in line])
    items = as_items(data)
    tasks = [_grid_task(line, names, item, number, room) for item in range(len(items)) for number in range(len(line))]
    inputs = {f"item {item} of the data": items[item] for item in range(len(items))}
    keep = [f"{names[-1]}[{item}]" for item in range(len(items))]
    return Plan(tasks, inputs, keep=keep, finish=InOrder(), workers=sum(stage.workers for stage in line))


WAYS_OUT = (
    (Mapping, "list(data.items())"),
    ((set, frozenset), "sorted(data)"),
    ((str, bytes, bytearray), "list(data)"),
)
"""Kinds of data whose items are not obvious, and what somebody may have meant."""


def split(data: Iterable[Any], parts: int, *, how: str = "block") -> list[Any]:
    """`data` cut into exactly `parts` shards whose sizes differ by at most one.

    "block" gives neighbors to the same shard, "cyclic" deals items out like cards. Shards
    of arrays are views along axis 0. With fewer items than parts, some shards are empty.

    >>> split([1, 2, 3, 4, 5], 2), split([1, 2, 3, 4, 5], 2, how="cyclic")
    ([[1, 2, 3], [4, 5]], [[1, 3, 5], [2, 4]])
    """
    items, parts = as_items(data), check_count("parts", parts)
    if how == "cyclic":
        return [items[start::parts] for start in range(parts)]
    if how != "block":
        raise ValueError(f"how must be 'block' or 'cyclic', not {how!r}")
    return [items[start:stop] for start, stop in block_bounds(len(items), parts)]


def block_bounds(items: int, parts: int) -> list[tuple[int, int]]:
    """Where each of `parts` blocks of `items` begins and ends; the first ones are the larger.

    >>> block_bounds(5, 2)
    [(0, 3), (3, 5)]
    """
    size, rest = divmod(items, parts) if parts else (0, 0)
    starts = [part * size + min(part, rest) for part in range(parts + 1)]
    return list(pairwise(starts))


def as_items(data: Any) -> Any:
    """`data` as something that can be cut into slices; what cannot is listed first."""
    for ambiguous, way_out in WAYS_OUT:
        if isinstance(data, ambiguous):
            raise TypeError(
                f"data must be a sequence of items, and a {type(data).__name__} could mean several things: "
                f"pass {way_out} if you mean that"
            )
    if isinstance(data, np.ndarray) and not data.ndim:
        raise TypeError("data must have items along axis 0, and an array without dimensions has none: pass [data]")
    if isinstance(data, np.ndarray | list | tuple | range):
        return data
    try:
        items = iter(data)
    except TypeError:
        raise TypeError(f"data must be a sequence of items, not {data!r}") from None
    return list(items)


@dataclass(frozen=True)
class Each:
    """Calls `fn` on each item of a chunk; `skip` leaves a `Skipped` where an item fails."""

    fn: Callable[[Any], Any]
    skip: bool = False

    def __call__(self, items: Any) -> list[Any]:
        results: list[Any] = []
        while len(results) < len(items):
            try:
                rest = items[len(results) :] if results else items
                results.extend(map(self.fn, rest))  # keeps what came before a failure
                if len(results) < len(items):
                    raise RuntimeError(f"{name_of(self.fn)} raised StopIteration; return a value instead")
            except BaseException as error:
                if not (self.skip and isinstance(error, Exception)):
                    vars(error)["_item"] = len(results)  # for the note
                    raise
                results = Gaps([*results, Skipped("", len(results), error)])
        return results

    @cached_property
    def lenient(self) -> Each:
        """The same, going on after a failure."""
        return Each(self.fn, skip=True)


@dataclass(frozen=True)
class Combine:
    """Joins the lists of all chunks, and hands the whole to `combine` if there is one."""

    combine: Callable[[list[Any]], Any] | None

    def __call__(self, chunks: dict[str, Any]) -> Any:
        results = self.so_far(chunks)
        return results if self.combine is None else self.combine(results)

    def so_far(self, chunks: dict[str, Any]) -> list[Any]:
        """The results there are, in input order; `combine` is called once, when there are no more to come."""
        results: list[Any] = []
        for chunk in chunks.values():
            results += chunk
        return results


class InOrder:
    """The values in a list, in the order of the items; while some are missing, those there are."""

    def __call__(self, values: dict[str, Any]) -> list[Any]:
        return list(values.values())

    so_far = __call__


def _grid_task(line: list[Stage], names: list[str], item: int, number: int, room: int | None) -> Task:
    """The task of one item at one stage of a pipeline."""
    stage, name = line[number], names[number]
    before = f"{names[number - 1]}[{item}]" if number else f"item {item} of the data"
    after = [f"{name}[{item - stage.workers}]"] if item >= stage.workers else []
    if room is not None and number + 1 < len(line) and item >= (gap := room + line[number + 1].workers):
        after.append(f"{names[number + 1]}[{item - gap}]")
    return Task(f"{name}[{item}]", stage.fn, [before], after=after, kind=name, item=item)


def _call(fn: Callable[..., Any], name: str, known: set[str]) -> tuple[Callable[..., Any], list[str]]:
    """How a plan calls `fn`: the function, and the names of the values it needs, in order."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except ValueError:
        raise PlanError(
            f"{name!r} does not tell its parameters, so its needs are unknown: wrap it in a function of your own"
        ) from None
    needs: list[inspect.Parameter] = []
    for parameter in parameters:
        if (
            parameter.name in known
            and parameter.name != name
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ):
            needs.append(parameter)
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            hint = did_you_mean(parameter.name, known - {name})
            raise PlanError(f"{name!r} needs {parameter.name!r}, which is neither an input nor a task{hint}")
    names = [parameter.name for parameter in needs]
    positional = [parameter.name for parameter in parameters[: len(needs)]]
    if names == positional and all(parameter.kind is not parameter.KEYWORD_ONLY for parameter in needs):
        return fn, names
    return ByName(fn, tuple(names)), names


@dataclass(frozen=True)
class ByName:
    """Calls `fn` with its values by name: some parameter before the last of them has a default."""

    fn: Callable[..., Any]
    names: tuple[str, ...]

    def __call__(self, *values: Any) -> Any:
        call = inspect.signature(self.fn).bind_partial()
        call.arguments.update(zip(self.names, values, strict=True))
        call.apply_defaults()  # a parameter without a name for callers can be passed only behind those before it
        return self.fn(*call.args, **call.kwargs)


def unique(names: list[str]) -> list[str]:
    """The names, with '#2', '#3' … behind those that came before.

    >>> unique(["stir", "bake", "stir"])
    ['stir', 'bake', 'stir#2']
    """
    times: Counter[str] = Counter()
    result = []
    for name in names:
        times[name] += 1
        result.append(name if times[name] == 1 else f"{name}#{times[name]}")
    return result

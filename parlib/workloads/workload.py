"""What is a workload? One job in any size, as a plan and as plain serial code.

    workload.plan(size, chunks)   what to do, cut into `chunks` tasks     ─┐ the same answer
    workload.serial(size)         the best code without parallelism       ─┘

The two must do equal work, or a speedup between them means nothing; `workload.same` compares
their answers. What a job spends decides which workers help it:

    waiting                 threads help, far beyond the cores
    CPU, holding the GIL    processes help, as far as there are cores; threads do not
    CPU, releasing the GIL  threads and processes help, as far as there are cores
    memory bandwidth        a few workers use it up, whatever they are

A workload does not know where it will run, nor how fast that will be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from ..orders import Schedule, in_turn
from ..paradigms import block_bounds
from ..plan import Plan, Task, check_count, did_you_mean, name_of

__all__ = ["SPENDS", "Workload", "block_plan", "equal"]

SPENDS = ("waiting", "CPU, holding the GIL", "CPU, releasing the GIL", "memory bandwidth")
"""What a job can spend its time on."""


def unknown(size: Any) -> None:
    """The costs of a job that nobody has estimated: the simulator runs each task once and times it."""


def equal(one: Any, other: Any) -> bool:
    """Whether two answers are the same, arrays and lists of arrays included.

    >>> equal([np.arange(3), "a"], [np.arange(3), "a"])
    True
    """
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


@dataclass(frozen=True, repr=False)
class Workload:
    """One job in any size, as a plan and as plain serial code.

    name     what it is called
    plan     plan(size, chunks) -> Plan; make large data once and keep them, because making
             them is timed too, here and in `serial`
    serial   serial(size) -> answer: the best plain serial code, not the plan on one worker
    sizes    some sizes, from small to large
    spends   what it spends its time on: one of `SPENDS`
    costs    costs(size) -> the `cost` of `Simulated` for this job, in seconds on an ordinary
             machine (an estimate, used until something is measured)
    same     same(answer, answer) -> bool, where plain equality is too strict
    default  the size to begin with; the middle one of `sizes`, unless said
    order    which ready task goes first, and to whom, as for `execute`

    >>> Workload("sum", lambda size, chunks: None, lambda size: sum(range(size)), (10, 100), "CPU, holding the GIL")
    <Workload: sum, sizes 10 to 100, spends CPU, holding the GIL>
    """

    name: str
    plan: Callable[[Any, int], Plan]
    serial: Callable[[Any], Any]
    sizes: Sequence[Any]
    spends: str
    costs: Callable[[Any], Any] = unknown
    _: KW_ONLY
    same: Callable[[Any, Any], bool] = equal
    default: Any = None
    order: Callable[[Plan, int, Any], Schedule] = in_turn

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise TypeError(f"a workload's name must be a text of at least one letter, not {self.name!r}")
        for field in ("plan", "serial", "costs", "same", "order"):
            if not callable(getattr(self, field)):
                raise TypeError(f"{field} of workload {self.name!r} must be a function, not {getattr(self, field)!r}")
        if self.spends not in SPENDS:
            raise ValueError(f"workload {self.name!r} cannot spend {self.spends!r}{did_you_mean(self.spends, SPENDS)}")
        sizes = tuple(self.sizes)
        if not sizes:
            raise ValueError(f"workload {self.name!r} needs at least one size")
        object.__setattr__(self, "sizes", sizes)
        object.__setattr__(self, "default", sizes[len(sizes) // 2] if self.default is None else self.default)

    def __repr__(self) -> str:
        sizes = f"size {self.sizes[0]}" if len(self.sizes) == 1 else f"sizes {self.sizes[0]} to {self.sizes[-1]}"
        return f"<Workload: {self.name}, {sizes}, spends {self.spends}>"


def block_plan(
    fn: Callable[[Any], Any],
    data: Any,
    *,
    chunks: int,
    combine: Callable[[list[Any]], Any],
) -> Plan:
    """One task per block of neighboring items, for a function that takes the whole block at once.

    The twin of `data_plan`, whose function takes one item. `combine` receives the list of
    what the blocks became.

    >>> block_plan(sum, [1, 2, 3], chunks=2, combine=max).tasks
    (<Task: sum[0:2](items of sum[0:2])>, <Task: sum[2:3](items of sum[2:3])>)
    """
    kind, tasks, inputs = name_of(fn), [], {}
    for start, stop in block_bounds(len(data), min(check_count("chunks", chunks), len(data))):
        name = f"{kind}[{start}:{stop}]"
        tasks.append(Task(name, fn, [f"items of {name}"], kind=kind, items=range(start, stop)))
        inputs[f"items of {name}"] = data[start:stop]
    return Plan(tasks, inputs, finish=lambda blocks: combine(list(blocks.values())))

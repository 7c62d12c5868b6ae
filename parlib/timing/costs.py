"""Which worker suits which task? A table of seconds, task by kind of worker, measured here.

                  pure Python       NumPy       float32          each cell: the median of some runs,
      product        31 ms         0.05 ms      0.03 ms          and the quartiles around it
      read            5 ms           –            –              –: this worker cannot do it

All cells take turns, round after round, so that a slow minute of the machine slows all of them. What
stands in the table is the cost of the work alone: what it takes to bring the data there is added by
whoever knows the way, as `Simulated` does with its latency and bandwidth.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..blas import one_thread
from ..plan import Plan, PlanError, check_count, check_seconds, did_you_mean

__all__ = ["CostTable", "cost_table"]

ENOUGH = 0.3  # seconds for one cell at most, if it has been run at least once


@dataclass(frozen=True, repr=False)
class CostTable:
    """Seconds of every task on every kind of worker: `raw[task][kind]` are all that were measured.

    `imagined` names the kinds that were not measured but made up. `table[task]` has the medians by kind.
    """

    raw: Mapping[str, Mapping[str, tuple[float, ...]]]
    imagined: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks, from the first line to the last."""
        return tuple(self.raw)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of workers, from the first column to the last."""
        return tuple(dict.fromkeys(kind for row in self.raw.values() for kind in row))

    def __getitem__(self, task: str) -> dict[str, float]:
        if task not in self.raw:
            raise KeyError(f"no task {task!r} was measured{did_you_mean(task, self.raw)}")
        return {kind: float(np.median(seconds)) for kind, seconds in self.raw[task].items()}

    def row(self, task: str, crew: Sequence[str]) -> tuple[float, ...]:
        """The cost of a task on each worker of a crew, in seconds; `crew` names the kind of each worker.

        >>> CostTable({"bake": {"baker": (2.0,), "oven": (0.5, 0.7, 0.6)}}).row("bake", ["baker", "oven", "oven"])
        (2.0, 0.6, 0.6)
        """
        seconds = self[task]
        for kind in crew:
            if kind not in seconds:
                raise PlanError(f"the table has no cost of {task!r} for worker {kind!r}{did_you_mean(kind, seconds)}")
        return tuple(seconds[kind] for kind in crew)

    def on(self, plan: Plan, crew: Sequence[str]) -> Plan:
        """The plan with the cost of every task on each worker of the crew, looked up by its name, else its kind."""
        tasks = []
        for task in plan.tasks:
            known = task.name if task.name in self.raw else task.kind or task.name
            if known not in self.raw:
                raise PlanError(f"the table has no line for task {task.name!r}{did_you_mean(known, self.raw)}")
            tasks.append(replace(task, cost=self.row(known, crew)))
        return Plan(tasks, plan.inputs, keep=plan.keep, finish=plan.finish, workers=len(crew))

    def imagine(self, kind: str, like: str, times: float | Mapping[str, float]) -> CostTable:
        """The table with a worker that nobody has here, such as an accelerator: so many times as fast as another.

        `times` is one number, or one for each task; what it leaves out, the new worker cannot do.

        >>> CostTable({"bake": {"CPU": (2.0,)}}).imagine("accelerator", "CPU", {"bake": 8})["bake"]
        {'CPU': 2.0, 'accelerator': 0.25}
        """
        factors = times if isinstance(times, Mapping) else dict.fromkeys(self.tasks, times)
        for task, factor in factors.items():
            if not check_seconds("times", factor):
                raise ValueError("times must be more than 0: a worker that cannot do a task is left out of it")
            self.row(task, [like])
        raw = {task: dict(row) for task, row in self.raw.items()}
        for task, factor in factors.items():
            raw[task][kind] = tuple(seconds / factor for seconds in raw[task][like])
        return CostTable(raw, (*self.imagined, kind))

    def __repr__(self) -> str:
        wide = max(map(len, ("", *self.tasks)))
        columns = [[kind, *(_cell(row.get(kind)) for row in self.raw.values())] for kind in self.kinds]
        widths = [max(map(len, column)) for column in columns]
        lines = [
            "  ".join([name.ljust(wide), *(text.rjust(width) for text, width in zip(cells, widths))])
            for name, *cells in zip(("", *self.tasks), *columns)
        ]
        made_up = f"; {', '.join(self.imagined)}: imagined" if self.imagined else ""
        return "\n".join([*lines, f"(measured here: medians and quartiles{made_up})"])


def cost_table(functions: Mapping[str, Mapping[str, Callable[[], Any]]], *, repeats: int = 7) -> CostTable:
    """Measure every task on every kind of worker: `functions[task][kind]` is a call without arguments.

    Everyone runs once to warm up, then all take turns, `repeats` rounds; a cell that has had 0.3 s
    sits out the rest. Arithmetic libraries are held at one thread.

    >>> table = cost_table({"sort": {"list": lambda: sorted(range(99)), "array": lambda: np.sort(np.arange(99))}})
    >>> table.tasks, table.kinds, len(table.raw["sort"]["list"])
    (('sort',), ('list', 'array'), 7)
    """
    cells = _checked(functions)
    taken: dict[tuple[str, str], list[float]] = {cell: [] for cell in cells}
    with one_thread:
        for fn in cells.values():
            fn()
        for _ in range(check_count("repeats", repeats)):
            for cell, fn in cells.items():
                if not taken[cell] or math.fsum(taken[cell]) < ENOUGH:
                    began = time.perf_counter()
                    fn()
                    taken[cell].append(time.perf_counter() - began)
    return CostTable({task: {kind: tuple(taken[task, kind]) for kind in row} for task, row in functions.items()})


def _checked(functions: Any) -> dict[tuple[str, str], Callable[[], Any]]:
    """The calls by task and kind; TypeError for what is none."""
    if not isinstance(functions, Mapping) or not all(isinstance(row, Mapping) for row in functions.values()):
        raise TypeError(f"a cost table is made of {{task: {{kind of worker: function}}}}, not {functions!r}")
    cells = {(task, kind): fn for task, row in functions.items() for kind, fn in row.items()}
    for (task, kind), fn in cells.items():
        if not callable(fn):
            raise TypeError(f"{task!r} by {kind!r} must be a function without parameters, not {fn!r}")
    if not cells:
        raise ValueError("a cost table needs at least one task and one kind of worker")
    return cells


def _cell(seconds: tuple[float, ...] | None) -> str:
    """The median of some seconds, and the quartiles around it."""
    if seconds is None:
        return "–"
    low, middle, high = np.percentile(seconds, [25, 50, 75])
    factor, unit = (1, "s") if middle >= 0.1 else (1e3, "ms") if middle >= 1e-4 else (1e6, "µs")
    return f"{middle * factor:.3g} {unit} [{low * factor:.3g} – {high * factor:.3g}]"

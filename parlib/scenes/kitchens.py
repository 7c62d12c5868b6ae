"""What would a workload do on so many workers? The simulator answers at once; the page need not wait.

    workload, size, chunks ──► plan with a cost for every task ──► execute on Simulated ──► Run

The costs are the workload's own estimate. Handing out a tray and walking back take what they take an ordinary laptop's
processes. Nothing of the workload is run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..plan import Plan, check_count, did_you_mean
from ..schedule import execute
from ..simulation import Simulated
from ..trace import Run

__all__ = ["Choice", "chosen", "simulated"]

TOLLS: Any = {"dispatch": 4e-4, "overhead": 2e-4}
"""Seconds that handing out a task to a process takes, and that its worker spends on it: estimates, as the costs are."""

BACKENDS = ("processes", "threads")


@dataclass(frozen=True)
class Choice:
    """Where the learner's sliders stand: workers, the order's size, and the number of trays it is put on."""

    workers: int
    size: Any
    chunks: int


def chosen(workload: Any, workers: int, size: Any, chunks: int, most: int, backend: str) -> tuple[Choice, int]:
    """A choice and the end of the workers' slider; one clear sentence for what is none."""
    size = workload.default if size is None else size
    if size not in workload.sizes:
        raise ValueError(f"{workload.name} has no size {size!r}{did_you_mean(size, map(str, workload.sizes))}")
    if backend not in BACKENDS:
        raise ValueError(f"a scene bakes on processes or threads, not {backend!r}{did_you_mean(backend, BACKENDS)}")
    choice = Choice(check_count("workers", workers), size, check_count("chunks", chunks))
    return choice, max(check_count("most", most), choice.workers)


def simulated(workload: Any, choice: Choice) -> Run:
    """The run of this choice on the simulator, from the workload's own costs."""
    plan = workload.plan(choice.size, choice.chunks)
    estimate = Simulated(workload.costs(choice.size))
    seconds = [float(np.mean(estimate.seconds(task, plan) or 1 / len(plan))) for task in plan.tasks]
    tasks = [replace(task, fn=None, cost=cost) for task, cost in zip(plan.tasks, seconds, strict=True)]
    hollow = Plan(tasks, dict.fromkeys(plan.inputs), keep=())
    return execute(hollow, choice.workers, Simulated(**TOLLS), order=workload.order)

"""Many Bakers, Many Chefs: data parallelism and task parallelism, learned by running both.

Read the source in this order; each file says in its first line which question it answers.

    paradigms   the three paradigms, side by side         plan, trace   what to do, what happened
    schedule    the heart: one loop for all of them       backends      where work runs
    collectives how workers agree: a task is a message
    simulation  a machine of any size, in numbers; bulk   executors, couriers, sharing, worker, blas, memory
    metrics, laws, host, timing, plots, workloads, study, panels

What draws pictures or needs Jupyter is loaded when it is first used.
"""

from importlib import import_module
from typing import Any

from .backends import close
from .bulk import simulate, simulate_pipeline, simulate_training
from .collectives import Traffic, all_reduce, traffic
from .host import machine
from .laws import (
    amdahl,
    brent,
    dispatch_limit,
    expected_maximum,
    fit,
    flow_shop_makespan,
    graham_bound,
    gustafson,
    johnson,
    karp_flatt,
    longest_first_bound,
    pipeline_bubble,
    pipeline_time,
    point_to_point,
    ring_all_reduce,
    straggler_probability,
    tree_all_reduce,
    usl,
    usl_peak,
)
from .memory import keep_freed_memory
from .metrics import efficiency, imbalance, overhead, speedup
from .orders import Schedule, by_assignment, earliest_finish, greedy, in_turn, longest_path_first, optimum
from .paradigms import data_parallel, data_plan, pipeline_parallel, pipeline_plan, split, task_parallel, task_plan
from .plan import Plan, PlanError, Stage, Task
from .schedule import execute
from .sharing import share
from .simulation import Simulated
from .trace import Run, Skipped, Span, Trace, WorkerLost

LATER = {
    "timing": ("CostTable", "Sweep", "calibrate", "cost_table", "diagnose", "record", "recorded", "sweep"),
    "workloads": ("Workload",),
    "plots": ("assignment", "dag", "gantt", "heatmap", "queue_depth", "scaling", "show"),
    "study": ("cards", "glossary", "predict", "progress", "quiz"),
    "panels": ("explore", "explore_assignment", "explore_laws"),
    "scenes": ("Bakery", "Kitchen", "Race"),
    "grading": ("check", "hint"),
}
"""Names that are loaded when they are first used, by the module they come from."""

keep_freed_memory()  # here, so that serial code and every worker process run under the same conditions

_home = {name: module for module, names in LATER.items() for name in names}

# fmt: off
__all__ = [
    # the three paradigms, and their plans
    "data_parallel", "task_parallel", "pipeline_parallel",
    "data_plan", "task_plan", "pipeline_plan", "split", "Stage",
    "all_reduce", "traffic", "Traffic",
    # the heart
    "Plan", "Task", "PlanError", "execute", "Schedule",
    "in_turn", "longest_path_first", "earliest_finish", "by_assignment", "greedy", "optimum",
    # where work runs
    "Simulated", "simulate", "simulate_pipeline", "simulate_training", "machine", "share", "close",
    # what happened
    "Run", "Trace", "Span", "Skipped", "WorkerLost",
    # what it means
    "speedup", "efficiency", "imbalance", "overhead",
    "amdahl", "gustafson", "karp_flatt", "usl", "usl_peak", "dispatch_limit", "fit",
    "brent", "graham_bound", "longest_first_bound", "point_to_point", "ring_all_reduce", "tree_all_reduce",
    "pipeline_time", "pipeline_bubble", "johnson", "flow_shop_makespan", "straggler_probability", "expected_maximum",
    # measuring, drawing, learning
    *_home,
]
# fmt: on


def __getattr__(name: str) -> Any:
    if name not in _home:
        raise AttributeError(f"module 'parlib' has no attribute {name!r}")
    return getattr(import_module(f".{_home[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

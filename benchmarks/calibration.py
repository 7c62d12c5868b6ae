"""The calibrated machine: how far is its prediction from what is then measured?

For every workload of the course, on one worker and on as many as there are cores: a calibrated
machine predicts a run, these workers do it, in turn, and the medians are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import psutil

from parlib import calibrate, machine
from parlib.workloads import ALL

from .report import Target, row, table

TITLE = "The calibrated machine"

# scale: runs of each workload, and which workloads
SCALES = {"full": (7, ALL), "quick": (3, ALL), "mini": (1, ALL[:1])}


def sections(scale: str) -> dict[str, Callable[[], dict[str, Any]]]:
    repeats, workloads = SCALES[scale]
    return {f"Predicted and measured on {name}": partial(measure, name, repeats, workloads) for name in BACKENDS}


BACKENDS = ("processes", "threads")


def measure(backend: str, repeats: int, workloads: Any) -> dict[str, Any]:
    """The workloads of the course, predicted by one calibration; on threads those that let go of the interpreter."""
    kitchen, counts, busy, rows = calibrate(backend), sorted({1, machine().cores}), [], []
    for workload in workloads:
        if backend == "threads" and workload.spends == "CPU, holding the GIL":
            continue
        for workers in counts:
            busy += [psutil.cpu_percent(interval=0.1) / 100 for _ in range(repeats)]
            found = kitchen.compare(workload, workers, repeats=repeats)
            rows.append([found.workload, found.workers, found.predicted, found.measured])
    return {"busy": busy or [0.0], "rows": rows, "calibration": repr(kitchen)}


def report(records: dict[str, dict[str, Any]]) -> str:
    """All tables, one for each kind of workers."""
    return "\n\n".join(_table(title, record) for title, record in records.items())


def _table(title: str, record: dict[str, Any]) -> str:
    errors = [abs(predicted / measured - 1) for _, _, predicted, measured in record["rows"]]
    lines = [
        row(name, str(workers), f"{predicted:.3g} s", f"{measured:.3g} s", f"{predicted / measured - 1:+.0%}", "")
        for name, workers, predicted, measured in record["rows"]
    ]
    verdict = str(Target("% off", 100 * median(errors), at_most=15)) if errors else ""
    lines.append(row("the median of all, whichever way", "", "", "", f"{median(errors or [0]):.0%}", verdict))
    heads = ["workload", "workers", "predicted", "measured", "off by", "target"]
    return f"{table(title, record, heads, lines)}\n\n`{record['calibration']}`"

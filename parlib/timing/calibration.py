"""What would this machine do? Its own costs, measured in some seconds, as a `Simulated`.

    cost of …              measured as …
    startup                the fixed seconds of a run of one tiny task, on warm workers
    dispatch, overhead     the seconds for each of many tiny tasks, on 1 worker and on 4
    latency, bandwidth     the time from the end of a task to the start of the next, on another worker,
                           for a tiny value and for a large one
    crowding               how much longer the same work takes when all cores do it at once
    copying                seconds for each byte of an input that must be copied to where workers see it

How long the tasks of a job take is no property of the machine: a calibrated machine runs each once
here and times it. What it predicts is wrong by some percent; `compare` says by how many.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from ..backends import find
from ..executors import WarmProcesses, WarmThreads
from ..host import machine, usable_cores
from ..orders import by_assignment
from ..plan import Plan, Task, check_count, counted
from ..schedule import execute
from ..simulation import Simulated, SimulatedCrew
from ..trace import Run
from ..worker import Report
from .fair import run_workload
from .sweeps import story

__all__ = ["Calibrated", "Comparison", "calibrate"]

ROUNDS = 5  # of every measurement: enough for a median
TINY = 100  # tiny tasks in a run
LARGE = 32_000_000  # bytes of a large value: more than a processor's caches hold
SOON = 1e-3  # seconds within which a large value has not been copied: it never moved
HANDS = 4  # workers that one coordinator can hardly keep busy with tiny tasks
DOUGH = bytes(1 << 20)  # something to work on, without the interpreter lock
KNEADING = 20  # times: about a hundredth of a second


class Calibrated(Simulated):
    """A simulated machine with the measured costs of this one; made by `calibrate`.

    Besides those of `Simulated`: `backend` and `machine` say what was measured, `cold_start` is
    seconds until a new worker has done its first task, `crowding` by how many workers compute at
    once how much longer each takes, and `error` how far off its prediction of a test run was.
    """

    def __init__(self, backend: str, cold_start: float, crowding: Mapping[int, float], copying: float, **costs: Any):
        super().__init__(**costs)
        self.backend, self.cold_start, self.crowding, self.copying = backend, cold_start, dict(crowding), copying
        self.machine, self.error = story(machine(watch=0)), float("nan")

    def hire(self, plan: Plan, workers: int, began: float) -> SimulatedCrew:
        """The workers of one run; their clock starts at 0."""
        return CalibratedCrew(self, plan, workers)

    def crowded(self, workers: int) -> float:
        """How many times longer the same work takes when so many workers do it at once."""
        return float(np.interp(workers, [*self.crowding], [*self.crowding.values()]))

    def compare(self, workload: Any, workers: int = 2, size: Any = None, repeats: int = 3) -> Comparison:
        """What this predicts for a workload, beside what is then measured; medians of `repeats` runs each."""
        size, workers = workload.default if size is None else size, check_count("workers", workers)
        runs = {place: partial(run_workload, workload, place, None, workers, size) for place in (self, self.backend)}
        predicted, real = (seconds for seconds in _interleaved([*runs.values()], check_count("repeats", repeats)))
        return Comparison(workload.name, size, workers, predicted, real)

    def __repr__(self) -> str:
        per_task = f"{1e3 * (self.dispatch + self.overhead):.3g} ms a task, {1e3 * self.latency:.3g} ms a message"
        speed = "no copies" if self.bandwidth == float("inf") else f"{self.bandwidth / 1e9:.2g} GB/s"
        cold = f"{self.cold_start:.2g} s to start a worker"
        return f"<Calibrated: {self.backend}, {cold}, {per_task}, {speed}; a test run was {self.error:.0%} off>"


class CalibratedCrew(SimulatedCrew):
    """Workers who get in each other's way as much as real ones did."""

    place: Calibrated

    def __init__(self, place: Calibrated, plan: Plan, workers: int) -> None:
        super().__init__(place, plan, workers)
        copied = sum(
            {id(value): value.nbytes for value in plan.inputs.values() if isinstance(value, np.ndarray)}.values()
        )
        self.coordinator += place.copying * copied
        self.crowd = place.crowded(min(workers, len(plan) or 1)) - 1

    def _do(self, task: Task, values: list[Any], slot: int) -> tuple[Report, float]:
        report, seconds = super()._do(task, values, slot)
        return report, seconds + self.crowd * min(report.cpu, seconds)  # waiting takes no room


@dataclass(frozen=True, repr=False)
class Comparison:
    """A prediction beside the truth, in seconds."""

    workload: str
    size: Any
    workers: int
    predicted: float
    measured: float

    @property
    def error(self) -> float:
        """How far off the prediction was: its distance from what was measured, as a share of that."""
        return abs(self.predicted / self.measured - 1)

    def __repr__(self) -> str:
        what = f"{self.workload} of size {self.size} on {counted(self.workers, 'worker')}"
        return f"<{what}: predicted {self.predicted:.3g} s, measured {self.measured:.3g} s, {self.error:.0%} off>"


def calibrate(backend: str = "processes") -> Calibrated:
    """This machine as a `Simulated`: what its workers cost, measured here in some seconds.

    `backend` is "processes" or "threads". The result also tells how far its own prediction of a
    test run was off.
    """
    if backend not in NEW:
        raise ValueError(f"calibrate measures {' or '.join(map(repr, NEW))}, not {backend!r}")
    one, some = (lambda: _per_task(backend, 1)), (lambda: _per_task(backend, HANDS))
    alone, together = _interleaved([one, some], ROUNDS)
    dispatch = min(alone, together)
    gap, large = _interleaved([partial(_gap, backend, 1), partial(_gap, backend, LARGE)], ROUNDS)
    single = median(_tiny_run(backend, 1, 1).elapsed for _ in range(ROUNDS))
    kitchen = Calibrated(
        backend,
        _cold_start(NEW[backend]),
        _crowding(backend),
        median(_copying(backend) for _ in range(ROUNDS)),
        startup=max(0.0, single - alone),
        dispatch=dispatch,
        overhead=alone - dispatch,
        latency=max(0.0, gap - dispatch),
        bandwidth=LARGE / (large - gap) if large - gap > SOON else float("inf"),
    )
    kitchen.error = _test(kitchen)
    return kitchen


NEW: dict[str, Callable[[], Any]] = {"processes": WarmProcesses, "threads": WarmThreads}
"""What can be calibrated, and how to get new workers of it."""


def _interleaved(ways: Sequence[Callable[[], Any]], rounds: int) -> list[float]:
    """Median seconds of each way, taken in turn; the first round is a warm-up."""
    times = [[_seconds(way()) for way in ways] for _ in range(rounds + 1)][1:]
    return [median(column) for column in zip(*times, strict=True)]


def _seconds(answer: Any) -> float:
    return answer.elapsed if isinstance(answer, Run) else answer


def _cold_start(new: Callable[[], Any]) -> float:
    """Seconds until a new worker has done its first task."""
    pool, began = new(), time.perf_counter()
    try:
        pool.submit(abs, 1).result()
        return time.perf_counter() - began
    finally:
        getattr(pool, "close", bool)()


def _per_task(backend: str, workers: int) -> float:
    return _tiny_run(backend, TINY, workers).trace.elapsed / TINY


def _tiny_run(backend: str, tasks: int, workers: int) -> Run:
    return execute(Plan([Task(f"tiny[{number}]", int) for number in range(tasks)], keep=()), workers, backend)


def _gap(backend: str, nbytes: int) -> float:
    """Seconds from the end of a task to the start of one that needs its value, on another worker."""
    plan = Plan([Task("make", partial(np.ones, nbytes, np.uint8)), Task("take", len, ["make"])], keep=["take"])
    make, take = execute(plan, 2, backend, order=by_assignment({"make": 0, "take": 1})).trace.spans
    return take.started - make.finished


def _copying(backend: str) -> float:
    """Seconds for each byte of an input."""
    run = execute(Plan([Task("take", len, ["flour"])], {"flour": np.ones(LARGE, np.uint8)}), 1, backend)
    return run.shared_seconds / LARGE


def _crowding(backend: str) -> dict[int, float]:
    """By the number of workers that compute at once, how many times longer each takes than one alone."""
    counts = sorted({2**power for power in range(usable_cores().bit_length())} | {usable_cores()})
    seconds = _interleaved([partial(_kneading, backend, workers) for workers in counts], ROUNDS)
    return dict(zip(counts, np.maximum.accumulate(np.array(seconds) / seconds[0]).tolist(), strict=True))


def _kneading(backend: str, workers: int) -> float:
    run = execute(_kneading_plan(4 * workers), workers, backend)
    return median(span.seconds for span in run.trace.spans)


def _kneading_plan(tasks: int) -> Plan:
    return Plan([Task(f"knead[{number}]", knead) for number in range(tasks)])


def knead() -> int:
    """A hundredth of a second of computing, without the interpreter lock."""
    for _ in range(KNEADING):
        hashlib.sha256(DOUGH).digest()
    return KNEADING


def _test(kitchen: Calibrated) -> float:
    """How far off the prediction of a run is: more tasks than workers, and all cores at work."""
    cores = usable_cores()
    places = kitchen, find(kitchen.backend)
    predicted, real = _interleaved([partial(execute, _kneading_plan(6 * cores + 1), cores, one) for one in places], 3)
    return abs(predicted / real - 1)

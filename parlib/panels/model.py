"""What would happen, and what is known? The arithmetic of a panel, without a widget and without a measurement.

    choice ──► simulate: every task gets its cost, and is not run      ──► curve, timeline
       └─────► look up:  what this machine was seen to do               ──► points, spread, samples

The costs are the workload's own estimate until its serial code has been measured; from then on they
are scaled to what was measured, and the picture says so. A model never runs a workload.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..host import Machine, machine
from ..plan import Plan, counted
from ..schedule import execute
from ..simulation import Simulated
from ..timing import Sweep
from ..trace import Trace
from .turns import take_turns

__all__ = ["Choice", "Model"]

TOLLS: Any = {"threads": {"dispatch": 4e-5}, "processes": {"dispatch": 4e-4, "overhead": 2e-4}}
"""Seconds that an ordinary laptop spends on handing out a task, by backend: an estimate, as the costs are."""

MEMORY = 2.0  # workers that use up an ordinary laptop's memory bandwidth: an estimate too


@dataclass(frozen=True)
class Choice:
    """Where the controls stand. `chunks` is None for one task per worker."""

    workers: int
    size: Any
    chunks: int | None
    backend: str

    @property
    def job(self) -> tuple[str, int | None]:
        """What a sweep has in common: backend and chunks."""
        return self.backend, self.chunks


class Model:
    """What a panel knows of one workload: simulations by choice, and the sweeps it was given.

    `most` is the largest number of workers, `known(workload, backend, chunks)` gives a sweep measured before, or None.
    """

    def __init__(self, workload: Any, *, most: int = 16, host: Machine | None = None, known: Any = None) -> None:
        self.workload, self.most = workload, most
        self._host, self._known = host, known or (lambda *job: None)
        self._sweeps: dict[tuple[str, int | None], Sweep | None] = {}
        self._runs: dict[Any, Trace] = {}
        self._scales: dict[Any, float | None] = {}
        self._seconds: dict[Any, float] = {}

    @cached_property
    def host(self) -> Machine:
        """The machine that would measure."""
        return self._host or machine(watch=0)

    # ---- Simulated ------------------------------------------------------------------------------------------------

    def timeline(self, choice: Choice) -> Trace:
        """The simulated run at this choice, labelled with where its costs come from."""
        trace = self._run(choice)
        trace.source = "simulated" if self.scale(choice) is None else "simulated from a measured cost"
        return trace

    def serial(self, choice: Choice) -> float:
        """Seconds of the serial code: all tasks one after the other, without any overhead."""
        key = "serial", choice.size, choice.job, self.scale(choice)
        if key not in self._seconds:
            self._seconds[key] = self._plan(choice, 1).work
        return self._seconds[key]

    def curve(self, choice: Choice) -> dict[int, float]:
        """The simulated speedup on every number of workers worth a point."""
        return {workers: self.speedup(replace(choice, workers=workers)) for workers in self.counts}

    def speedup(self, choice: Choice) -> float:
        """The simulated speedup at this choice; 1 for a job that takes no time at all."""
        elapsed = self._run(choice).elapsed
        return self.serial(choice) / elapsed if elapsed else 1.0

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """The numbers of workers of the simulated curve: all of them, or about 32 where there are many."""
        return tuple(np.unique(np.geomspace(1, self.most, 32).round().astype(int)).tolist())

    def scale(self, choice: Choice) -> float | None:
        """How much slower this machine is than the estimate, by its serial code; None until that was measured."""
        key = choice.size, choice.job
        if key not in self._scales:
            self._scales[key] = self._compared(choice)
        return self._scales[key]

    def _compared(self, choice: Choice) -> float | None:
        """Measured over estimated seconds of the serial code: at this size, else at another one."""
        sweep = self.sweep(choice)
        sizes = (choice.size, *sweep.sizes) if sweep else ()
        size = next((size for size in sizes if sweep and size in sweep.sizes and len(sweep.baseline(size))), None)
        if sweep is None or size is None:
            return None
        estimate = self._priced(replace(choice, size=size), 1, 1.0).work
        return float(np.median(sweep.baseline(size))) / estimate if estimate else None

    def _run(self, choice: Choice) -> Trace:
        key = choice, self.scale(choice)
        if key not in self._runs:
            self._runs[key] = self._simulated(choice, self._plan(choice, choice.chunks or choice.workers))
        return self._runs[key]

    def _simulated(self, choice: Choice, plan: Plan) -> Trace:
        """What so many workers make of the plan, by what the workload spends."""
        if choice.backend == "threads" and self.workload.spends == "CPU, holding the GIL" and self.host.gil:
            return take_turns(plan, choice.workers, 1.0)
        if self.workload.spends == "memory bandwidth":
            return take_turns(plan, choice.workers, MEMORY, stalled=True)
        place = Simulated(**TOLLS.get(choice.backend, {}))
        trace = execute(plan, choice.workers, place, order=self.workload.order).trace
        if self.workload.spends == "waiting":
            trace.cpu = np.zeros(len(trace))
        return trace

    def _plan(self, choice: Choice, chunks: int) -> Plan:
        scale = self.scale(choice)
        return self._priced(choice, chunks, 1.0 if scale is None else scale)

    def _priced(self, choice: Choice, chunks: int, scale: float) -> Plan:
        """The workload's plan with a cost for every task and nothing to run."""
        plan = self.workload.plan(choice.size, chunks)
        estimate = Simulated(self.workload.costs(choice.size))
        seconds = [np.mean(estimate.seconds(task, plan) or 1 / len(plan)) * scale for task in plan.tasks]
        tasks = [replace(task, fn=None, cost=float(cost)) for task, cost in zip(plan.tasks, seconds, strict=True)]
        return Plan(tasks, dict.fromkeys(plan.inputs), keep=())

    # ---- Measured -------------------------------------------------------------------------------------------------

    def sweep(self, choice: Choice) -> Sweep | None:
        """What was measured of this backend and these chunks, in this panel or before; None if nothing was."""
        if choice.job not in self._sweeps:
            self._sweeps[choice.job] = self._known(self.workload, *choice.job)
        return self._sweeps[choice.job]

    def learn(self, choice: Choice, sweep: Sweep) -> None:
        """Take over new samples; they replace older ones of the same workers and size."""
        old, news = self.sweep(choice), {sample[:2] for sample in sweep.raw}
        kept = tuple(sample for sample in old.raw if sample[:2] not in news) if old else ()
        self._sweeps[choice.job] = replace(sweep, raw=kept + sweep.raw)
        self._scales.clear()

    def points(self, choice: Choice) -> dict[int, tuple[float, float, float]]:
        """Measured speedups at this size: {workers: (median, low, high)}."""
        sweep = self.sweep(choice)
        return sweep.speedups(choice.size) if sweep and choice.size in sweep.sizes else {}

    def samples(self, choice: Choice) -> dict[int, np.ndarray]:
        """The speedup of every single run at this size: {workers: array}."""
        sweep = self.sweep(choice)
        if not sweep or choice.size not in sweep.sizes:
            return {}
        serial = np.median(sweep.baseline(choice.size))
        return {workers: serial / sweep.samples(workers, choice.size) for workers in self.points(choice)}

    def medians(self, choice: Choice) -> dict[int, float]:
        """Median measured seconds at this size: {workers: seconds}."""
        sweep = self.sweep(choice)
        return {n: float(np.median(sweep.samples(n, choice.size))) for n in self.points(choice)} if sweep else {}

    def limit(self) -> int:
        """The most workers worth measuring here: as many as there are cores, or any number that only waits."""
        return self.most if self.workload.spends == "waiting" else min(self.most, self.host.cores)

    def wanted(self, choice: Choice) -> tuple[int, ...]:
        """The numbers of workers to measure for this choice: 1, 2, 4 … as far as it makes sense, and the chosen one."""
        limit = self.limit()
        doubling = {2**power for power in range(limit.bit_length())}
        return tuple(sorted(n for n in doubling | {limit, choice.workers} if n <= limit))

    def missing(self, choice: Choice) -> tuple[int, ...]:
        """Those of them that were not measured yet."""
        return tuple(workers for workers in self.wanted(choice) if workers not in self.points(choice))

    # ---- Said -----------------------------------------------------------------------------------------------------

    def sentence(self, choice: Choice) -> str:
        """What the choice comes to, in words: measured if it was, else simulated, and why it stays so."""
        who, points = counted(choice.workers, "worker"), self.points(choice)
        are = "is" if choice.workers == 1 else "are"
        if choice.workers in points:
            middle, low, high = points[choice.workers]
            runs = counted(len(self.samples(choice)[choice.workers]), "run")
            said = f"Measured on this machine: {who} {are} {middle:.2f} times as fast as serial code"
            return _and(f"{said} ({runs}, the middle half {low:.2f} to {high:.2f}).", self.warning(choice))
        source = self.timeline(choice).source.capitalize()
        said = f"{source}: {who} {are} {self.speedup(choice):.2f} times as fast as serial code."
        return _and(said, self._beyond(choice))

    def warning(self, choice: Choice) -> str:
        """A sentence if the machine was too busy to measure fairly."""
        sweep = self.sweep(choice)
        return sweep.warning if sweep else ""

    def _beyond(self, choice: Choice) -> str:
        if choice.workers <= self.limit():
            return ""
        return f"That many cannot be measured here: this machine has {counted(self.host.cores, 'usable core')}."

    def alt(self, choice: Choice) -> str:
        """What the picture shows, in words that are the same on every machine."""
        what = f"{self.workload.name} of size {choice.size} on {choice.backend}."
        left = f"Left, a curve: how many times as fast as serial code 1 to {self.most} workers are; hollow and dashed"
        right = f"Right, a simulated timeline of {counted(choice.workers, 'worker')}"
        return f"{what} {left} is simulated, solid is measured on this machine. {right}, and where serial code ends."


def _and(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


"""When is all done if this worker does that? The arithmetic of the assignment's panel, without a widget or a picture.

    yours       the tasks where the learner has put them, in the order of the plan
    the others  greedy, earliest finish (HEFT) and, for up to ten tasks, the optimum

All are the same plan on the same simulated machine; only who does what differs. Nothing is really computed: every
task costs what the plan or the machine says.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import lru_cache

from ..orders import FEW, by_assignment, cost_row, earliest_finish, greedy, optimum
from ..plan import Plan, counted
from ..plots.look import tell_seconds
from ..schedule import execute
from ..simulation import Simulated
from ..trace import Run

__all__ = ["Choice", "CrewModel"]

YOURS = "yours"


@dataclass(frozen=True)
class Choice:
    """Where the controls stand: a worker for each task, how far away the workers are, and whether to compare."""

    workers: tuple[int, ...]
    distance: float = 1.0
    compare: bool = False


class CrewModel:
    """One plan on one machine with a named crew: how long any assignment takes."""

    def __init__(self, plan: Plan, machine: Simulated, crew: tuple[str, ...]) -> None:
        tasks = [replace(task, fn=None) for task in plan.tasks]
        self.plan = Plan(tasks, plan.inputs, keep=plan.keep, finish=plan.finish, workers=len(crew))
        self.machine, self.crew = machine, crew
        self.rows = {task.name: cost_row(plan, task, len(crew), machine) for task in plan.tasks}
        self.run, self.others = lru_cache(256)(self._run), lru_cache(32)(self._others)

    @property
    def moves(self) -> bool:
        """Whether it takes time to move a value from one worker to another."""
        return self.machine.latency > 0 or self.machine.bandwidth < float("inf")

    def ends(self, choice: Choice) -> dict[str, float]:
        """Seconds until all is done: yours, and where the learner compares, all others."""
        yours = {YOURS: self.run(choice.workers, choice.distance).elapsed}
        return yours | (self.others(choice.distance) if choice.compare else {})

    def sentence(self, choice: Choice) -> str:
        """What comes of this assignment.

        >>> from parlib import Task
        >>> model = CrewModel(Plan([Task("bake", None, cost=(2, 1))]), Simulated(), ("baker", "oven"))
        >>> model.sentence(Choice((0,), compare=True))
        'Simulated: yours 2 s; greedy 1 s, earliest finish 1 s, optimum 1 s. Busy: baker 100 %, oven 0 %.'
        """
        yours, *others = (f"{name} {tell_seconds(seconds)}" for name, seconds in self.ends(choice).items())
        told = f"; {', '.join(others)}" if others else ""
        busy = (f"{name} {share:.0%}".replace("%", " %") for name, share in self.busy(choice).items())
        return f"Simulated: {yours}{told}. Busy: {', '.join(busy)}."

    def alt(self, choice: Choice) -> str:
        """What the picture shows, for those who cannot see it."""
        trace = self.run(choice.workers, choice.distance).trace
        spans = sorted(trace.spans, key=lambda span: (span.worker, span.started))
        told = [f"{span.task} from {span.started:.3g} to {span.finished:.3g} s" for span in spans]
        rows = {self.crew[span.worker]: [] for span in spans}  # type: dict[str, list[str]]
        for span, words in zip(spans, told, strict=True):
            rows[self.crew[span.worker]].append(words)
        lanes = "; ".join(f"{name}: {', '.join(words)}" for name, words in rows.items())
        return f"{self.sentence(choice)} {lanes}."

    def busy(self, choice: Choice) -> dict[str, float]:
        """The share of the time in which each worker works."""
        run = self.run(choice.workers, choice.distance)
        shares = dict.fromkeys(range(len(self.crew)), 0.0)
        for span in run.trace.spans:
            shares[span.worker] += span.seconds / (run.elapsed or 1.0)
        return {name: shares[slot] for slot, name in enumerate(self.crew)}

    def _run(self, workers: tuple[int, ...], distance: float) -> Run:
        order = by_assignment(dict(zip(self.rows, workers, strict=True)))
        return execute(self.plan, len(self.crew), self._machine(distance), order=order)

    def _others(self, distance: float) -> dict[str, float]:
        orders = {"greedy": greedy, "earliest finish": earliest_finish}
        if len(self.plan) <= FEW:
            orders["optimum"] = optimum
        place = self._machine(distance)
        return {name: execute(self.plan, len(self.crew), place, order=own).elapsed for name, own in orders.items()}

    def _machine(self, distance: float) -> Simulated:
        """The machine with all ways so many times as long."""
        place = copy.copy(self.machine)
        place.latency, place.bandwidth = place.latency * distance, place.bandwidth / (distance or 1e-300)
        return place

    def __repr__(self) -> str:
        return f"<CrewModel: {counted(len(self.plan), 'task')} for {', '.join(self.crew)}>"

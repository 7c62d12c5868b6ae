"""How does `explore_assignment` look and listen? A row of buttons for each task, a slider, a sentence and a picture.

    load   [CPU] [accelerator]     crop   [CPU] [accelerator]     …
    ways take ▬▬●▬▬ 1 times as long     [ ] compare with algorithms
    Simulated: yours 9 s; greedy 8 s, earliest finish 6 s, optimum 6 s. Busy: CPU 80 %, accelerator 33 %.

A click moves a task to another worker, and the picture follows at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from ..plan import Plan, counted, did_you_mean
from ..simulation import Simulated
from .crew_board import CrewBoard
from .crew_model import Choice, CrewModel
from .page import LONG, SHORT, Page

__all__ = ["AssignmentPanel", "explore_assignment"]

MOST = 12  # tasks: more rows of buttons than that are no game
LANES = 8  # workers
DISTANCES = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


def explore_assignment(
    plan: Plan,
    backend: Simulated,
    *,
    names: Sequence[str],
    start: Mapping[str, int] | None = None,
    distance: float = 1.0,
    compare: bool = False,
) -> AssignmentPanel:
    """A panel to give each task of a `plan` to a worker of your choice, and to see at once when all is done.

    `names` are the workers; `start` says who does what at first, by task or by kind (worker 0 does what it leaves
    out). Where values take time to move, `distance` makes all ways so many times as long. `compare` shows greedy,
    earliest finish and the optimum beside. Nothing is computed: a task takes what it costs.

    >>> from parlib import Task
    >>> bread = Plan([Task("knead", None, cost=(4, 2)), Task("bake", None, ["knead"], cost=(3, 1))])
    >>> panel = explore_assignment(bread, Simulated(latency=5.0), names=["baker", "machine"], start={"bake": 1})
    >>> panel
    <AssignmentPanel: knead on baker, bake on machine: 10 s>
    >>> panel.choose(knead=1).run.elapsed
    3.0
    """
    crew = _checked(plan, backend, names)
    chosen = _slots(plan, start or {}, len(crew))
    if distance not in DISTANCES:
        raise ValueError(f"distance must be one of {', '.join(f'{stop:g}' for stop in DISTANCES)}, not {distance!r}")
    return AssignmentPanel(CrewModel(plan, backend, crew), Choice(chosen, float(distance), bool(compare)))


class AssignmentPanel(Page):
    """Tasks to be given to workers; shows itself where it is the last value of a cell."""

    words = "Controls: a worker for each task, how long the ways take, and whether to compare."

    def __init__(self, model: CrewModel, choice: Choice) -> None:
        super().__init__()
        self.model, self.choice = model, choice

    @property
    def run(self) -> Any:
        """The simulated run of what is chosen now."""
        return self.model.run(self.choice.workers, self.choice.distance)

    @property
    def assignment(self) -> dict[str, int]:
        """Who does what now: a worker's number by task, as `by_assignment` takes it."""
        return dict(zip(self.model.rows, self.choice.workers, strict=True))

    def choose(self, **workers: int) -> AssignmentPanel:
        """Give tasks to other workers, as a hand would: `panel.choose(bake=1)`; returns the panel itself."""
        self._layout()
        for name, slot in _named(self.model.plan, workers, len(self.model.crew)).items():
            self.buttons[name].value = slot
        return self

    @cached_property
    def board(self) -> CrewBoard:
        """The picture."""
        return CrewBoard(self.model)

    @cached_property
    def buttons(self) -> dict[str, Any]:
        """A row of buttons for each task, by its name: one button for each worker."""
        from ipywidgets import ToggleButtons

        crew = [(name, slot) for slot, name in enumerate(self.model.crew)]
        style = {"button_width": "auto", "description_width": "initial"}
        return {
            name: ToggleButtons(options=crew, value=slot, description=name, style=style)
            for name, slot in self.assignment.items()
        }

    @cached_property
    def controls(self) -> dict[str, Any]:
        """The other widgets by name: distance, compare."""
        from ipywidgets import Checkbox, SelectionSlider

        stops = [(f"{stop:g} times as long", stop) for stop in DISTANCES]
        return {
            "distance": SelectionSlider(options=stops, value=self.choice.distance, description="ways take", **LONG),
            "compare": Checkbox(self.choice.compare, description="compare with algorithms", indent=False, **SHORT),
        }

    @cached_property
    def status(self) -> Any:
        """The sentence."""
        from .status import Status

        return Status(text=self.model.sentence(self.choice))

    def _moved(self, change: Any) -> None:
        """Something was clicked: answer at once."""
        workers = tuple(row.value for row in self.buttons.values())
        with self._drawing:
            self.choice = Choice(workers, **{name: control.value for name, control in self.controls.items()})
            self._draw(lasting=True)
            self.status.text = self.model.sentence(self.choice)

    def _alt(self) -> str:
        return self.model.alt(self.choice)

    def _caption(self) -> str:
        return "Simulated. Grey: nothing to do; a thin line: waiting for what is on its way."

    def _rows(self) -> list[list[Any]]:
        far = [self.controls["distance"]] if self.model.moves else []
        return [[*self.buttons.values()], [*far, self.controls["compare"]]]

    def _listen(self) -> None:
        for control in (*self.buttons.values(), *self.controls.values()):
            control.observe(self._moved, "value")

    def __repr__(self) -> str:
        told = ", ".join(f"{name} on {self.model.crew[slot]}" for name, slot in self.assignment.items())
        return f"<AssignmentPanel: {told}: {self.run.elapsed:.3g} s>"


def _checked(plan: Any, backend: Any, names: Any) -> tuple[str, ...]:
    """The crew; TypeError or ValueError with one sentence for what cannot be a panel."""
    if not isinstance(plan, Plan):
        raise TypeError(f"explore_assignment needs a Plan, not {plan!r}: make one with Plan([Task(…), …])")
    if not isinstance(backend, Simulated):
        raise TypeError(f"explore_assignment needs a Simulated machine, not {backend!r}: try Simulated(latency=…)")
    if not 1 <= len(plan) <= MOST:
        raise ValueError(f"explore_assignment has a row for each of 1 to {MOST} tasks, not for {len(plan)}")
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"names must be a list of texts, one for each worker, not {names!r}")
    if not 1 <= len(crew := tuple(names)) <= LANES or len(set(crew)) < len(crew):
        raise ValueError(f"names must be 1 to {LANES} different names, one for each worker, not {list(crew)}")
    return crew


def _slots(plan: Plan, start: Mapping[str, int], workers: int) -> tuple[int, ...]:
    """A worker for each task, in the order of the plan: by its name, else by its kind, else worker 0."""
    kinds = [task.kind for task in plan.tasks if task.kind]
    given = _named(plan, start, workers, kinds)
    return tuple(given.get(task.name, given.get(task.kind or "", 0)) for task in plan.tasks)


def _named(plan: Plan, chosen: Mapping[str, Any], workers: int, kinds: Sequence[str] = ()) -> dict[str, int]:
    known = [*plan.position, *kinds]
    for name, slot in chosen.items():
        if name not in known:
            raise ValueError(f"the assignment names {name!r}, which is no task of the plan{did_you_mean(name, known)}")
        if isinstance(slot, bool) or not isinstance(slot, int) or not 0 <= slot < workers:
            raise ValueError(f"{name!r} can go to one of {counted(workers, 'worker')}, numbered from 0, not {slot!r}")
    return dict(chosen)

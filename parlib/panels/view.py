"""How does `explore` look and listen? Four controls, a button, a sentence and a picture.

    workers ▬▬●▬▬▬   data size ▬●▬▬   chunks [one per worker]   backend [processes]   [Measure]
    Simulated: 4 workers are 3.89 times as fast as serial code.

A move draws at once what is simulated and known; samples come in on a thread of their own. This file does not know
how anything is computed.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from ..plan import check_count, counted, did_you_mean
from ..timing import Measurement
from ..timing.records import kept
from .board import Board
from .measuring import Measuring, Wish
from .model import Choice, Model
from .page import LONG, SHORT, Page

__all__ = ["Panel", "explore"]

BACKENDS = ("processes", "threads")
MOST = 64  # workers: more lanes than this are thinner than a line
BUDGET = 20.0  # seconds of measuring before the next move: what one waits for without a book
CAPTION = "Simulated: hollow and dashed. Measured on this machine: solid."


def explore(
    workload: Any,
    *,
    workers: int = 4,
    size: Any = None,
    chunks: int | None = None,
    backend: str = "processes",
    most: int = 16,
) -> Panel:
    """A panel to try `workload` with any number of workers up to `most`, any of its sizes, chunks and backends.

    Moving a control shows at once what to expect, simulated; half a second later this machine measures it in the
    background. Until something is moved, nothing is measured. `chunks` is None for one task per worker.

    >>> from parlib.workloads import bakery
    >>> explore(bakery.busy)
    <Panel: bakery.busy, 4 workers, size 100, on processes, nothing measured yet>
    """
    if not (hasattr(workload, "plan") and hasattr(workload, "costs")):
        raise TypeError(f"explore needs a Workload, not {workload!r}: take one of parlib.workloads, or make your own")
    if backend not in BACKENDS:
        raise ValueError(f"explore compares processes and threads, not {backend!r}{did_you_mean(backend, BACKENDS)}")
    size = workload.default if size is None else size
    if size not in workload.sizes:
        raise ValueError(f"{workload.name} has no size {size!r}{did_you_mean(size, map(str, workload.sizes))}")
    most = max(check_count("most", most), check_count("workers", workers), 2)
    if most > MOST:
        raise ValueError(f"explore shows at most {MOST} workers, not {most}: draw more with scaling(…, simulated=…)")
    chunks = None if chunks is None else check_count("chunks", chunks)
    return Panel(Model(workload, most=most, known=kept), Choice(workers, size, chunks, backend))


class Panel(Page):
    """A workload to play with; shows itself where it is the last value of a cell."""

    words = "Controls: workers, data size, chunks, backend, and a button that measures."

    def __init__(self, model: Model, choice: Choice) -> None:
        super().__init__()
        self.model, self.choice = model, choice
        self._measuring = Measuring(self._start, self._tell, self._fail)

    @cached_property
    def board(self) -> Board:
        """The picture."""
        return Board(self.model)

    @cached_property
    def controls(self) -> dict[str, Any]:
        """The widgets by name: workers, size, chunks, backend, measure."""
        import ipywidgets as widgets

        choice, most, sizes = self.choice, self.model.most, [*self.model.workload.sizes]
        chunks = {2**power for power in range(7)} | ({choice.chunks} if choice.chunks else set())
        chunks_by_name = {"one for each worker": 0} | {str(count): count for count in sorted(chunks)}
        return {
            "workers": widgets.IntSlider(choice.workers, 1, most, description="workers", **LONG),
            "size": widgets.SelectionSlider(options=sizes, value=choice.size, description="data size", **LONG),
            "chunks": widgets.Dropdown(
                options=[*chunks_by_name.items()], value=choice.chunks or 0, description="chunks", **SHORT
            ),
            "backend": widgets.Dropdown(options=BACKENDS, value=choice.backend, description="backend", **SHORT),
            "measure": widgets.Button(description="Measure", tooltip="Measure on this machine now"),
        }

    @cached_property
    def status(self) -> Any:
        """The sentence and the progress bar."""
        from .status import Status

        return Status(text=f"{self.model.sentence(self.choice)} Move a control, or press Measure.")

    # ---- The learner's moves ----------------------------------------------------------------------------------------

    def measure(self) -> None:
        """Measure what is shown, now; or stop measuring, if that is going on."""
        if self.status.done >= 0:
            self._measuring.stop()
        else:
            self._measuring.press(self.choice)

    def _moved(self, change: Any) -> None:
        """A control moved: answer at once with what is known, and think of measuring when it has rested."""
        at: Any = {name: self.controls[name].value for name in ("workers", "size", "chunks", "backend")}
        self.choice = Choice(**at | {"chunks": at["chunks"] or None})
        self._measuring.moved(self.choice)
        self._draw()
        self._say(self.model.sentence(self.choice), -1.0)

    # ---- What the measurement tells, on its own thread --------------------------------------------------------------

    def _start(self, wish: Wish) -> Measurement | None:
        """Begin to measure what is missing, or all of it again if the learner presses the button."""
        missing = self.model.missing(wish.choice)
        if not missing and not wish.pressed:
            return None
        choice, counts = wish.choice, missing or self.model.wanted(wish.choice)
        job: Any = {"backend": choice.backend, "chunks": choice.chunks, "again": not missing}
        self._say(f"Measuring {self.model.workload.name} of size {choice.size} on this machine …", 0.0)
        return Measurement(self.model.workload, counts, [choice.size], budget=BUDGET, **job)

    def _tell(self, wish: Wish, measurement: Any, over: bool) -> None:
        """Show what has come in; the picture of controls at rest is the one that will be saved."""
        with self._drawing:
            if measurement is not None:
                self._hear(wish.choice, measurement, over)
            self._draw(lasting=over or measurement is None)

    def _hear(self, choice: Choice, measurement: Any, over: bool) -> None:
        if measurement.sweep.raw:
            self.model.learn(choice, measurement.sweep)
        if measurement.error:
            self._fail(measurement.error)
        elif over:
            self._say(self.model.sentence(self.choice), -1.0)
        else:
            self.status.done = measurement.progress

    def _fail(self, error: BaseException) -> None:
        self._say(f"This could not be measured: {error}", -1.0)

    def _say(self, text: str, done: float) -> None:
        self.status.done, self.status.text = done, text
        self.controls["measure"].description = "Measure" if done < 0 else "Stop"

    # ---- The page ---------------------------------------------------------------------------------------------------

    def _alt(self) -> str:
        return self.model.alt(self.choice)

    def _caption(self) -> str:
        return CAPTION

    def _rows(self) -> list[list[Any]]:
        every = [*self.controls.values()]
        return [every[:2], every[2:]]

    def _listen(self) -> None:
        for name, control in self.controls.items():
            if name == "measure":
                control.on_click(lambda button: self.measure())
            else:
                control.observe(self._moved, "value")

    def __repr__(self) -> str:
        choice, points = self.choice, self.model.points(self.choice)
        told = f"measured on {', '.join(map(str, points))}" if points else "nothing measured yet"
        at = f"{counted(choice.workers, 'worker')}, size {choice.size}, on {choice.backend}"
        return f"<Panel: {self.model.workload.name}, {at}, {told}>"

"""How does a panel look and listen? Four controls, a button, a sentence and a picture that outlives them all.

    workers ▬▬●▬▬▬   data size ▬●▬▬   chunks [one per worker]   backend [processes]   [Measure]
    Simulated: 4 workers are 3.89 times as fast as serial code.
    ┌ picture ──────────────────────────────────────────────┐   an output of its own: it is saved
    └───────────────────────────────────────────────────────┘   with the notebook, and still there later

A move draws at once, in the thread that hears of it. Samples come in on a thread of their own. One lock keeps the
two from drawing at the same time. This file does not know how anything is computed.
"""

from __future__ import annotations

import base64
import html
import threading
from functools import cached_property
from typing import Any

from ..plan import check_count, counted, did_you_mean
from ..plots.showing import small, tight
from ..timing import Measurement
from ..timing.records import kept
from .board import HEIGHT, WIDTH, Board
from .measuring import Measuring, Wish
from .model import Choice, Model

__all__ = ["Panel", "explore"]

BACKENDS = ("processes", "threads")
MOST = 64  # workers: more lanes than this are thinner than a line
BUDGET = 20.0  # seconds of measuring before the next move: what one waits for without a book
CAPTION = "Simulated: hollow and dashed. Measured on this machine: solid."
WIDGET = "application/vnd.jupyter.widget-view+json"


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


class Panel:
    """A workload to play with; shows itself where it is the last value of a cell."""

    def __init__(self, model: Model, choice: Choice) -> None:
        self.model, self.choice = model, choice
        self._measuring = Measuring(self._start, self._tell, self._fail)
        self._drawing = threading.RLock()
        self._handle: Any = None

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
        looks: Any = {"style": {"description_width": "initial"}, "layout": {"width": "auto"}}
        long: Any = looks | {"layout": {"width": "min(480px, 100%)"}}
        return {
            "workers": widgets.IntSlider(choice.workers, 1, most, description="workers", **long),
            "size": widgets.SelectionSlider(options=sizes, value=choice.size, description="data size", **long),
            "chunks": widgets.Dropdown(
                options=[*chunks_by_name.items()], value=choice.chunks or 0, description="chunks", **looks
            ),
            "backend": widgets.Dropdown(options=BACKENDS, value=choice.backend, description="backend", **looks),
            "measure": widgets.Button(description="Measure", tooltip="Measure on this machine now"),
        }

    @cached_property
    def status(self) -> Any:
        """The sentence and the progress bar."""
        from .status import Status

        return Status(text=f"{self.model.sentence(self.choice)} Move a control, or press Measure.")

    # ---- The learner's moves ----------------------------------------------------------------------------------------

    def move(self, **changes: Any) -> None:
        """Put controls elsewhere, as a hand would: workers, size, chunks, backend."""
        for name, value in changes.items():
            self.controls[name].value = value

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

    def _draw(self, lasting: bool = False) -> None:
        with self._drawing:
            if self._handle:
                self._handle.update(self._forms(lasting), raw=True)

    def _forms(self, lasting: bool) -> dict[str, str]:
        """The picture in every form a notebook asks for: made quickly, or, if it is `lasting`, made small."""
        alt, picture = self.model.alt(self.choice), self.board.draw(self.choice, lasting)
        kind, shown = small(picture) if lasting else ("png", picture)
        fits = "max-width: 100%; height: auto; max-height: 68vh; object-fit: contain"
        size = f'width="{WIDTH}" height="{HEIGHT}" style="{fits}"'
        source = f"data:image/{kind};base64,{_text(shown)}"
        image = f'<img alt="{html.escape(alt)}" decoding="sync" {size} src="{source}">'
        said = f'<p style="font-size: max(16px, 1em)">{CAPTION}</p>'
        forms = {"text/plain": f"{alt}\n{CAPTION}", "text/html": image + said}
        return forms | ({"image/png": _text(tight(picture))} if lasting else {})

    def _layout(self) -> Any:
        import ipywidgets as widgets

        from ..accessibility import name_controls

        for name, control in self.controls.items():
            if name == "measure":
                control.on_click(lambda button: self.measure())
            else:
                control.observe(self._moved, "value")
        rows = widgets.Layout(flex_flow="row wrap", grid_gap="4px 24px", align_items="center")
        every = [*self.controls.values()]
        knobs, others = widgets.Box(every[:2], layout=rows), widgets.Box(every[2:], layout=rows)
        return widgets.VBox([knobs, others, self.status, name_controls(*every)])

    def _ipython_display_(self) -> None:
        from IPython.display import display

        layout = self._layout()
        text = "Controls: workers, data size, chunks, backend, and a button that measures."
        view = {"version_major": 2, "version_minor": 0, "model_id": layout.model_id}
        display({"text/plain": text, WIDGET: view}, raw=True)
        self._handle = display(self._forms(lasting=True), raw=True, display_id=True)

    def __repr__(self) -> str:
        choice, points = self.choice, self.model.points(self.choice)
        told = f"measured on {', '.join(map(str, points))}" if points else "nothing measured yet"
        at = f"{counted(choice.workers, 'worker')}, size {choice.size}, on {choice.backend}"
        return f"<Panel: {self.model.workload.name}, {at}, {told}>"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

"""What can be seen? A bakery, a kitchen, and a race: a trace with bakers in it, or a workload to try.

    Bakery(run)        replays a run or a trace: every baker a worker, every tray a task
    Bakery(workload)   the same with sliders, simulated at once, and a button that bakes for real
    Kitchen(…)         one station for each kind of work, and a pass between them
    Race(left, right)  the same order under two plans, side by side

Before the first performance the learner is asked for a prediction; it is kept beside those of `predict`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b
from numbers import Real
from typing import Any, ClassVar

from ..plan import counted
from ..plots.look import tell_seconds
from ..state import here
from ..trace import Run, Trace
from .kitchens import chosen, simulated
from .oven import Order, Oven
from .page import LIMIT, still_forms, twin_forms
from .score import score
from .words import many, outcome, unit

__all__ = ["Bakery", "Kitchen", "Race", "Scene"]

WIDGET = "application/vnd.jupyter.widget-view+json"
REST = 0.6  # seconds without a move before the spare pictures are drawn again
TRAYS = 12  # that an order is put on, unless somebody says otherwise: few enough to follow each


class Scene:
    """What all scenes share: a score, a question, a widget, and its spare copies in the saved notebook."""

    _carrier: ClassVar[str] = ""  # which scene brings the script along for the replays of all: the first one shown

    def __init__(self, prediction: Any = None) -> None:
        self._handles: dict[str, Any] = {}
        self._redraw: threading.Timer | None = None
        self._told = _checked_prediction(prediction)

    # ---- What an heir has -------------------------------------------------------------------------------------------

    title: str
    score: dict[str, Any]

    def _question(self) -> dict[str, Any]:
        """What is asked before the first performance; empty for nothing."""
        raise NotImplementedError

    def _more(self) -> dict[str, Any]:
        """Further values of the widget."""
        return {}

    # ---- The prediction ---------------------------------------------------------------------------------------------

    @property
    def question(self) -> dict[str, Any]:
        """What the scene asks: a text, and the end of a scale or choices; empty if it asks nothing."""
        if self._told is None:
            return self._question()
        told = _outside(self._told)
        if told is None or told.revealed or (told.committed and self.guess is None):
            return {}
        return {"text": f"commit prediction {told.label} first.", "scale": told.question.high or 0}

    @property
    def guess(self) -> float | str | None:
        """What the learner predicted, in seconds or as one of the choices; None if nothing."""
        if self._told is None:
            entry = here().get("predictions", self._label)
            value = entry.get("value") if isinstance(entry, dict) else None
            return value if self._fits(value) else None
        if _outside(self._told):
            return self._told.value if self._told.question.unit in ("", "s") else None
        return None if self._told is False else self._told

    @property
    def _label(self) -> str:
        return f"scene: {self.title or 'order'}"

    def _fits(self, value: Any) -> bool:
        choices = self._question().get("choices")
        return value in choices if choices else isinstance(value, Real) and not isinstance(value, bool)

    def _keep(self, change: Any) -> None:
        """The learner has committed a guess on the page."""
        value = change["new"]
        if self._told is None and value is not None and value != self.guess:
            entry = {"value": value, "revealed": True, "time": datetime.now(UTC).isoformat(timespec="seconds")}
            here().put("predictions", self._label, entry)

    # ---- The page ---------------------------------------------------------------------------------------------------

    @cached_property
    def _key(self) -> str:
        """What joins the widget and its spare copies on the page: the same each time for the same scene."""
        return blake2b(json.dumps(self.score).encode(), digest_size=6).hexdigest()

    def _values(self) -> dict[str, Any]:
        values = {"name": self._key, "title": self.title, "score": self.score, "question": self.question}
        return values | {"guess": self.guess, "live": False} | self._more()

    @cached_property
    def widget(self) -> Any:
        """The widget that plays; made when it is first shown."""
        from .widget import Stage

        widget = Stage(**self._values())
        widget.story = repr(self)
        widget.observe(self._keep, "guess")
        if told := _outside(self._told):
            told.watch(self._hear)
            widget.observe(lambda change: told.lock(), "looked")
        return widget

    def _hear(self) -> None:
        """The prediction that is asked elsewhere on the page was committed, or taken back."""
        self.widget.guess, self.widget.question = self.guess, self.question

    def _spare(self) -> dict[str, Any]:
        """The replay without a kernel, where it is small enough, and the still picture."""
        values = self._values() | {"question": {}}
        picture = still_forms(values)
        room = LIMIT - sum(map(len, picture.values()))
        twin = twin_forms(values, room, carries=Scene._carrier in ("", self._label))
        return {"twin": twin or {"text/plain": ""}, "still": picture}

    def _refresh(self) -> None:
        """Draw the spare copies again, in the background, once nothing has moved for a moment."""
        if self._redraw:
            self._redraw.cancel()
        self._redraw = threading.Timer(REST, self._replace_spare)
        self._redraw.daemon = True
        self._redraw.start()

    def _replace_spare(self) -> None:
        for name, forms in self._spare().items():
            if handle := self._handles.get(name):
                handle.update(forms, raw=True)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        display({"text/plain": repr(self), WIDGET: view}, raw=True)
        for name, forms in self._spare().items():
            self._handles[name] = display(forms, raw=True, display_id=True)
            Scene._carrier = Scene._carrier or (self._label if "srcdoc" in forms.get("text/html", "") else "")


class Bakery(Scene):
    """A bakery: every baker is a worker, every tray a task, and its time on the bench is its span.

    `what` is a Run or a Trace to replay, or a Workload to try: then there are sliders for workers (up to `most`) and
    order size, and a button that bakes on `backend` ("processes" or "threads"). `chunks` is the number of trays.
    `prediction` is a Prediction or a number of seconds to show against the outcome; None asks on the scene, False
    does not ask. `title` says what is baked.

    >>> from parlib import Simulated, data_parallel
    >>> Bakery(data_parallel(abs, [-1, 2, -3], workers=2, chunks=3, backend=Simulated(cost=1.0)))
    <Bakery: 3 trays done by 2 bakers after 2 s, simulated>
    """

    _scene = "bakery"

    def __init__(
        self,
        what: Any,
        *,
        workers: int = 4,
        size: Any = None,
        chunks: int = TRAYS,
        most: int = 16,
        backend: str = "processes",
        prediction: Any = None,
        title: str | None = None,
    ) -> None:
        super().__init__(prediction)
        self._lock, self._oven = threading.RLock(), Oven()
        self.run: Any = None
        self.choice: Any = None
        self.workload: Any = None if isinstance(what, Run | Trace) else _workload(what, type(self).__name__)
        if self.workload is None:
            self.run, self.title = what, _checked_title(title or "")
        else:
            self.choice, self.most = chosen(self.workload, workers, size, chunks, most, backend)
            self.backend, self.title = backend, _checked_title(title or self.workload.name)
            self.run = simulated(self.workload, self.choice)
        self.score = score(self.run, self._scene, self.title)

    @property
    def trace(self) -> Trace:
        """The trace on the stage: simulated, measured or recorded, as its `source` says."""
        return self.run.trace if isinstance(self.run, Run) else self.run

    def _question(self) -> dict[str, Any]:
        told = self.score
        if not told["finish"] or told["failed"] or told["seen"] < told["planned"]:
            return {}
        order, alone = many(told["planned"], "tray"), max(told["work"], told["finish"])
        who, need = unit(told, told["workers"]), tell_seconds(told["work"])
        text = f"{order}, {who}; one alone would need {need}. When is everything done?"
        return {"text": text, "high": float(f"{1.2 * alone:.2g}"), "step": float(f"{alone / 50:.1g}")}

    # ---- Sliders and the oven ---------------------------------------------------------------------------------------

    def _more(self) -> dict[str, Any]:
        if self.workload is None:
            return {}
        at, sizes = self.choice, [*self.workload.sizes]
        stands: dict[str, Any] = {"workers": at.workers, "size": sizes.index(at.size)}
        return stands | {"live": True, "most": self.most, "sizes": [*map(str, sizes)]}

    @cached_property
    def widget(self) -> Any:
        """The widget that plays; with a workload it also listens to the learner's sliders."""
        widget = super().widget
        if self.workload is not None:
            widget.observe(lambda change: self.move(workers=change["new"]), "workers")
            widget.observe(lambda change: self.move(size=self.workload.sizes[change["new"]]), "size")
            widget.observe(lambda change: self.bake_for_real(), "wish")
        return widget

    def move(self, *, workers: int | None = None, size: Any = None) -> None:
        """Put a slider elsewhere, as a hand would: the simulator answers at once."""
        if self.workload is None:
            raise RuntimeError("this scene replays one run: give it a workload, and it has sliders")
        with self._lock:
            self._oven.stop()
            at = self.choice
            workers, size = at.workers if workers is None else workers, at.size if size is None else size
            self.choice, _ = chosen(self.workload, workers, size, at.chunks, self.most, self.backend)
            self._show(simulated(self.workload, self.choice), "")

    def bake_for_real(self) -> None:
        """Bake this order on this machine, in the background, and replay what really happened; or stop doing so."""
        if self.workload is None:
            raise RuntimeError("this scene replays one run: give it a workload, and it can bake for real")
        with self._lock:
            if self._oven.hot:
                self._oven.stop()
                self._say("", False)
                return
            at = self.choice
            self._say(f"Baking on this machine, {counted(at.workers, 'worker')} …", True)
            try:
                self._oven.bake(Order(self.workload, at.size, at.chunks, at.workers, self.backend), self._served)
            except TypeError as error:
                self._say(f"This cannot be baked: {error}", False)

    def _served(self, run: Run | None, error: BaseException | None) -> None:
        with self._lock:
            if run is None:
                self._say(f"This could not be baked: {error}", False)
            else:
                self._show(run, "Baked on this machine: press play to see how it went.")

    def _show(self, run: Run, news: str) -> None:
        """Put another run on the stage, and say so."""
        self.run, self.score = run, score(run, self._scene, self.title)
        if "widget" in vars(self):
            at = self.choice
            place = [*self.workload.sizes].index(at.size)
            with self.widget.hold_sync():
                self.widget.set_trait("workers", at.workers)
                self.widget.set_trait("size", place)
                self.widget.set_trait("question", self.question)
                self.widget.story, self.widget.score = repr(self), self.score
                self._say(news, False)
            self._refresh()

    def _say(self, news: str, baking: bool) -> None:
        if "widget" in vars(self):
            self.widget.news, self.widget.baking = news, baking

    def __repr__(self) -> str:
        name = f"{self.title}, " if self.title else ""
        return f"<{type(self).__name__}: {name}{outcome(self.score).rstrip('.')}, {self.score['source']}>"


class Kitchen(Bakery):
    """A kitchen: one station for each kind of work, a pass before each, and chefs who go where they are needed.

    Takes what `Bakery` takes. A chef who has to wait says for what; the station before which most waits is named. What
    waits for what is known from a Run, and not from a Trace alone.

    >>> from parlib import Plan, Simulated, Task, execute
    >>> menu = Plan([Task("sauce", None, cost=3.0), Task("plate", None, ["sauce"], cost=1.0)])
    >>> Kitchen(execute(menu, 1, Simulated()), title="Dinner")
    <Kitchen: Dinner, 2 trays done by 1 chef after 4 s, simulated>
    """

    _scene = "kitchen"


class Race(Scene):
    """Two runs side by side, on one clock: the same order under two plans.

    `left` and `right` are Runs, Traces, or scenes; `titles` are their names. A run with dependencies is shown as a
    kitchen. `prediction` is as for `Bakery`, and asks who is done last.

    >>> from parlib import Simulated, data_parallel
    >>> one, two = (data_parallel(abs, [1, 2], workers=n, chunks=2, backend=Simulated(cost=1.0)) for n in (1, 2))
    >>> Race(one, two, titles=("alone", "together"))
    <Race: alone 2 s, together 1 s, simulated>
    """

    def __init__(
        self, left: Any, right: Any, *, titles: Sequence[str] = ("left", "right"), prediction: Any = None
    ) -> None:
        super().__init__(prediction)
        if isinstance(titles, str) or len(titles) != 2 or titles[0] == titles[1]:
            raise ValueError(f"a race needs two different titles, such as ('blocks', 'on demand'), not {titles!r}")
        names = [_checked_title(title) for title in titles]
        self.title = " against ".join(names)
        self.score = {"sides": [_side(run, name) for run, name in zip((left, right), names, strict=True)]}

    def _question(self) -> dict[str, Any]:
        left, right = self.score["sides"]
        names, times = [left["title"], right["title"]], [left["finish"], right["finish"]]
        if not all(times) or left["failed"] or right["failed"]:
            return {}
        same = abs(times[0] - times[1]) <= 0.01 * max(times)
        outcome = "both at the same time" if same else names[times.index(max(times))]
        return {"text": "Which one is done last?", "choices": [*names, "both at the same time"], "outcome": outcome}

    def __repr__(self) -> str:
        sides = self.score["sides"]
        times = ", ".join(f"{side['title']} {tell_seconds(side['finish'])}" for side in sides)
        return f"<Race: {times}, {' and '.join(dict.fromkeys(side['source'] for side in sides))}>"


def _side(what: Any, title: str) -> dict[str, Any]:
    """One side of a race: a scene keeps its kind, a run with dependencies gets a kitchen."""
    if isinstance(what, Bakery):
        return score(what.run, what._scene, title)
    if not isinstance(what, Run | Trace):
        raise TypeError(f"Race shows two Runs, Traces or scenes, not {what!r}: run both plans first")
    plan = what.plan if isinstance(what, Run) else None
    linked = plan is not None and any(need in plan.position for task in plan.tasks for need in task.needs)
    return score(what, "kitchen" if linked else "bakery", title)


def _workload(what: Any, caller: str) -> Any:
    if not (hasattr(what, "plan") and hasattr(what, "costs")):
        way_out = "pass what data_parallel, task_parallel or execute gave you, or one of parlib.workloads"
        raise TypeError(f"{caller} shows a Run, a Trace or a Workload, not {what!r}: {way_out}")
    return what


def _checked_title(title: Any) -> str:
    if not isinstance(title, str):
        raise TypeError(f"the title of a scene is a text, not {title!r}")
    return title


def _outside(told: Any) -> Any:
    """The Prediction that is asked elsewhere on the page, or None."""
    return told if hasattr(told, "commit") and hasattr(told, "value") else None


def _checked_prediction(prediction: Any) -> Any:
    number = isinstance(prediction, Real) and not isinstance(prediction, bool)
    if prediction is None or prediction is False or number or isinstance(prediction, str) or _outside(prediction):
        return prediction
    raise TypeError(f"prediction is a Prediction, a number of seconds, or False for none, not {prediction!r}")

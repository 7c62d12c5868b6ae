"""What do you expect? A prediction is committed before the outcome can be seen, and then it is kept.

    predict(...) ──► open ── commit(value) ──► committed ── the outcome is shown ──► locked
                      ▲                            │
                      └───────── reconsider() ─────┘

A demonstration that is only watched teaches little; one that was predicted first is remembered (Crouch, Fagen, Callan
and Mazur 2004). So the learner commits a number or a choice, and `reveal` shows the outcome with it, never before it.

A prediction outlives its kernel (`parlib.state`, section "predictions"). It does not know how it is asked or drawn:
that is `asking`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from ..state import State, here

__all__ = ["Prediction", "Question", "commit", "predict"]

Answer = int | float | str


@dataclass(frozen=True)
class Question:
    """What is asked and which answers are possible: one of `choices`, or a number from `low` to `high` in `unit`."""

    label: str
    text: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""

    def __post_init__(self) -> None:
        for name in ("label", "text", "unit"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(f"The {name} of a prediction is text, not {getattr(self, name)!r}.")
        if not self.label.strip() or not self.text.strip():
            raise ValueError("A prediction needs a label such as '2.1' and a question.")
        if self.choices:
            self._check_choices()
        else:
            self._check_numbers()

    def _check_choices(self) -> None:
        asked = f"Prediction {self.label}"
        if not all(isinstance(choice, str) and choice for choice in self.choices):
            raise TypeError(f"{asked}: choices are texts, not {list(self.choices)}.")
        if len(set(self.choices)) < max(2, len(self.choices)):
            raise ValueError(f"{asked} needs at least two different choices, not {list(self.choices)}.")
        if (self.low, self.high, self.step) != (None, None, None):
            raise ValueError(f"{asked} is a choice or a number, not both: drop choices, or low, high and step.")

    def _check_numbers(self) -> None:
        asked = f"Prediction {self.label}"
        for name in ("low", "high", "step"):
            if getattr(self, name) is not None:
                _number(getattr(self, name), f"{asked}: {name}")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"{asked} needs both low and high (a slider), or neither (a number box).")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"{asked}: low must be below high, and {self.low} is not below {self.high}.")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"{asked}: step must be above 0, not {self.step}.")

    def accept(self, value: Any) -> Answer:
        """`value` as a plain number or text; TypeError or ValueError, in one sentence, if it is no possible answer."""
        return self._accept_choice(value) if self.choices else self._accept_number(value)

    def _accept_choice(self, value: Any) -> str:
        if value in self.choices:
            return str(value)
        near = get_close_matches(str(value), self.choices, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose one of {list(self.choices)}."
        raise ValueError(f"{value!r} is no choice of prediction {self.label}: {hint}")

    def _accept_number(self, value: Any) -> int | float:
        number = _number(value, f"Prediction {self.label}")
        if self.low is not None and self.high is not None and not self.low <= number <= self.high:
            span = f"between {self.told(self.low)} and {self.told(self.high)}"
            raise ValueError(f"Prediction {self.label} lies {span}, not at {number:g}.")
        return number

    def told(self, value: Answer) -> str:
        """An answer as a reader writes it.

        >>> Question("2.1", "How fast?", low=1, high=4, unit="×").told(1.70)
        '1.7×'
        """
        if isinstance(value, str):
            return value
        return f"{value:,.6g}{self.unit if self.unit in ('×', '%', '') else ' ' + self.unit}"


class Prediction:
    """What one learner expects: `.value` (None until committed), `.committed`, `.revealed`, `.label`.

    Shown in a notebook it asks with a slider, a number box or choices; `commit` does the same from code. A committed
    number may be drawn: `float(guess)`.
    """

    def __init__(self, question: Question, state: State) -> None:
        self.question = question
        self.value: Answer | None = None  # the committed answer
        self.revealed = False  # the outcome was shown: nothing changes any more
        self.kept = False  # committed in an earlier visit, or by another kernel
        self._state = state
        self._watchers: list[Callable[[], None]] = []  # what is on the page and shows this prediction
        self.recall()

    @property
    def label(self) -> str:
        """Its number in the lesson, such as "2.1"."""
        return self.question.label

    @property
    def committed(self) -> bool:
        """Whether an answer has been given."""
        return self.value is not None

    @property
    def told(self) -> str:
        """The committed answer with its unit, or an empty text."""
        return "" if self.value is None else self.question.told(self.value)

    def commit(self, value: Any) -> None:
        """Give the answer. RuntimeError if the outcome has been shown and `value` is another one."""
        value = self.question.accept(value)
        if self.revealed and value != self.value:
            raise RuntimeError(f"Prediction {self.label} stays at {self.told}: its outcome has been shown.")
        self.value = value
        self._keep()

    def reconsider(self) -> None:
        """Take the answer back. RuntimeError if the outcome has been shown."""
        if self.revealed:
            raise RuntimeError(f"Prediction {self.label} stays at {self.told}: its outcome has been shown.")
        self.value, self.kept = None, False
        self._state.remove("predictions", self.label)
        self._tell()

    def reveal(self, draw: Callable[[Prediction], Any]) -> None:
        """Show what `draw(self)` returns once the prediction is committed; until then a button that waits for it.

        `draw` returns anything a notebook can display (a picture, a Run, Axes) or displays it itself. It runs in this
        cell if the prediction is committed, else when the button is pressed.
        """
        from .asking import reveal

        if not callable(draw):
            raise TypeError(f"reveal() takes a function, such as `lambda guess: gantt(run)`, not {draw!r}.")
        reveal(self, draw)

    def lock(self) -> None:
        """Note that the outcome has been shown: from now on the answer cannot change."""
        if not self.revealed:
            self.revealed = True
            self._keep()

    def recall(self) -> None:
        """Take over what was committed elsewhere; an answer to another version of the question does not count."""
        entry = self._state.get("predictions", self.label)
        if self.committed or not isinstance(entry, dict):
            return
        try:
            self.value = self.question.accept(entry.get("value"))
            self.revealed, self.kept = bool(entry.get("revealed")), True
        except (TypeError, ValueError):
            return

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call `watcher()` after each change."""
        self._watchers.append(watcher)

    def unwatch(self, watcher: Callable[[], None]) -> None:
        """Call it no longer."""
        self._watchers.remove(watcher)

    def _keep(self) -> None:
        self._state.put("predictions", self.label, _entry(self.value, self.revealed))
        self._tell()

    def _tell(self) -> None:
        for watcher in list(self._watchers):
            watcher()

    def __float__(self) -> float:
        if isinstance(self.value, int | float):
            return float(self.value)
        reason = f": {self.told}" if self.committed else " yet: commit one first"
        raise TypeError(f"Prediction {self.label} is no number{reason}.")

    def __repr__(self) -> str:
        story = "outcome shown" if self.revealed else "committed"
        return f"<Prediction {self.label}: {f'{self.told}, {story}' if self.committed else 'not committed yet'}>"

    def _ipython_display_(self) -> None:
        from .asking import ask

        ask(self)


_asked: dict[tuple[Path, Question], Prediction] = {}  # one object a question: a cell run again stays connected


def predict(
    label: str,
    question: str,
    *,
    choices: Sequence[str] | None = None,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    unit: str = "",
) -> Prediction:
    """Ask the learner to commit a prediction: a slider from `low` to `high`, a number box without them, or `choices`.

    >>> getfixture("monkeypatch").chdir(getfixture("tmp_path"))
    >>> guess = predict("2.1", "How many times faster will 2 bakers be?", low=1, high=4, step=0.1, unit="×")
    >>> guess.commit(1.7)
    >>> guess
    <Prediction 2.1: 1.7×, committed>
    """
    if isinstance(choices, str):
        raise TypeError(f"choices is a list of texts, not the text {choices!r}.")
    if choices is not None and not choices:
        raise ValueError(f"Prediction {label} needs at least two different choices, not an empty list.")
    asked = Question(label, question, tuple(choices or ()), low, high, step, unit)
    state = here()
    guess = _asked.setdefault((state.path, asked), Prediction(asked, state))
    guess.recall()
    return guess


def commit(label: str, value: Answer, *, state: State | None = None) -> None:
    """Commit a prediction by its label before (or after) its cell has run, as a script or a test learner does.

    A lesson run with all its predictions committed shows every outcome. The value is checked when its question is put.
    """
    if not isinstance(value, str):
        value = _number(value, f"Prediction {label}")
    state = state or here()
    asked = [guess for (path, _), guess in _asked.items() if path == state.path and guess.label == label]
    for guess in asked:
        guess.commit(value)
    if not asked:
        state.put("predictions", label, _entry(value, revealed=False))


def forget() -> None:
    """Drop the questions this kernel has asked, so that each can be asked afresh."""
    _asked.clear()


def _entry(value: Answer | None, revealed: bool) -> dict[str, Any]:
    return {"value": value, "revealed": revealed, "time": datetime.now(UTC).isoformat(timespec="seconds")}


def _number(value: Any, name: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is a number, not {value!r}.")
    if not math.isfinite(value):
        raise ValueError(f"{name} is a finite number, not {value!r}.")
    return int(value) if isinstance(value, Integral) else float(value)

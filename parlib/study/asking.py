"""How does a notebook ask? Controls that commit a prediction, and a button that stays shut until they have.

    predict cell    the question, and what was committed              controls, then nothing in their place
    reveal cell     a button, then "You predicted ..." in its place   what to do, then the outcome in its place

Controls give up their place when they have done their work, so a reopened notebook shows the story and no broken
widget. Where the prediction is already committed there is no widget at all. This file does not know what is right.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from decimal import Decimal
from types import FunctionType
from typing import TYPE_CHECKING, Any

from .showing import Still, captured, live, pictured, place, still

if TYPE_CHECKING:
    from .prediction import Prediction, Question

__all__ = ["ask", "reveal"]

LOOK, WAIT = "Show what happens", "Working …"
NOTHING = still("", "")


def ask(guess: Prediction) -> None:
    """Show the question, what has been committed, and the controls as long as there is something to change."""
    update = place(_asked(guess))
    if not (guess.revealed or guess.kept):
        guess.watch(lambda: update(_asked(guess)))
        _Controls(guess).show()


def reveal(guess: Prediction, draw: Callable[[Prediction], Any]) -> None:
    """Show the outcome of a committed prediction; otherwise a button, and the places where the outcome will appear."""
    if not guess.committed:
        _Button(guess, _as_of_now(draw)).show()
        return
    from IPython.display import display

    display(_said(f"You predicted {_quoted(guess)}."))
    value = draw(guess)
    if value is not None:
        display(pictured(value))
    guess.lock()


class _Controls:
    """Choose, commit, change one's mind: the widgets of one predict cell."""

    def __init__(self, guess: Prediction) -> None:
        from ipywidgets import HBox, VBox

        from ..accessibility import name_controls

        self.guess = guess
        self.field = _field(guess.question)
        self.commit = _button("Commit", f"Commit prediction {guess.label}", button_style="primary")
        self.change = _button("Change my mind", f"Change prediction {guess.label}")
        self.voice = name_controls(self.field, self.commit, self.change)
        self.box = VBox([self.field, HBox([self.commit, self.change]), self.voice])
        self.field.observe(lambda change: self.refresh(), "value")
        self.commit.on_click(lambda button: self._commit())
        self.change.on_click(lambda button: guess.reconsider())
        guess.watch(self.refresh)
        self.refresh()

    def show(self) -> None:
        self.replace = place(live(self.box, f"Controls of prediction {self.guess.label}."))

    def refresh(self) -> None:
        """Make the controls fit the prediction: open, committed, or locked and gone."""
        if self.guess.revealed:
            self.guess.unwatch(self.refresh)
            self.replace(NOTHING)
            _close(self.box)
            return
        if self.guess.committed:
            self.field.value = self.guess.value
        self.field.disabled = self.guess.committed
        self.commit.disabled = self.guess.committed or self.field.value is None
        self.change.disabled = not self.guess.committed

    def _commit(self) -> None:
        self.guess.commit(self.field.value)
        self.voice.say(f"Committed: {_quoted(self.guess)}. You can now show what happens.")


class _Button:
    """The button of one reveal cell, and the two places below it: the words, and the outcome."""

    def __init__(self, guess: Prediction, draw: Callable[[Prediction], Any]) -> None:
        from ipywidgets import VBox

        from ..accessibility import name_controls

        self.guess, self.draw = guess, draw
        self.button = _button(LOOK, f"{LOOK}: prediction {guess.label}", button_style="primary", disabled=True)
        self.voice = name_controls(self.button)
        self.box = VBox([self.button, self.voice])
        self.button.on_click(lambda button: self.press())

    def show(self) -> None:
        self.above = place(live(self.box, f"Button “{LOOK}”, shut until prediction {self.guess.label} is committed."))
        self.below = place(_said(self._what_to_do()))
        self.guess.watch(self.refresh)

    def refresh(self) -> None:
        """Open the button once there is a prediction, and say what to do."""
        self.button.disabled = not self.guess.committed
        self.below(_said(self._what_to_do()))

    def _what_to_do(self) -> str:
        if self.guess.committed:
            return f"You predict {_quoted(self.guess)}. Now look."
        return f"Commit prediction {self.guess.label} first; then you can see what happens."

    def press(self) -> None:
        """Draw the outcome and put it in its place; where that fails, say so and stay ready for another press."""
        self.button.disabled, self.button.description = True, WAIT
        try:
            self.below(captured(lambda: self.draw(self.guess)))
        except (Exception, KeyboardInterrupt) as problem:
            self.below(_failed(problem))
            self.button.disabled, self.button.description = False, LOOK
            return
        self.voice.say(f"You predicted {_quoted(self.guess)}. The outcome is shown below.")
        self.above(_said(f"You predicted {_quoted(self.guess)}."))
        self.guess.unwatch(self.refresh)
        _close(self.box)
        self.guess.lock()


def _as_of_now(draw: Callable[[Prediction], Any]) -> Callable[[Prediction], Any]:
    """`draw` with the names of the notebook as they are now: before the press a later cell may reuse one of them."""
    if not isinstance(draw, FunctionType):
        return draw
    same = FunctionType(draw.__code__, {**draw.__globals__}, draw.__name__, draw.__defaults__, draw.__closure__)
    same.__kwdefaults__ = draw.__kwdefaults__
    return same


def _field(question: Question) -> Any:
    """The control that suits the answers: choices, a slider, or a number box."""
    import ipywidgets as widgets

    named = {"description": "Your prediction", "tooltip": f"Prediction {question.label}: {question.text}"}
    wide = {"layout": widgets.Layout(width="auto", max_width="40em")}
    if question.choices:
        return widgets.RadioButtons(options=question.choices, value=None, **named, **wide)
    if question.low is None or question.high is None:
        return widgets.FloatText(step=question.step, **named)
    ends = {"value": question.low, "min": question.low, "max": question.high}
    if all(isinstance(number, int) for number in (question.low, question.high, question.step or 1)):
        return widgets.IntSlider(step=question.step or 1, **ends, **named, **wide)
    step = question.step or (question.high - question.low) / 100
    digits = max(0, -int(Decimal(f"{step:.2g}").as_tuple().exponent))  # as many as the step has
    return widgets.FloatSlider(step=step, readout_format=f".{digits}f", **ends, **named, **wide)


def _button(words: str, tooltip: str, **options: Any) -> Any:
    """A button as wide as its own words."""
    from ipywidgets import Button

    return Button(description=words, tooltip=tooltip, layout={"width": "max-content"}, **options)


def _asked(guess: Prediction) -> Still:
    question = f"Prediction {guess.label}"
    answer = _answer(guess)
    return still(
        f"{question}: {guess.question.text} {answer}",
        f"<p><strong>{html.escape(question)}.</strong> {html.escape(guess.question.text)}<br>{html.escape(answer)}</p>",
    )


def _answer(guess: Prediction) -> str:
    if not guess.committed:
        return "Not committed yet."
    if guess.revealed or guess.kept:
        return f"You predicted {_quoted(guess)}."
    return f"You predict {_quoted(guess)}. You may change your mind until you look."


def _quoted(guess: Prediction) -> str:
    """The answer inside a sentence: a number as it is, a choice in quotation marks."""
    return f"“{guess.told}”" if guess.question.choices else guess.told


def _said(text: str) -> Still:
    return still(text, f"<p>{html.escape(text)}</p>")


def _failed(problem: BaseException) -> Still:
    text = f"{type(problem).__name__}: {problem}"
    way_out = "Press the button again, or run this cell again for the full report."
    return still(f"{text}\n{way_out}", f"<pre>{html.escape(text)}</pre><p>{way_out}</p>")


def _close(widget: Any) -> None:
    for child in getattr(widget, "children", ()):
        _close(child)
    widget.close()

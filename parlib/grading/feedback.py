"""What does the student see? One warm line, or what is theirs, what was expected, where to look.

    check("2.1", lambda: deal(trays, 3))     publishes the value, then compares it
    hint("2.1")                              the next of three hints

A check shows the value of the student, not a verdict: what is published here is what nbval
compares in another process when points are counted. The comparison in this file is for the
student alone, with the visible answers that ship with the exercises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from ..plan import did_you_mean
from ..trace import Run
from .course import find_answers, lesson_of
from .referee import NotTogether, begin_alone
from .values import MIME, Answered, published, story

__all__ = ["NotYet", "answered", "check", "hint"]

WIDTH = 400  # letters of a value: three runs, or four lines on a screen
_asked: Counter[str] = Counter()  # how many hints of each exercise were taken since the start


class NotYet(Exception):
    """An exercise that is not right yet: what is yours, what was expected, where to look."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the message, and no traceback of the checking code."""
        return str(self).splitlines()


class NotYetTogether(NotYet):
    """An exercise that does one thing after the other, where several must be at work at the same time."""


def check(exercise: str, answer: Callable[[], object]) -> None:
    """Publish the value of `answer()` and compare it with the expected one.

    Raises `NotYet` with *yours*, *expected* and *where to look* where they differ, or where
    the exercise is not written yet. An error in your own code keeps its type, and gains a note.
    """
    __tracebackhide__ = True  # a notebook shows where your code went wrong, not ours
    _refuse_misuse(exercise, answer)
    begin_alone()
    value = _value_of(exercise, answer)
    payload = published(exercise, value)
    told = _told(exercise)
    right = told is None or payload["value"] == told["expected"]
    _publish(payload, _headline(exercise, value, told, right))
    if not right:
        raise NotYet(_difference(payload, told))
    runs = [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Run)]
    if told and runs:
        _draw(runs[0])


def hint(exercise: str) -> None:
    """Print the next hint for an exercise: the first of three, then the second, then the third."""
    told = _told(exercise)
    if told is None:
        raise ValueError(f"there are no hints for exercise {exercise}: its answers are not beside this notebook")
    steps = told["hints"]
    _asked[exercise] = step = min(_asked[exercise] + 1, len(steps))
    more = f'call hint("{exercise}") again for the next' if step < len(steps) else "that was the last"
    print(f"Hint {step} of {len(steps)}: {steps[step - 1]}  ({more})")


def answered(text: str) -> Answered:
    """An explanation in your own words; eight words count as answered, and nobody grades the content.

    >>> answered("The slowest baker decides when the whole order is done.").enough
    True
    """
    return Answered(text)


def _refuse_misuse(exercise: object, answer: object) -> None:
    if not isinstance(exercise, str):
        raise TypeError(f'an exercise is named by a text such as "2.1", not {exercise!r}')
    if not callable(answer):
        raise TypeError(f'give check your answer as a function: check("{exercise}", lambda: ...), not {answer!r}')


def _value_of(exercise: str, answer: Callable[[], object]) -> object:
    __tracebackhide__ = True
    try:
        value = answer()
    except NotImplementedError:
        raise NotYet(f'Exercise {exercise} is not written yet. hint("{exercise}") helps you to begin.') from None
    except NotTogether as error:
        way_out = "Start all of them before you wait for the first one, and each of them once."
        raise NotYetTogether(f"{error}. {way_out}") from None
    except Exception as error:
        error.add_note(f'Exercise {exercise}: this error comes from your answer. hint("{exercise}") may help.')
        raise
    if value is ...:
        raise NotYet(f"Exercise {exercise} is not answered yet: put your answer in place of the three dots.")
    if isinstance(value, Answered) and not value.enough:
        raise NotYet(f"Exercise {exercise} is not answered yet: write two sentences of your own, eight words or more.")
    return value


def _told(exercise: str) -> dict[str, Any] | None:
    """What the visible answers say about an exercise; None where there are none beside us."""
    try:
        answers = find_answers(lesson_of(exercise))
    except ValueError:
        raise ValueError(f'an exercise is named by two numbers such as "2.1", not {exercise!r}') from None
    if answers and exercise not in answers:
        raise ValueError(f"there is no exercise {exercise}{did_you_mean(exercise, answers)}")
    return answers.get(exercise)


def _publish(payload: dict[str, Any], headline: str) -> None:
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:  # plain Python has nowhere to display
        print(headline)
    else:
        display({MIME: payload, "text/plain": headline}, raw=True)


def _headline(exercise: str, value: object, told: dict[str, Any] | None, right: bool) -> str:
    if told is None:
        return f"Exercise {exercise}: published. The expected answers are not beside this notebook."
    verdict = f"yes. {told['yes']}" if right else "not yet."
    words = f"\nYour words, for you and your teacher: {value.text}" if isinstance(value, Answered) else ""
    return f"Exercise {exercise}: {verdict}{words}"


def _difference(payload: dict[str, Any], told: dict[str, Any] | None) -> str:
    assert told is not None  # without an expected answer nothing differs
    lines = {
        "yours": story(payload["value"], WIDTH),
        "expected": told["instead"] or story(told["expected"], WIDTH),
        "look": f'{told["look"]}, or call hint("{payload["exercise"]}")',
    }
    return "\n".join(f"{name + ':':10}{line}" for name, line in lines.items())


def _draw(run: Run) -> None:
    """The student's own timeline, where there is something to draw with."""
    try:
        from ..plots import gantt, show
    except ImportError:
        return
    show(gantt(run), alt=f"Your own timeline: {run!r}", source=run.source)

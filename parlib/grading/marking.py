"""What does each exercise earn, whatever happens to the others? One run for honest work; more where something broke.

    run all cells ──► every check right?  done
         ▲                    │ no
         └── the first wrong answer, and the cell that broke the kernel, are blanked ◄──┘

A verdict on an exercise is final when no answer before it could have spoilt it: so an
endless loop in 2.2 costs 2.2, and not 2.3. Points are a value that nbval, in another
process, found equal to the reference; a reason is for the instructor, and a line for the
student tells nothing that came out of a run on hidden inputs.
"""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .build import stub
from .course import Exercise, Notebook, number_of, role_of, slot_of, source_of
from .intake import Handed
from .rebuild import rebuilt
from .references import Variant
from .values import story
from .worker import Outcome

__all__ = ["Mark", "marked"]

LINE = 80  # letters of a value in a reason
ALONE = "It does one thing after the other, where several must be at work at the same time."
NOTES = ("by-student-note-", "by-student-before-")
Runner = Callable[[Notebook, float], Outcome]  # a notebook, and how many seconds it has


@dataclass(frozen=True)
class Mark:
    """What one exercise earned; `reason` is for the instructor, `told` for the student."""

    exercise: str
    title: str
    points: int
    max_points: int
    status: str
    reason: str
    told: str
    seconds: float

    def __repr__(self) -> str:
        return f"<Mark: {self.exercise}, {self.points} of {self.max_points}, {self.status}>"


def marked(handed: list[Handed], variant: Variant, hidden: Iterable[str], run: Runner, seconds: float) -> list[Mark]:
    """A mark for every exercise of the variant, within `seconds` seconds."""
    notebook = rebuilt(variant.master, variant.exercises, handed, variant.inputs)
    untouched = _untouched(handed, variant)
    numbers, final = list(variant.exercises), dict[str, Mark]()
    blank: set[str] = set()
    notes = {cell["id"] for cell in notebook["cells"] if cell["id"].startswith(NOTES)}
    until = time.monotonic() + seconds
    while len(final) < len(numbers):
        outcome = run(_without(notebook, blank), max(1.0, until - time.monotonic()))
        marks = {number: _mark(variant.exercises[number], outcome, number in hidden) for number in numbers}
        late = time.monotonic() >= until or (outcome.stopped and not outcome.verdicts)
        settled, culprits = _settled([marks[number] for number in numbers if number not in final], untouched, outcome)
        stuck = not settled and culprits <= blank
        if stuck and not notes <= blank:  # what broke was not what ended it: do without all that is no answer
            culprits = notes
        elif late or stuck:
            settled = [marks[number] for number in numbers if number not in final]
        final |= {mark.exercise: mark for mark in settled}
        blank |= culprits | {name for number in final if not final[number].points for name in _cells(number, notebook)}
    return [final[number] for number in numbers]


def _settled(marks: list[Mark], untouched: set[str], outcome: Outcome) -> tuple[list[Mark], set[str]]:
    """The marks that no answer before them can have spoilt, and the cells that broke the kernel."""
    broke = {name for name, verdict in outcome.verdicts.items() if _broke(verdict)}
    settled = []
    for mark in marks:
        if not mark.points and mark.status == "not reached" and broke - {f"check-{mark.exercise.replace('.', '-')}"}:
            break  # whatever broke the kernel was before it
        settled.append(mark)
        if not mark.points and mark.exercise not in untouched:
            break
    rest = marks[len(settled) :]
    return settled + [mark for mark in rest if mark.points], {name for name in broke if name.startswith("by-student")}


def _broke(verdict: dict[str, Any]) -> bool:
    return bool(verdict["stopped"]) and "on test start" not in verdict["stopped"] and not verdict["compared"]


def _untouched(handed: list[Handed], variant: Variant) -> set[str]:
    """The exercises whose answers are still the stub that everybody gets, which spoils nothing."""
    written = {cell.slot: cell.source.strip() for cell in handed if cell.kind == "code"}
    stubs = {
        number_of(slot_of(cell)): (slot_of(cell), stub(source_of(cell), number_of(slot_of(cell))))
        for cell in variant.master["cells"]
        if role_of(slot_of(cell)) == "answer"
    }
    return {number for number, (slot, text) in stubs.items() if written.get(slot, "") in ("", text.strip())}


def _without(notebook: Notebook, blank: set[str]) -> Notebook:
    cells = [{**cell, "source": ""} if cell["id"] in blank else cell for cell in notebook["cells"]]
    return {**notebook, "cells": cells}


def _cells(number: str, notebook: Notebook) -> list[str]:
    """What the student wrote for an exercise: the answer, and the notes after it."""
    tail = f"answer-{number.replace('.', '-')}-"
    starts = (f"by-student-{tail}", f"by-student-note-{tail}")
    return [cell["id"] for cell in notebook["cells"] if cell["id"].startswith(starts)]


# ---- One mark -------------------------------------------------------------------------------------------------------


def _mark(exercise: Exercise, outcome: Outcome, hidden: bool) -> Mark:
    key = exercise.number.replace(".", "-")
    check = outcome.verdicts.get(f"check-{key}")
    own = [verdict for name, verdict in outcome.verdicts.items() if name.startswith(f"by-student-answer-{key}-")]
    seconds = sum(verdict["seconds"] for verdict in (*own, *([check] if check else [])))
    status, reason = _judgement(exercise, check, own, outcome)
    points = exercise.points if status == "right" else 0
    told = _told(exercise, status, reason, hidden) + ("" if points else f" Look again: {exercise.look}.")
    return Mark(exercise.number, exercise.title, points, exercise.points, status, reason, told, round(seconds, 3))


def _judgement(exercise: Exercise, check: Any, own: list[Any], outcome: Outcome) -> tuple[str, str]:
    """Status and reason, the most telling first."""
    for verdict in (*own, *([check] if check else [])):
        if _broke(verdict):
            return _way_to_end(verdict["stopped"])
    if check is None:
        return "not reached", outcome.stopped or "never reached: an earlier cell ended the kernel"
    if check["passed"]:
        return "right", "yes"
    if "on test start" in check["stopped"]:
        return "not reached", "never reached: an earlier cell ended the kernel"
    if len(check["published"]) > 1:
        return "wrong", "published more than once"
    if check["published"]:
        return "wrong", _difference(exercise, check["published"][0])
    before = [error for verdict in own for error in verdict["errors"]]
    errors = [*before, *(error for error in check["errors"] if not before or error[0] != "NameError")]
    return _error(*errors[-1]) if errors else ("wrong", "nothing was published")


def _difference(exercise: Exercise, payload: Any) -> str:
    yours = payload.get("value") if isinstance(payload, dict) else payload
    return f"yours {_short(yours)}, expected {_short(exercise.expected)}"


def _short(value: Any) -> str:
    try:
        return story(value, LINE)
    except RecursionError:
        return "something nested too deeply"


def _way_to_end(stopped: str) -> tuple[str, str]:
    if stopped.startswith("stopped after"):
        return "timed out", stopped
    if "more than" in stopped or "no message" in stopped or "waiting for output" in stopped:
        return "too much", stopped
    return "kernel died", stopped


def _error(name: str, message: str) -> tuple[str, str]:
    line = (message.strip().splitlines() or [""])[0][: 2 * LINE]
    if name in ("NotTogether", "NotYetTogether"):
        return "not together", line
    if name == "NotYet" or name == "NotImplementedError":
        return "not written", "not written yet"
    return "error", f"{name}: {line}"


def _told(exercise: Exercise, status: str, reason: str, hidden: bool) -> str:
    """For the student; an error's text may carry hidden inputs out, so only its well-known name is told."""
    if status == "wrong" and reason.startswith("yours"):
        return "On other inputs than those you see, the values differ." if hidden else _visible(exercise, reason)
    if status == "not together":
        return ALONE
    if status == "error":
        name = reason.partition(":")[0]
        known = isinstance(getattr(builtins, name, None), type)
        return f"It ends with {name if known else 'an error of its own'}."
    return "Right." if status == "right" else f"{reason[:1].upper()}{reason[1:]}."


def _visible(exercise: Exercise, reason: str) -> str:
    yours = reason.partition(", expected")[0].capitalize()
    return f"{yours}, expected {exercise.instead}." if exercise.instead else f"{reason.capitalize()}."

"""What is there to practice with? Questions, cards and terms, read from data files that anyone can edit.

    notebooks/aids/01_quiz.json     jupyterquiz's format; a wrong answer also names a misconception and where it fails
    notebooks/aids/01_cards.json    jupytercards' format: name, front, back
    notebooks/aids/glossary.json    {term: definition}

    {"question": "...", "type": "multiple_choice", "answers": [
        {"answer": "...", "correct": true,  "feedback": "..."},
        {"answer": "...", "correct": false, "feedback": "...", "misconception": "M1", "refuted": "1.2"}]}

`refuted` is the label of the prediction whose cell shows by experiment that the answer fails. Files are checked when
they are read, and a mistake is reported with file and entry. This file does not know how anything is drawn.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ..state import notebooks_folder

__all__ = ["MISCONCEPTIONS", "Card", "Choice", "QuizQuestion", "lessons", "read_cards", "read_glossary", "read_quiz"]

Entry = TypeVar("Entry")

MISCONCEPTIONS = {
    "M1": "N workers give N times the speed",
    "M2": "concurrent means parallel",
    "M3": "the scheduler will sort it out",
    "M4": "it ran correctly once, so it is correct",
    "M5": "any lock will do",
    "M6": "a home-made picture of the machine",
    "M7": "sequential by default",
    "M8": "splitting always pays, however small the task",
    "M9": "threads speed up pure-Python arithmetic",
    "M10": "the number of CPUs reported is what I have, and more threads than cores is free",
    "M11": "equal numbers of items are equal work",
    "M12": "a faster processor fixes poor scaling",
    "M13": "a bigger batch or more shards is always better",
    "M14": "parallel answers must match to the last bit",
    "M15": "any baseline will do",
    "M16": "data and task parallelism are exclusive boxes",
    "M17": "Amdahl forbids large machines, or Gustafson refutes Amdahl",
    "M18": "adding workers beside the slow stage helps",
}


@dataclass(frozen=True)
class Choice:
    """One answer of a question, with what to say to whoever chose it."""

    answer: str
    correct: bool
    feedback: str
    misconception: str = ""
    refuted: str = ""

    def __post_init__(self) -> None:
        _texts(self, "answer", "feedback")
        if not isinstance(self.correct, bool):
            raise TypeError(f"correct is true or false, not {self.correct!r}")
        if self.correct and (self.misconception or self.refuted):
            raise ValueError(f"a right answer names no misconception, and {self.answer!r} names one")
        if not self.correct and self.misconception not in MISCONCEPTIONS:
            raise ValueError(f"{self.answer!r} is wrong, so it names one of M1 … M18, not {self.misconception!r}")
        if not self.correct:
            _texts(self, "refuted")


@dataclass(frozen=True)
class QuizQuestion:
    """One question with its answers, at least one right and one wrong."""

    question: str
    answers: tuple[Choice, ...]
    type: str = "multiple_choice"

    def __post_init__(self) -> None:
        _texts(self, "question")
        right = sum(answer.correct for answer in self.answers)
        if not 0 < right < len(self.answers):
            raise ValueError("a question needs a right and a wrong answer")
        if self.type != ("multiple_choice" if right == 1 else "many_choice"):
            raise ValueError(f"type is {self.type!r}; one right answer is multiple_choice, more are many_choice")
        if len({answer.answer for answer in self.answers}) < len(self.answers):
            raise ValueError("two answers are the same")


@dataclass(frozen=True)
class Card:
    """One flash card."""

    name: str
    front: str
    back: str

    def __post_init__(self) -> None:
        _texts(self, "name", "front", "back")


def lessons() -> list[str]:
    """The numbers of the lessons that have a quiz or cards, in order."""
    return sorted({path.name[:2] for kind in ("quiz", "cards") for path in folder().glob(f"[0-9][0-9]_{kind}.json")})


def read_quiz(lesson: str) -> list[QuizQuestion]:
    """The questions of one lesson, checked."""
    return _checked(f"{lesson}_quiz.json", lambda entry: _question(**entry))


def read_cards(lesson: str) -> list[Card]:
    """The cards of one lesson, checked."""
    return _checked(f"{lesson}_cards.json", lambda entry: Card(**entry))


def read_glossary() -> dict[str, str]:
    """Every term with its definition."""
    return _content("glossary.json", dict)


def folder() -> Path:
    """Where the aids are: beside the lessons near the working directory, else in the course parlib comes from."""
    course = Path(__file__).resolve().parents[2] / "notebooks"
    near = notebooks_folder()
    return (near if near and (near / "aids").is_dir() else course) / "aids"


def _question(answers: list[dict[str, Any]], **rest: Any) -> QuizQuestion:
    return QuizQuestion(answers=tuple(Choice(**answer) for answer in answers), **rest)


def _checked(name: str, make: Callable[[Any], Entry]) -> list[Entry]:
    """Every entry of a file made into an object; a mistake is told with its file and its place."""
    entries = []
    for number, entry in enumerate(_content(name, list), 1):
        try:
            entries.append(make(entry))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}, entry {number}: {error}.") from None
    return entries


def _content(name: str, kind: type) -> Any:
    path = folder() / name
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        known = f"there are aids for lessons {', '.join(lessons())}" if lessons() else "run this beside the lessons"
        raise ValueError(f"There is no {name} in {path.parent}: {known}.") from None
    except ValueError as error:
        raise ValueError(f"{path} is no valid JSON: {error}.") from None
    if not isinstance(content, kind) or not content:
        raise ValueError(f"{path} holds no {'table' if kind is dict else 'list'} of entries.")
    return content


def _texts(thing: object, *names: str) -> None:
    for name in names:
        if not isinstance(getattr(thing, name), str) or not getattr(thing, name).strip():
            raise ValueError(f"{name} is a text that says something, not {getattr(thing, name)!r}")

"""Do I know it? A quiz that answers back, and cards that return when they are about to be forgotten.

Both are one page of plain HTML in which each answer, and each back of a card, is a drawer (`<details>`): it opens by
mouse, keyboard and screen reader, in a saved, untrusted or exported copy, and without a kernel. While a kernel runs, a
small invisible widget (`recorder`) notes what was opened and writes back what is known about it.

Why not jupyterquiz and jupytercards, whose files these are? In JupyterLab 4.6 one question and one card of theirs add
110 kB to the notebook and differ at each run (random ids), a card is no button for a screen reader, feedback is not
announced, an untrusted copy shows nothing, and no answer reaches Python.

Recalling, and recalling again after growing pauses, are the two habits of study with the best evidence (Dunlosky,
Rawson, Marsh, Nathan and Willingham 2013); the boxes of cards are Leitner's (1972).
"""

from __future__ import annotations

import html
import re
from abc import ABC, abstractmethod
from datetime import date, timedelta
from pathlib import Path
from string import ascii_lowercase
from typing import Any

from ..state import State, here
from .aids import MISCONCEPTIONS, Card, Choice, QuizQuestion, read_cards, read_quiz
from .showing import Still, live, place, still

__all__ = ["Deck", "Quiz", "cards", "quiz"]

PAUSES = (1, 3, 7, 14, 30)  # days until a card returns, by the box it is in; one not known goes back to the first
STYLE = Path(__file__).with_name("practice.css")


class Practice(ABC):
    """A page of numbered items whose answers are kept in the learner's state."""

    kind: str  # also its section of the state

    def __init__(self, lesson: str, state: State) -> None:
        self.lesson = lesson
        self._state = state

    @property
    @abstractmethod
    def notes(self) -> dict[str, str]:
        """What is known about each item by its number, and under "all" about the whole."""

    @abstractmethod
    def heard(self, message: dict[str, Any]) -> None:
        """Take an answer from the page."""

    @abstractmethod
    def _page(self) -> Still:
        """The page as text and as HTML; the same at every run, whatever is known."""

    def _key(self, name: str) -> str:
        return f"{self.lesson}: {name}"

    def _entry(self, name: str) -> dict[str, Any]:
        entry = self._state.get(self.kind, self._key(name))
        return entry if isinstance(entry, dict) else {}

    def _wrapped(self, title: str, items: list[str]) -> str:
        return (
            f"<style>{STYLE.read_text('utf-8')}</style>"
            f'<section class="parlib-practice" aria-label="{title}" data-practice="{self.kind}-{self.lesson}">'
            f'<p><strong>{title}</strong></p><ol>{"".join(items)}</ol><p role="status" data-note="all"></p></section>'
        )

    def _ipython_display_(self) -> None:
        from .recorder import Recorder

        place(self._page())
        recorder = Recorder(self)
        place(live(recorder, f"Keeps the answers of {self.kind} {self.lesson}."))


class Quiz(Practice):
    """The questions of one lesson; each answer replies, and a wrong one names its misconception and what refutes it."""

    kind = "quiz"

    def __init__(self, lesson: str, questions: list[QuizQuestion], state: State) -> None:
        super().__init__(lesson, state)
        self.questions = questions

    def answer(self, number: int, letter: str) -> str:
        """Choose answer `letter` ("a", "b", ...) of question `number` (from 1); returns the reply."""
        question = _pick(self.questions, number, "question")
        chosen = _pick(question.answers, ascii_lowercase.find(letter) + 1 if len(letter) == 1 else 0, "answer")
        first = self._entry(question.question).get("first", chosen.answer)
        entry = {"first": first, "last": chosen.answer, "time": date.today().isoformat()}
        self._state.put(self.kind, self._key(question.question), entry)
        return _reply(chosen)

    @property
    def notes(self) -> dict[str, str]:
        """What is known about each question by its number, and under "all" about the whole."""
        right = [self._right_at_first(question) for question in self.questions]
        words = {True: "right at the first try", False: "not right at the first try", None: ""}
        answered = f"{len(right) - right.count(None)} of {_counted(len(right), 'question')} answered"
        whole = f"{answered}, {right.count(True)} right at the first try."
        return {str(n): words[r] for n, r in enumerate(right, 1)} | {"all": whole}

    def heard(self, message: dict[str, Any]) -> None:
        """Take an answer from the page."""
        self.answer(message["item"], message["answer"])

    def _right_at_first(self, question: QuizQuestion) -> bool | None:
        """None if it has not been answered, or only answers that are no longer asked."""
        first = self._entry(question.question).get("first")
        return next((answer.correct for answer in question.answers if answer.answer == first), None)

    def _page(self) -> Still:
        title = f"Quiz {self.lesson}: {_counted(len(self.questions), 'question')}."
        lines = [title, *(_question_text(n, question) for n, question in enumerate(self.questions, 1))]
        items = [_question_markup(n, question) for n, question in enumerate(self.questions, 1)]
        return still("\n".join(lines), self._wrapped(f"{title} Open an answer: it replies.", items))

    def __repr__(self) -> str:
        return f"<Quiz {self.lesson}: {_counted(len(self.questions), 'question')}>"


class Deck(Practice):
    """The flash cards of one lesson; a card that was known returns after a longer pause, another one tomorrow."""

    kind = "cards"

    def __init__(self, lesson: str, cards: list[Card], state: State) -> None:
        super().__init__(lesson, state)
        self.cards = cards

    def review(self, number: int, knew: bool, *, today: date | None = None) -> date:
        """Say whether card `number` (from 1) was known; returns the day it comes back."""
        card, today = _pick(self.cards, number, "card"), today or date.today()
        box = self._box(card) + 1 if knew else 0
        due = today + timedelta(days=PAUSES[min(box, len(PAUSES) - 1)])
        entry = {"box": box, "due": due.isoformat(), "time": today.isoformat()}
        self._state.put(self.kind, self._key(card.name), entry)
        return due

    def due(self, *, today: date | None = None) -> list[Card]:
        """The cards to review `today`: new ones, and those whose pause is over."""
        return [card for card in self.cards if self._returns(card) <= (today or date.today())]

    @property
    def notes(self) -> dict[str, str]:
        """What is known about each card by its number, and under "all" about the whole."""
        days = {n: self._returns(card) for n, card in enumerate(self.cards, 1)}
        told = {str(n): f"again on {day.isoformat()}" if day > date.today() else "" for n, day in days.items()}
        return told | {"all": f"{_counted(len(self.cards), 'card')}, {len(self.due())} to review today."}

    def heard(self, message: dict[str, Any]) -> None:
        """Take an answer from the page."""
        self.review(message["item"], message["answer"] == "yes")

    def _box(self, card: Card) -> int:
        box = self._entry(card.name).get("box")
        return box if isinstance(box, int) and box >= 0 else -1

    def _returns(self, card: Card) -> date:
        try:
            return date.fromisoformat(self._entry(card.name)["due"])
        except (KeyError, TypeError, ValueError):  # never reviewed, or the note is damaged
            return date.min

    def _page(self) -> Still:
        title = f"Cards {self.lesson}: {_counted(len(self.cards), 'card')}."
        lines = [title, *(f"{n}. {card.front}" for n, card in enumerate(self.cards, 1))]
        items = [_card_markup(n, card) for n, card in enumerate(self.cards, 1)]
        return still("\n".join(lines), self._wrapped(f"{title} Say the back aloud, then open the card.", items))

    def __repr__(self) -> str:
        return f"<Deck {self.lesson}: {_counted(len(self.cards), 'card')}, {len(self.due())} to review today>"


def quiz(lesson: str) -> Quiz:
    """The quiz of one lesson, such as quiz("01")."""
    return Quiz(str(lesson), read_quiz(str(lesson)), here())


def cards(lesson: str) -> Deck:
    """The flash cards of one lesson, such as cards("01")."""
    return Deck(str(lesson), read_cards(str(lesson)), here())


def _reply(chosen: Choice) -> str:
    """What an answer replies to whoever chose it."""
    if chosen.correct:
        return f"✓ Right. {chosen.feedback}"
    idea = f"Behind it is a common idea ({chosen.misconception}): {MISCONCEPTIONS[chosen.misconception]}."
    return f"✗ Not so. {chosen.feedback} {idea} Prediction {chosen.refuted} puts it to the test."


def _question_text(number: int, question: QuizQuestion) -> str:
    answers = (f"   {letter}. {answer.answer}" for letter, answer in zip(ascii_lowercase, question.answers))
    return "\n".join([f"{number}. {question.question}", *answers])


def _question_markup(number: int, question: QuizQuestion) -> str:
    answers = (
        f'<details data-item="{number}" data-answer="{letter}"><summary>{_inline(answer.answer)}</summary>'
        f'<p class="{"right" if answer.correct else "wrong"}">{_inline(_reply(answer))}</p></details>'
        for letter, answer in zip(ascii_lowercase, question.answers)
    )
    return f'<li><p>{_inline(question.question)} <small data-note="{number}"></small></p>{"".join(answers)}</li>'


def _card_markup(number: int, card: Card) -> str:
    drawer = f"<summary>{_inline(card.front)}</summary><p>{_inline(card.back)}</p>"
    return f'<li><details data-item="{number}">{drawer}</details><small data-note="{number}"></small></li>'


def _inline(text: str) -> str:
    """Escaped text in which `code` stands between backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _pick(things: Any, number: int, noun: str) -> Any:
    if not isinstance(number, int) or not 1 <= number <= len(things):
        raise ValueError(f"There is no {noun} {number!r}: they are numbered from 1 to {len(things)}.")
    return things[number - 1]

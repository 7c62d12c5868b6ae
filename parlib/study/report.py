"""Where do I stand? What has been predicted and answered, which cards are due, and what a word means."""

from __future__ import annotations

import html
from contextlib import suppress
from difflib import get_close_matches

from ..state import here
from .aids import lessons, read_glossary
from .practice import cards, quiz
from .showing import Still, still

__all__ = ["glossary", "progress"]


def progress() -> Still:
    """What this learner has predicted and answered, lesson by lesson, and which cards to review today."""
    labels = sorted(here().section("predictions"), key=_natural)
    lines = [f"Predictions: {len(labels)} committed{': ' if labels else ''}{', '.join(labels)}."]
    for lesson in lessons():
        for kind, practice in (("Quiz", quiz), ("Cards", cards)):
            with suppress(ValueError):  # a lesson may have a quiz and no cards
                lines.append(f"{kind} {lesson}: {practice(lesson).notes['all']}")
    return still("\n".join(lines), f"<ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>")


def glossary(term: str | None = None) -> Still:
    """What `term` means in this course, or all terms."""
    terms = read_glossary()
    if term is not None:
        terms = {_found(term, terms): terms[_found(term, terms)]}
    markup = "".join(f"<dt><strong>{html.escape(t)}</strong></dt><dd>{html.escape(d)}</dd>" for t, d in terms.items())
    return still("\n".join(f"{t}: {d}" for t, d in terms.items()), f"<dl>{markup}</dl>")


def _found(term: str, terms: dict[str, str]) -> str:
    """The entry for `term`, whatever its capitals; ValueError with the nearest ones if there is none."""
    plain = {entry.lower(): entry for entry in terms}
    if term.lower() in plain:
        return plain[term.lower()]
    near = [plain[match] for match in get_close_matches(term.lower(), plain, n=3)]
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "glossary() lists all terms."
    raise ValueError(f"There is no {term!r} in the glossary: {hint}")


def _natural(label: str) -> list[tuple[bool, int, str]]:
    """Labels in the order of a reader: 2.9 before 2.10."""
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in label.split(".")]

"""What does a scene say of itself? Where its numbers come from, what it comes to, and what its picture shows.

Sentences that a reader sees, a screen reader speaks, and a page without scripts still has. They are made from the
score alone, so they are true of whatever is shown.
"""

from __future__ import annotations

from typing import Any

from ..plan import counted
from ..plots.look import SOURCES, tell_seconds
from ..trace import Trace

__all__ = ["alt", "caption", "guessed", "outcome", "sentence", "unit"]


def unit(told: dict[str, Any], number: int) -> str:
    """So many bakers, or chefs."""
    return many(number, "chef" if told["scene"] == "kitchen" else "baker")


def many(number: int, noun: str) -> str:
    """A number with its noun, readable however large.

    >>> many(1, "tray"), many(20_000, "tray")
    ('1 tray', '20,000 trays')
    """
    return counted(number, noun).replace(str(number), f"{number:,}", 1)


def caption(trace: Trace) -> str:
    """The sentence that says where the numbers come from."""
    return SOURCES.get(trace.source, f"{trace.source.capitalize()}.")


def outcome(told: dict[str, Any]) -> str:
    """What it comes to: when the last tray is done, or where it ended."""
    seen, planned, name = told["seen"], told["planned"], told["failed"]
    if not planned:
        return "Nothing was ordered: the trace is empty."
    after = f"after {tell_seconds(told['finish'])}"
    if name:
        error = _error(told)
        return f"Failed at {name} {after}: {told['made']} of {planned:,} trays were done{error}."
    if told["stopped"] or seen < planned:
        return f"{seen:,} of {many(planned, 'tray')} were made, {after}."
    if not told["finish"]:
        return f"{many(planned, 'tray')}, done in no time at all."
    return f"{many(planned, 'tray')} done by {unit(told, told['workers'])} {after}."


def sentence(told: dict[str, Any]) -> str:
    """The outcome, and what is drawn differently from what was."""
    said = outcome(told)
    if "groups" in told:
        each = told["workers"] / told["groups"]
        figure = "Each figure is one worker" if each == 1 else f"Each figure stands for about {each:,.0f} workers"
        return f"{said} Too many to draw one by one: {figure.lower()}, and its bar for the share that is busy."
    slow = next((kind["name"] for kind, one in zip(told["kinds"], told["stations"]) if one["bottleneck"]), "")
    return f"{said} The longest queue stands before {slow}." if slow else said


def alt(told: dict[str, Any]) -> str:
    """What the still picture shows, for those who cannot see it."""
    place = "kitchen" if told["scene"] == "kitchen" else "bakery"
    name = f" of {told['title']}" if told["title"] else ""
    return f"A {place}{name} in three moments: beginning, middle, end. {told['said']}"


def guessed(guess: float | str) -> str:
    """What the learner said before."""
    return f"You predicted {tell_seconds(guess) if isinstance(guess, float | int) else f'“{guess}”'}."


def _error(told: dict[str, Any]) -> str:
    texts = [*told.get("tasks", {}).get("errors", {}).values()]
    return f" ({texts[0]})" if texts else ""

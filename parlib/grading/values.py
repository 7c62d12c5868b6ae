"""What did the student compute? Any value as plain data, the same on every machine.

    Python value ──► plain(value) ──► JSON of one private type ──► compared by nbval, exactly

Numbers are rounded to nine digits, so that the order of a sum cannot change an answer.
NumPy values become plain ones, tuples become lists, and a type that has no plain form
becomes its name. Seconds that were measured never appear: a run shows its result, its
counts, and its time only where the clock was simulated.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..trace import Run

__all__ = ["MIME", "Answered", "plain", "published", "story"]

MIME = "application/vnd.parlib.answer+json"
DIGITS = 9  # float32 carries seven; sums in another order differ from the fifteenth on
MOST_ITEMS, MOST_TEXT, DEEPEST = 10_000, 100_000, 30  # what a person could still look at
ENOUGH_WORDS = 8  # two short sentences; less is a note, not an explanation


@dataclass(frozen=True)
class Answered:
    """An explanation in the student's own words: credit is for answering, not for the content.

    >>> Answered("Too short.").enough
    False
    """

    text: str

    @property
    def enough(self) -> bool:
        """Whether there are at least eight words."""
        return isinstance(self.text, str) and len(self.text.split()) >= ENOUGH_WORDS


def plain(value: object, depth: int = DEEPEST) -> Any:
    """`value` as None, bool, int, float, str, list or dict, whatever it was made of.

    ValueError for what is too large or too deep to compare.

    >>> plain({"sauce": (1, np.float64(0.1) + 0.2)})
    {'sauce': [1, 0.3]}
    >>> plain([math.inf, print])
    [{'float': 'inf'}, {'type': 'builtin_function_or_method'}]
    """
    if depth < 0:
        raise ValueError(f"the answer is nested more than {DEEPEST} deep: give a flatter one")
    if isinstance(value, (Sequence, Set, Mapping, np.ndarray, deque)) and np.size(_sized(value)) > MOST_ITEMS:
        raise ValueError(f"the answer has more than {MOST_ITEMS:,} items: give a smaller one")
    for kinds, form in _FORMS:
        if isinstance(value, kinds):
            return form(value, depth - 1)
    return {"type": type(value).__name__}


def published(exercise: str, value: object) -> dict[str, Any]:
    """What the check cell of `exercise` publishes; ValueError if it is too long to compare."""
    payload = {"exercise": exercise, "value": plain(value)}
    if (length := len(json.dumps(payload))) > MOST_TEXT:
        raise ValueError(f"the answer is {length:,} characters long, more than {MOST_TEXT:,}: give a smaller one")
    return payload


def story(value: Any, width: int = 200) -> str:
    """Plain data as one line for people, cut to `width` characters.

    >>> story([1, {'type': 'Plan'}])
    '[1, a Plan]'
    """
    text = _told(value)
    return text if len(text) <= width else text[: width - 1] + "…"


def _told(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_told, value))}]"
    if isinstance(value, dict):
        if value.keys() == {"type"}:
            return f"a {value['type']}"
        parts = [f"{key!r}: {_told(part)}" for key, part in value.items()]
        return "{" + ", ".join(sorted(parts, key=_late)) + "}"
    return repr(value)


def _late(part: str) -> tuple[bool, str]:
    return len(part) > 24, part  # a long part must not push out the short ones


def _sized(value: Any) -> Any:
    return value if isinstance(value, np.ndarray) else np.empty(len(value), dtype=np.bool_)


def _whole(value: Any, depth: int) -> Any:
    return int(value) if abs(int(value)) < 10**300 else {"type": "int"}  # longer ones no JSON reader takes


def _real(value: Any, depth: int) -> Any:
    number = float(f"{float(value):.{DIGITS}g}") + 0.0  # + 0.0: no negative zero
    return number if math.isfinite(number) else {"float": str(number)}


def _text(value: Any, depth: int) -> str:
    return str(value).encode("utf-8", "replace").decode("utf-8")  # half a character cannot travel


def _list(value: Any, depth: int) -> list[Any]:
    return [plain(part, depth) for part in value]


def _set(value: Any, depth: int) -> dict[str, Any]:
    return {"set": sorted(_list(value, depth), key=json.dumps)}


def _mapping(value: Any, depth: int) -> dict[str, Any]:
    if all(isinstance(key, str) for key in value):
        return {_text(key, depth): plain(value[key], depth) for key in sorted(value)}
    pairs = [[plain(key, depth), plain(part, depth)] for key, part in value.items()]
    return {"pairs": sorted(pairs, key=json.dumps)}


def _run(run: Any, depth: int) -> dict[str, Any]:
    facts = {"result": plain(run.result, depth), "tasks": len(run.trace), "workers": int(run.workers)}
    if run.source == "simulated":  # the only seconds that are the same everywhere
        facts["seconds"] = plain(run.elapsed, depth)
    return facts


_FORMS: tuple[tuple[Any, Any], ...] = (
    (type(None), lambda value, depth: None),
    ((bool, np.bool_), lambda value, depth: bool(value)),
    (str, _text),
    (Integral, _whole),
    (Real, _real),
    (Answered, lambda value, depth: {"answered": value.enough}),
    (Run, _run),
    (np.ndarray, lambda value, depth: plain(value.tolist(), depth + 1)),
    (Mapping, _mapping),
    (Set, _set),
    ((list, tuple, range, deque), _list),
)

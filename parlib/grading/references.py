"""What would be right? The master's own answers, on inputs that nobody has seen.

    seed of the batch ──► a handful of variants of the inputs ──► run once, in the same sandbox ──► values

The variant of a file is chosen by a keyed hash of its bytes: the same file meets the same
inputs again, and its author cannot know which. Without the seed, which is random and kept
in the journal of the batch, nobody knows the inputs; with it, everything can be repeated.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from .course import Exercise, Notebook, drawn_inputs, exercises_of, json_bytes, number_of, role_of, slot_of, source_of
from .intake import Handed
from .rebuild import rebuilt
from .referee import Rooms
from .worker import Outcome

__all__ = ["BadMaster", "Course", "Variant"]

VARIANTS = 4
Runner = Callable[[Notebook, bytes, "Rooms | None"], Outcome]


class BadMaster(ValueError):
    """A master whose own answers cannot be used; the message says which, in one sentence."""


@dataclass(frozen=True)
class Variant:
    """One set of inputs: the master with them, the inputs of each exercise, what is right, who had to meet."""

    master: Notebook
    exercises: dict[str, Exercise]
    inputs: dict[str, str]
    secret: bytes
    rooms: Rooms


@dataclass
class Course:
    """One master and its variants, each run when it is first needed."""

    name: str
    master: Notebook
    seed: str
    run: Runner
    kept: dict[int, Variant] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lock = threading.Lock()
        self.mark = hashlib.sha256(json_bytes(self.master)).hexdigest()
        try:
            self.exercises = exercises_of(self.master)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadMaster(f"{self.name} is not a master: {error}") from None
        if not self.exercises:
            raise BadMaster(f"{self.name} is not a master: it has no cell named check-…")

    def __repr__(self) -> str:
        return f"<Course: {self.name}, {len(self.exercises)} exercises, {len(self.kept)} of {VARIANTS} variants run>"

    @property
    def hidden(self) -> dict[str, str]:
        """The source of the hidden inputs of each exercise that has some."""
        cells = ((slot_of(cell), source_of(cell)) for cell in self.master["cells"])
        return {number_of(slot): source for slot, source in cells if role_of(slot) == "hidden"}

    def variant_of(self, sha: str) -> Variant:
        """The variant for a file with this hash."""
        number = int.from_bytes(self._key(f"file {sha}")[:4], "big") % VARIANTS
        with self.lock:
            if number not in self.kept:
                self.kept[number] = self._made(number)
            return self.kept[number]

    def _key(self, purpose: str) -> bytes:
        return hmac.digest(self.seed.encode(), f"{self.mark} {purpose}".encode(), "sha256")

    def _made(self, variant: int) -> Variant:
        inputs = self._drawn(variant)
        master = {**self.master, "cells": [_with_inputs(cell, inputs) for cell in self.master["cells"]]}
        secret = self._key(f"numbers {variant}")
        handed = [Handed(cell["cell_type"], slot_of(cell), source_of(cell)) for cell in master["cells"]]
        outcome = self.run(rebuilt(master, self.exercises, handed, inputs), secret, None)
        right = {number: replace(one, expected=self._value(number, outcome)) for number, one in self.exercises.items()}
        return Variant(master, right, inputs, secret, outcome.rooms)

    def _drawn(self, variant: int) -> dict[str, str]:
        drawn = {}
        for number, source in self.hidden.items():
            seed = int.from_bytes(self._key(f"inputs {number} {variant}")[:8], "big")
            try:
                drawn[number] = drawn_inputs(source, seed)
            except Exception as error:
                raise BadMaster(f"{self.name}: the hidden inputs of {number} fail: {error}") from None
        return drawn

    def _value(self, number: str, outcome: Outcome) -> Any:
        verdict = outcome.verdicts.get(
            f"check-{number.replace('.', '-')}", {"published": [], "errors": [], "stopped": ""}
        )
        values = [payload.get("value") for payload in verdict["published"] if isinstance(payload, dict)]
        if len(values) != 1 or verdict["errors"]:
            said = [outcome.stopped, verdict["stopped"], *(f"{name}: {text}" for name, text in verdict["errors"])]
            why = next(filter(None, said), "no value")
            raise BadMaster(f"{self.name}: its own answer to {number} does not work on hidden inputs ({why})")
        return values[0]


def _with_inputs(cell: dict[str, Any], inputs: dict[str, str]) -> dict[str, Any]:
    slot = slot_of(cell)
    drawn = inputs.get(number_of(slot)) if role_of(slot) == "given" else None
    return cell if drawn is None else {**cell, "source": drawn}

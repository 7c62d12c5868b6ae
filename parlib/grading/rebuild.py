"""What is judged? The master's cells, with the student's answers put in by name.

The student's file only lends its sources. Everything the student wrote runs, in the order
of the file: answers in their slots, notes and helpers after the cell they followed. Only
check cells are not the student's: those are the master's, with the values of the model
answers as nbval's reference. So it does not matter whether a check was edited, moved,
deleted or doubled, nor what outputs, tags and prints the file carries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .course import Cell, Exercise, Notebook, number_of, role_of, slot_of, source_of
from .intake import Handed
from .values import MIME

__all__ = ["rebuilt"]

TOOLS = "from parlib.grading import answered, check\n"  # also for a student who calls something else `check`


@dataclass
class _Written:
    """What the student wrote at one slot of the master: in the cell itself, and after it."""

    own: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


def rebuilt(
    master: Notebook, exercises: dict[str, Exercise], handed: Iterable[Handed], inputs: Mapping[str, str] | None = None
) -> Notebook:
    """The notebook that nbval runs; its check cells are named as in the master.

    `inputs` are given once more right before a check: a student may have tried others in between.
    """
    kept = [cell for cell in master["cells"] if "solution" not in cell["metadata"].get("tags", ())]
    written = _by_slot({slot_of(cell) for cell in kept}, handed)
    cells = [_code("before", number, source) for number, source in enumerate(written[""].after)]
    for cell in kept:
        cells.extend(_at(cell, exercises, written[slot_of(cell)], inputs or {}))
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def _by_slot(slots: set[str], handed: Iterable[Handed]) -> dict[str, _Written]:
    written: dict[str, _Written] = defaultdict(_Written)
    last = ""
    for cell in handed:
        at_home = cell.slot in slots
        last = cell.slot if at_home else last
        if cell.kind == "code" and not (at_home and role_of(cell.slot) == "check"):
            (written[last].own if at_home else written[last].after).append(cell.source)
    return written


def _at(cell: Cell, exercises: dict[str, Exercise], written: _Written, inputs: Mapping[str, str]) -> Iterator[Cell]:
    """The cells that stand for one cell of the master: the student's, then the master's, then notes."""
    slot = slot_of(cell)
    for number, source in enumerate(written.own):
        if role_of(slot) == "answer" or source.strip() != source_of(cell).strip():
            yield _code(slot, number, source)
    if cell["cell_type"] == "code" and role_of(slot) != "answer":
        reference = [_reference(exercises[number_of(slot)])] if role_of(slot) == "check" else []
        before = f"{TOOLS}{inputs.get(number_of(slot), '')}\n".replace("\n\n", "\n") if reference else ""
        yield _cell(slot, before + source_of(cell), reference)
    for number, source in enumerate(written.after):
        yield _code(f"note-{slot}", number, source)


def _code(slot: str, number: int, source: str) -> Cell:
    """A cell of the student's; its name cannot be that of a check."""
    return _cell(f"by-student-{slot}-{number}", source, [])


def _cell(name: str, source: str, outputs: list[Any]) -> Cell:
    return {
        "cell_type": "code",
        "execution_count": 1,  # nbval compares nothing where this is missing
        "id": name,
        "metadata": {},
        "outputs": outputs,
        "source": source,
    }


def _reference(exercise: Exercise) -> dict[str, Any]:
    payload = {"exercise": exercise.number, "value": exercise.expected}
    return {"data": {MIME: payload}, "metadata": {}, "output_type": "display_data"}

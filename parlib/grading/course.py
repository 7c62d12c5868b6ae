"""What is an exercise? Cells with names in a master notebook, and the master is the truth.

    task-2-1   given-2-1   answer-2-1   check-2-1   think-2-1     what a student sees
    hints-2-1  why-2-1     hidden-2-1                             what stays in the master

A name is the cell's id and, because ids vanish in old formats and some editors, also the
`grade_id` of its nbgrader metadata. A cell tagged `solution` stays in the master, and so
does the part of an answer cell below the line `# solution`. A given cell holds the inputs
as plain assignments; `hidden_inputs(random)` in the hidden cell draws other values for
them, from a seed, so that points can be counted on inputs nobody has seen.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .values import MIME

__all__ = ["Exercise", "drawn_inputs", "exercises_of", "find_answers", "lesson_of", "master_of", "slot_of", "source_of"]

HOME = Path(__file__).resolve().parents[2] / "exercises"  # beside the package, where the course is installed from

Cell = dict[str, Any]
Notebook = dict[str, Any]


@dataclass(frozen=True)
class Exercise:
    """One exercise, as its master tells it; `instead` is shown where the answer would spoil the riddle."""

    number: str
    title: str
    points: int
    expected: Any  # plain data, as the model answer published it
    hints: tuple[str, ...]
    look: str  # where to look again
    yes: str  # the warm line
    instead: str = ""

    def __repr__(self) -> str:
        return f"<Exercise {self.number}: {self.title}, {self.points} point{'s' * (self.points != 1)}>"


def source_of(cell: Cell) -> str:
    """The text of a cell, whether it is kept as a string or as a list of lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def slot_of(cell: Cell) -> str:
    """The name of a cell: its `grade_id`, which survives old formats, else its id, else ''."""
    return str(cell.get("metadata", {}).get("nbgrader", {}).get("grade_id") or cell.get("id") or "")


def role_of(slot: str) -> str:
    """What a cell is for: 'task', 'given', 'answer', 'check', …; the first word of its name."""
    return slot.partition("-")[0]


def number_of(slot: str) -> str:
    """The exercise a cell belongs to.

    >>> number_of("answer-2-1"), number_of("setup")
    ('2.1', '')
    """
    found = re.fullmatch(r"[a-z]+-(\d{1,3})-(\d{1,3})", slot)
    return ".".join(found.groups()) if found else ""


def lesson_of(number: str) -> str:
    """The lesson an exercise belongs to, as its files are called: '02' for '2.1'."""
    return f"{int(number.partition('.')[0]):02}"


def master_of(lesson: str, home: Path | None = None) -> Path:
    """Where the master of a lesson is kept."""
    return (home or HOME) / "solutions" / f"{lesson}_solutions.ipynb"


def read_json(path: Path) -> Any:
    """The content of a JSON file of ours."""
    return json.loads(path.read_text(encoding="utf-8"))


def json_bytes(content: Any) -> bytes:
    """`content` as a JSON file of ours: the same content is the same bytes, on every system."""
    return (json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode("utf-8")


def write_json(path: Path, content: Any) -> bool:
    """Keep `content` at `path`; True if that changed the file."""
    if path.exists() and path.read_bytes() == json_bytes(content):
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json_bytes(content))
    return True


def find_answers(lesson: str) -> dict[str, Any]:
    """The visible answers of a lesson: beside the notebook, above it, or where parlib came from."""
    around = [Path.cwd(), *Path.cwd().parents]
    homes = [place for folder in around for place in (folder, folder / "exercises")]
    for home in (*homes, HOME):
        if (path := home / "answers" / f"{lesson}.json").is_file():
            with suppress(PermissionError):  # seen, and not for us: so it is in a sandbox
                return read_json(path)
    return {}


def exercises_of(master: Notebook) -> dict[str, Exercise]:
    """All exercises of a master, by number; ValueError if a part of one is missing.

    The expected values are those that the model answers published when the master was run.
    """
    cells = {slot_of(cell): cell for cell in master["cells"]}
    numbers = [number_of(slot) for slot in cells if role_of(slot) == "check"]
    return {number: _exercise(number, cells) for number in numbers}


def _exercise(number: str, cells: dict[str, Cell]) -> Exercise:
    task, check, hints = (_part(role, number, cells) for role in ("task", "check", "hints"))
    title = re.search(rf"### Exercise {re.escape(number)} — (.+)", source_of(task))
    if not title:
        raise ValueError(f"the task of exercise {number} needs the heading '### Exercise {number} — …'")
    guide = dict(_guide(source_of(hints)))
    steps = tuple(guide.pop(step) for step in ("1", "2", "3") if step in guide)
    points = check["metadata"]["nbgrader"]["points"]
    return Exercise(number, title[1], points, _expected(check), steps, **guide)


def _part(role: str, number: str, cells: dict[str, Cell]) -> Cell:
    slot = f"{role}-{number.replace('.', '-')}"
    if slot not in cells:
        raise ValueError(f"exercise {number} has no cell named {slot!r} in its master")
    return cells[slot]


def _guide(text: str) -> Iterator[tuple[str, str]]:
    """The hints cell, line by line: three numbered hints, then Look, Yes and perhaps Instead."""
    for name, line in re.findall(r"^(\d|Look|Yes|Instead)[.:] (.+)$", text, re.MULTILINE):
        yield name.lower(), line.strip()


def _expected(check: Cell) -> Any:
    values = [output["data"][MIME]["value"] for output in check["outputs"] if MIME in output.get("data", {})]
    return values[0] if values else None


def drawn_inputs(hidden: str, seed: int) -> str:
    """The source of a given cell with other inputs, drawn by a hidden cell from `seed`.

    >>> drawn_inputs("def hidden_inputs(random): return {'workers': random.choice([3])}", seed=1)
    'workers = 3'
    """
    names: dict[str, Any] = {}
    exec(hidden, names)  # our own code, from the master
    drawn = names["hidden_inputs"](random.Random(seed))
    return "\n".join(f"{name} = {value!r}" for name, value in drawn.items())

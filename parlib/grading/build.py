"""How does a master become a student's notebook? What is tagged `solution` stays behind.

    python -m parlib.grading.build        run the masters, then write everything below

    exercises/solutions/NN_solutions.ipynb  ──►  exercises/NN_exercises.ipynb      to work in
             (edit only this one)           ──►  exercises/answers/NN.json         what check and hint know

Running a master gives it its outputs, and with them the expected answers; all the rest
follows from the master alone, byte for byte, so that a test can tell whether the committed
files are what the build makes.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .course import HOME, Cell, Notebook, exercises_of, number_of, read_json, role_of, slot_of, source_of, write_json

__all__ = ["answers_of", "build", "student_notebook"]

WRITTEN = ("answer", "check")  # their outputs tell the solution; those of other cells do not depend on it
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def build(master: Path) -> None:
    """Run a master until its answers stand still, and write the student's notebook and the answers.

    ValueError if a model answer is not accepted by its own check, or a part is missing.
    """
    home, lesson = master.parent.parent, master.name[:2]
    for _ in range(2):  # the first run learns the answers, the second is checked against them
        notebook = executed(read_json(master), master.parent)
        write_json(master, notebook)
        if not write_json(home / "answers" / f"{lesson}.json", answers_of(notebook)):
            break
    _refuse_errors(master.name, notebook)
    write_json(home / f"{lesson}_exercises.ipynb", student_notebook(notebook))


def student_notebook(master: Notebook) -> Notebook:
    """The notebook to work in: no solutions, no hidden inputs; outputs only where they tell nothing."""
    kept = [cell for cell in master["cells"] if "solution" not in cell["metadata"].get("tags", ())]
    cells = [_for_student(cell) for cell in kept]
    given = [cell for cell in cells if cell.get("outputs")]
    for count, cell in enumerate(given, start=1):
        cell["execution_count"] = count
    return _notebook(cells)


def answers_of(master: Notebook) -> dict[str, Any]:
    """What `check` and `hint` know of a lesson: expected values, hints, where to look."""
    return {number: asdict(exercise) for number, exercise in exercises_of(master).items()}


def executed(master: Notebook, folder: Path) -> Notebook:
    """The master after a run from a fresh kernel, with no metadata but ours."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.reads(json.dumps(master), as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True).execute(cwd=str(folder))
    return _notebook([_clean(cell) for cell in notebook.cells])


def _notebook(cells: list[Cell]) -> Notebook:
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def _for_student(cell: Cell) -> Cell:
    slot, source = slot_of(cell), source_of(cell)
    if role_of(slot) == "answer":
        source = stub(source, number_of(slot))
    shown = _clean(cell) | {"source": _lines(source)}
    if cell["cell_type"] == "code":
        shown |= {"execution_count": None, "outputs": [] if role_of(slot) in WRITTEN else cell["outputs"]}
    return shown


def stub(source: str, number: str) -> str:
    """What stands above the line `# solution`; a function's body ends by saying its number.

    >>> print(stub("def deal(trays):\\n    # solution\\n    return trays[::2]", "2.1"))
    def deal(trays):
        raise NotImplementedError("Exercise 2.1")
    """
    found = re.search(r"^( *)# solution$", source, re.MULTILINE)
    if not found:
        raise ValueError(f"the answer of exercise {number} needs a line '# solution' above its solution")
    above = source[: found.start()].rstrip()
    return above if not found[1] else f'{above}\n{found[1]}raise NotImplementedError("Exercise {number}")'


def _clean(cell: Any) -> Cell:
    metadata = {name: cell["metadata"][name] for name in ("nbgrader", "tags") if name in cell["metadata"]}
    clean = {"cell_type": cell["cell_type"], "id": cell["id"], "metadata": metadata, "source": _lines(source_of(cell))}
    if cell["cell_type"] == "code":
        clean |= {"execution_count": cell["execution_count"], "outputs": [dict(output) for output in cell["outputs"]]}
    return clean


def _lines(source: str) -> list[str]:
    return source.splitlines(keepends=True)


def _refuse_errors(name: str, master: Notebook) -> None:
    for cell in master["cells"]:
        for output in cell.get("outputs", []):
            if output["output_type"] == "error":
                raise ValueError(f"{name}, cell {slot_of(cell)}: {output['ename']}: {output['evalue']}")


def main() -> None:
    """Build every lesson, or those whose two digits are given."""
    for master in sorted((HOME / "solutions").glob("*_solutions.ipynb")):
        if not sys.argv[1:] or master.name[:2] in sys.argv[1:]:
            build(master)
            print(f"built {master.name}")


if __name__ == "__main__":
    main()

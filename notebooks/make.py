"""How is a lesson made? Run in a fresh kernel with an example learner's predictions, cleaned, and written back.

    python notebooks/make.py            every lesson, in order
    python notebooks/make.py 01 02      these

    aids/NN_example.json   {"1.1": 3, "1.2": "The sauce"}: what the example learner predicts, so that each outcome shows
    NN_words.ipynb         the lesson: edit its sources here or in JupyterLab, then run this

Each lesson runs alone, in a copy of this folder whose `.parlib/` holds the example predictions and nothing else. What
is kept of a cell is its id, source, tags, slide type and outputs: no widgets (their text and the still picture beside
them stay), no times, no states of the editor. Cleaning twice is cleaning once.

Tags say what a cell is for; `tests/lesson_rules.py` reads them, and each of its rules says what it wants.

    opening · setup                        promise and box of three lines (markdown) · imports and nothing else (code)
    question · predict · run · see · name · break · carry-on      the seven beats of a section, in this order
    close                                  from "In one picture" to "Next"
    try                                    the learner is asked to change something, beside predict, see and break
    nbval-ignore-output                    shows times measured here, which differ at each run
    raises-exception                       the error is the lesson
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
WIDGET = "application/vnd.jupyter.widget"  # any form that only a live kernel can draw
CELL_SECONDS = 120  # the slowest honest cell measures for twenty seconds on a quiet machine


def lessons(numbers: list[str] | None = None) -> list[Path]:
    """The notebooks of the course in order, or those whose two digits are given."""
    found = sorted(HERE.glob("[0-9][0-9]_*.ipynb"))
    return [path for path in found if not numbers or path.name[:2] in numbers]


def make(path: Path) -> None:
    """Run one lesson and write it back with its outputs."""
    import nbformat

    notebook = executed(nbformat.read(path, as_version=4), path.name[:2])
    path.write_text(written(cleaned(notebook)), encoding="utf-8", newline="\n")


def written(notebook: Any) -> str:
    """A notebook as the text of its file; the same notebook is the same text on every system."""
    import nbformat

    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


# ---- Running --------------------------------------------------------------------------------------------------------


def executed(notebook: Any, lesson: str) -> Any:
    """The notebook after a run from a fresh kernel; CellExecutionError where a cell fails that may not."""
    from nbclient import NotebookClient

    with learners_folder(lesson) as folder:
        environment = os.environ | {"IPYTHONDIR": str(folder / "ipython")}  # nobody else's start-up files
        client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", store_widget_state=False)
        return client.execute(cwd=str(folder), env=environment)


@contextmanager
def learners_folder(lesson: str) -> Iterator[Path]:
    """A copy of this folder as the example learner has it: the aids, and the predictions of one lesson, committed."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as room:
        folder = Path(room) / "notebooks"
        shutil.copytree(HERE / "aids", folder / "aids")
        commit_examples(lesson, folder)
        yield folder


def commit_examples(lesson: str, folder: Path) -> None:
    """Commit what the example learner predicts in a lesson, in the notes that belong to `folder`."""
    from parlib.state import State
    from parlib.study import commit

    for label, value in example(lesson).items():
        commit(label, value, state=State(folder / ".parlib"))


def example(lesson: str) -> dict[str, Any]:
    """The example learner's predictions in a lesson, by label; an empty dict where there are none."""
    path = HERE / "aids" / f"{lesson}_example.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


# ---- Cleaning -------------------------------------------------------------------------------------------------------


def cleaned(notebook: Any) -> Any:
    """The notebook with nothing in it that a reader or a checker does not need."""
    from nbformat import from_dict

    counts = iter(range(1, len(notebook.cells) + 1))
    cells = [_cell(cell, next(counts) if cell.cell_type == "code" else 0) for cell in notebook.cells]
    return from_dict({"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5})


def _cell(cell: Any, count: int) -> dict[str, Any]:
    clean = {"cell_type": cell.cell_type, "id": cell.id, "metadata": _metadata(cell.metadata)}
    clean["source"] = cell.source.strip("\n")
    if cell.cell_type == "code":
        outputs = list(_outputs(cell.outputs, count))  # all of them first: a later piece may empty an earlier one
        clean |= {"execution_count": count, "outputs": [output for output in outputs if output.get("text") != ""]}
    return clean


def _metadata(metadata: Any) -> dict[str, Any]:
    """Tags, and the kind of slide; "-" would make the cell vanish from live slides."""
    slide = metadata.get("slideshow", {}).get("slide_type", "-")
    kept = {"tags": list(metadata["tags"])} if metadata.get("tags") else {}
    return kept | ({"slideshow": {"slide_type": slide}} if slide != "-" else {})


def _outputs(outputs: Any, count: int) -> Iterator[dict[str, Any]]:
    """The outputs that mean something without a kernel; what was printed piece by piece becomes one piece."""
    stream: dict[str, Any] | None = None
    for output in outputs:
        if output.output_type != "stream":
            stream = None
            yield from _rich(output, count)
        elif stream and stream["name"] == output.name:
            stream["text"] = _as_seen(stream["text"] + output.text)
        else:
            stream = {"output_type": "stream", "name": output.name, "text": _as_seen(output.text)}
            yield stream


def _rich(output: Any, count: int) -> Iterator[dict[str, Any]]:
    if output.output_type == "error":
        # The frames of the lesson; those of a library differ with its version and name folders of this machine.
        frames = [frame for frame in map(_plain, output.traceback) if not frame.startswith("File ")]
        yield {"output_type": "error", "ename": output.ename, "evalue": output.evalue, "traceback": frames}
        return
    data = {form: content for form, content in sorted(output.data.items()) if not form.startswith(WIDGET)}
    if data:
        yield {"output_type": output.output_type, "data": data, "metadata": {}} | (
            {"execution_count": count} if output.output_type == "execute_result" else {}
        )


def _as_seen(text: str) -> str:
    """What a terminal would show: a progress bar that redraws its line leaves the last one, or nothing."""
    return re.sub(r"[^\n]*\r(?!\n)", "", text)


def _plain(text: str) -> str:
    """A text without the codes that color it in a terminal."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def main(numbers: list[str]) -> int:
    """Make every lesson, or those whose two digits are given; 1 if there is none of them."""
    chosen = lessons(numbers)
    for path in chosen:
        make(path)
        print(f"made {path.name}: {path.stat().st_size / 1000:.0f} kB")
    if not chosen:
        print(f"There is no lesson {', '.join(numbers)} in {HERE}." if numbers else f"There are no lessons in {HERE}.")
    return 0 if chosen else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

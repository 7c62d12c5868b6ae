"""How many points? The rebuilt notebook through nbval, and a table of what it earned.

    FILE ──► cells ──► rebuilt notebook ──► pytest + nbval ──► one line for every exercise

This is the check that a student runs at home: no sandbox, visible inputs only. Whatever is
wrong with the file, the answer is a table or one sentence, never a traceback.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..plan import counted
from .course import Exercise, exercises_of, lesson_of, master_of, number_of, read_json
from .intake import Handed, Unreadable, read_cells
from .rebuild import rebuilt
from .values import story

__all__ = ["Judged", "check_notebook", "points_of"]

LINE = 60  # letters of a value in the table
CELL_SECONDS, NOTEBOOK_SECONDS = 30, 300  # an honest exercise answers in one second, a notebook in ten
PACKAGES = Path(__file__).resolve().parents[2]  # where parlib is found, also when it was never installed


@dataclass(frozen=True)
class Judged:
    """One exercise after the check: whether it is right, and if not, why in one line."""

    exercise: Exercise
    right: bool
    reason: str

    @property
    def points(self) -> int:
        """Points earned."""
        return self.exercise.points if self.right else 0

    def __repr__(self) -> str:
        return f"<Judged: {self.exercise.number}, {self.points} of {self.exercise.points}, {self.reason}>"


def check_notebook(path: str | Path, *, home: Path | None = None) -> int:
    """Check a whole exercise notebook and print its points, one line for every exercise.

    Returns 0 if every exercise is right, 1 if one is not, 2 if the file cannot be checked.
    `home` is the folder of the exercises, if it is not the one parlib came with.
    """
    try:
        judged = points_of(path, home=home)
    except Unreadable as error:
        _say(str(error))
        return 2
    _say("\n".join(_table(Path(path).name, judged)))
    return 0 if all(one.right for one in judged) else 1


def points_of(path: str | Path, *, home: Path | None = None) -> list[Judged]:
    """What each exercise of the notebook at `path` earned; `Unreadable` if it cannot be checked."""
    handed = read_cells(path)
    master = _master(Path(path).name, handed, home)
    exercises = exercises_of(master)
    verdicts = _through_nbval(rebuilt(master, exercises, handed))
    return [_judged(exercise, verdicts) for exercise in exercises.values()]


def _master(name: str, handed: list[Handed], home: Path | None) -> Any:
    """The master of the lesson that most cells belong to; where no cell has kept its name, the file's name tells."""
    lessons = Counter(lesson_of(number) for cell in handed if (number := number_of(cell.slot)))
    named = [lesson for lesson, _ in lessons.most_common()] or re.findall(r"^\d\d(?=_)", name)
    for lesson in named if handed else []:
        if (path := master_of(lesson, home)).is_file():
            return read_json(path)
    raise Unreadable(f"{name} has no exercise of this course in it: give one of the notebooks in exercises/")


def _through_nbval(notebook: Any) -> dict[str, dict[str, Any]]:
    """What each cell did, by the name of the cell; cells that were never reached are missing."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        room = Path(folder)
        (room / "notebook.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        (room / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # nobody else's settings
        (room / "verdicts").touch()
        said = _run_pytest(room)
        verdicts = [json.loads(line) for line in (room / "verdicts").read_text(encoding="utf-8").splitlines()]
    if not verdicts:
        raise Unreadable(f"the check could not begin: {said}")
    return {verdict["cell"]: verdict for verdict in verdicts}


def _run_pytest(room: Path) -> str:
    """Run nbval on the notebook in `room`; the last line it said, for the case that nothing came of it."""
    plugins = ("nbval.plugin", "parlib.grading.nbval_plugin", "no:cacheprovider")
    options = ("--nbval", "--nbval-current-env", f"--nbval-cell-timeout={CELL_SECONDS}", "--verdicts=verdicts")
    named = [word for plugin in plugins for word in ("-p", plugin)]
    command = [sys.executable, "-m", "pytest", "-q", "-c", "pytest.ini", *named, *options, "notebook.ipynb"]
    try:
        done = subprocess.run(
            command,
            cwd=room,
            env=_environment(room),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=NOTEBOOK_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {NOTEBOOK_SECONDS} seconds"
    return (done.stdout.decode("utf-8", "replace").strip().splitlines() or ["pytest said nothing"])[-1]


def _environment(room: Path) -> dict[str, str]:
    """This environment, without what would change how pytest or IPython behave."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    paths = [str(PACKAGES), *filter(None, [kept.get("PYTHONPATH")])]
    own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "IPYTHONDIR": str(room / "ipython")}
    return kept | own | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}


def _judged(exercise: Exercise, verdicts: dict[str, dict[str, Any]]) -> Judged:
    key = exercise.number.replace(".", "-")
    check = verdicts.get(f"check-{key}")
    if check is None:
        return Judged(exercise, False, "never reached: an earlier cell did not end")
    if check["passed"]:
        return Judged(exercise, True, "yes")
    answers = [verdict for name, verdict in verdicts.items() if name.startswith(f"by-student-answer-{key}-")]
    return Judged(exercise, False, next(_reasons(exercise, check, answers)))


def _reasons(exercise: Exercise, check: dict[str, Any], answers: list[dict[str, Any]]) -> Iterator[str]:
    """Why an exercise earned nothing, the most telling reason first."""
    if len(check["published"]) > 1:
        yield "published more than once"
    for payload in check["published"]:
        yours = story(payload.get("value") if isinstance(payload, dict) else payload, LINE)
        yield f"yours {yours}, expected {exercise.instead or story(exercise.expected, LINE)}"
    for name, message in (error for verdict in (*answers, check) for error in verdict["errors"]):
        yield _in_words(name, message)
    if any(answer["stopped"] and "on test start" not in answer["stopped"] for answer in answers):
        yield "its answer did not end, or ended the kernel"
    elif "Kernel dead" in check["stopped"]:
        yield "never reached: an earlier cell ended the kernel"
    yield "nothing was published"


def _in_words(name: str, message: str) -> str:
    if name == "KeyboardInterrupt":
        return f"stopped after {counted(CELL_SECONDS, 'second')}"
    line = (message.strip().splitlines() or [""])[0]
    return line if name.startswith("NotYet") else f"{name}: {line}"


def _table(name: str, judged: list[Judged]) -> Iterator[str]:
    width = max(len(one.exercise.title) for one in judged)
    yield name
    for one in judged:
        earned = f"{one.points} of {one.exercise.points}"
        yield f"  {one.exercise.number:5} {one.exercise.title:{width}}  {earned:>8}   {one.reason}"
    total, most = sum(one.points for one in judged), sum(one.exercise.points for one in judged)
    yield f"  {'total':5} {'':{width}}  {f'{total} of {most}':>8}"


def _say(text: str) -> None:
    """Print also where the terminal lacks a letter."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))

"""Grading a class: how long does a batch take, and does its memory grow?

The same honest submissions of one notebook with six exercises, graded by `python -m parlib
grade --jobs 2` and by `nbgrader autograde`, which has no parallel mode, in turn. Both start
from nothing: a fresh process, no journal, no gradebook but the assignment itself.

nbgrader is not among the requirements; without it, ours is measured alone.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from parlib.grading.build import student_notebook
from parlib.grading.course import HOME, master_of, read_json, slot_of, source_of

from .contest import Competitor, Middle, hold, ratio
from .report import Target, row, seconds_of, table, times_of

TITLE = "Grading a class"
OURS, THEIRS = "`parlib grade --jobs 2`", "`nbgrader autograde`"
LESSON, ASSIGNMENT, FASTER = "02", "hw", 2.5
SCALES = {"full": (100, 1), "quick": (12, 1), "mini": (2, 1)}  # submissions, rounds
GROWTH = 1.25  # memory in the second half of a batch, over that in the first: flat, with room for chance


def sections(scale: str) -> dict[str, Callable[[], dict[str, Any]]]:
    submissions, rounds = SCALES[scale]
    return {f"{submissions} honest submissions of one notebook": partial(batch, submissions, rounds)}


def batch(submissions: int, rounds: int) -> dict[str, Any]:
    """The seconds of a whole batch, and how much memory ours took, in bytes, ten times a second."""
    with tempfile.TemporaryDirectory() as folder:
        competitors = {OURS: Competitor(ours, partial(class_for_us, Path(folder), submissions))}
        if find_spec("nbgrader"):
            competitors[THEIRS] = Competitor(theirs, partial(class_for_nbgrader, Path(folder), submissions))
        memory: list[list[int]] = []
        competitors[OURS] = Competitor(partial(watched, memory), competitors[OURS].prepare)
        record = hold(competitors, rounds=rounds, check=lambda graded: graded == submissions)
    return record | {"submissions": submissions, "memory": memory[-1]}


def solved() -> dict[str, Any]:
    """The student's notebook with the master's answers."""
    master = read_json(master_of(LESSON))
    answers = {slot_of(cell): source_of(cell) for cell in master["cells"] if slot_of(cell).startswith("answer")}
    notebook = student_notebook(master)
    for cell in notebook["cells"]:
        cell["source"] = answers.get(slot_of(cell), cell["source"])
    return notebook


def hand_in(folder: Path, notebook: dict[str, Any], number: int) -> None:
    """One submission, with a cell of its own, so that no two are the same file."""
    own = {"cell_type": "code", "id": "own", "metadata": {}, "outputs": [], "execution_count": None}
    folder.mkdir(parents=True)
    content = notebook | {"cells": [*notebook["cells"], own | {"source": f"number = {number}"}]}
    (folder / "exercises.ipynb").write_text(json.dumps(content), encoding="utf-8")


def class_for_us(folder: Path, submissions: int) -> Path:
    place = Path(tempfile.mkdtemp(dir=folder))
    for number in range(submissions):
        hand_in(place / "class" / f"student{number:03}", solved(), number)
    return place


def class_for_nbgrader(folder: Path, submissions: int) -> Path:
    """A course of nbgrader's, with the assignment generated and every submission in its place."""
    place = Path(tempfile.mkdtemp(dir=folder))
    source = place / "source" / ASSIGNMENT
    source.mkdir(parents=True)
    shutil.copy(HOME / f"{LESSON}_exercises.ipynb", source / "exercises.ipynb")
    nbgrader(place, "generate_assignment", ASSIGNMENT)
    for number in range(submissions):
        hand_in(place / "submitted" / f"student{number:03}" / ASSIGNMENT, solved(), number)
    return place


def nbgrader(place: Path, *words: str) -> None:
    command = [sys.executable, "-m", "nbgrader", *words, f"--CourseDirectory.root={place}"]
    subprocess.run(command, cwd=place, env=environment(), check=True, capture_output=True)


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # nbgrader calls programs by name
    return os.environ | {"PYTHONPATH": str(HOME.parent), "MPLBACKEND": "agg", "PATH": path}


def theirs(place: Path) -> int:
    """How many of the submissions nbgrader has graded."""
    nbgrader(place, "autograde", ASSIGNMENT)
    return len(list((place / "autograded").glob(f"*/{ASSIGNMENT}/exercises.ipynb")))


def ours(place: Path) -> int:
    """How many of the submissions earned every point from us."""
    command = [sys.executable, "-m", "parlib", "grade", "class", "--out", "out", "--jobs", "2"]
    subprocess.run(command, cwd=place, env=environment(), check=True, capture_output=True)
    with (place / "out" / "grades.csv").open(encoding="utf-8", newline="") as file:
        whole = [line for line in csv.DictReader(file) if line["exercise"] == "ALL"]
    return sum(line["points"] == line["max_points"] != "0" for line in whole)


def watched(kept: list[list[int]], place: Path) -> int:
    """Ours, with the memory of the grader itself looked at while it runs."""
    seen: list[int] = []
    over = threading.Event()
    looking = threading.Thread(target=_look, args=(seen, over))
    looking.start()
    try:
        return ours(place)
    finally:
        over.set()
        looking.join()
        kept.append(seen)


def _look(seen: list[int], over: threading.Event) -> None:
    """The proportional memory of what stays for the whole batch: the supervisor, not its short-lived workers."""
    while not over.wait(0.1):
        for one in psutil.Process().children():
            try:
                if "grade" in one.cmdline():
                    seen.append(one.memory_info().rss)
            except psutil.Error:
                continue


def report(records: dict[str, dict[str, Any]]) -> str:
    """All tables, one for each contest."""
    return "\n\n".join(_table(title, record) for title, record in records.items())


def _table(title: str, record: dict[str, Any]) -> str:
    seconds, submissions = record["seconds"], record["submissions"]
    lines = []
    for name, times in seconds.items():
        each = seconds_of([time_ / submissions for time_ in times])
        theirs_to_ours = ratio(times, seconds[OURS])
        verdict = str(Target("times theirs", theirs_to_ours.median, at_least=FASTER)) if name != OURS else _flat(record)
        lines.append(row(name, seconds_of(times), each, "" if name == OURS else times_of(theirs_to_ours), verdict))
    heads = ["", "the whole batch", "per submission", "this ÷ parlib", "target"]
    return table(title, record, heads, lines)


def _flat(record: dict[str, Any]) -> str:
    seen = record["memory"]
    if len(seen) < 8:
        return ""
    middle = len(seen) // 2
    growth = Middle.of(seen[middle:]).median / Middle.of(seen[middle // 2 : middle]).median
    return str(Target("of the memory of the first half", growth, at_most=GROWTH))

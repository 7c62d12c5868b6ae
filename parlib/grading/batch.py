"""How are many graded? Side by side, each alone, and none twice.

    submissions ──► read ──► which master? ──► marks, in a sandbox ──► journal ──► reports

Every submission ends in a result: marks, or one of a few named reasons and no points. A
result depends on the file, the master, the seed and the limits, and on no other submission.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .course import Notebook, lesson_of, master_of, number_of, read_json
from .gathering import Submission
from .intake import Handed, Unreadable, cells_of
from .journal import Journal
from .marking import Mark, marked
from .referee import Rooms
from .references import BadMaster, Course
from .sandbox import Sandbox, Wish
from .worker import Job, Outcome, run

__all__ = ["Batch", "Result", "grade_all"]

FORMAT = 1  # of a result in the journal


@dataclass(frozen=True)
class Result:
    """What one submission came to: a mark for each exercise, or why there is none."""

    student: str
    file: str
    sha256: str
    status: str  # graded, nothing handed in, unreadable, not a notebook, too large, wrong exercise, failed
    reason: str
    seconds: float
    marks: tuple[Mark, ...] = ()

    @property
    def points(self) -> int:
        """Points earned in all exercises."""
        return sum(mark.points for mark in self.marks)

    @property
    def max_points(self) -> int:
        """Points that could be earned; 0 where it is not known which exercises these were."""
        return sum(mark.max_points for mark in self.marks)

    def __repr__(self) -> str:
        return f"<Result: {self.student}, {self.points} of {self.max_points}, {self.status}>"


@dataclass
class Batch:
    """All that the submissions of a batch share."""

    sandbox: Sandbox
    journal: Journal
    master: Path | None = None  # else the course's own, by lesson

    def __post_init__(self) -> None:
        self.over = False  # stopped from outside: what comes now is no result
        self.courses: dict[str, Course] = {}
        self.lock = threading.Lock()
        self.versions = {name: version(name) for name in ("parlib", "nbval", "ipykernel", "numpy")}
        self.versions |= {"python": platform.python_version()}
        if self.master:
            self._course(str(self.master), self.master)

    def __repr__(self) -> str:
        return f"<Batch: {len(self.journal.results)} results, {len(self.courses)} masters>"

    def grade(self, submission: Submission) -> tuple[Result, bool]:
        """The result of one submission, whatever it is; and whether it is new."""
        empty = Result(submission.student, submission.name, "", "failed", "", 0.0)
        try:
            raw = submission.read()
            empty = replace(empty, sha256=hashlib.sha256(raw).hexdigest())
            course, handed = self._sorted(submission.name, cells_of(Path(submission.name).name, raw))
            key = self._key(empty.sha256, course)
            if new := key not in self.journal.results:
                result = self._graded(empty, course, handed)
                if self.over:
                    raise InterruptedError("the batch was stopped")
                self.journal.add(key, asdict(result))
            kept = loaded(self.journal.results[key])
            return replace(kept, student=submission.student, file=submission.name), new
        except Unreadable as error:
            return self._refused(empty, named(str(error)), str(error)), True
        except BadMaster as error:
            return self._refused(empty, "failed", str(error)), True
        except Exception as error:  # a fault of ours must not stop the others
            reason = f"the grader itself failed ({type(error).__name__}: {error}): grade this one again"
            return self._refused(empty, "failed", reason), True

    def _refused(self, empty: Result, status: str, reason: str) -> Result:
        """No points, and why; for each exercise, if it is known which there are."""
        course = self.courses.get(str(self.master))
        marks = nothing(course, status, reason) if course else ()
        return replace(empty, status=status, reason=reason, marks=marks)

    def _graded(self, empty: Result, course: Course, handed: list[Handed]) -> Result:
        began = time.perf_counter()
        variant, limits = course.variant_of(empty.sha256), self.sandbox.limits
        runs: Callable[[Notebook, float], Outcome] = lambda notebook, seconds: self._run(
            notebook, variant.secret, variant.rooms, seconds
        )
        marks = marked(handed, variant, course.hidden, runs, limits.whole_seconds)
        return replace(empty, status="graded", seconds=round(time.perf_counter() - began, 3), marks=tuple(marks))

    def _run(self, notebook: Notebook, secret: bytes, rooms: Rooms | None, seconds: float = 0.0) -> Outcome:
        wish: Wish = self.sandbox.wish
        if rooms is None:  # a model answer, which nobody needs to hurry
            patient = replace(wish.limits, cell_seconds=60.0, whole_seconds=300.0)
            wish, seconds = replace(wish, limits=patient), 300.0
        outcome = run(Job(notebook, wish, secret, rooms, seconds or wish.limits.whole_seconds), self.sandbox.folder)
        if outcome.stopped.startswith(("no kernel", "the run ended early")) and not outcome.verdicts:
            raise RuntimeError(outcome.stopped)
        return outcome

    def _sorted(self, name: str, handed: list[Handed]) -> tuple[Course, list[Handed]]:
        """The course that a notebook belongs to; `Unreadable` if none of its cells does."""
        lessons = Counter(lesson_of(number) for cell in handed if (number := number_of(cell.slot)))
        if self.master:
            course = self.courses[str(self.master)]
            if lessons and not any(number_of(cell.slot) in course.exercises for cell in handed):
                raise Unreadable(f"wrong exercise: {Path(name).name} is of lesson {lessons.most_common(1)[0][0]}")
            return course, handed
        for lesson in [lesson for lesson, _ in lessons.most_common()] or re.findall(r"(?<!\d)\d\d(?=_)", name):
            if (path := master_of(lesson)).is_file():
                return self._course(lesson, path), handed
        raise Unreadable(f"wrong exercise: {Path(name).name} has no exercise of this course in it")

    def _course(self, name: str, path: Path) -> Course:
        with self.lock:
            if name not in self.courses:
                self.courses[name] = Course(path.name, master_at(path), self.journal.seed, self._run)
            return self.courses[name]

    def _key(self, sha: str, course: Course) -> str:
        how = [self.journal.seed, self.sandbox.rung, asdict(self.sandbox.limits), self.versions]
        return hashlib.sha256(json.dumps([FORMAT, sha, course.mark, how], sort_keys=True).encode()).hexdigest()


def grade_all(batch: Batch, submissions: list[Submission], jobs: int, done: Callable[[Result], Any]) -> list[Result]:
    """The results of all submissions, in their order; `done` hears of each as soon as it is there."""
    pool = ThreadPoolExecutor(jobs)
    try:
        futures = {pool.submit(batch.grade, submission): place for place, submission in enumerate(submissions)}
        results: dict[int, Result] = {}
        for future in as_completed(futures):
            results[futures[future]] = future.result()[0]
            done(results[futures[future]])
    except BaseException:
        batch.over = True
        batch.sandbox.close()  # so that nobody waits for a kernel
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return [results[place] for place in range(len(submissions))]


def master_at(path: Path) -> Notebook:
    """The master in a file; `BadMaster` with one sentence if it is none."""
    try:
        master = read_json(path)
        return {**master, "cells": [{**cell, "metadata": {**cell["metadata"]}} for cell in master["cells"]]}
    except OSError as error:
        raise BadMaster(f"{path} cannot be opened ({error.strerror}): give a master notebook") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        known = "exercises/solutions/02_solutions.ipynb"
        raise BadMaster(f"{path} is not a notebook: give a master, such as {known}") from None


def loaded(kept: dict[str, Any]) -> Result:
    """A result as it was kept."""
    return Result(**{**kept, "marks": tuple(Mark(**mark) for mark in kept["marks"])})


def nothing(course: Course, status: str, reason: str) -> tuple[Mark, ...]:
    """No points for anything, and why."""
    exercises = course.exercises.values()
    return tuple(Mark(one.number, one.title, 0, one.points, status, reason, reason, 0.0) for one in exercises)


def named(reason: str) -> str:
    """The status that a refusal has in a table."""
    signs = {"wrong exercise": "wrong exercise", "larger than": "too large", "too large": "too large"}
    signs |= {"nothing was handed in": "nothing handed in"}
    signs |= {"is not a notebook": "not a notebook", "has no list of cells": "not a notebook"}
    return next((status for sign, status in signs.items() if sign in reason), "unreadable")

"""One command grades them all: what was handed in, into a folder of reports.

    python -m parlib grade SUBMISSIONS… --out DIR

Files, folders and zips go in; what the folder holds afterwards, `reports` says. A second run
grades only what has changed. The exit code tells a script how it went:

    0   every submission was graded             3   no isolation here, and no --trust
    1   some could not be; their rows say why   130 stopped by Ctrl+C; run again to go on
    2   nothing was: a wrong path or master
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..plan import counted
from .batch import Batch, Result, grade_all
from .gathering import gathered
from .intake import Unreadable
from .journal import Journal
from .references import BadMaster
from .reports import statistics, write_reports
from .sandbox import Limits, Refused, Sandbox

__all__ = ["Grading", "grade"]

GRADED, SOME_NOT, NOTHING, NOT_SAFE, STOPPED = 0, 1, 2, 3, 130
NOT_SAFE_HERE = (
    "This system has no way to shut strangers' code in ({}). "
    "On Linux, install bubblewrap; or, for notebooks you trust as your own, add --trust."
)


@dataclass(frozen=True)
class Grading:
    """How to grade: where to, by which master, with which care."""

    out: Path
    master: Path | None = None  # the course's own, unless said
    jobs: int = 1
    seed: str = ""  # random, unless said
    force: bool = False
    trust: bool = False
    limits: Limits = field(default_factory=Limits)
    isolation: str = ""  # the best there is, unless said

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ValueError(f"at least one notebook at a time must be graded, not {self.jobs}")


def grade(paths: Iterable[str | Path], how: Grading) -> int:
    """Grade all submissions in `paths` and write the reports; returns the exit code, and never raises."""
    try:
        submissions = gathered(map(Path, paths))
        if not submissions:
            raise Unreadable("there is no submission in there: give notebooks, folders or a zip")
        how.out.mkdir(parents=True, exist_ok=True)
        with Sandbox(how.limits, how.isolation) as sandbox:
            if sandbox.rung == "limits" and not how.trust:
                _say(NOT_SAFE_HERE.format("; ".join(sandbox.why)))
                return NOT_SAFE
            return _graded(submissions, sandbox, how)
    except (Unreadable, BadMaster, Refused) as error:
        _say(f"{error}")
        return NOTHING
    except OSError as error:
        _say(f"The reports cannot be written to {how.out} ({error.strerror or error}): give another --out.")
        return NOTHING
    except KeyboardInterrupt:
        _say("Stopped. What was graded is kept: run the same command to go on.")
        return STOPPED
    except Exception as error:
        _say(f"The grader itself failed ({type(error).__name__}: {error}). What was graded is kept: run it again.")
        return NOTHING


def _graded(submissions: list[Any], sandbox: Sandbox, how: Grading) -> int:
    from tqdm import tqdm

    batch = Batch(sandbox, Journal(how.out, how.seed, force=how.force), how.master)
    with tqdm(total=len(submissions), unit=" notebooks", disable=None) as bar:
        results = grade_all(batch, submissions, how.jobs, lambda result: bar.update())
    write_reports(how.out, results, _facts(batch))
    _say("\n".join(_summary(results, batch, how.out)))
    return GRADED if all(result.status == "graded" for result in results) else SOME_NOT


def _facts(batch: Batch) -> dict[str, Any]:
    """How it was graded, for whoever wants to repeat it."""
    sandbox = batch.sandbox
    return {
        "isolation": sandbox.rung,
        "not_available": sandbox.why,
        "seed": batch.journal.seed,
        "versions": batch.versions,
        "limits": vars(sandbox.limits),
        "masters": {course.name: course.mark for course in batch.courses.values()},
    }


def _summary(results: list[Result], batch: Batch, out: Path) -> list[str]:
    lines = [f"{counted(len(results), 'submission')}, isolation: {batch.sandbox.rung}. Reports: {out}"]
    lines += [f"  not available: {why}" for why in batch.sandbox.why]
    for number, item in statistics(results).items():
        lines.append(f"  {number:5} {item['right']:4} of {item['submissions']} right   {item['title']}")
    missed = [result for result in results if result.status != "graded"]
    lines += [f"  {result.student}: {result.reason}" for result in missed[:20]]
    return lines + ([f"  … and {len(missed) - 20} more that could not be graded"] if len(missed) > 20 else [])


def _say(text: str) -> None:
    """Print also where the terminal lacks a letter."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding), flush=True)

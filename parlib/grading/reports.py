"""What does a batch leave behind? Tables for the instructor, a page for every student.

    grades.csv      a row for every exercise of every file, and one ALL row a student
    grades.json     the same, with isolation, seed, versions, and statistics of every exercise
    grades.xml      the same as JUnit, for programs that read test results
    feedback/       a page for every student: no program needed, nothing loaded, everything escaped

Every file is written whole or not at all. What a student has written never becomes a
formula of a spreadsheet, a tag of a page, or a path.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from .batch import Result
from .journal import write_whole

__all__ = ["COLUMNS", "statistics", "write_reports"]

COLUMNS = ("student", "sha256", "exercise", "points", "max_points", "status", "reason", "seconds")
STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #ccc }
td.points { white-space: nowrap }
"""
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""
TABLE = """<table>
<thead><tr><th scope="col">Exercise</th><th scope="col">Points</th><th scope="col">Feedback</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>"""


def write_reports(out: Path, results: list[Result], facts: dict[str, Any]) -> None:
    """Write all reports of a batch into the folder `out`; `facts` say how it was graded."""
    write_whole(out / "grades.csv", _csv(results))
    content = facts | {"exercises": statistics(results), "students": [_as_json(result) for result in results]}
    write_whole(out / "grades.json", _clean(json.dumps(content, indent=1, ensure_ascii=False)) + "\n")
    write_whole(out / "grades.xml", _junit(results))
    pages = {page_name(result): _page(result) for result in results}
    for left in (out / "feedback").glob("*.html"):
        if left.name not in pages:
            left.unlink()
    for name, page in pages.items():
        write_whole(out / "feedback" / name, page)


def rows(result: Result) -> Iterator[tuple[Any, ...]]:
    """One row for each exercise of a file."""
    for mark in result.marks:
        yield (mark.exercise, mark.points, mark.max_points, mark.status, mark.reason, mark.seconds)


def total(files: list[Result]) -> tuple[Any, ...]:
    """The ALL row of a student: all files together, and of an exercise handed in twice the better one."""
    best: dict[str, Any] = {}
    for mark in (mark for result in files for mark in result.marks):
        if mark.exercise not in best or mark.points > best[mark.exercise].points:
            best[mark.exercise] = mark
    points, most = (sum(getattr(mark, name) for mark in best.values()) for name in ("points", "max_points"))
    worst = next((result for result in files if result.status != "graded"), files[0])
    return ("ALL", points, most, worst.status, worst.reason, round(sum(result.seconds for result in files), 3))


def statistics(results: list[Result]) -> dict[str, Any]:
    """Of each exercise: how many earned its points, and what kept the others from it, the most frequent first."""
    marks = [mark for result in results if result.status == "graded" for mark in result.marks]
    numbers = sorted({mark.exercise for mark in marks}, key=lambda number: [int(part) for part in number.split(".")])
    of = {number: [mark for mark in marks if mark.exercise == number] for number in numbers}
    return {
        number: {
            "title": own[0].title,
            "submissions": len(own),
            "right": sum(mark.points > 0 for mark in own),
            "mean_points": round(sum(mark.points for mark in own) / len(own), 3),
            "statuses": dict(Counter(mark.status for mark in own).most_common()),
        }
        for number, own in of.items()
    }


def page_name(result: Result) -> str:
    """The name of a student's page: readable, safe on every system, and its own."""
    readable = re.sub(r"[^\w-]+", "_", result.student).strip("_")[:60] or "student"
    own = hashlib.sha256(f"{result.student}\0{result.file}".encode("utf-8", "replace")).hexdigest()[:8]
    return f"{readable}-{own}.html"


def _csv(results: list[Result]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for student in dict.fromkeys(result.student for result in results):
        files = [result for result in results if result.student == student]
        lines = [(result.sha256, *row) for result in files for row in rows(result)]
        lines.append((" ".join(filter(None, (result.sha256 for result in files))), *total(files)))
        table.writerows([*map(_cell, (student, *line))] for line in lines)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A text that a spreadsheet takes for a text: one line, and no formula."""
    if not isinstance(value, str):
        return value
    line = _clean(" ".join(value.split()))
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line


def _clean(text: str) -> str:
    """Without letters that no table, page or XML can hold."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)


def _as_json(result: Result) -> dict[str, Any]:
    kept = {name: value for name, value in asdict(result).items() if name != "marks"}
    marks = [asdict(mark) for mark in result.marks]
    return kept | {"points": result.points, "max_points": result.max_points, "exercises": marks}


def _junit(results: list[Result]) -> str:
    suites = ElementTree.Element("testsuites")
    for result in results:
        suite = ElementTree.SubElement(suites, "testsuite", name=_clean(result.student))
        cases = [*rows(result)] or [total([result])]
        for number, points, most, status, reason, seconds in cases:
            case = ElementTree.SubElement(suite, "testcase", name=number, time=str(seconds))
            if not points or points < most:
                kind = "failure" if result.status == "graded" else "error"
                ElementTree.SubElement(case, kind, type=status, message=_clean(reason))
        failed = len(suite.findall("testcase/failure")), len(suite.findall("testcase/error"))
        suite.attrib |= {"tests": str(len(cases)), "failures": str(failed[0]), "errors": str(failed[1])}
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _page(result: Result) -> str:
    title = html.escape(_clean(f"Feedback for {result.student}"))
    lines = [f"<p>{result.points} of {result.max_points} points. File: {html.escape(_clean(result.file))}</p>"]
    if result.status != "graded":
        lines = [f"<p>This file could not be graded: {html.escape(_clean(result.reason))}.</p>"]
    if result.marks:
        lines.append(TABLE.format(rows="\n".join(map(_row, result.marks))))
    return PAGE.format(title=title, style=STYLE, body="\n".join(lines))


def _row(mark: Any) -> str:
    head = html.escape(_clean(f"{mark.exercise} {mark.title}"))
    points = f"{mark.points} of {mark.max_points}"
    told = html.escape(_clean(mark.told))
    return f'<tr><th scope="row">{head}</th><td class="points">{points}</td><td>{told}</td></tr>'

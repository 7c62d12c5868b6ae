"""A grader as it is often written: it believes what it finds in the kernel. The attacks of the corpus must fool it.

    python naive_grader.py NOTEBOOK EXPECTED

It runs the student's file as it is, check cells included, in one process; compares values there; takes points from the
file, skips what is marked to be skipped, believes an output that says so, and prints its verdict at the end.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

import parlib.grading
from parlib.grading import values


def main() -> None:
    from IPython.core.interactiveshell import InteractiveShell

    cells = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8-sig"))["cells"]
    expected_of = json.loads(Path(sys.argv[2]).read_text())
    shell = InteractiveShell.instance()
    passed = dict.fromkeys(expected_of, True)  # until a check says otherwise
    points = {number: told["points"] for number, told in expected_of.items()}

    def check(number, answer):
        told = json.loads(Path(sys.argv[2]).read_text())[number]
        expected = told["expected"]
        value = answer()
        assert value == expected or values.published(number, value)["value"] == expected, number

    parlib.grading.check = check
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        grading = cell["metadata"].get("nbgrader", {})
        number = grading.get("grade_id", "")[6:].replace("-", ".") if grading.get("grade") else ""
        if number:
            points[number] = grading["points"]
            passed.setdefault(number, True)
        failed = []
        shell._showtraceback = lambda *_, failed=failed, **__: failed.append(True)
        if "NBVAL_SKIP" in source or "raises-exception" in cell["metadata"].get("tags", []):
            continue
        with contextlib.redirect_stdout(io.StringIO()) as said:
            shell.run_cell(source)
        for exercise in passed:
            if f"PASS {exercise}" in said.getvalue() or f"Exercise {exercise}: yes" in said.getvalue():
                points[exercise], passed[exercise] = points.get(exercise, 0), "said so"
        if number and passed[number] != "said so":
            passed[number] = not failed
    verdict = json.loads(json.dumps(passed))
    print("POINTS", sum(points[number] for number, right in verdict.items() if right), flush=True)


if __name__ == "__main__":
    main()

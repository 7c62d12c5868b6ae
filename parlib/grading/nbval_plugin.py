"""nbval compares one thing: the value that a check cell publishes.

    pytest --nbval -p parlib.grading.nbval_plugin --verdicts FILE notebook.ipynb

Prints, warnings, pictures and progress bars are free. Marks in a student's cell (skip,
ignore, expect an error) mean nothing here, and an error in a cell is not the end: what
counts is the value beside the reference. One line of JSON for every cell goes to FILE as
soon as the cell is done, so that a notebook that has to be stopped keeps what it earned.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest

from .course import role_of
from .values import MIME


class AllBut:
    """Every key but these: nbval leaves out of the comparison what it finds in here."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def __contains__(self, key: object) -> bool:
        return key not in self.keys


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the verdicts go."""
    parser.addoption("--verdicts", metavar="FILE", help="write one line of JSON for every cell to FILE")


def pytest_itemcollected(item: Any) -> None:
    """Judge check cells by the published value only, and run every other cell without judging it."""
    item.parent.skip_compare = AllBut("data", MIME)
    item.options = {"check": role_of(item.cell.id) == "check", "skip": False, "check_exception": True}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Write down what a cell did, once it was called."""
    if call.when == "call":
        with open(item.config.getoption("verdicts"), "a", encoding="utf-8") as file:
            file.write(json.dumps(_verdict(item, call)) + "\n")
    return (yield)


def _verdict(item: Any, call: pytest.CallInfo[None]) -> dict[str, Any]:
    outputs = item.test_outputs or []
    return {
        "cell": item.cell.id,
        "passed": call.excinfo is None,
        "published": [output["data"][MIME] for output in outputs if MIME in output.get("data", {})],
        "errors": [[output["ename"], output["evalue"]] for output in outputs if "ename" in output],
        "stopped": str(call.excinfo.value).splitlines()[0] if call.excinfo else "",
    }

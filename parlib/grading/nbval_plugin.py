"""nbval compares one thing: the value that a check cell publishes.

    pytest --nbval -p parlib.grading.nbval_plugin --verdicts FILE notebook.ipynb

Prints, warnings, pictures and progress bars are free. Marks in a student's cell (skip,
ignore, expect an error) mean nothing here, and an error in a cell is not the end: what
counts is the value beside the reference. One line of JSON for every cell goes to FILE as
soon as the cell is done, so that a notebook that has to be stopped keeps what it earned.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from functools import partial
from queue import Empty
from typing import Any

import pytest

from .course import role_of
from .values import MIME

LOOK_AGAIN = 0.25  # seconds: soon enough for a person who waits


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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: Any) -> None:
    """Notice at once when the kernel is gone; nbval alone would wait for the whole time of the cell."""
    kernel = item.parent.kernel
    if hasattr(kernel, "kc") and "get_message" not in vars(kernel):  # once for each kernel that is not our own
        item.parent.kernel.get_message = partial(_watchful, item.parent.kernel, item.parent.kernel.get_message)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Write down what a cell did, once it was called."""
    if call.when == "call":
        with open(item.config.getoption("verdicts"), "a", encoding="utf-8") as file:
            file.write(json.dumps(_verdict(item, call)) + "\n")
    return (yield)


def _watchful(kernel: Any, get_message: Callable[..., Any], stream: str, timeout: float) -> Any:
    """The kernel's next message; `Empty` after `timeout` seconds, RuntimeError as soon as it is dead."""
    patience = time.monotonic() + timeout
    while True:
        try:
            return get_message(stream, timeout=min(timeout, LOOK_AGAIN))
        except Empty:
            if not kernel.is_alive():
                raise RuntimeError("Kernel dead while it ran") from None
            if time.monotonic() > patience:
                raise


def _verdict(item: Any, call: pytest.CallInfo[None]) -> dict[str, Any]:
    outputs = item.test_outputs or []
    return {
        "cell": item.cell.id,
        "passed": call.excinfo is None,
        "compared": call.excinfo is None or getattr(call.excinfo.value, "args", ("",))[0] == "Cell outputs differ",
        "published": [output["data"][MIME] for output in outputs if MIME in output.get("data", {})],
        "errors": [[output["ename"], output["evalue"]] for output in outputs if "ename" in output],
        "stopped": (str(call.excinfo.value).splitlines() or [""])[0] if call.excinfo else "",
        "seconds": round(call.duration, 3),
    }

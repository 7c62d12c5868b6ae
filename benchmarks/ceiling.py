"""What could two processes reach at most? The same work on data they made themselves.

Nothing is moved: each process makes its half, keeps it, and is told only when to start and
with which job. What its answer would have cost to send, it does not pay. No executor can
be faster than that on this machine at this moment.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from typing import Any

from threadpoolctl import threadpool_limits


class Ceiling(AbstractContextManager):
    """Two processes that hold `make(0)` and `make(1)`, for as long as the block lasts."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        context = multiprocessing.get_context("spawn")  # the same on every system
        self.lines, self.processes = [], []
        for number in range(2):
            line, end = context.Pipe()
            process = context.Process(target=_stay, args=(end, make, number), daemon=True)
            process.start()
            end.close()  # so that a process that dies is noticed
            self.lines.append(line)
            self.processes.append(process)
        self._await_both()

    def run(self, job: Callable[[Any], Any]) -> None:
        """Both do `job(what they hold)` at once; returns when both are through."""
        for line in self.lines:
            line.send(job)
        self._await_both()

    def __exit__(self, *_: object) -> None:
        for line, process in zip(self.lines, self.processes):
            line.close()
            process.join()

    def _await_both(self) -> None:
        for line in self.lines:
            line.recv()


def _stay(line: Connection, make: Callable[[int], Any], number: int) -> None:
    with threadpool_limits(1):
        held = make(number)
        line.send("ready")
        while True:
            try:
                job = line.recv()
            except (EOFError, KeyboardInterrupt):
                return
            job(held)
            line.send("done")

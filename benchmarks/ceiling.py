"""What could two processes reach at most? The same work on data they made themselves.

Nothing is moved: each process makes its half of an array, keeps it, and is told only when
to start and how often to turn. What its answer would have cost to send, it does not pay.
No executor can be faster than that on this machine at this moment.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from typing import Any

from threadpoolctl import threadpool_limits

from . import work


class Ceiling(AbstractContextManager):
    """Two processes with half of an array each, for as long as the block lasts."""

    def __init__(self, megabytes: int) -> None:
        context = multiprocessing.get_context("spawn")  # the same on every system
        self.lines, self.processes = [], []
        for seed in range(2):
            line, end = context.Pipe()
            process = context.Process(target=_stay, args=(end, megabytes / 2, seed), daemon=True)
            process.start()
            self.lines.append(line)
            self.processes.append(process)
        self._await_both()

    def run(self, job: Callable[..., Any], turns: int) -> None:
        """Both do their half of the job at once; returns when both are through."""
        for line in self.lines:
            line.send((job, turns))
        self._await_both()

    def __exit__(self, *_: object) -> None:
        for line, process in zip(self.lines, self.processes):
            line.close()
            process.join()

    def _await_both(self) -> None:
        for line in self.lines:
            line.recv()


def _stay(line: Connection, megabytes: float, seed: int) -> None:
    with threadpool_limits(1):
        rows = work.make(megabytes, seed)
        line.send("ready")
        while True:
            try:
                job, turns = line.recv()
            except (EOFError, KeyboardInterrupt):
                return
            job(rows, turns)
            line.send("done")

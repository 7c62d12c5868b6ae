"""How is an order baked for real while the notebook stays free? In a process of its own, which sends back the trace.

    kernel                                        process of its own          its workers
    Oven.bake(order, tell) ──order, pickled──►    serve ──────plan──────►     …
    tell(run, error)  ◄────────────run or what went wrong───────┘

The plan is run twice, and the first run is a warm-up: it would show how long workers take to start, which is another
story. The process ends with its order, with `stop()` and with the notebook. The result stays there: a scene shows when
things happened, and not what came of them.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import cloudpickle

from ..backends import close
from ..couriers import portable, prepare
from ..schedule import execute
from ..timing.child import _end, _leave_at_end_of, _new_process
from ..trace import Run

__all__ = ["Order", "Oven", "serve"]

Tell = Callable[["Run | None", "BaseException | None"], None]


@dataclass(frozen=True)
class Order:
    """What to bake: a workload in a size, cut into so many chunks, on workers of a backend."""

    workload: Any
    size: Any
    chunks: int
    workers: int
    backend: str

    def bake(self) -> Run:
        """Run the plan on this machine, twice, and give the second run; or, if it fails, the failed one."""
        plan = self.workload.plan(self.size, self.chunks)
        try:
            execute(plan, self.workers, self.backend, order=self.workload.order)
            return execute(plan, self.workers, self.backend, order=self.workload.order)
        except Exception as error:
            failed = getattr(error, "run", None)
            if not isinstance(failed, Run):
                raise
            return failed


class Oven:
    """Bakes one order at a time, in a process of its own."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def hot(self) -> bool:
        """Whether something is being baked."""
        return self._process is not None

    def bake(self, order: Order, tell: Tell) -> None:
        """Bake, and call `tell(run, error)` in the background when it is over; not after `stop`.

        Raises TypeError for a workload that cannot be sent to another process.
        """
        self.stop()
        message = _packed(order)
        self._process = process = _new_process(__name__)
        threading.Thread(target=self._converse, args=(process, message, tell), daemon=True).start()

    def stop(self) -> None:
        """End what is being baked, and every process of it."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)

    def _converse(self, process: subprocess.Popen[bytes], message: bytes, tell: Tell) -> None:
        """Send the order and wait for what comes of it, in a thread of its own."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(message)
            process.stdin.flush()  # and left open: its end is the sign to leave
            run, error = pickle.load(process.stdout)
        except Exception:
            why = "it was killed, or ran out of memory: try a smaller order or fewer workers"
            run, error = None, RuntimeError(f"the baking process ended before its order was done; {why}")
        if self._process is process:  # else it was stopped, and nobody waits for it
            self.stop()
            tell(run, error)


def serve() -> None:
    """What the process of its own does: bake the order that comes in, send out the run, and leave."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a workload prints must not come between the messages
    prepare(pickle.load(sys.stdin.buffer))
    answer = _baked()
    close()
    with suppress(OSError):
        cloudpickle.dump(answer, out)
        out.flush()


def _baked() -> tuple[Run | None, BaseException | None]:
    try:
        order = pickle.load(sys.stdin.buffer)
        threading.Thread(target=_leave_at_end_of, args=(sys.stdin.buffer,), daemon=True).start()
        return replace(order.bake(), result=None), None
    except BaseException as error:
        return None, portable(error)


def _packed(order: Order) -> bytes:
    try:
        return pickle.dumps(os.getpid()) + cloudpickle.dumps(order)
    except Exception as problem:
        way_out = "open files or connections inside its functions"
        name = order.workload.name
        raise TypeError(f"{name} cannot be sent to a process of its own ({problem}): {way_out}") from problem

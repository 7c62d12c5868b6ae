"""What does a worker do with one task? Calls it, and says when, for how long, or why not.

A worker knows its one task: not the plan, not the other workers, and not how its values
came to it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

_here = threading.local()


class Report(NamedTuple):
    """What a worker tells about one task; times by this machine's `perf_counter`, in seconds."""

    value: Any
    error: Any  # an exception or None; on their way, value and error may be bytes
    started: float
    finished: float
    cpu: float
    nested: bool  # whether the task started a run of its own


def inside() -> bool:
    """Whether this code is being run by a worker; a run that starts here will be serial."""
    return getattr(_here, "depth", 0) > 0


def note_nesting() -> None:
    """Remember that the current task started a run of its own."""
    _here.nested = True


def perform(fn: Callable[..., Any], *values: Any) -> Report:
    """Call `fn(*values)` as a worker does, and report. `KeyboardInterrupt` is not caught."""
    value, error = None, None
    _here.depth = getattr(_here, "depth", 0) + 1
    outer, _here.nested = getattr(_here, "nested", False), False
    started, cpu = time.perf_counter(), time.thread_time()
    try:
        value = fn(*values)
    except KeyboardInterrupt:
        raise
    except BaseException as problem:  # a task may leave by SystemExit, or be cancelled
        error = problem
    finally:
        cpu, finished = time.thread_time() - cpu, time.perf_counter()
        nested, _here.nested = _here.nested, outer
        _here.depth -= 1
    return Report(value, error, started, finished, cpu, nested)

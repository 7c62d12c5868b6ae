"""Who stands behind `submit`? Executors, as the standard library understands them.

    InCaller      nobody: the call is made at once, in the thread that submits
    WarmThreads   threads that stay for the next run
    new_pool      processes that stay for the next run

An executor knows calls and futures; it has never heard of a plan.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any

from .blas import THREAD_VARIABLES
from .couriers import prepare


class InCaller(Executor):
    """An executor without workers: it calls the function at once, in the thread that submits."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class WarmThreads(Executor):
    """Threads that stay for the next run. They are daemons, so the program can end while one is busy.

    All take their calls from one queue, and for each call in it there is a thread without
    one. Of tiny calls, a thread that is awake takes several, before another has woken up.
    """

    def __init__(self) -> None:
        self.calls: SimpleQueue[Any] = SimpleQueue()
        self.idle: deque[None] = deque()  # a mark for each thread that nobody has counted on

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        future.set_running_or_notify_cancel()  # it starts at once: too late to cancel
        try:
            self.idle.pop()
        except IndexError:
            threading.Thread(target=self._work, name="parlib worker", daemon=True).start()
        self.calls.put((future, fn, args, kwargs))
        return future

    def give_up(self, future: Future) -> None:
        """Use the thread of this call no more; it ends with the call, if that ever ends."""
        future.given_up = True  # type: ignore[attr-defined]

    def _work(self) -> None:
        while True:
            future, fn, args, kwargs = self.calls.get()
            answer, problem = _outcome(fn, *args, **kwargs)
            del fn, args, kwargs  # an idle worker holds on to nobody's data
            if hasattr(future, "given_up"):
                return
            self.idle.append(None)  # first, so that the next submission finds it
            future.set_exception(problem) if problem else future.set_result(answer)
            del future, answer, problem


def _outcome(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, BaseException | None]:
    try:
        return fn(*args, **kwargs), None
    except BaseException as problem:  # also KeyboardInterrupt, which would end this thread and leave a run waiting
        return None, problem


def new_pool(size: int) -> Any:
    from loky import ProcessPoolExecutor as Loky  # not the standard pool: it cannot send functions of a notebook

    env = dict.fromkeys(THREAD_VARIABLES, "1")
    pool = Loky(size, initializer=prepare, initargs=(os.getpid(),), env=env)
    pool.size = size
    return pool


def dead_processes(pool: Any) -> set[int]:
    """The process numbers of a pool's workers that are no longer alive."""
    processes = dict(getattr(pool, "_processes", None) or {})
    return {number for number, process in processes.items() if not process.is_alive()}

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
    """Threads that stay for the next run. They are daemons, so the program can end while one is busy."""

    def __init__(self) -> None:
        self.idle: deque[_Thread] = deque()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        try:
            thread = self.idle.pop()
        except IndexError:
            thread = _Thread(self.idle)
        future.thread = thread  # type: ignore[attr-defined]  # so that a crew can give it up
        future.set_running_or_notify_cancel()  # it starts at once: too late to cancel
        thread.inbox.put((future, fn, args, kwargs))
        return future


class _Thread(threading.Thread):
    """A worker that takes calls from its inbox until it is given up."""

    def __init__(self, idle: deque[_Thread]) -> None:
        super().__init__(name="parlib worker", daemon=True)
        self.inbox: SimpleQueue[Any] = SimpleQueue()
        self.idle, self.given_up = idle, False
        self.start()

    def run(self) -> None:
        while (call := self.inbox.get()) is not None:
            future, fn, args, kwargs = call
            answer, problem = _outcome(fn, *args, **kwargs)
            del call, fn, args, kwargs  # an idle worker holds on to nobody's data
            if self.given_up:
                return
            self.idle.append(self)  # first, so that the next submission finds it
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

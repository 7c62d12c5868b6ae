"""Who stands behind `submit`? Executors, as the standard library understands them.

    InCaller        nobody: the call is made at once, in the thread that submits
    WarmThreads     threads that stay for the next run
    WarmProcesses   processes that stay for the next run

An executor knows calls and futures; it has never heard of a plan.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
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
        self._begin()
        at_fork(self._begin)  # a fork of this process has none of its threads

    def _begin(self) -> None:
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


def at_fork(begin: Callable[[], None]) -> None:
    """Have a fork of this process begin anew; there are none on Windows."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=begin)


def _outcome(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, BaseException | None]:
    try:
        return fn(*args, **kwargs), None
    except BaseException as problem:  # also KeyboardInterrupt, which would end this thread and leave a run waiting
        return None, problem


class WarmProcesses(Executor):
    """Processes that stay for the next run. Each has a line of its own, which takes a call straight to it.

    In a pool, a queue and two threads stand between `submit` and a process; for a tiny call
    they take most of the time. The functions must be importable in any process.
    """

    def __init__(self) -> None:
        self._begin()
        at_fork(self._begin)  # a fork of this process has none of its processes

    def _begin(self) -> None:
        self.lines: list[_Line] = []
        self.lock = threading.Lock()  # two runs may choose a line at the same time

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        call = pickle.dumps((fn, args, kwargs))
        future: Future = Future()
        future.set_running_or_notify_cancel()  # it starts at once: too late to cancel
        with self.lock:
            line = next(self._free(), None) or self._new_line()
            line.futures.append(future)
        future.line = line  # type: ignore[attr-defined]  # so that it can be given up
        line.send(call)
        return future

    def stand_by(self, number: int, most: int) -> None:
        """See that at least `number` processes have nothing to do, and that no more than `most` do."""
        with self.lock:
            free = list(self._free())
            for _ in range(number - len(free)):
                self._new_line()
            for line in free[most:]:
                line.cut = True  # so that no other run counts on it
        for line in free[most:]:
            line.end()

    def give_up(self, future: Future) -> None:
        """End the process of this call, and whatever it has started, unless the call is over."""
        line = future.line  # type: ignore[attr-defined]
        with self.lock:  # once the call is over, the next may be somebody else's
            if future not in line.futures:
                return
            line.cut = True
        line.end()

    def close(self) -> None:
        """End all processes."""
        for line in list(self.lines):
            line.end()

    @property
    def _processes(self) -> dict[int, Any]:
        return {line.process.pid: line.process for line in list(self.lines)}

    def _free(self) -> Iterator[_Line]:
        return (line for line in list(self.lines) if line.free)

    def _new_line(self) -> _Line:
        line = _Line(self.lines)
        atexit.unregister(self.close)
        atexit.register(self.close)  # what is registered last runs first: before Python waits for the processes
        return line


class ProcessEnded(BrokenExecutor):
    """A process ended before its call did; that of no other."""


class _Line:
    """A process, the way to it, and the future that waits for its answer."""

    def __init__(self, lines: list[_Line]) -> None:
        from multiprocessing import Pipe

        from loky.backend.context import LokyProcess  # not the standard one, which would run the main program again

        self.lines, self.cut = lines, False
        self.futures: deque[Future] = deque()  # one at most
        self.connection, far_end = Pipe()
        env = dict.fromkeys(THREAD_VARIABLES, "1")
        self.process = LokyProcess(target=_serve, args=(far_end, os.getpid()), env=env)
        self.started = threading.Event()
        self.listener = threading.Thread(target=self._listen, args=(far_end,), name="parlib listener", daemon=True)
        lines.append(self)  # first, so that an interrupt leaves no process behind that nobody knows
        self.listener.start()

    @property
    def free(self) -> bool:
        """Whether its process has nothing to do, and lives or is about to."""
        listening = self.listener.is_alive() and not self.cut
        return listening and not self.futures and self.process.exitcode is None

    def send(self, call: bytes) -> None:
        """Send a call. Its future hears of it in any case, even if the process is dead."""
        try:
            self.connection.send_bytes(call)
        except OSError:
            pass  # it is dead, as the listener finds out
        except BaseException:
            self.end()  # interrupted: with half a call on the line, nobody could understand the next
            raise
        if self.cut:
            self._fail()

    def end(self) -> None:
        """Kill the process and all that it has started, and wait until they are dead."""
        from loky.backend.utils import kill_process_tree

        if self.listener.is_alive():
            self.started.wait()
            if self.process.pid is not None:
                kill_process_tree(self.process)
            self.listener.join()

    def _listen(self, far_end: Any) -> None:
        """Start the process and take its answers (in a thread: an interrupt cannot leave half a process behind)."""
        try:
            with contextlib.suppress(EOFError, OSError):
                self._start(far_end)
                while True:
                    self._deliver(*pickle.loads(self.connection.recv_bytes()))
        finally:
            self.cut = True  # before anything else: whoever sends from here on fails the future himself
            self._fail()
            self.lines.remove(self)
            self.connection.close()

    def _start(self, far_end: Any) -> None:
        try:
            with far_end:
                self.process.start()
        finally:
            self.started.set()

    def _deliver(self, answer: Any, problem: BaseException | None) -> None:
        future = self.futures.pop()  # first, so that the next submission finds the line free
        future.set_exception(problem) if problem else future.set_result(answer)

    def _fail(self) -> None:
        if self.process.pid is not None:
            self.process.join()
        with contextlib.suppress(IndexError):
            self.futures.pop().set_exception(ProcessEnded("the process ended before its call did"))


def _serve(line: Any, parent: int) -> None:
    """In a worker process: take calls until the line is cut."""
    prepare(parent)
    with contextlib.suppress(EOFError, OSError):
        while True:
            fn, args, kwargs = pickle.loads(line.recv_bytes())
            line.send_bytes(pickle.dumps(_outcome(fn, *args, **kwargs)))
            del fn, args, kwargs


def dead_processes(pool: Any, patience: float = 0.5) -> set[int]:
    """The process numbers of a pool's workers that are no longer alive.

    A process closes its files before the system calls it dead, so a pool may hear of it too
    early: wait for up to `patience` seconds until there is one.
    """
    processes, end = dict(getattr(pool, "_processes", None) or {}), time.monotonic() + patience
    while True:
        dead = {number for number, process in processes.items() if not process.is_alive()}
        if dead or not processes or time.monotonic() > end:
            return dead
        time.sleep(0.001)

"""How is a contest run while the notebook stays free? In a process of its own, which tells as it goes.

    notebook                      process of its own            its workers
    Measurement ──contest, pickled──► serve ──────────plans──────► …
    poll() ◄─────────events─────── lap, lap, lap, …

The process has its own warm workers, and nothing to draw. It ends with its contest, with `cancel()`,
with the `Measurement`, and with the notebook, however that ends; its workers end with it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import cloudpickle

from ..backends import close
from ..couriers import portable, prepare
from ..plan import counted
from . import fair
from .records import keep, kept
from .sweeps import Sample, Sweep

__all__ = ["Measurement"]

GRACE = 1.0  # seconds for a process to leave by itself: it needs a tenth, unless the machine is busy


class Measurement:
    """A sweep that is being measured in a process of its own; takes what `sweep` takes.

    `poll()` gives the samples that have come since the last poll, `sweep` all there is,
    `progress` how far it is (0 … 1), `error` what went wrong, if something did. Only `wait` waits.

    Raises TypeError for a workload or a backend that cannot be sent to another process.
    """

    def __init__(
        self,
        workload: Any,
        workers: Iterable[int] = (1, 2, 4),
        sizes: Iterable[Any] | None = None,
        repeats: int = 5,
        budget: float = fair.BUDGET,
        *,
        backend: Any = "processes",
        chunks: int | None = None,
        baseline: Callable[[Any], Any] | None = None,
        again: bool = False,
    ) -> None:
        self.contest = fair.contest_of(workload, workers, sizes, repeats, budget, backend, chunks, baseline)
        self.known = None if again else kept(workload, backend, chunks)
        self.error: BaseException | None = None
        self._key = workload, backend, chunks
        self._start(self.contest.without(self.known))

    def _start(self, missing: fair.Contest | None) -> None:
        """Start the process, if there is anything to measure."""
        self.running = missing is not None
        self._tally = fair.Tally(missing or self.contest)
        self._inbox: SimpleQueue[Any] = SimpleQueue()
        if missing is None:
            return
        message = _packed(missing)
        self._process = _new_process(__name__)
        self._end = weakref.finalize(self, _end, self._process)
        threading.Thread(target=_converse, args=(self._process, message, self._inbox), daemon=True).start()

    def poll(self) -> list[Sample]:
        """The samples that have come since the last poll."""
        before = len(self._tally.samples)
        with suppress(Empty):
            while self.running:
                self._take(self._inbox.get_nowait())
        return list(self._tally.samples[before:])

    @property
    def sweep(self) -> Sweep:
        """All samples polled so far, with those that were known before."""
        return self._whole.only(self.contest.workers, self.contest.sizes)

    @property
    def progress(self) -> float:
        """How much of the contest is over, 0 … 1, by what was polled."""
        return len(self._tally.laps) / self._tally.total if self.running else 1.0

    def wait(self, timeout: float | None = None) -> Sweep:
        """Wait for the end (at most `timeout` seconds) and give the sweep; raises what went wrong."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with suppress(Empty):
            while self.running:
                self._take(self._inbox.get(timeout=deadline and max(0.0, deadline - time.monotonic())))
        if self.error is not None:
            raise self.error
        return self.sweep

    def cancel(self) -> None:
        """End the process and its workers now; the samples that came are kept."""
        self.poll()
        if self.running:
            self._over()

    def _take(self, event: Any) -> None:
        """Note an event; the last one is None, or what went wrong."""
        if isinstance(event, fair.Lap | fair.Machine):
            self._tally.add(event)
        else:
            self.error = event
            self._over()

    def _over(self) -> None:
        self.running = False
        self._end()
        keep(*self._key, self._whole)

    @property
    def _whole(self) -> Sweep:
        found = self._tally.sweep
        return self.known | found if self.known else found

    def __repr__(self) -> str:
        state = f"{self.progress:.0%} done" if self.running else f"failed: {self.error}" if self.error else "over"
        return f"<Measurement: {self.contest.name}, {state}, {counted(len(self._tally.samples), 'sample')}>"


def serve() -> None:
    """What the process of its own does: run the contest that comes in, and send out every event of it.

    Its last message is None, or the exception that ended the contest.
    """
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a workload prints must not come between the messages
    prepare(pickle.load(sys.stdin.buffer))
    last = _hold(sys.stdin.buffer, lambda event: _send(out, event))
    close()
    _send(out, last)


def _hold(source: Any, tell: Callable[[Any], None]) -> BaseException | None:
    try:
        contest = pickle.load(source)
        threading.Thread(target=_leave_at_end_of, args=(source,), daemon=True).start()
        for event in contest.events():
            tell(event)
    except BaseException as error:
        return portable(error)
    return None


def _leave_at_end_of(source: Any) -> None:
    """End this process and its workers as soon as the notebook closes its end of the pipe, or is gone."""
    source.read()
    import psutil

    family = psutil.Process().children(recursive=True)
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.terminate()
    psutil.wait_procs(family, timeout=0.1)  # only their parent can clear away what is left of them
    os._exit(0)


def _send(out: Any, event: Any) -> None:
    cloudpickle.dump(event, out)
    out.flush()


def _packed(contest: fair.Contest) -> bytes:
    try:
        return pickle.dumps(os.getpid()) + cloudpickle.dumps(contest)
    except Exception as problem:
        way_out = "name the backend as a text, and open files or connections inside the functions"
        raise TypeError(f"{contest.name} cannot be sent to a process of its own ({problem}): {way_out}") from problem


def _new_process(module: str) -> subprocess.Popen[bytes]:
    """A fresh Python that finds the same modules and runs `serve` of this one; no interrupt for us reaches it."""
    start = f"import sys; sys.path[:] = {sys.path!r}; from {module} import serve; serve()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-c", start], start_new_session=True, **pipes)  # type: ignore[call-overload]


def _converse(process: subprocess.Popen[bytes], message: bytes, inbox: SimpleQueue[Any]) -> None:
    """Send the contest and take in what comes back, in a thread of its own, until the last message."""
    into, back = process.stdin, process.stdout
    assert into is not None
    assert back is not None
    try:
        into.write(message)
        into.flush()  # and left open: its end is the sign to leave
        while isinstance(event := pickle.load(back), fair.Lap | fair.Machine):
            inbox.put(event)
    except (EOFError, ConnectionError):  # nothing comes from it, or nothing can be sent to it
        why = "it was killed, or ran out of memory: try a smaller size or fewer workers"
        event = RuntimeError(f"the measuring process ended before its contest was over; {why}")
    except Exception as problem:  # whatever it is, nobody shall wait for ever
        event = RuntimeError(f"what the measuring process sends cannot be understood: {problem}")
    inbox.put(event)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Give a process the sign to leave with all that it started, and see that it does."""
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        _kill(process)
    assert process.stdout is not None
    process.stdout.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that does not listen, and its workers, by force."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        for member in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                member.kill()
    process.kill()
    process.wait()

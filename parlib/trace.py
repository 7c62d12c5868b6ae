"""What happened? A span for every task, a trace of all spans, a run with its answer.

    submitted     started            finished     received
        │  waiting   │     occupied      │  coming   │
        ▼            ▼███████████████████▼   back    ▼        time ──►

All times are seconds since the run began. A worker is a slot, 0 … workers − 1, whatever
process or thread stands behind it. `cpu` is how long the worker really computed: a thread
that waits for its turn is occupied, and does not compute.

A trace does not know whether its clock was real or simulated, except by its label.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from .plan import Plan, Task, counted

__all__ = ["Run", "Skipped", "Span", "Trace", "WorkerLost"]

TIMES = ("submitted", "started", "finished", "received", "cpu")
COLUMNS: dict[str, type] = {"worker": np.int64} | dict.fromkeys(TIMES, float)


@dataclass(frozen=True, slots=True)
class Span:
    """One task's life, in seconds since the run began.

    >>> Span("bake", "", 0, 0.0, 0.5, 2.5, 2.5, 2.0, None)
    <Span: bake on worker 0, 0.500 s to 2.500 s>
    """

    task: str
    kind: str
    worker: int
    submitted: float
    started: float
    finished: float
    received: float
    cpu: float  # CPU seconds used: at most the time occupied
    error: str | None

    @property
    def seconds(self) -> float:
        """Seconds the worker was occupied."""
        return self.finished - self.started

    def __repr__(self) -> str:
        end = f", failed: {self.error}" if self.error else ""
        return f"<Span: {self.task} on worker {self.worker}, {self.started:.3f} s to {self.finished:.3f} s{end}>"


@dataclass(frozen=True)
class Skipped:
    """What stands in the result where a task or an item failed and was left out.

    `item` is the position in the data, or None where the task worked on no data.
    """

    task: str
    item: int | None
    error: BaseException

    def __repr__(self) -> str:
        item = "" if self.item is None else f", item {self.item}"
        return f"<Skipped: {self.task}{item}, {describe(self.error)}>"


class Gaps(list):
    """Results of a chunk in which some items failed: a list with `Skipped` in their places."""


class Done(NamedTuple):
    """One finished task: what came of it, who did it, and when (seconds since the run began)."""

    task: Task
    slot: int
    value: Any
    error: BaseException | None
    submitted: float
    started: float
    finished: float
    received: float
    cpu: float
    nested: bool = False


class WorkerLost(RuntimeError):
    """A worker died (killed, out of memory, or left by `os._exit`) during a task.

    `tasks` names what it was working on; all candidates, where several workers vanished.
    """

    run: Run

    def __init__(self, message: str, tasks: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.tasks = tuple(tasks)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.tasks)


Column: TypeAlias = "Sequence[float] | np.ndarray | Callable[[Trace], np.ndarray]"


class Trace:
    """All spans of a run, kept in columns: a million of them are a few arrays.

    The columns `worker`, `submitted`, `started`, `finished`, `received` and `cpu` are
    arrays of shape (spans,), in the order in which the tasks finished; times in seconds.
    `source` says where the times come from: "measured", "simulated", "simulated from a
    measured cost" or "recorded".

    A column may also be a function of the trace, called when somebody asks for the column.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        worker: Column,
        submitted: Column,
        started: Column,
        finished: Column,
        received: Column,
        cpu: Column,
        *,
        kinds: Sequence[str] | None = None,
        errors: dict[int, str] | None = None,
        workers: int,
        source: str,
    ) -> None:
        self.tasks, self.kinds, self.errors = tasks, kinds, errors or {}
        self.workers, self.source = workers, source
        self._later: dict[str, Callable[[Trace], np.ndarray]] = {}
        for name, column in zip(COLUMNS, (worker, submitted, started, finished, received, cpu), strict=True):
            if callable(column):
                self._later[name] = column
            else:
                setattr(self, name, np.asarray(column, dtype=COLUMNS[name]))

    def __getattr__(self, name: str) -> Any:
        """A column that nobody has asked for yet."""
        if name not in COLUMNS or "_later" not in vars(self):
            raise AttributeError(f"a Trace has no {name!r}")
        setattr(self, name, column := self._later.pop(name)(self))
        return column

    worker: np.ndarray
    submitted: np.ndarray
    started: np.ndarray
    finished: np.ndarray
    received: np.ndarray
    cpu: np.ndarray

    @classmethod
    def of(cls, spans: Sequence[Span], *, workers: int, source: str) -> Trace:
        """A trace of these spans."""
        columns = {name: [getattr(span, name) for span in spans] for name in ("worker", *TIMES)}
        errors = {number: span.error for number, span in enumerate(spans) if span.error is not None}
        tasks, kinds = [span.task for span in spans], [span.kind for span in spans]
        return cls(tasks, **columns, kinds=kinds, errors=errors, workers=workers, source=source)

    @property
    def spans(self) -> Spans:
        """The spans, as a sequence that makes each one when it is asked for."""
        return Spans(self)

    @property
    def elapsed(self) -> float:
        """Seconds from the first submission to the last receipt; 0 without spans."""
        return float(self.received.max() - self.submitted.min()) if len(self) else 0.0

    @property
    def work(self) -> float:
        """Seconds of all spans together."""
        return float((self.finished - self.started).sum())

    @property
    def utilization(self) -> float:
        """Share of the workers' time in which they were occupied, 0 … 1."""
        available = self.elapsed * self.workers
        return self.work / available if available else 0.0

    def to_chrome_json(self) -> str:
        """The trace as text for a trace viewer (chrome://tracing, Perfetto); microseconds."""
        events = [
            {"name": span.task, "cat": span.kind or "task", "ph": "X", "pid": 0, "tid": span.worker}
            | {"ts": span.started * 1e6, "dur": span.seconds * 1e6, "args": {"cpu": span.cpu, "error": span.error}}
            for span in self.spans
        ]
        return json.dumps({"traceEvents": events, "otherData": {"source": self.source}})

    def __len__(self) -> int:
        return len(self.tasks)

    def __repr__(self) -> str:
        spans, workers = counted(len(self), "span"), counted(self.workers, "worker")
        return f"<Trace: {spans} on {workers}, {self.elapsed:.2f} s, {self.source}>"


class Spans(Sequence[Span]):
    """A trace read as a sequence of `Span` objects."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def __len__(self) -> int:
        return len(self._trace)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        trace, number = self._trace, range(len(self))[index]
        kind = trace.kinds[number] if trace.kinds is not None else ""
        times = {name: float(getattr(trace, name)[number]) for name in TIMES}
        worker, error = int(trace.worker[number]), trace.errors.get(number)
        return Span(trace.tasks[number], kind, worker, **times, error=error)

    def __iter__(self) -> Iterator[Span]:
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        return f"<{counted(len(self), 'span')}>"


@dataclass(frozen=True, repr=False)
class Run:
    """What a plan became: the answer, the trace, and the bill.

    `elapsed` is seconds from the call to the result in hand, everything included (virtual
    seconds on a simulated backend). `failed` names the task at which the run broke off, `stopped`
    is True where `stop_when` ended it early.
    """

    result: Any
    trace: Trace
    plan: Plan
    backend: str
    elapsed: float
    workers: int
    bill: tuple[int, float] = (0, 0.0)  # bytes copied into shared memory, and the seconds that took
    failed: str | None = None
    stopped: bool = False
    noun: str = field(default="worker", compare=False)  # what one worker is called in the story

    @property
    def source(self) -> str:
        """Where the times come from; set by the backend: "measured", "simulated", …"""
        return self.trace.source

    @property
    def shared_bytes(self) -> int:
        """Bytes of input that had to be copied into shared memory."""
        return self.bill[0]

    @property
    def shared_seconds(self) -> float:
        """Seconds that this copying took; they are part of `elapsed`."""
        return self.bill[1]

    def __repr__(self) -> str:
        finished = len(self.trace) - len(self.trace.errors) if self.failed else len(self.trace)
        whole = f"{finished} of " if self.failed or self.stopped else ""
        tasks = whole + counted(len(self.plan), "task")
        end = f"failed at {self.failed}, " if self.failed else "stopped early, " if self.stopped else ""
        busy = "" if self.failed else f", {self.trace.utilization:.0%} busy"
        return f"<Run: {tasks} on {counted(self.workers, self.noun)}, {end}{self.elapsed:.2f} s{busy}>"


def add_note(error: BaseException, text: str) -> None:
    """Have an exception say something more, even one that is frozen."""
    vars(error).setdefault("__notes__", []).append(text)


def words_of(error: BaseException) -> str:
    """The message of an exception, or nothing: it may fail at telling what failed."""
    try:
        return str(error)
    except Exception:
        return ""


def describe(error: BaseException) -> str:
    """An exception in one line: its type, and its message if it has one."""
    message = words_of(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__

"""How do values reach a worker, and how does its answer come back? Three couriers.

    InPlace        the worker lives in this process: hand over the values as they are
    SharedMemory   a process of this machine: arrays in shared memory, the rest as bytes
    Pickled        a worker that may be anywhere: everything as bytes

A courier is loaded with the whole plan before the first task starts, so that whatever
cannot travel is refused before anything has run.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import cloudpickle
import numpy as np

from .blas import one_thread
from .plan import Plan, PlanError, Task
from .sharing import Handle, Memory, Shelf, opened, pack, pack_result, unpack, unpack_result, write_at
from .trace import Gaps, Skipped, add_note, describe, words_of
from .worker import Report, perform


class Courier(Protocol):
    """Carries calls to workers and reports back."""

    @property
    def shared_bytes(self) -> int: ...  # copied into shared memory
    @property
    def shared_seconds(self) -> float: ...  # that this took

    def load(self, plan: Plan) -> None: ...  # prepare for this plan; PlanError if something cannot travel
    def call(self, task: Task, slot: int, values: list[Any]) -> tuple[Any, ...]: ...  # what to submit
    def open(self, report: Report, slot: int) -> Report: ...  # unpack an answer
    def were_on(self, processes: set[int]) -> list[str]: ...  # the tasks these processes were working on
    def unload(self) -> None: ...  # the run is over


class InPlace:
    """Hands values over as they are."""

    shared_bytes, shared_seconds = 0, 0.0

    def load(self, plan: Plan) -> None:
        pass

    def call(self, task: Task, slot: int, values: list[Any]) -> tuple[Any, ...]:
        return perform, task.fn, *values

    def open(self, report: Report, slot: int) -> Report:
        return report

    def were_on(self, processes: set[int]) -> list[str]:
        return []

    def unload(self) -> None:
        pass


class Pickled(InPlace):
    """Sends everything as bytes."""

    def load(self, plan: Plan) -> None:
        for task in plan.tasks:
            checked(cloudpickle.dumps, task.fn, f"the function of task {task.name!r}")

    def call(self, task: Task, slot: int, values: list[Any]) -> tuple[Any, ...]:
        return perform_pickled, cloudpickle.dumps((task.fn, values))

    def open(self, report: Report, slot: int) -> Report:
        return report._replace(value=pickle.loads(report.value), error=pickle.loads(report.error))


class SharedMemory:
    """Sends bytes, and leaves the arrays where both sides can see them."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.outbox: dict[int, Memory] = {}  # by slot: where the answer will be, if it is large
        self.messages: dict[int, Shelf] = {}  # by slot: what the current task is reading

    @property
    def shared_bytes(self) -> int:
        """Copied for this run, all inputs together."""
        return self.shelf.bytes

    @property
    def shared_seconds(self) -> float:
        """That the copying took."""
        return self.shelf.seconds

    def load(self, plan: Plan) -> None:
        self.plan = plan
        self.shelf.put_whole(_arrays(plan.inputs.values()))
        self.functions: dict[int, bytes] = {}
        for task in plan.tasks:
            if id(task.fn) not in self.functions:
                what = f"the function of task {task.name!r}"
                self.functions[id(task.fn)] = checked(pack, task.fn, what, self.shelf)
        self.inputs = {name: checked(pack, value, f"input {name!r}", self.shelf) for name, value in plan.inputs.items()}

    def call(self, task: Task, slot: int, values: list[Any]) -> tuple[Any, ...]:
        self._clear(slot)
        message = self.messages[slot] = Shelf(below=self.shelf)
        packed = [
            self.inputs[name] if name in self.inputs else checked(pack, value, f"the value of {name!r}", message)
            for name, value in zip(task.needs, values, strict=True)
        ]
        message.keep(values)
        outbox = self.outbox[slot] = self.outbox.get(slot) or Memory()
        return perform_packed, self.functions[id(task.fn)], packed, outbox.handle

    def open(self, report: Report, slot: int) -> Report:
        self._clear(slot)
        report = report._replace(error=pickle.loads(report.error))
        if report.error is not None:
            return report
        packed, parts, large = report.value
        outbox = self.outbox.pop(slot) if large else self.outbox[slot]
        return report._replace(value=unpack_result(packed, parts, large, outbox))

    def were_on(self, processes: set[int]) -> list[str]:
        return []

    def unload(self) -> None:
        """Free the shared memory, even where an exception still remembers this run; results keep their own."""
        for slot in list(self.messages):
            self._clear(slot)
        self.shelf.clear()
        del self.outbox

    def _clear(self, slot: int) -> None:
        if slot in self.messages:
            self.messages.pop(slot).clear()


class SharedMemoryNoted(SharedMemory):
    """The same for a pool that does not tell who worked on what: each worker notes it on a board."""

    def __init__(self, workers: int) -> None:
        super().__init__()
        self.workers, self.board = workers, Memory()
        write_at(self.board.fd, 0, bytes(16 * workers))

    def call(self, task: Task, slot: int, values: list[Any]) -> tuple[Any, ...]:
        board = Board(self.board.handle, slot, self.plan.position[task.name])
        return perform_noted, board, *super().call(task, slot, values)

    def were_on(self, processes: set[int]) -> list[str]:
        rows = np.frombuffer(self.board.map(), np.int64).reshape(self.workers, 2)
        return [self.plan.tasks[position].name for position, process in rows if process in processes]

    def unload(self) -> None:
        super().unload()
        del self.board


def checked(send: Any, value: Any, what: str, *more: Any) -> bytes:
    """`send(value)`; where that fails, a `PlanError` that says what, why, and what to do."""
    try:
        return send(value, *more)
    except Exception as error:
        way_out = "keep it out of the function and its data (open it inside the function), or use backend='threads'"
        raise PlanError(f"{what} cannot be sent to another process: {error}; {way_out}") from error


def _arrays(values: Iterable[Any]) -> list[np.ndarray]:
    return [value for value in values if isinstance(value, np.ndarray)]


# What follows runs in the worker.


class Board(NamedTuple):
    """Where a worker process notes what it is doing, so that its death can be understood."""

    handle: Handle
    slot: int
    position: int  # of the task, in its plan


def perform_packed(fn: bytes, values: Sequence[bytes], outbox: Handle) -> Report:
    """The same in a worker process: unpack, perform, and pack the answer."""
    return _packed(perform(unpack(fn), *map(unpack, values)), pack_result, outbox)


def perform_noted(board: Board, perform: Callable[..., Report], *call: Any) -> Report:
    """The same, noted on the board for as long as it lasts."""
    pin_up(board, os.getpid())
    try:
        return perform(*call)
    finally:
        pin_up(board, 0)


def perform_pickled(call: bytes) -> Report:
    """The same on a worker that may be anywhere: everything travels as bytes."""
    fn, values = pickle.loads(call)
    with one_thread:
        return _packed(perform(fn, *values), cloudpickle.dumps)


def pin_up(board: Board, process: int) -> None:
    """Note this worker's process number beside its task; 0 when the task is done."""
    with opened(board.handle) as fd:
        os.lseek(fd, 16 * board.slot, os.SEEK_SET)
        os.write(fd, board.position.to_bytes(8, "little") + process.to_bytes(8, "little"))


def prepare(parent: int) -> None:
    """Make a new worker process ready: deaf to Ctrl-C, and not outliving its parent.

    An interrupt reaches every process of the group; the parent decides what ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _packed(report: Report, send: Callable[..., Any], *more: Any) -> Report:
    """The report with its value sent off, and its error as bytes; a value that cannot travel is an error."""
    value, error = report.value, report.error
    if type(value) is Gaps:
        value = Gaps(replace(one, error=portable(one.error)) if isinstance(one, Skipped) else one for one in value)
    try:
        value = send(value, *more)
    except Exception as problem:
        why = f"its result cannot be sent back from a worker process ({problem}): return plain data or arrays"
        value, error = send(None, *more), TypeError(why)
    return report._replace(value=value, error=cloudpickle.dumps(error and portable(error)))


def portable(error: BaseException) -> Any:
    """What arrives as `error`, its traceback as a note; as a `RuntimeError` if its very type cannot travel."""
    add_note(error, "in a worker process:\n" + "".join(traceback.format_exception(error)).rstrip())
    said: dict[str, Any] = {name: vars(error)[name] for name in ("__notes__", "_item") if name in vars(error)}
    bare, rough = Parcel(type(error), error.args, vars(error)), Parcel(type(error), (words_of(error),), said)
    for parcel in error, bare, rough:
        with contextlib.suppress(Exception):
            arrived = pickle.loads(cloudpickle.dumps(parcel))
            if type(arrived) is type(error) and (parcel is rough or describe(arrived) == describe(error)):
                return parcel
    return Parcel(RuntimeError, (describe(error),), said)


class Parcel(NamedTuple):
    """Arrives as an exception, if need be without its constructor, which may want other arguments than it kept."""

    kind: type[BaseException]
    args: tuple[Any, ...]
    state: dict[str, Any]

    def __reduce__(self) -> Any:
        return restored, tuple(self)


def restored(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """The exception in a parcel."""
    try:
        error = kind(*args)
    except Exception:
        error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


def _leave_with(parent: int) -> None:
    """End this process soon after its parent has ended, however that happened."""
    while os.getppid() == parent and (os.name == "posix" or _exists(parent)):
        time.sleep(0.25)
    os._exit(0)


def _exists(process: int) -> bool:
    """Windows: whether a process is still there (elsewhere an orphan gets another parent)."""
    import psutil

    return psutil.pid_exists(process)

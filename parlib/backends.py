"""Where does work run? One class for every kind of place; a crew of its workers for every run.

    place  = find("threads")                     which kind of workers
    crew   = place.hire(plan, workers, began)    those of one run
    crew.submit(task, slot, values)              set one to work
    crew.wait()                                  what they have finished since

All real places are an `Executor` of the standard library, and a courier, which knows how
values travel to it. The simulated place (`parlib.simulation`) has a crew of the same four
methods, whose clock jumps. A crew does not know why it is given a task now: that is
`parlib.schedule`.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from .blas import one_thread
from .couriers import Courier, InPlace, Pickled, SharedMemory, SharedMemoryNoted
from .executors import InCaller, ProcessEnded, WarmProcesses, WarmThreads, dead_processes
from .host import usable_cores
from .plan import Plan, PlanError, Task, check_count, did_you_mean
from .simulation import Simulated
from .trace import Done, WorkerLost
from .worker import Report

__all__ = ["close"]

KEPT = 8
"""Processes kept for the next run at most, unless a run asks for more: each takes some tens of megabytes."""


class Crew:
    """The real workers of one run: an executor, a courier, and a clock that started with the run."""

    source = "measured"

    def __init__(self, place: Place, executor: Executor, courier: Courier, plan: Plan, began: float) -> None:
        _refuse_tasks_without_function(plan)
        self.place, self.executor, self.courier, self.plan, self.began = place, executor, courier, plan, began
        self.running: dict[Future, tuple[Task, int, float]] = {}
        self.returned: SimpleQueue[Future] = SimpleQueue()
        self.dead: set[int] | None = None  # processes found dead when the pool broke
        try:
            courier.load(plan)
        except BaseException:
            courier.unload()
            raise

    def __enter__(self) -> Crew:
        one_thread.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        one_thread.__exit__()
        self.place.release(self)
        self.courier.unload()

    def clock(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self.began

    @property
    def bill(self) -> tuple[int, float]:
        """Bytes copied into shared memory, and the seconds that took."""
        return self.courier.shared_bytes, self.courier.shared_seconds

    def submit(self, task: Task, slot: int, values: list[Any]) -> None:
        """Have the worker in `slot` start on `task`."""
        submitted = self.clock()
        try:
            call = self.courier.call(task, slot, values)
            future = self.executor.submit(*call)
        except Exception as error:  # this value cannot travel: its own task has failed, and nothing else
            future = Future()
            future.set_exception(error)
        self.running[future] = task, slot, submitted
        future.add_done_callback(self._came_back)

    def wait(self, until: float | None = None) -> list[Done]:
        """What has finished by now; at least one task, unless the clock reaches `until` first."""
        patience = 0.25 if until is None else min(0.25, max(0.0, until - self.clock()))
        while self.running or until is not None:
            try:  # in short waits, because Windows cannot interrupt a long one
                first = self.returned.get(timeout=patience)
                return [self._done(first), *(self._done(self.returned.get()) for _ in range(self.returned.qsize()))]
            except Empty:
                if until is not None and self.clock() >= until:
                    return []
        return []

    def stop(self, grace: float) -> list[Done]:
        """See that nothing of this run goes on: wait `grace` seconds, then use the place's own force."""
        late, deadline = [], self.clock() + grace
        for future in [future for future in self.running if future.cancel()]:
            self.running.pop(future)
        try:
            while self.running and self.clock() < deadline and self.dead is None:
                try:
                    self.returned.get(timeout=0.05)
                except Empty:
                    pass  # then look as well: an interrupt may have come between the news and its reader
                late += [self._done(future) for future in list(self.running) if future.done()]
        finally:  # also when the learner presses stop twice
            if self.running:
                self.place.abandon(self)
        return late

    def _came_back(self, future: Future) -> None:
        if not future.cancelled():
            error = future.exception()
            if isinstance(error, BrokenExecutor) and not isinstance(error, ProcessEnded) and self.dead is None:
                self.dead = dead_processes(self.executor)  # now: in a moment the pool kills the others too
            self.returned.put(future)

    def _done(self, future: Future) -> Done:
        task, slot, submitted = self.running.pop(future)
        value, error, started, finished, cpu, nested = self._report(future, task, slot)
        started, finished, received = started - self.began, finished - self.began, self.clock()
        if not submitted <= started <= finished <= received:  # a clock of another machine
            seconds = min(finished - started, received - submitted)
            started = submitted + (received - submitted - seconds) / 2
            finished = started + seconds
        return Done(task, slot, value, error, submitted, started, finished, received, cpu, nested)

    def _report(self, future: Future, task: Task, slot: int) -> Report:
        """The worker's report, or one in its place that says why there is none."""
        error = future.exception()
        if error is None:
            try:
                return self.courier.open(future.result(), slot)
            except Exception as problem:
                error = problem
        if isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker":  # Dask's word for the same
            error = lost(self._suspects(task) if self.dead is not None else [task.name])
        now = time.perf_counter()
        return Report(None, error, now, now, 0.0, False)

    def _suspects(self, task: Task) -> list[str]:
        """What a broken pool may have lost: what its dead noted down, else all that was running."""
        noted = self.courier.were_on(self.dead or set())
        return noted or [task.name, *(other.name for other, *_ in self.running.values())]


def lost(tasks: list[str]) -> WorkerLost:
    """The exception that names them."""
    names, why = " or ".join(map(repr, tasks)), "it was killed, ran out of memory, or left by os._exit"
    return WorkerLost(f"a worker died while working on {names}: {why}; the next run gets new workers", tasks)


class Place(Protocol):
    """A kind of workers."""

    name: str
    noun: str  # what one of its workers is called

    def count(self) -> int: ...  # workers, when nobody says how many
    def hire(self, plan: Plan, workers: int, began: float) -> Crew: ...
    def release(self, crew: Crew) -> None: ...  # a run is over
    def abandon(self, crew: Crew) -> None: ...  # a run is over, and some of its tasks are not


class _Local:
    """What all places on this machine have in common."""

    def count(self) -> int:
        return usable_cores()

    def release(self, crew: Crew) -> None:
        pass

    def abandon(self, crew: Crew) -> None:
        pass


class Serial(_Local):
    """One task after the other, in the thread that called."""

    name, noun = "serial", "serial worker"

    def hire(self, plan: Plan, workers: int, began: float) -> Crew:
        return Crew(self, InCaller(), InPlace(), plan, began)


class Threads(_Local):
    """Threads of this process: they share its memory, and its interpreter lock."""

    name, noun = "threads", "thread"
    _executor = WarmThreads()

    def hire(self, plan: Plan, workers: int, began: float) -> Crew:
        return Crew(self, self._executor, InPlace(), plan, began)

    def abandon(self, crew: Crew) -> None:
        for future, (task, *_) in crew.running.items():
            self._executor.give_up(future)
            text = f"task {task.name!r} is still running: Python cannot stop a thread, so it was left to end by itself"
            warnings.warn(text, RuntimeWarning, stacklevel=2)


class Processes(_Local):
    """Processes of this machine, kept warm. They share no memory but what is put there for them."""

    name, noun = "processes", "process"
    _executor = WarmProcesses()

    def hire(self, plan: Plan, workers: int, began: float) -> Crew:
        crew = Crew(self, self._executor, SharedMemory(), plan, began)
        usual = max(workers, min(usable_cores(), 8))  # a few more than asked for: sliders move
        self._executor.stand_by(usual, most=max(usual, KEPT))
        return crew

    def abandon(self, crew: Crew) -> None:
        for future in crew.running:
            self._executor.give_up(future)


class Borrowed:
    """Somebody else's executor: a pool of the standard library, of MPI, of a cluster."""

    def __init__(self, executor: Executor, name: str | None = None) -> None:
        self.executor, self.name = executor, name or type(executor).__name__
        self.noun = f"{self.name} worker"

    def count(self) -> int:
        return getattr(self.executor, "_max_workers", None) or usable_cores()

    def hire(self, plan: Plan, workers: int, began: float) -> Crew:
        return Crew(self, self.executor, self._courier(workers), plan, began)

    def _courier(self, workers: int) -> Courier:
        if isinstance(self.executor, ThreadPoolExecutor | InCaller):
            return InPlace()
        from concurrent.futures import ProcessPoolExecutor

        return SharedMemoryNoted(workers) if isinstance(self.executor, ProcessPoolExecutor) else Pickled()

    def release(self, crew: Crew) -> None:
        pass

    def abandon(self, crew: Crew) -> None:
        names = ", ".join(repr(task.name) for task, *_ in crew.running.values())
        warnings.warn(f"still running on {self.name}, which cannot stop them: {names}", RuntimeWarning, stacklevel=2)


class Dask(_Local):
    """A Dask cluster: the client in use, or one of this machine's own, kept for the next run."""

    name, noun = "dask", "dask worker"
    _own: Any = None  # the client of a cluster that was started here

    def __init__(self, client: Any = None) -> None:
        self._given = client

    def count(self) -> int:
        if self._given is None:
            return usable_cores()
        return sum(self._given.nthreads().values()) or 1  # its workers may be starting again

    def hire(self, plan: Plan, workers: int, began: float) -> Crew:
        executor = self._client(workers).get_executor()
        return Crew(self, executor, Pickled(), plan, began)

    def _client(self, workers: int) -> Any:
        if self._given is not None:
            return self._given
        try:
            from distributed import Client, LocalCluster, default_client
        except ImportError:
            raise ImportError("backend='dask' needs Dask: pip install 'dask[distributed]'") from None
        try:
            return default_client()
        except ValueError:  # nobody has a cluster yet
            cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
            Dask._own = Client(cluster)
            return Dask._own

    abandon = Borrowed.abandon  # type: ignore[assignment]  # it cannot stop its tasks either

    @classmethod
    def close(cls) -> None:
        if Dask._own is not None:
            Dask._own.cluster.close()
            Dask._own.close()
            Dask._own = None


PLACES: dict[str, Callable[[], Any]] = {
    "serial": Serial,
    "threads": Threads,
    "processes": Processes,
    "dask": Dask,
    "simulated": Simulated,
}


def find(backend: Any) -> Any:
    """The place behind a backend: its name, an executor, a Dask client, or a place itself.

    Raises ValueError for an unknown name, and TypeError for anything else.
    """
    if isinstance(backend, str):
        if backend not in PLACES:
            raise ValueError(f"there is no backend {backend!r}; known are {', '.join(PLACES)}{_guess(backend)}")
        return PLACES[backend]()
    if hasattr(backend, "hire"):
        return backend
    if hasattr(backend, "get_executor"):
        return Dask(backend)
    executor = backend if isinstance(backend, Executor) else getattr(backend, "executor", None)
    if isinstance(executor, Executor):
        return Borrowed(executor)
    known = ", ".join(map(repr, PLACES))
    raise TypeError(f"a backend is one of {known}, an Executor, a Dask client or Simulated(...), not {backend!r}")


def count_workers(workers: object, backend: Any, plan: Plan | None = None) -> int:
    """How many workers are meant: the number given, else what the plan or the backend would take."""
    if workers is not None:
        return check_count("workers", workers)
    return (plan.workers if plan is not None else None) or find(backend).count()


def close() -> None:
    """End the worker processes that are being kept warm. The next run starts new ones."""
    Processes._executor.close()
    Dask.close()


def _guess(name: str) -> str:
    guess = did_you_mean(name, PLACES)
    return guess if "did you mean" in guess else ""


def _refuse_tasks_without_function(plan: Plan) -> None:
    for task in plan.tasks:
        if task.fn is None:
            raise PlanError(f"task {task.name!r} has no function, so only a simulated backend with a cost can run it")

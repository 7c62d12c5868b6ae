"""How does a plan meet a backend? One loop runs any plan on any crew of workers.

    get_ready ──► a free slot? ──► submit ──► wait ──► done ──► get_ready ──► …

At most `workers` tasks are in flight. Whenever a slot is free, the first ready task by
`order` goes to it (ties by plan position, then to the lowest slot). Tasks wait in a
`TopologicalSorter`; workers stand behind `submit` and `wait`. A value is dropped once its
last reader has received it.

The loop does not know what kind of plan it runs, nor whether its workers are threads,
processes or numbers.
"""

from __future__ import annotations

import heapq
import time
import warnings
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import replace
from graphlib import TopologicalSorter
from typing import Any

import numpy as np

from .backends import Serial, count_workers, find
from .orders import Schedule, in_turn
from .plan import Plan, Task, so_far
from .trace import Done, Gaps, Run, Skipped, Trace, WorkerLost, add_note, describe
from .worker import inside, note_nesting

__all__ = ["execute"]

GRACE = 1.0  # seconds for tasks still running when another has failed: a new pool would cost about as much
FATAL = WorkerLost, KeyboardInterrupt  # never skipped
HASTE = 0.25  # seconds for them when the learner presses stop


def execute(
    plan: Plan,
    workers: int | None = None,
    backend: Any = "threads",
    *,
    order: Callable[[Plan, int, Any], Schedule] = in_turn,
    on_error: str = "stop",
    stop_when: Callable[[Run], bool] | None = None,
    began: float | None = None,
) -> Run:
    """Run every task of `plan` on `workers` workers of `backend`, and tell what happened.

    `order(plan, workers, backend)` ranks the ready tasks. `on_error="skip"` puts a
    `Skipped` where a task failed and goes on. Once `stop_when(run_so_far)` is true, no
    further task starts. `began` is the `perf_counter` reading from which seconds count
    (now, unless said).

    Raises what a task raised, with a note that names the task, and `WorkerLost` when a
    worker dies; both carry the unfinished `run`, with the results there are.

    >>> from parlib import Plan, Simulated, Task
    >>> execute(Plan([Task("dough", None, cost=2.0)]), workers=1, backend=Simulated())
    <Run: 1 task on 1 simulated worker, 2.00 s, 100% busy>
    """
    job = Job(plan, workers, backend, on_error, time.perf_counter() if began is None else began)
    graph = TopologicalSorter(plan.graph)
    graph.prepare()
    ready = Ready(job.doing, job.workers, order(plan, job.workers, job.place))
    with job.hire() as crew:
        try:
            while graph.is_active() and not job.over:
                while names := graph.get_ready():
                    for name in names:
                        graph.done(name) if job.passes_over(name) else ready.add(name)
                for task, slot in ready.assignments(crew.clock()):
                    crew.submit(task, slot, job.values_for(task))
                for done in crew.wait(until=ready.next_release):
                    graph.done(done.task.name)
                    ready.free(done.slot)
                    job.note(done)
                done = None  # its value has other owners now, or none
                if stop_when is not None and stop_when(job.run_so_far()):
                    job.stopped = ready.closed = True
            return job.finished()
        except BaseException as error:
            job.break_off(error)
            raise


class Ready:
    """Tasks whose needs are met, and slots that have nothing to do."""

    def __init__(self, plan: Plan, workers: int, schedule: Schedule) -> None:
        self.plan, self.schedule = plan, schedule
        self.slots = list(range(workers))  # a heap: the lowest first
        self.queues: dict[int | None, list[tuple[float, int]]] = {None: []}  # heaps by slot; None: any slot will do
        self.later: list[tuple[float, int]] = []  # a heap of tasks by the moment of their release
        self.closed = False  # True: no further task starts
        for name, slot in schedule.worker.items():
            if slot not in range(workers):
                raise ValueError(f"task {name!r} is meant for worker {slot}, but the workers are 0 to {workers - 1}")
            self.queues[slot] = []

    def add(self, name: str) -> None:
        """This task's needs are met."""
        position = self.plan.position[name]
        if release := self.plan.tasks[position].release:
            heapq.heappush(self.later, (release, position))
        else:
            self._queue(position)

    def free(self, slot: int) -> None:
        """This slot has nothing to do."""
        heapq.heappush(self.slots, slot)

    def assignments(self, now: float) -> Iterator[tuple[Task, int]]:
        """Pairs of a task and a slot that can start at `now`, as long as there are any."""
        while self.later and self.later[0][0] <= now:
            self._queue(heapq.heappop(self.later)[1])
        while self.slots and not self.closed and (queues := self._open_queues()):
            queue = queues[0] if len(queues) == 1 else min(queues, key=lambda slot: self.queues[slot][0])
            _, position = heapq.heappop(self.queues[queue])
            yield self.plan.tasks[position], self._take(queue)

    @property
    def next_release(self) -> float | None:
        """The moment, in seconds, when waiting for a release ends; None if nothing waits for one."""
        return self.later[0][0] if self.later and not self.closed else None

    def _queue(self, position: int) -> None:
        name = self.plan.tasks[position].name
        entry = self.schedule.rank.get(name, 0.0), position
        heapq.heappush(self.queues[self.schedule.worker.get(name)], entry)

    def _open_queues(self) -> list[int | None]:
        """The queues with a task in them and a free slot for it."""
        if len(self.queues) == 1:  # as in most runs: any slot will do
            return [None] if self.queues[None] else []
        return [slot for slot, queue in self.queues.items() if queue and (slot is None or slot in self.slots)]

    def _take(self, slot: int | None) -> int:
        if slot is None:
            return heapq.heappop(self.slots)
        self.slots.remove(slot)
        heapq.heapify(self.slots)
        return slot


class Job:
    """What the loop knows of one run: values, spans, and how it is going."""

    def __init__(self, plan: Plan, workers: int | None, backend: Any, on_error: str, began: float) -> None:
        if on_error not in ("stop", "skip"):
            raise ValueError(f"on_error must be 'stop' or 'skip', not {on_error!r}")
        if not isinstance(plan, Plan):
            raise TypeError(f"execute needs a Plan, such as data_plan(fn, data, chunks=4) makes, not {plan!r}")
        self.place = _here_or(find(backend))
        asked = count_workers(workers, self.place, plan)
        self.workers = 1 if isinstance(self.place, Serial) else asked
        self.plan, self.skipping, self.began = plan, on_error == "skip", began
        self.doing = lenient(plan) if self.skipping else plan
        self.values = dict(plan.inputs)
        self.readers = Counter(name for task in plan.tasks for name in task.needs)
        self.readers.update(plan.keep)
        self.names: list[str] = []  # with the next four, what becomes the trace
        self.kinds: list[str] = []
        self.slots: list[int] = []
        self.times = array("d")  # five of each task: a row of plain numbers takes a quarter of the room of objects
        self.errors: dict[int, str] = {}  # by place in the trace
        self.nothing: set[str] = set()  # tasks that returned None to others
        self.error: BaseException | None = None  # what ended the run
        self.failed: str | None = None  # the task that did
        self.stopped = self.nested = False

    def hire(self) -> Any:
        """The crew of this run."""
        self.crew = self.place.hire(self.doing, self.workers, self.began)
        return self.crew

    @property
    def over(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self.error is not None or (self.stopped and not self.crew.running)

    def passes_over(self, name: str) -> bool:
        """Whether a task cannot run because what it needs was skipped; then it is skipped as well."""
        if not self.skipping:
            return False
        task = self.plan.tasks[self.plan.position[name]]
        gap = next((self.values[need] for need in task.needs if isinstance(self.values[need], Skipped)), None)
        if gap is not None:
            self.values_for(task)
            self._keep(name, gap)
        return gap is not None

    def values_for(self, task: Task) -> list[Any]:
        """The values a task needs, in its order; those with no other reader are let go."""
        values = [self.values[name] for name in task.needs]
        for name in task.needs:
            self._let_go(name)
        return values

    def note(self, done: Done) -> None:
        """Keep what a finished task made, and its span."""
        task, value, error = done.task, done.value, done.error
        if isinstance(value, Gaps):
            error = _name_gaps(task, value)
        elif error is not None:
            if not isinstance(error, WorkerLost):  # which says itself whom it means
                add_note(error, f"in task {task.name!r}{_item(task, error)}, worker {done.slot}")
                self._suspect_nothing(task, error)
            value = _gap(task, error)
        elif value is None and task.fn is not None and self.readers[task.name]:
            self.nothing.add(task.name)
        if error is not None:
            self.errors[len(self.names)] = describe(error)
        self.names.append(task.name)
        self.kinds.append(task.kind)
        self.slots.append(done.slot)
        self.times.extend(done[4:9])
        self.nested = self.nested or done.nested
        if error is None or (self.skipping and not isinstance(error, FATAL)):
            self._keep(task.name, value)
        elif self.error is None:
            self.error, self.failed = error, error.tasks[0] if isinstance(error, WorkerLost) else task.name

    def run_so_far(self) -> Run:
        """The run as it stands: its result is what has finished, not yet combined."""
        return self._run(so_far(self.plan.finish)(self._kept()))

    def finished(self) -> Run:
        """The run, when the loop is through; raises what ended it early."""
        if self.error is not None:
            raise self.error
        run = self._run(self.plan.finish(self._kept()))
        if self.nested:
            warnings.warn(
                "a task started a run of its own; inside a worker that runs serially", RuntimeWarning, stacklevel=3
            )
        return run

    def break_off(self, error: BaseException) -> None:
        """Stop what is still running, and give the exception the story so far."""
        for done in self.crew.stop(HASTE if isinstance(error, KeyboardInterrupt) else GRACE):
            self.note(done)
        self.stopped = self.failed is None
        vars(error)["run"] = self._run(so_far(self.plan.finish)(self._kept()))  # thus, for an exception may be frozen
        self.error = None  # it knows this job by its traceback: a circle would keep all values alive

    def _suspect_nothing(self, task: Task, error: BaseException) -> None:
        """A task that failed may have been handed nothing: then say by whom."""
        for name in task.needs:
            if name in self.nothing:
                add_note(error, f"it was given None: {name!r} returned nothing; does it end without `return`?")

    def _kept(self) -> dict[str, Any]:
        return {name: self.values[name] for name in self.plan.keep if name in self.values}

    def _run(self, result: Any) -> Run:
        crew, place, names = self.crew, self.place, list(self.names)
        more: Any = {"kinds": list(self.kinds), "errors": dict(self.errors), "source": crew.source}
        columns = np.array(self.times).reshape(-1, 5).T.copy()
        trace = Trace(names, self.slots, *columns, workers=self.workers, **more)
        story = {"failed": self.failed, "stopped": self.stopped, "noun": place.noun}
        return Run(result, trace, self.plan, place.name, crew.clock(), self.workers, crew.bill, **story)

    def _keep(self, name: str, value: Any) -> None:
        if self.readers[name]:
            self.values[name] = value

    def _let_go(self, name: str) -> None:
        self.readers[name] -= 1
        if not self.readers[name]:
            del self.values[name]


def lenient(plan: Plan) -> Plan:
    """The same plan, in which a chunk whose items fail goes on with the others."""
    other = copy(plan)
    other.tasks = tuple(replace(task, fn=getattr(task.fn, "lenient", task.fn)) for task in plan.tasks)
    return other


def _gap(task: Task, error: BaseException) -> Any:
    """What stands where the result of a failed task would be."""
    if task.items is None:
        return Skipped(task.name, task.item, error)
    return Gaps(Skipped(task.name, item, error) for item in task.items)


def _name_gaps(task: Task, results: Gaps) -> BaseException | None:
    gaps = [number for number, value in enumerate(results) if isinstance(value, Skipped)]
    for number in gaps:
        results[number] = Skipped(task.name, task.items[number] if task.items else number, results[number].error)
    return results[gaps[0]].error


def _here_or(place: Any) -> Any:
    """`place`, but the caller itself if this already is a worker: workers hire no workers."""
    if inside() and place.noun not in ("simulated worker", "serial worker"):
        note_nesting()
        return Serial()
    return place


def _item(task: Task, error: BaseException) -> str:
    number = getattr(error, "_item", None)
    if task.items is not None and number is not None:
        return f", item {task.items[number]}"
    return "" if task.item is None else f", item {task.item}"

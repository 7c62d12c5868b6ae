"""Array work on two workers: how close to the ceiling, and how far ahead of those who send bytes?

    fresh        an array this run has never seen, made before the clock starts
    shared       an array that `parlib.share` has put into shared memory once
    same again   a plain array that was in the run before, too

Everyone gets the same job on the same two halves of the same array. "The same call" is what
a reader of the manual writes for that: `list(pool.map(job, halves))` for Python's own pool,
`Parallel(n_jobs=2)(delayed(job)(half) for half in halves)` for joblib. Their pools are warm,
their settings are their defaults; where a default hurts, a second row is kinder.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import ThreadpoolController, threadpool_limits

from parlib import data_parallel, share, split

from . import work
from .ceiling import Ceiling
from .contest import Competitor, hold, ratio, timed
from .report import Target, row, seconds_of, table, times_of

TITLE = "Array work on two workers"
SERIAL, CEILING = "plain serial code, BLAS at one thread", "the ceiling: two processes, no data moved"
BLAS = "plain serial code, BLAS as it comes"
POOL, KIND_POOL = "`ProcessPoolExecutor`, fresh", "`ProcessPoolExecutor`, fresh, BLAS at one thread"
JOBLIB, JOBLIB_AGAIN = "joblib, fresh (memory-maps what is large)", "joblib, same again"


class Case(NamedTuple):
    """One contest: how large the array, how long the serial code, what kind of answer."""

    megabytes: int
    seconds: float
    job: Callable[..., Any]
    rounds: int
    rivals: bool = False

    @property
    def key(self) -> str:
        answer = "a number" if self.job is work.total else "an array of the same size"
        return f"{self.megabytes} MB, {self.seconds:g} s of serial work, the answer is {answer}"


def _full() -> Iterator[Case]:
    for seconds, rounds in ((0.1, 9), (0.3, 7), (1, 7), (3, 3), (10, 2)):  # the long ones last
        for megabytes in (64, 256):
            yield Case(megabytes, seconds, work.total, rounds, rivals=megabytes == 64 and seconds <= 1)
        if seconds == 1:
            yield Case(64, 1, work.turned, rounds, rivals=True)
            yield Case(256, 1, work.turned, rounds)


CASES = {
    "full": tuple(_full()),
    "quick": tuple(Case(64, seconds, job, 3, rivals=True) for seconds, job in ((0.3, work.total), (1, work.turned))),
    "mini": (Case(1, 0.01, work.total, 2, rivals=True), Case(1, 0.01, work.turned, 2)),
}


def sections(scale: str) -> dict[str, Callable[[], dict[str, Any]]]:
    return {case.key: partial(measure, case) for case in CASES[scale]}


def measure(case: Case) -> dict[str, Any]:
    """Hold one contest."""
    array = work.make(case.megabytes)
    one_thread = ThreadpoolController().limit
    turns = find_turns(case, array, one_thread)
    job = partial(case.job, turns=turns)
    with contextlib.ExitStack() as stack:
        ceiling = stack.enter_context(Ceiling(partial(work.make, case.megabytes / 2)))
        competitors = serially(job, array, one_thread) | ours(job, array)
        competitors[CEILING] = Competitor(lambda _: ceiling.run(job))
        if case.rivals:
            competitors |= rivals(job, array, stack)
        with one_thread(limits=1):
            truth = job(array)
        record = hold(competitors, rounds=case.rounds, check=partial(agrees, truth))
    return record | {"megabytes": case.megabytes, "target": case.seconds, "turns": turns, "answer": case.job.__name__}


def find_turns(case: Case, array: np.ndarray, one_thread: Callable[..., Any]) -> int:
    """How often to turn the rows so that the serial code takes about `case.seconds`."""

    def take(turns: int) -> float:
        with one_thread(limits=1):
            return min(timed(Competitor(lambda _: case.job(array, turns)), 1) for _ in range(3))

    few, many = take(1), take(5)
    return max(1, round(1 + (case.seconds - few) * 4 / max(many - few, 1e-6)))


def agrees(truth: Any, answer: Any) -> bool:
    """Whether an answer, or one in two halves, is the true one; the ceiling gives none."""
    if answer is None:
        return True
    parts = answer if isinstance(answer, list) else [answer]
    whole = np.concatenate(parts) if isinstance(truth, np.ndarray) else sum(parts)
    return np.allclose(whole, truth)


def serially(job: Callable[..., Any], array: np.ndarray, one_thread: Callable[..., Any]) -> dict[str, Competitor]:
    def held(_: Any) -> Any:
        with one_thread(limits=1):
            return job(array)

    return {SERIAL: Competitor(held), BLAS: Competitor(lambda _: job(array))}


def ours(job: Callable[..., Any], array: np.ndarray) -> dict[str, Competitor]:
    """parlib on both backends; the three rows differ in the array only."""
    shared = share(array)
    arrays = {"fresh": array.copy, "shared": lambda: shared, "same again": lambda: array}
    return {
        f"{backend}, {name}": Competitor(
            lambda halves, backend=backend: data_parallel(job, halves, workers=2, backend=backend).result,
            lambda make=make: split(make(), 2),
        )
        for backend in ("processes", "threads")
        for name, make in arrays.items()
    }


def rivals(job: Callable[..., Any], array: np.ndarray, stack: contextlib.ExitStack) -> dict[str, Competitor]:
    """The same call, of those who send bytes or map files."""
    pool = stack.enter_context(ProcessPoolExecutor(2))
    kind_pool = stack.enter_context(ProcessPoolExecutor(2, initializer=threadpool_limits, initargs=(1,)))

    def mapped(pool: Any, halves: Any) -> Any:
        return list(pool.map(job, halves))

    def joined(halves: Any) -> Any:  # always with the same settings: joblib starts new processes when they change
        return Parallel(n_jobs=2)(delayed(job)(half) for half in halves)

    def fresh() -> list[np.ndarray]:
        return split(array.copy(), 2)

    halves = split(array, 2)
    return {
        POOL: Competitor(partial(mapped, pool), fresh),
        KIND_POOL: Competitor(partial(mapped, kind_pool), fresh),
        JOBLIB: Competitor(joined, fresh),
        JOBLIB_AGAIN: Competitor(joined, lambda: halves),
    }


def report(records: dict[str, dict[str, Any]]) -> str:
    """All tables, one for each contest."""
    return "\n\n".join(_table(key, record) for key, record in records.items())


def _table(key: str, record: dict[str, Any]) -> str:
    seconds = record["seconds"]
    top = ratio(seconds[SERIAL], seconds[CEILING])
    lines = [
        row(
            name,
            seconds_of(times),
            times_of(ratio(seconds[SERIAL], times)),
            times_of(top),
            f"{ratio(seconds[CEILING], times).median:.0%}" if name not in (SERIAL, BLAS) else "",
            _verdict(name, record),
        )
        for name, times in seconds.items()
    ]
    return table(key, record, ["", "seconds", "speedup", "ceiling", "of the ceiling", "target"], lines)


def _verdict(name: str, record: dict[str, Any]) -> str:
    seconds = record["seconds"]
    if name.endswith("shared") and record["target"] >= 1:
        return str(Target("of the ceiling", ratio(seconds[CEILING], seconds[name]).median, at_least=0.92))
    if name in (POOL, KIND_POOL, JOBLIB) and record["target"] == 1:
        ours, ceiling = (ratio(seconds[name], seconds[other]).median for other in ("processes, fresh", CEILING))
        told = f"{ours:.3g} times ours" if name == KIND_POOL else str(Target("times ours", ours, at_least=2))
        return f"{told}; {ceiling:.3g} times the ceiling"
    return ""

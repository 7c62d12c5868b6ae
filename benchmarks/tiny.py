"""Tiny tasks: what does a call cost when there is nothing to do?

Two of them show what it takes to send two calls to a warm pool and to have both answers.
A list of many shows what it takes to send a list: it is cut into one chunk per worker, so
next to the calls themselves little should remain.

`bare` is what the executor below costs by itself: two `submit`, two `result`, and no plan,
no trace, no clocks.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Any

from joblib import Parallel, delayed
from loky import ProcessPoolExecutor as Loky

from parlib import data_parallel

from . import work
from .contest import Competitor, hold, ratio
from .report import Target, row, seconds_of, table, times_of

TITLE = "Tiny tasks"
OURS, JOBLIB, LOOP = "parlib", "joblib", "`[fn(x) for x in data]`"

# scale: rounds of the two tasks, calls in each, items of the list, rounds of the list
SCALES = {"full": (31, 20, 100_000, 7), "quick": (7, 20, 100_000, 3), "mini": (2, 2, 1_000, 2)}


def sections(scale: str) -> dict[str, Callable[[], dict[str, Any]]]:
    rounds, calls, items, list_rounds = SCALES[scale]
    return {
        "Two tiny tasks on processes": partial(two, "processes", Loky, "bare loky", 1.3, rounds, calls),
        "Two tiny tasks on threads": partial(
            two, "threads", ThreadPoolExecutor, "bare `ThreadPoolExecutor`", 5, rounds, calls
        ),
        f"{items:,} tiny calls on threads": partial(many, "threads", items, list_rounds),
        f"{items:,} tiny calls on processes": partial(many, "processes", items, list_rounds),
    }


def two(
    backend: str, executor: Callable[[int], Executor], name: str, limit: float, rounds: int, calls: int
) -> dict[str, Any]:
    """Two calls on a warm pool of two."""
    with executor(2) as pool:
        competitors = {
            OURS: Competitor(lambda _: ours(backend, [1, 2])),
            name: Competitor(lambda _: bare(pool)),
            JOBLIB: Competitor(lambda _: joined(backend, [1, 2])),
        }
        record = hold(competitors, rounds=rounds, calls=calls, check=lambda answer: answer == [2, 3])
    return record | {"targets": {name: {"at_most": limit}, JOBLIB: {"at_most": 0.1}}}


def many(backend: str, items: int, rounds: int) -> dict[str, Any]:
    """A list of calls so small that only their number counts."""
    data = list(range(items))
    competitors = {
        OURS: Competitor(lambda _: ours(backend, data)),
        LOOP: Competitor(lambda _: [work.increment(number) for number in data]),
        JOBLIB: Competitor(lambda _: joined(backend, data)),
    }
    truth = list(range(1, items + 1))
    record = hold(competitors, rounds=rounds, check=lambda answer: answer == truth)
    return record | {"targets": {LOOP: {"at_most": 1.5}} if backend == "threads" else {JOBLIB: {"at_most": 1}}}


def ours(backend: str, data: list[int]) -> list[int]:
    return data_parallel(work.increment, data, workers=2, backend=backend).result


def bare(pool: Executor) -> list[int]:
    return [future.result() for future in [pool.submit(work.increment, number) for number in (1, 2)]]


def joined(backend: str, data: list[int]) -> list[int]:
    return Parallel(n_jobs=2, prefer=backend)(delayed(work.increment)(number) for number in data)


def report(records: dict[str, dict[str, Any]]) -> str:
    """All tables, one for each contest."""
    return "\n\n".join(_table(title, record) for title, record in records.items())


def _table(title: str, record: dict[str, Any]) -> str:
    seconds = record["seconds"]
    lines = []
    for name, times in seconds.items():
        ours_to_theirs = ratio(seconds[OURS], times)
        limits = record["targets"].get(name)
        verdict = str(Target("of theirs", ours_to_theirs.median, **limits)) if limits else ""
        lines.append(row(name, seconds_of(times), "" if name == OURS else times_of(ours_to_theirs), verdict))
    return table(title, record, ["", "time of one call", "parlib ÷ this", "target"], lines)

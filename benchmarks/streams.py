"""Different work at the same time, on two workers: three chefs on a stream, two services, a line, and its own cost.

In turn is the same work by plain nested loops, with the BLAS held at one thread. The ceiling are two
processes that each do half of it and send nothing; the rivals are written by hand with the standard
library's executors, as somebody would who has no plans, and with joblib where tasks are independent.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from loky import ProcessPoolExecutor as Loky
from threadpoolctl import ThreadpoolController

from parlib import execute, pipeline_parallel
from parlib.paradigms import block_bounds
from parlib.workloads import loading, serving, streaming
from parlib.workloads.network import Descent, convolutional
from parlib.workloads.training import batches

from .ceiling import Ceiling
from .contest import Competitor, Middle, hold, ratio
from .report import Target, best_of_ours, row, seconds_of, table, times_of

TITLE = "Different work at the same time"
IN_TURN, CEILING = "in turn", "the ceiling: two processes, no data moved"
SCALES = {  # batches of photographs, requests, items of a line, tiny items; rounds
    "full": (24, 160, 60, 1000, 15),
    "quick": (12, 80, 30, 1000, 5),
    "mini": (2, 6, 4, 20, 2),
}
PHOTOGRAPHS, FILTERS = 16, 8
SMALL, LARGE = {"images": 1024, "texts": 80}, {"images": 4096, "texts": 320}  # in one request: some 4 and 15 ms
STAGES = 4
TURNS = 400_000  # of a loop, for one item at one stage: some 12 ms
OURS = "parlib, processes"
SHARES = {"kitchen": 0.8, "mixed": 0.9, "line": 0.9}
LIMIT = 60e-6  # seconds of overhead for an item at a stage


def sections(scale: str) -> dict[str, Callable[[], dict[str, Any]]]:
    number, requests, items, tiny, rounds = SCALES[scale]
    return {
        f"Prepare, train and answer, {number} batches of {PHOTOGRAPHS} photographs": partial(kitchen, number, rounds),
        f"Images and language, {requests} requests at once, {_told(SMALL)}": partial(mixed, requests, rounds, SMALL),
        f"Images and language, {requests} requests at once, {_told(LARGE)}": partial(mixed, requests, rounds, LARGE),
        f"A line of two equal stages that hold the GIL, {items} items": partial(line, items, rounds),
        f"{tiny:,} tiny items through {STAGES} stages on threads": partial(overhead, tiny, rounds),
    }


def _told(size: dict[str, int]) -> str:
    return f"each of {size['images']:,} digits or {size['texts']} sentences"


# ---- Three chefs ----------------------------------------------------------------------------------------------------


def kitchen(number: int, rounds: int) -> dict[str, Any]:
    """A model learns from files and answers requests meanwhile."""
    network = convolutional(side=loading.SEEN, colors=3, filters=FILTERS, classes=2)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        paths = loading.write_photographs(folder, number * PHOTOGRAPHS)
        requests = paths[::-1]
        stack.enter_context(ThreadpoolController().limit(limits=1))
        pool = stack.enter_context(ThreadPoolExecutor(2))
        ceiling = stack.enter_context(Ceiling(partial(_half_a_kitchen, network=network, paths=paths)))
        competitors = {IN_TURN: Competitor(lambda _: streaming.stream_in_turn(network, paths, requests))}
        for backend in ("threads", "processes"):
            ours = partial(streaming.stream, network, paths, requests, workers=2, backend=backend)
            competitors[f"parlib, {backend}"] = Competitor(lambda _, ours=ours: ours().result)
        competitors |= {
            "two threads by hand": Competitor(lambda _: _by_hand(pool, network, paths, requests)),
            CEILING: Competitor(lambda _: ceiling.run(_stream_half)),
        }
        truth = streaming.stream_in_turn(network, paths, requests)
        record = hold(competitors, rounds=rounds, check=lambda made: made is None or streaming._same(made, truth))
    return record | {"name": "kitchen"}


def _by_hand(pool: Executor, network: Any, paths: list[Any], requests: list[Any]) -> streaming.Streamed:
    """The next batch is loaded, and the requests are answered, while this thread trains."""
    load, learn, answer = loading.Load(), loading.Learn(network, Descent(rate=0.01)), streaming.Answer(network)
    learned = loading.Learned(weights := network.start(), np.zeros_like(weights))
    groups = [[paths[place] for place in some] for some in batches(len(paths), PHOTOGRAPHS, epochs=1)]
    loaded = [pool.submit(load, files, place) for place, files in enumerate(groups[:2])]
    answered: list[Future] = []
    for place, (start, stop) in enumerate(block_bounds(len(requests), len(groups))):
        answered.append(pool.submit(answer, requests[start:stop], learned))
        if place + 2 < len(groups):
            loaded.append(pool.submit(load, groups[place + 2], place + 2))
        learned = learn(loaded[place].result(), learned)
    told = [word for future in answered for word in future.result()]
    return streaming.Streamed(dict(enumerate(told)), learned)


def _half_a_kitchen(number: int, network: Any, paths: list[Any]) -> tuple[Any, list[Any]]:
    return network, paths[number * len(paths) // 2 : (number + 1) * len(paths) // 2]


def _stream_half(held: tuple[Any, list[Any]]) -> None:
    network, paths = held
    streaming.stream_in_turn(network, paths, paths[::-1])


# ---- Two services ---------------------------------------------------------------------------------------------------


def mixed(requests: int, rounds: int, size: dict[str, int]) -> dict[str, Any]:
    """Requests to see images and to read sentences, all of them there at the start."""
    stream = serving.requests(requests, **size)
    truth = serving.serve_in_turn(stream)
    with ThreadpoolController().limit(limits=1), Ceiling(partial(_half_a_stream, stream)) as ceiling:

        def ours(_: Any, backend: str) -> list[Any]:
            return execute(serving.serving_plan(stream), 2, backend).result

        def joined(_: Any) -> list[Any]:
            halves = Parallel(n_jobs=2)(delayed(serving.serve_in_turn)(stream[start::2]) for start in range(2))
            return [answer for pair in zip(*halves) for answer in pair] + halves[0][len(halves[1]) :]

        competitors = {
            IN_TURN: Competitor(lambda _: serving.serve_in_turn(stream)),
            OURS: Competitor(partial(ours, backend="processes")),
            "parlib, threads": Competitor(partial(ours, backend="threads")),
            "joblib, every other request": Competitor(joined),
            CEILING: Competitor(lambda _: ceiling.run(_serve)),
        }
        record = hold(competitors, rounds=rounds, check=lambda made: made is None or serving.mixed.same(made, truth))
    return record | {"name": "mixed"}


def _half_a_stream(stream: list[Any], number: int) -> list[Any]:
    serving.model()
    return stream[number::2]


def _serve(held: list[Any]) -> None:
    serving.serve_in_turn(held)


# ---- A line ---------------------------------------------------------------------------------------------------------


def line(items: int, rounds: int) -> dict[str, Any]:
    """Every item through two stages of equal work in pure Python."""
    data = list(range(items))
    truth = _line_in_turn(data)
    with Loky(2) as pool, Ceiling(partial(_half_a_line, items=items)) as ceiling:
        competitors = {
            IN_TURN: Competitor(lambda _: _line_in_turn(data)),
            OURS: Competitor(lambda _: pipeline_parallel(whip, fold, data=data, workers=2, backend="processes").result),
            "loky by hand": Competitor(lambda _: list(_chained(pool, data))),
            CEILING: Competitor(lambda _: ceiling.run(_line_in_turn)),
        }
        record = hold(competitors, rounds=rounds, check=lambda made: made is None or made == truth)
    return record | {"name": "line"}


def whip(item: int) -> int:
    """A stage: some milliseconds of pure Python."""
    return item + sum(number % 7 for number in range(TURNS)) % 2


def fold(item: int) -> int:
    """A stage that takes as long."""
    return item - sum(number % 7 for number in range(TURNS)) % 2


def _line_in_turn(data: list[int]) -> list[int]:
    return [fold(whip(item)) for item in data]


def _half_a_line(number: int, items: int) -> list[int]:
    return list(range(items))[number::2]


def _chained(pool: Executor, data: list[int]) -> Iterator[int]:
    """One item's second stage is submitted as soon as its first is done: all that a line needs, and no trace of it."""
    first = [pool.submit(whip, item) for item in data]
    second = [pool.submit(fold, future.result()) for future in first]
    return (future.result() for future in second)


def overhead(items: int, rounds: int) -> dict[str, Any]:
    """Stages that do next to nothing: what remains is what the line itself costs."""
    data, ours = list(range(items)), partial(pipeline_parallel, *[abs] * STAGES)
    truth = list(data)
    with ThreadPoolExecutor(STAGES) as pool:
        competitors = {
            "plain nested loops": Competitor(lambda _: [abs(abs(abs(abs(item)))) for item in data]),
            "parlib, threads": Competitor(lambda _: ours(data=data).result),
            "parlib, threads, buffer of 4": Competitor(lambda _: ours(data=data, buffer=4).result),
            "`ThreadPoolExecutor.map` by hand": Competitor(lambda _: _mapped(pool, data)),
        }
        record = hold(competitors, rounds=rounds, check=lambda made: made == truth)
    return record | {"name": "overhead", "items": items}


def _mapped(pool: Executor, data: list[int]) -> list[int]:
    """A map for each stage, one behind the other: no item waits for a station, and none is traced."""
    values: Any = data
    for _ in range(STAGES):
        values = pool.map(abs, values)
    return list(values)


# ---- Tables ---------------------------------------------------------------------------------------------------------


def report(records: dict[str, dict[str, Any]]) -> str:
    """All tables, one for each contest."""
    return "\n\n".join(
        (_costs if record["name"] == "overhead" else _shares)(key, record) for key, record in records.items()
    )


def _shares(key: str, record: dict[str, Any]) -> str:
    seconds = record["seconds"]
    shares = {name: ratio(seconds[CEILING], times).median for name, times in seconds.items()}
    held, lines = OURS if record["name"] == "mixed" else best_of_ours(shares), []
    for name, times in seconds.items():
        target = Target("of the ceiling", shares[name], at_least=SHARES[record["name"]]) if name == held else ""
        told = "" if name == IN_TURN else f"{shares[name]:.0%}"
        lines.append(row(name, seconds_of(times), times_of(ratio(seconds[IN_TURN], times)), told, str(target)))
    return table(key, record, ["", "seconds", "in turn ÷ this", "of the ceiling", "target"], lines)


def _costs(key: str, record: dict[str, Any]) -> str:
    lines = []
    for name, times in record["seconds"].items():
        each = Middle.of(np.array(times) / (record["items"] * STAGES) * 1e6)
        target = str(Target("µs", each.median, at_most=LIMIT * 1e6)) if "parlib" in name else ""
        lines.append(row(name, seconds_of(times), f"{each.median:.3g} µs [{each.low:.3g} – {each.high:.3g}]", target))
    return table(key, record, ["", "seconds", "for an item at a stage", "target"], lines)

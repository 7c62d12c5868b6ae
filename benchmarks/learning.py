"""The arithmetic of AI on two workers: a product, a convolution, a training step, and loading beside training.

Serial is the best code for one worker, with the BLAS held at one thread; the ceiling are two
processes that each do half on data they made themselves. joblib gets the same halves.
PyTorch, where it is installed, trains the same network on the same batch, as one process
and as two that average their gradients (its own data parallelism, over gloo).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import ThreadpoolController

from parlib import execute, share
from parlib.workloads import convolution, loading, matmul, streaming, training
from parlib.workloads.network import average, convolutional

from .ceiling import Ceiling
from .contest import Competitor, Middle, hold, ratio
from .report import Target, best_of_ours, row, seconds_of, table, times_of

TITLE = "The arithmetic of AI on two workers"
SERIAL, CEILING = "serial, BLAS at one thread", "the ceiling: two processes, no data moved"
BLAS = "serial, BLAS as it comes"
LOADING, TRAINING = "loading alone", "training alone, on batches that are ready"
IN_TURN = "load and train in turn"
SCALES = {  # numbers of a matrix's side, of photographs, of digits, of batches to load; rounds
    "full": (2000, 320, 8000, 24, 15),
    "quick": (2000, 80, 8000, 12, 5),
    "mini": (60, 4, 40, 2, 2),
}
PHOTOGRAPHS, FILTERS = 32, 32  # in a batch to be loaded; of the network that is fed
SHARES = {"product": 0.92, "convolution": 0.92, "step": 0.8, "hidden": 0.8}


def sections(scale: str) -> dict[str, Callable[[], dict[str, Any]]]:
    side, photographs, digits, batches, rounds = SCALES[scale]
    return {
        f"Product of two matrices, {side} × {side}": partial(product, side, rounds),
        f"Convolution of {photographs} photographs": partial(convolving, photographs, rounds),
        f"Training step, {digits} digits": partial(step, digits, rounds),
        f"Loading beside training, {batches} batches of {PHOTOGRAPHS} photographs": partial(feeding, batches, rounds),
    }


# ---- A job in two halves --------------------------------------------------------------------------------------------


def product(side: int, rounds: int) -> dict[str, Any]:
    left, right = matmul.matrices(side)
    shared, halves = (share(left), share(right)), [(half, right) for half in np.array_split(left, 2)]
    ours = {
        "parlib, threads": lambda: matmul.product_split(left, right, 2).plan(),
        "parlib, processes, shared": lambda: matmul.product_split(*shared, 2).plan(),
        "parlib, processes, fresh": lambda: matmul.product_split(left, right, 2).plan(),
    }
    make = partial(_strip, side=side)
    return contest("product", partial(matmul.times, left, right), ours, matmul.times, halves, make, rounds)


def _strip(number: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    return matmul.matrices(side)[0][number * side // 2 : (number + 1) * side // 2].copy(), matmul.matrices(side)[1]


def convolving(photographs: int, rounds: int) -> dict[str, Any]:
    plan, halves = convolution.photos.plan, [(half,) for half in np.array_split(convolution.pieces(photographs), 2)]
    ours = {f"parlib, {backend}": lambda: plan(photographs, 2) for backend in ("threads", "processes")}
    serial, make = partial(convolution.photos.serial, photographs), partial(_pieces, photographs=photographs)
    return contest("convolution", serial, ours, _features, halves, make, rounds)


def _features(images: np.ndarray) -> np.ndarray:
    return np.stack([convolution.features(image) for image in images])


def _pieces(number: int, photographs: int) -> tuple[np.ndarray]:
    return (np.array_split(convolution.pieces(photographs), 2)[number].copy(),)


def step(digits: int, rounds: int) -> dict[str, Any]:
    places = np.array_split(np.arange(digits), 2)
    plan, halves = training.step.plan, [(training._ready(digits), half) for half in places]
    ours = {f"parlib, {backend}": lambda: plan(digits, 2) for backend in ("threads", "processes")}
    serial, make = partial(training.step.serial, digits), partial(_shard, digits=digits)
    with contextlib.ExitStack() as stack:
        others = torches(digits, stack) if find_spec("torch") else {}
        return contest("step", serial, ours, _slope, halves, make, rounds, others, _gradient)


def _slope(shard: training.Shard, places: np.ndarray) -> Any:
    return shard(places)


def _gradient(slopes: list[Any]) -> np.ndarray:
    return average(slopes).gradient


def _shard(number: int, digits: int) -> tuple[training.Shard, np.ndarray]:
    return training._ready(digits), np.array_split(np.arange(digits), 2)[number]


def torches(digits: int, stack: contextlib.ExitStack) -> dict[str, Competitor]:
    """PyTorch on one process and on two."""
    from . import rival

    found = {}
    for processes in (1, 2):
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        make = partial(rival.make, digits=digits, processes=processes, folder=folder)
        both = stack.enter_context(Ceiling(make))
        found[f"PyTorch, {processes} process{'es' * (processes > 1)}, one thread each"] = Competitor(
            lambda _, both=both: both.run(rival.step)
        )
    return found


def contest(
    name: str,
    serial: Callable[[], np.ndarray],
    ours: dict[str, Callable[[], Any]],
    job: Callable[..., Any],
    halves: list[tuple[Any, ...]],
    make: Callable[[int], Any],
    rounds: int,
    others: dict[str, Competitor] | None = None,
    combine: Callable[[list[Any]], np.ndarray] = np.concatenate,
) -> dict[str, Any]:
    """The same job serially, by parlib, by joblib, and at the ceiling."""
    one_thread = ThreadpoolController().limit

    def held(_: Any) -> np.ndarray:
        with one_thread(limits=1):
            return serial()

    def planned(_: Any, plan: Callable[[], Any], backend: str) -> np.ndarray:
        return execute(plan(), 2, backend).result

    def joined(_: Any, **how: Any) -> np.ndarray:
        return combine(Parallel(n_jobs=2, **how)(delayed(job)(*half) for half in halves))

    competitors = {SERIAL: Competitor(held), BLAS: Competitor(lambda _: serial())}
    competitors |= {
        name: Competitor(partial(planned, plan=plan, backend=name.split(", ")[1])) for name, plan in ours.items()
    }
    competitors |= {"joblib": Competitor(joined), "joblib, threads": Competitor(partial(joined, backend="threading"))}
    truth = held(None)
    with Ceiling(make) as ceiling:
        competitors |= {CEILING: Competitor(lambda _: ceiling.run(partial(_whole, job=job)))} | (others or {})
        record = hold(
            competitors, rounds=rounds, check=lambda answer: answer is None or np.allclose(answer, truth, atol=1e-5)
        )
    return record | {"name": name}


def _whole(held: tuple[Any, ...], job: Callable[..., Any]) -> None:
    job(*held)


# ---- Loading beside training ----------------------------------------------------------------------------------------


def feeding(batches: int, rounds: int) -> dict[str, Any]:
    """A network learns from files: loaded in turn with training, or by a worker of its own meanwhile."""
    network = convolutional(side=loading.SEEN, colors=3, filters=FILTERS, classes=2)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        paths = loading.write_photographs(folder, batches * PHOTOGRAPHS)
        stack.enter_context(ThreadpoolController().limit(limits=1))  # for all of them
        ceiling = stack.enter_context(Ceiling(partial(_half_of_feeding, network=network, paths=paths)))
        alone = {name: _half_of_feeding(number, network, paths) for number, name in enumerate((LOADING, TRAINING))}
        truth = loading.feed(network, paths, loaders=0, backend="serial", batch=PHOTOGRAPHS).result.weights

        def fed(_: Any, backend: str, loaders: int) -> np.ndarray:
            return loading.feed(network, paths, loaders=loaders, backend=backend, batch=PHOTOGRAPHS).result.weights

        competitors = {
            IN_TURN: Competitor(lambda _: _in_turn(network, paths)),
            "parlib, threads, one loader": Competitor(partial(fed, backend="threads", loaders=1)),
            "parlib, processes, one loader": Competitor(partial(fed, backend="processes", loaders=1)),
            "joblib's generator, two loaders": Competitor(lambda _: _joblib_loads(network, paths)),
            CEILING: Competitor(lambda _: ceiling.run(_do)),
        } | {name: Competitor(lambda _, half=half: _do(half)) for name, half in alone.items()}
        record = hold(
            competitors, rounds=rounds, check=lambda weights: weights is None or np.allclose(weights, truth, atol=1e-8)
        )
    return record | {"name": "hidden"}


def _groups(paths: list[Any]) -> list[tuple[int, list[Any]]]:
    places = training.batches(len(paths), PHOTOGRAPHS, epochs=1)
    return [(number, [paths[place] for place in some]) for number, some in enumerate(places)]


def _start(network: Any) -> tuple[loading.Learn, loading.Learned]:
    weights = network.start()
    return loading.Learn(network, loading.Descent(rate=0.01)), loading.Learned(weights, np.zeros_like(weights))


def _in_turn(network: Any, paths: list[Any]) -> np.ndarray:
    return streaming.stream_in_turn(network, paths, [], batch=PHOTOGRAPHS).learned.weights


def _joblib_loads(network: Any, paths: list[Any]) -> np.ndarray:
    learn, learned = _start(network)
    jobs = (delayed(loading.Load())(some, number) for number, some in _groups(paths))
    for batch in Parallel(n_jobs=2, return_as="generator")(jobs):
        learned = learn(batch, learned)
    return learned.weights


def _half_of_feeding(number: int, network: Any, paths: list[Any]) -> Callable[[], None]:
    """What one of two processes has to do: load all batches, or learn as often from one that is ready."""
    groups = _groups(paths)
    if number == 0:
        return partial(_load_all, groups)
    return partial(_learn_all, *_start(network), loading.Load()(groups[0][1]), len(groups))


def _load_all(groups: list[tuple[int, list[Any]]]) -> None:
    for number, some in groups:
        loading.Load()(some, number)


def _learn_all(learn: loading.Learn, learned: loading.Learned, batch: loading.Batch, times: int) -> None:
    for _ in range(times):
        learned = learn(batch, learned)


def _do(half: Callable[[], None]) -> None:
    half()


# ---- Tables ---------------------------------------------------------------------------------------------------------


def report(records: dict[str, dict[str, Any]]) -> str:
    """All tables, one for each contest."""
    return "\n\n".join(
        (_hidden if record["name"] == "hidden" else _halves)(key, record) for key, record in records.items()
    )


def _halves(key: str, record: dict[str, Any]) -> str:
    seconds = record["seconds"]
    shares = {name: ratio(seconds[CEILING], times).median for name, times in seconds.items()}
    best, lines = best_of_ours(shares), []
    for name, times in seconds.items():
        told = f"{shares[name]:.0%}" if name not in (SERIAL, BLAS) and "PyTorch" not in name else ""
        target = Target("of the ceiling", shares[name], at_least=SHARES[record["name"]]) if name == best else ""
        lines.append(row(name, seconds_of(times), times_of(ratio(seconds[SERIAL], times)), told, str(target)))
    return table(key, record, ["", "seconds", "speedup", "of the ceiling", "target"], lines)


def _hidden(key: str, record: dict[str, Any]) -> str:
    """How much of the time that loading takes alone has vanished behind training: round by round."""
    seconds = {name: np.array(times) for name, times in record["seconds"].items()}
    hidden = {name: Middle.of((seconds[IN_TURN] - times) / seconds[LOADING]) for name, times in seconds.items()}
    best, lines = best_of_ours({name: middle.median for name, middle in hidden.items()}), []
    for name, middle in hidden.items():
        together = name not in (IN_TURN, LOADING, TRAINING)
        told = f"{middle.median:.0%} [{middle.low:.0%} – {middle.high:.0%}]" if together else ""
        target = Target("of loading hidden", middle.median, at_least=SHARES["hidden"]) if name == best else ""
        lines.append(row(name, seconds_of(list(seconds[name])), told, str(target)))
    return table(key, record, ["", "seconds", "hidden", "target"], lines)

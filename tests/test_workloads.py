"""What is worth doing in parallel: every workload does the same work as its serial code, wherever it runs."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

import parlib
from parlib import Plan, Simulated, Workload, execute
from parlib.panels.model import Choice, Model
from parlib.scenes import kitchens
from parlib.scenes.oven import Order
from parlib.timing.fair import run_workload
from parlib.workloads import ALL, SPENDS, bakery, block_plan, convolution, equal, loading, matmul, streaming, text

TINY = {
    "bakery.restaurant": 2,
    "matmul.by_rows": 30,
    "matmul.by_columns": 30,
    "matmul.by_blocks": 30,
    "matmul.adding": 1,
    "loading.feeding": 40,
    "streaming.kitchen": 40,
}
SAMPLE = Workload("sample", lambda size, chunks: Plan([]), lambda size: {}, (1, 5, 9), "waiting")


def tiny(workload):
    """A size that takes a moment, but can be cut into three."""
    return TINY.get(workload.name, 7)


@pytest.fixture
def small_book(monkeypatch):
    """Adding, with fewer pages."""
    monkeypatch.setattr(matmul, "PAGES", 5)
    matmul.pages.cache_clear()


@pytest.fixture(autouse=True)
def nothing_stays():
    """Large data are not kept for the tests that follow."""
    yield
    for made in (matmul.pages, matmul.matrices, convolution.pieces, convolution.batch, text.documents):
        made.cache_clear()


# ---- Every workload -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_book")
@pytest.mark.parametrize("backend", ["serial", "threads", "processes", "simulated"])
@pytest.mark.parametrize("workload", ALL, ids=lambda workload: workload.name)
def test_every_backend_agrees_with_the_serial_code(workload, backend):
    size = tiny(workload)
    run = execute(workload.plan(size, 3), workers=2, backend=backend)
    assert workload.same(workload.serial(size), run.result)


@pytest.mark.usefixtures("small_book")
@pytest.mark.parametrize("workload", ALL, ids=lambda workload: workload.name)
@pytest.mark.parametrize("chunks", [1, 2, 100])
def test_the_answer_does_not_depend_on_the_number_of_chunks(workload, chunks):
    size = tiny(workload)
    assert workload.same(workload.serial(size), execute(workload.plan(size, chunks), 1, "serial").result)


@pytest.mark.usefixtures("small_book")
@pytest.mark.parametrize("workload", ALL, ids=lambda workload: workload.name)
def test_a_changed_answer_is_seen(workload):
    size = tiny(workload)
    right = workload.serial(size)
    assert not workload.same(right, changed(right))


def changed(answer):
    if isinstance(answer, loading.Learned):
        return answer._replace(weights=answer.weights + 1)
    if isinstance(answer, streaming.Streamed):
        return answer._replace(answers=dict.fromkeys(answer.answers, "a cake"))
    return answer + 1 if isinstance(answer, np.ndarray) else type(answer)()


@pytest.mark.usefixtures("small_book")
@pytest.mark.parametrize("workload", ALL, ids=lambda workload: workload.name)
def test_its_costs_are_those_of_a_simulated_machine(workload):
    size = tiny(workload)
    one = execute(workload.plan(size, 4), 1, Simulated(workload.costs(size)))
    many = execute(workload.plan(size, 4), 4, Simulated(workload.costs(size)))
    assert one.source == many.source == "simulated"
    assert 0 < many.elapsed < one.elapsed


@pytest.mark.parametrize("workload", ALL, ids=lambda workload: workload.name)
def test_its_estimate_takes_a_moment_at_the_smallest_and_seconds_at_the_largest_size(workload):
    assert 0.04 < estimate(workload, workload.sizes[0]) < 0.2
    assert 0.2 < estimate(workload, workload.default) < 0.6
    assert 0.6 < estimate(workload, workload.sizes[-1]) < 2


def estimate(workload, size):
    """Seconds on one simulated worker; nothing is computed."""
    plan = workload.plan(size, 1)
    plan = Plan([replace(task, fn=None) for task in plan.tasks], plan.inputs, keep=[])
    return execute(plan, 1, Simulated(workload.costs(size))).elapsed


def test_names_are_those_of_the_module_and_the_object():
    assert len({workload.name for workload in ALL}) == len(ALL)
    for workload in ALL:
        module, name = workload.name.split(".")
        assert getattr(getattr(parlib.workloads, module), name) is workload


def test_the_workloads_spend_everything_there_is_to_spend():
    assert {workload.spends for workload in ALL} == set(SPENDS)


# ---- The class ------------------------------------------------------------------------------------------------------


def test_a_workload_tells_its_story():
    assert repr(bakery.busy) == "<Workload: bakery.busy, sizes 24 to 400, spends CPU, holding the GIL>"


def test_the_size_to_begin_with_is_the_middle_one_unless_said():
    assert SAMPLE.default == 5
    assert Workload("sample", SAMPLE.plan, SAMPLE.serial, [1, 5], "waiting", default=1).default == 1


def test_a_workload_does_not_change():
    with pytest.raises(FrozenInstanceError):
        SAMPLE.name = "another"


def test_without_an_estimate_the_simulator_is_to_time_it():
    assert SAMPLE.costs(5) is None


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("", SAMPLE.plan, SAMPLE.serial, (1,), "waiting"), TypeError, "at least one letter"),
        (("bake", None, SAMPLE.serial, (1,), "waiting"), TypeError, "plan of workload 'bake' must be a function"),
        (("bake", SAMPLE.plan, 3, (1,), "waiting"), TypeError, "serial of workload 'bake' must be a function"),
        (("bake", SAMPLE.plan, SAMPLE.serial, (), "waiting"), ValueError, "at least one size"),
        (("bake", SAMPLE.plan, SAMPLE.serial, (1,), "wating"), ValueError, "did you mean 'waiting'"),
    ],
)
def test_a_mistake_is_told_at_birth(arguments, error, words):
    with pytest.raises(error, match=words):
        Workload(*arguments)


def test_equality_looks_into_lists_and_arrays():
    assert equal([np.arange(3), ("a", 1)], [np.arange(3), ("a", 1)])
    assert not equal([np.arange(3)], [np.arange(4)])
    assert not equal([1], [1, 1])
    assert not equal(np.arange(3), np.arange(3) + 1)


def test_a_block_plan_gives_whole_blocks_to_its_function():
    run = execute(block_plan(len, range(7), chunks=3, combine=list), 2)
    assert run.result == [3, 2, 2]
    assert [task.items for task in run.plan.tasks] == [range(3), range(3, 5), range(5, 7)]


def test_whoever_runs_a_workload_keeps_to_its_order():
    choice = kitchens.chosen(loading.feeding, 3, 64, 1, 4, "threads")[0]
    runs = {
        "a sweep": run_workload(loading.feeding, "threads", None, 3, 64).trace,
        "a scene": kitchens.simulated(loading.feeding, choice).trace,
        "a scene, for real": Order(loading.feeding, 64, 1, 3, "threads").bake().trace,
        "a panel": Model(loading.feeding).timeline(Choice(3, 64, None, "threads")),
    }
    for name, trace in runs.items():
        assert {kind for kind, worker in zip(trace.kinds, trace.worker, strict=True) if worker == 0} == {"train"}, name


# ---- What the lessons call by hand ----------------------------------------------------------------------------------


def test_cakes_weigh_one_kilogram_on_average_and_the_heaviest_comes_first():
    order = bakery.cakes(8)
    assert sum(order) == pytest.approx(8)
    assert order == sorted(order, reverse=True)


def test_a_block_of_heavy_cakes_is_more_work_than_a_block_of_light_ones():
    run = execute(bakery.uneven.plan(8, 2), 2, Simulated(bakery.uneven.costs(8)))
    assert parlib.imbalance(run) > 1.4


def test_the_restaurant_is_limited_by_its_slowest_chef_and_the_plate():
    run = parlib.task_parallel(bakery.sauce, bakery.meat, bakery.plate, workers=2, backend=Simulated(bakery.KITCHEN))
    assert run.result["plate"] == "2 steaks with sauce of 6 tomatoes"
    assert run.elapsed == pytest.approx(bakery.KITCHEN["meat"] + bakery.KITCHEN["plate"])


def test_a_product_in_rows_is_the_product():
    left, right = np.random.default_rng(0).random((2, 9, 9))
    assert np.allclose(execute(matmul.row_plan(left, right, chunks=4), 2).result, left @ right)


def test_a_convolution_agrees_with_its_definition():
    numbers = np.random.default_rng(0)
    image, kernel = numbers.random((6, 5, 2)), numbers.random((3, 2, 2, 4))
    slow = [[np.einsum("klc,klcf->f", image[i : i + 3, j : j + 2], kernel) for j in range(4)] for i in range(4)]
    assert np.allclose(convolution.convolve(image, kernel), slow)


def test_the_photographs_are_those_that_scikit_learn_would_load():
    from sklearn.datasets import load_sample_image

    temple, flower = convolution.sample_images()
    assert np.array_equal(temple, load_sample_image("china.jpg"))
    assert np.array_equal(flower, load_sample_image("flower.jpg"))


def test_pieces_of_photographs_are_the_same_every_time_and_differ_from_each_other():
    first = convolution.pieces(4).copy()
    convolution.pieces.cache_clear()
    assert np.array_equal(convolution.pieces(4), first)
    assert len({piece.tobytes() for piece in first}) == 4


def test_words_are_counted_as_a_dumber_counter_counts_them():
    document = "The cat's cats sat; THE CAT sat."
    assert text.count_words(document) == {"the": 2, "cat": 3, "s": 1, "sat": 2}


def test_documents_begin_again_after_the_last_topic():
    topics = len(text.topics())
    assert text.documents(topics + 2)[-2:] == text.documents(2)

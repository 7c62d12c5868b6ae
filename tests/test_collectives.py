"""How workers agree: every rank ends with the sum, whoever carries the messages; their bytes are those of formulas."""

import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from references import evaluate

import parlib
from parlib import PlanError, Simulated, Task, all_reduce, execute, point_to_point, ring_all_reduce, traffic
from parlib.collectives import naive_plan, ring_plan

ALGORITHMS = "ring", "naive"
KINDS = "int64", "float64", "float32", "complex128", "int8", "uint16"
both = pytest.mark.parametrize("algorithm", ALGORITHMS)


@st.composite
def ranks(draw, most=7):
    """Arrays of whole numbers, one for each of some ranks: sums of these are exact in every order."""
    count, kind = draw(st.integers(0, most)), draw(st.sampled_from(KINDS))
    shape = draw(st.sampled_from([(), (0,), (1,), (2,), (5,), (7,), (13,), (3, 5), (1, 1), (2, 3, 3)]))
    numbers = np.random.default_rng(draw(st.integers(0, 99)))
    return [numbers.integers(0, 9, shape).astype(kind) for _ in range(count)]


# ---- The sum --------------------------------------------------------------------------------------------------------


@both
@given(arrays=ranks(), workers=st.integers(1, 9))
@settings(deadline=None, max_examples=40)
def test_every_rank_ends_with_the_sum(algorithm, arrays, workers):
    run = all_reduce(arrays, algorithm=algorithm, workers=workers, backend=Simulated(0.0))
    total = sum(arrays[1:], arrays[0]) if arrays else None
    assert len(run.result) == len(arrays)
    for rank in run.result:
        assert rank.shape == total.shape
        assert rank.dtype == arrays[0].dtype
        assert np.array_equal(rank, total)


@both
@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
@pytest.mark.parametrize("length", [3, 40_001])
def test_every_crew_makes_the_same_sum(algorithm, backend, length):
    arrays = list(np.random.default_rng(0).normal(size=(5, length)))
    run = all_reduce(arrays, algorithm=algorithm, backend=backend, workers=2)
    same = all_reduce(arrays, algorithm=algorithm, backend=Simulated(0.0))
    assert run.source == "measured"
    assert all(np.array_equal(rank, same.result[0]) for rank in run.result)
    assert np.allclose(run.result[0], sum(arrays), rtol=1e-14, atol=1e-14)


@both
def test_ranks_agree_to_the_last_bit_where_sums_depend_on_their_order(algorithm):
    arrays = list(np.random.default_rng(1).normal(size=(7, 33)) * 10.0 ** np.arange(-16, 17))
    first, *others = all_reduce(arrays, algorithm=algorithm, backend="serial").result
    assert all(np.array_equal(first, other) for other in others)


@both
def test_the_arrays_given_stay_as_they_were(algorithm):
    arrays = [np.arange(5.0), np.ones(5)]
    results = all_reduce(arrays, algorithm=algorithm).result
    results[0][:] = results[1][:] = 9
    assert arrays[0].tolist() == [0, 1, 2, 3, 4]
    assert arrays[1].tolist() == [1, 1, 1, 1, 1]
    alone = all_reduce(arrays[:1], algorithm=algorithm).result[0]
    alone[:] = 9
    assert arrays[0].tolist() == [0, 1, 2, 3, 4]


@both
def test_one_array_with_a_row_for_each_rank_will_do(algorithm):
    assert all_reduce(np.eye(3), algorithm=algorithm).result[2].tolist() == [1, 1, 1]


def test_a_lost_message_is_seen():
    plan = ring_plan(list(np.ones((4, 8))))
    values = evaluate(plan)
    values[plan.keep[-1]] = np.zeros(2)
    assert not all(np.array_equal(rank, np.full(8, 4.0)) for rank in plan.finish({n: values[n] for n in plan.keep}))


# ---- Messages and bytes ---------------------------------------------------------------------------------------------


@given(arrays=ranks())
@settings(deadline=None, max_examples=40)
def test_the_ring_sends_two_rounds_of_a_piece_from_every_rank(arrays):
    p, run = len(arrays), all_reduce(arrays, backend=Simulated(0.0))
    nbytes = arrays[0].nbytes if arrays else 0
    assert len(run.plan) == traffic(run).messages == 2 * p * max(0, p - 1)
    assert traffic(run).nbytes == 2 * max(0, p - 1) * nbytes


@given(arrays=ranks())
@settings(deadline=None, max_examples=40)
def test_the_naive_way_sends_everything_through_one_rank(arrays):
    p, run = len(arrays), all_reduce(arrays, algorithm="naive", backend=Simulated(0.0))
    nbytes = arrays[0].nbytes if arrays else 0
    assert len(run.plan) == traffic(run).messages == 2 * max(0, p - 1)
    assert traffic(run).nbytes == traffic(run).busiest == 2 * max(0, p - 1) * nbytes


@pytest.mark.parametrize("make", [ring_plan, naive_plan])
@given(arrays=ranks())
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_message_is_as_large_as_it_says(make, arrays):
    plan = make(arrays)
    assert all(evaluate(plan)[task.name].nbytes == task.nbytes for task in plan.tasks)


def test_nobody_in_the_ring_takes_care_of_more_than_two_rounds_of_a_piece():
    assert traffic(all_reduce(np.ones((8, 80)), backend="serial")).busiest == 2 * 7 * 80


@pytest.mark.parametrize("p", [1, 2, 3, 8, 16])
def test_a_simulated_ring_takes_as_long_as_its_law(p):
    arrays = list(np.ones((p, 48 * p)))
    run = all_reduce(arrays, backend=Simulated(0.0, latency=0.5, bandwidth=100.0))
    assert run.elapsed == pytest.approx(ring_all_reduce(arrays[0].nbytes, p, 0.5, 100.0))


@pytest.mark.parametrize("p", [1, 2, 3, 8, 16])
def test_the_naive_way_takes_as_long_as_its_messages_one_after_the_other(p):
    arrays = list(np.ones((p, 48)))
    run = all_reduce(arrays, algorithm="naive", backend=Simulated(0.0, latency=0.5, bandwidth=100.0))
    assert run.elapsed == pytest.approx(2 * (p - 1) * point_to_point(arrays[0].nbytes, 0.5, 100.0))


def test_a_ring_is_better_for_large_arrays_and_the_naive_way_for_few_short_ones():
    slow = Simulated(0.0, latency=1.0, bandwidth=1e6)

    def seconds(algorithm, ranks, length):
        return all_reduce(np.ones((ranks, length)), algorithm=algorithm, backend=slow).elapsed

    assert seconds("ring", 8, 10**6) < seconds("naive", 8, 10**6) / 4
    assert seconds("ring", 8, 8) == pytest.approx(seconds("naive", 8, 8), rel=1e-3)


def test_the_same_messages_take_longer_with_fewer_workers_and_all_arrive():
    machine = Simulated(0.0, latency=1.0)
    few = [all_reduce(np.ones((6, 5)), workers=workers, backend=machine) for workers in (1, 2, 3, 6)]
    assert [run.elapsed for run in few] == [60, 30, 20, 10]
    assert all(np.array_equal(run.result[5], np.full(5, 6.0)) for run in few)


@both
@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_fewer_workers_than_ranks_wait_for_no_one(algorithm, backend):
    run = all_reduce(np.ones((9, 4)), algorithm=algorithm, workers=1, backend=backend)
    assert run.workers == 1
    assert run.result[8].tolist() == [9, 9, 9, 9]


def test_ranks_that_wait_for_each_other_inside_their_task_would_not_get_on():
    """What one task per message avoids: a rank that is one task, and waits for its neighbor inside."""
    meeting = threading.Barrier(2)

    def rank(_):
        meeting.wait(timeout=0.2)

    with pytest.raises(threading.BrokenBarrierError):
        parlib.data_parallel(rank, range(2), workers=1, chunks=2)


def test_messages_of_a_rank_go_to_its_worker():
    run = all_reduce(np.ones((4, 4)), backend=Simulated(0.0, latency=1.0))
    rank_of = {task.name: task.item for task in run.plan.tasks}
    assert all(span.worker == rank_of[span.task] for span in run.trace.spans)


def test_large_messages_travel_in_shared_memory():
    run = all_reduce(np.ones((2, 200_000)), backend="processes", workers=2)
    assert run.shared_bytes >= 2 * 200_000 * 8
    assert run.result[1][-1] == 2


# ---- Messages on a simulated machine --------------------------------------------------------------------------------


def test_a_message_takes_latency_and_bytes_wherever_it_comes_from():
    machine = Simulated(1.0, latency=0.5, bandwidth=10.0)
    plan = parlib.Plan([Task("here", None, nbytes=20), Task("there", None, ["here"], nbytes=30)])
    assert execute(plan, 2, machine).elapsed == 1 + 0.5 + 2 + 1 + 0.5 + 3


@pytest.mark.parametrize(("nbytes", "error"), [(-1, PlanError), ("much", TypeError), (float("nan"), PlanError)])
def test_a_message_of_no_size_is_refused(nbytes, error):
    with pytest.raises(error, match="size of message 'hello'"):
        Task("hello", None, nbytes=nbytes)


# ---- Mistakes -------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize(
    ("arrays", "error", "words"),
    [
        ([np.ones(3), np.ones(3), np.ones(4)], ValueError, r"shape \(3,\) and rank 2 one of shape \(4,\)"),
        ([np.ones((2, 3)), np.ones((3, 2))], ValueError, r"shape \(2, 3\) and rank 1 one of shape \(3, 2\)"),
        ([np.ones(3), np.ones(3, int)], TypeError, "rank 0 holds float64 numbers and rank 1 int64"),
        ([["a", "b"]], TypeError, "rank 0 holds <U1"),
        ("abc", TypeError, "needs a list of arrays"),
        (7, TypeError, "needs a list of arrays, one for each rank, not 7"),
    ],
)
def test_arrays_that_cannot_be_added_are_named(algorithm, arrays, error, words):
    with pytest.raises(error, match=words):
        all_reduce(arrays, algorithm=algorithm)


def test_an_unknown_algorithm_gets_a_guess():
    with pytest.raises(ValueError, match="no algorithm 'rign' for all_reduce; did you mean 'ring'"):
        all_reduce([[1], [2]], algorithm="rign")


@pytest.mark.parametrize(("workers", "error"), [(0, ValueError), (True, TypeError)])
def test_a_crew_of_nobody_is_refused(workers, error):
    with pytest.raises(error, match="workers"):
        all_reduce([[1], [2]], workers=workers)


def test_a_run_that_is_stopped_keeps_its_messages():
    plan = ring_plan(np.ones((3, 3)))
    run = execute(plan, 1, Simulated(1.0), stop_when=lambda run: len(run.trace) == 2)
    assert traffic(run).messages == len(run.result) + 2 == 2

"""A simulation of arrays says what the loop says, and what a plain heap says, whatever the costs."""

import heapq
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlib import (
    Plan,
    PlanError,
    Simulated,
    Stage,
    Task,
    execute,
    pipeline_parallel,
    pipeline_time,
    ring_all_reduce,
    simulate,
    simulate_pipeline,
    simulate_training,
)
from parlib.bulk import bag

SECONDS = st.one_of(st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0]), st.floats(0, 10))
SPEEDS = st.sampled_from([0.5, 1.0, 1.0, 1.5, 3.0])


def heap_reference(costs, workers, dispatch=0.0, overhead=0.0, speeds=None):
    """One task after the other, to the worker that is free first; (worker, started, finished) of each."""
    free, coordinator, rows = [(0.0, worker) for worker in range(workers)], 0.0, []
    for cost in costs:
        at, worker = heapq.heappop(free)
        coordinator = max(coordinator, at) + dispatch
        finished = coordinator + (overhead + cost) / (speeds[worker] if speeds else 1)
        rows.append((worker, coordinator, finished))
        heapq.heappush(free, (finished, worker))
    return rows


def rows_of(trace):
    return list(zip(trace.worker.tolist(), trace.started.tolist(), trace.finished.tolist(), strict=True))


@given(st.data())
@settings(max_examples=400)
def test_every_span_of_a_bag_is_that_of_a_plain_heap(data):
    costs = data.draw(st.lists(SECONDS, max_size=60))
    workers = data.draw(st.integers(1, 40))
    settings = {"dispatch": data.draw(SECONDS), "overhead": data.draw(SECONDS)}
    speeds = data.draw(st.none() | st.lists(SPEEDS, min_size=workers, max_size=workers))
    assert rows_of(simulate(costs, workers, speeds=speeds, **settings)) == heap_reference(
        costs, workers, speeds=speeds, **settings
    )


@pytest.fixture(params=["rounds", "one by one", "as it comes"])
def way(request, monkeypatch):
    """Both ways of serving a bag, and what is chosen by size."""
    few, short = {"rounds": (0, 0), "one by one": (math.inf, 0)}.get(request.param, (bag.FEW, bag.SHORT))
    monkeypatch.setattr(bag, "FEW", few)
    monkeypatch.setattr(bag, "SHORT", short)
    monkeypatch.setattr(bag, "PATIENCE", 8)
    return request.param


@pytest.mark.parametrize("dispatch", [0.0, 0.003, 2.0])
@pytest.mark.parametrize("kind", ["uniform", "exponential", "heavy tail", "few values", "zero", "one giant"])
def test_the_way_of_serving_a_large_bag_does_not_show(way, kind, dispatch):
    random = np.random.default_rng(7)
    costs = {
        "uniform": np.ones(5000),
        "exponential": random.exponential(size=5000),
        "heavy tail": random.pareto(1.1, 5000),
        "few values": random.integers(0, 4, 5000).astype(float),
        "zero": np.zeros(5000),
        "one giant": np.append(np.full(4999, 1e-3), 1e6),
    }[kind]
    for workers, speeds in (1, None), (60, None), (300, random.choice([0.5, 1, 2], 300).tolist()), (9999, None):
        expected = heap_reference(costs.tolist(), workers, dispatch, speeds=speeds)
        assert rows_of(simulate(costs, workers, dispatch=dispatch, speeds=speeds)) == expected


def test_without_the_cut_the_rounds_would_be_wrong(monkeypatch):
    costs = np.random.default_rng(7).exponential(size=500)
    right = simulate(costs, 100).elapsed
    monkeypatch.setattr(bag.np, "minimum", type("Never", (), {"accumulate": lambda row: np.full_like(row, np.inf)}))
    assert simulate(costs, 100).elapsed > right * 1.01


@given(st.data())
@settings(max_examples=150)
def test_a_bag_of_tasks_is_what_the_loop_makes_of_it(data):
    some_time = SECONDS.filter(bool)  # a task that takes none ends when it begins, for a heap; for the loop, soon after
    costs = data.draw(st.lists(some_time, min_size=1, max_size=20))
    workers = data.draw(st.integers(1, 8))
    settings = {"dispatch": data.draw(SECONDS), "overhead": data.draw(SECONDS)}
    speeds = data.draw(st.none() | st.lists(SPEEDS, min_size=workers, max_size=workers))
    plan = Plan(Task(f"task[{number}]", None, cost=cost) for number, cost in enumerate(costs))
    loop = execute(plan, workers, Simulated(speeds=speeds, **settings)).trace
    spans = {(span.task, span.worker, span.submitted, span.started, span.finished, span.cpu) for span in loop.spans}
    ours = simulate(costs, workers, speeds=speeds, **settings)
    assert spans == {(s.task, s.worker, s.submitted, s.started, s.finished, s.cpu) for s in ours.spans}
    assert ours.elapsed == loop.elapsed


@given(st.integers(0, 200), st.integers(1, 50))
def test_equal_tasks_take_as_many_rounds_as_workers_need(tasks, workers):
    assert simulate(np.ones(tasks), workers).elapsed == math.ceil(tasks / workers)


def test_more_workers_than_one_coordinator_can_serve_change_nothing():
    one_hundred = simulate(np.ones(10_000), 100, dispatch=0.01).elapsed
    assert simulate(np.ones(10_000), 1_000_000, dispatch=0.01).elapsed == pytest.approx(101.0)
    assert one_hundred == pytest.approx(101.0, rel=0.01)


def test_a_million_workers_are_no_more_trouble_than_four():
    trace = simulate(np.ones(1_000_000), 1_000_000)
    assert trace.elapsed == 1.0
    assert repr(trace) == "<Trace: 1000000 spans on 1000000 workers, 1.00 s, simulated>"
    assert trace.spans[999_999].task == "task[999999]"
    assert trace.utilization == 1.0


def test_a_trace_of_many_spans_takes_less_than_200_bytes_a_task():
    costs = np.random.default_rng(0).exponential(size=200_000)
    for workers in (10_000, 8):
        tracemalloc.start()
        trace = simulate(costs, workers)
        assert trace.cpu.sum() > 0
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most / len(costs) < 200


# ---- Pipelines ------------------------------------------------------------------------------------------------------


def grid_reference(costs, crews, buffer):
    """Every item at every stage in turn; when it is finished there."""
    ends = {}
    for item, row in enumerate(costs):
        for stage, cost in enumerate(row):
            waits = [(item, stage - 1), (item - crews[stage], stage)]
            if buffer is not None and stage + 1 < len(crews):
                waits.append((item - buffer - crews[stage + 1], stage + 1))
            ends[item, stage] = max(ends.get(wait, 0.0) for wait in waits) + cost
    return ends


@given(st.data())
@settings(max_examples=200)
def test_every_item_of_a_line_is_finished_when_a_plain_loop_says_so(data):
    stages, items = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 12))
    costs = data.draw(st.lists(st.lists(SECONDS, min_size=stages, max_size=stages), min_size=items, max_size=items))
    crews = data.draw(st.lists(st.integers(1, 3), min_size=stages, max_size=stages))
    buffer = data.draw(st.none() | st.integers(0, 3))
    table = np.array(costs).reshape(items, stages)
    trace = simulate_pipeline(table, items, workers=crews, buffer=buffer)
    expected = grid_reference(costs, crews, buffer)
    finished = trace.finished.reshape(stages, items)
    for (item, stage), seconds in expected.items():
        assert finished[stage, item] == pytest.approx(seconds, rel=1e-9, abs=1e-9)


@given(st.data())
@settings(max_examples=60)
def test_a_line_of_arrays_is_what_the_loop_makes_of_it(data):
    stages, items = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 8))
    costs = data.draw(st.lists(st.integers(0, 4), min_size=stages, max_size=stages))
    crews = data.draw(st.lists(st.integers(1, 3), min_size=stages, max_size=stages))
    buffer = data.draw(st.none() | st.integers(0, 3))
    names = "abc"[:stages]
    line = []
    for name, crew in zip(names, crews, strict=True):
        fn = eval("lambda item: item")
        fn.__name__ = name
        line.append(Stage(fn, workers=crew))
    machine = Simulated(cost=dict(zip(names, map(float, costs), strict=True)))
    loop = pipeline_parallel(*line, data=range(items), buffer=buffer, backend=machine)
    assert simulate_pipeline(costs, items, workers=crews, buffer=buffer).elapsed == loop.trace.elapsed


def test_a_line_fills_once_and_then_waits_for_its_slowest_stage():
    assert simulate_pipeline([1, 3, 2], 1000).elapsed == pipeline_time([1, 3, 2], 1000)
    assert simulate_pipeline([1] * 8, 1000).elapsed == 1000 + 8 - 1


def test_helping_the_slowest_stage_helps_and_helping_another_does_not():
    alone = simulate_pipeline([1, 3, 1], 100).elapsed
    assert simulate_pipeline([1, 3, 1], 100, workers=[3, 1, 3]).elapsed == pytest.approx(alone, rel=0.01)
    assert simulate_pipeline([1, 3, 1], 100, workers=[1, 3, 1]).elapsed < alone / 2.5


def test_the_spans_of_a_line_name_stage_item_and_worker():
    trace = simulate_pipeline([1.0, 2.0], 3, workers=[1, 2])
    assert [(span.task, span.kind, span.worker, span.started) for span in trace.spans] == [
        ("stage 0[0]", "stage 0", 0, 0.0),
        ("stage 0[1]", "stage 0", 0, 1.0),
        ("stage 0[2]", "stage 0", 0, 2.0),
        ("stage 1[0]", "stage 1", 1, 1.0),
        ("stage 1[1]", "stage 1", 2, 2.0),
        ("stage 1[2]", "stage 1", 1, 3.0),
    ]


# ---- Training -------------------------------------------------------------------------------------------------------


@given(st.integers(1, 20), st.integers(1, 10), SECONDS, st.floats(0, 1e9))
def test_a_step_of_training_is_computing_and_then_the_ring(workers, steps, compute, nbytes):
    trace = simulate_training(compute, nbytes, workers, steps=steps, latency=0.01, bandwidth=1e9)
    step = compute + ring_all_reduce(nbytes, workers, 0.01, 1e9)
    assert trace.elapsed == pytest.approx(steps * step)
    assert len(trace) == 2 * steps * workers


def ring_reference(ready, message):
    """When each worker holds the sum: in each of 2(p - 1) rounds, wait for one's own last round and the neighbor's."""
    for _ in range(2 * (len(ready) - 1)):
        ready = [max(ready[i], ready[i - 1]) + message for i in range(len(ready))]
    return ready


@given(st.lists(st.sampled_from([0.5, 1.0, 2.0, 4.0]), min_size=1, max_size=12))
def test_in_a_ring_everybody_waits_for_the_slowest_and_nobody_longer(speeds):
    p = len(speeds)
    trace = simulate_training(1.0, 0, p, steps=1, latency=0.25, bandwidth=1.0, speeds=speeds)
    assert set(ring_reference([1 / speed for speed in speeds], 0.25)) == {trace.elapsed}


def test_a_slow_worker_holds_up_all_of_training():
    even = simulate_training(1.0, 0, 4, steps=10, latency=0, bandwidth=1).elapsed
    assert simulate_training(1.0, 0, 4, steps=10, latency=0, bandwidth=1, speeds=[1, 1, 1, 0.5]).elapsed == 2 * even


def test_the_spans_of_training_name_step_and_worker():
    spans = simulate_training(1.0, 2.0, 2, steps=2, latency=0.0, bandwidth=1.0).spans
    assert [(span.task, span.worker, span.started, span.seconds) for span in spans[2:6]] == [
        ("all_reduce[0] on 0", 0, 1.0, 2.0),
        ("all_reduce[0] on 1", 1, 1.0, 2.0),
        ("compute[1] on 0", 0, 3.0, 1.0),
        ("compute[1] on 1", 1, 3.0, 1.0),
    ]


# ---- Bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda: simulate([1.0, -1.0], 2), PlanError, "entry 1 is -1.0"),
        (lambda: simulate([1.0, math.nan], 2), PlanError, "entry 1 is nan"),
        (lambda: simulate([math.inf], 2), PlanError, "entry 0 is inf"),
        (lambda: simulate([[1.0]], 2), PlanError, "must be a row"),
        (lambda: simulate(["a"], 2), TypeError, "must be an array of seconds"),
        (lambda: simulate([1.0], 0), ValueError, "workers must be at least 1"),
        (lambda: simulate([1.0], 10**9), PlanError, "at most 50,000,000"),
        (lambda: simulate(np.broadcast_to(1.0, 10**9), 4), PlanError, "at most 50,000,000"),
        (lambda: simulate([1.0], 2, dispatch=-1), PlanError, "dispatch must be"),
        (lambda: simulate([1.0], 2, overhead=math.nan), PlanError, "overhead must be"),
        (lambda: simulate([1.0], 2, speeds=[1.0]), PlanError, "each of the 2 workers"),
        (lambda: simulate([1.0], 2, speeds=[1.0, 0.0]), PlanError, "greater than 0"),
        (lambda: simulate_pipeline([], 3), PlanError, "at least one stage"),
        (lambda: simulate_pipeline([1.0], -1), ValueError, "items must be at least 1"),
        (lambda: simulate_pipeline([[1.0]], 3), PlanError, "1 rows, one for each item"),
        (lambda: simulate_pipeline([1.0], 3, workers=[1, 2]), PlanError, "one for each stage"),
        (lambda: simulate_pipeline([1.0], 3, buffer=-1), ValueError, "buffer .* must be at least"),
        (lambda: simulate_pipeline([1.0], 3, buffer=1.5), TypeError, "buffer .* whole number"),
        (lambda: simulate_pipeline([1.0] * 100, 10**6), PlanError, "at most 50,000,000"),
        (lambda: simulate_training(1.0, 1.0, 2, steps=1, latency=0, bandwidth=0), ValueError, "bandwidth must be"),
        (lambda: simulate_training(-1.0, 1.0, 2, steps=1, latency=0, bandwidth=1), PlanError, "compute must be"),
        (lambda: simulate_training(1.0, 1.0, 2, steps=0, latency=0, bandwidth=1), ValueError, "steps must be"),
        (lambda: simulate_training(1.0, 1.0, 10**6, steps=10**3, latency=0, bandwidth=1), PlanError, "at most"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_nothing_to_do_takes_no_time():
    assert simulate([], 4).elapsed == 0.0
    assert simulate_pipeline([1.0, 2.0], 0).elapsed == 0.0
    assert simulate_pipeline(np.empty((0, 2)), 0).elapsed == 0.0

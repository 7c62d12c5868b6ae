"""A machine in numbers: every rule of the simulated clock, by hand, by formula, and to the last bit."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import plans, spans_of

from parlib import (
    Plan,
    PlanError,
    Simulated,
    Stage,
    Task,
    by_assignment,
    data_parallel,
    data_plan,
    execute,
    pipeline_plan,
    pipeline_time,
    point_to_point,
)
from parlib.simulation import nbytes


def bag(count, cost=1.0, **fields):
    """Independent tasks of equal cost, in seconds."""
    return Plan([Task(f"t{number}", None, cost=cost, **fields) for number in range(count)])


def elapsed(plan, workers, **machine):
    return execute(plan, workers, Simulated(**machine)).elapsed


def two(size, maker=0, reader=1, **machine):
    """When the second of two tasks of 1 s starts, if each is on the worker you say."""
    value = np.zeros(size, np.uint8)
    plan = Plan([Task("make", lambda: value, cost=1.0), Task("use", len, ["make"], cost=1.0)])
    run = execute(plan, 2, Simulated(**machine), order=by_assignment({"make": maker, "use": reader}))
    return spans_of(run)["use"][1]


# ---- The story ------------------------------------------------------------------------------------------------------


def test_a_machine_tells_what_is_unusual_about_it():
    assert repr(Simulated()) == "Simulated()"
    assert repr(Simulated(1.0, dispatch=0.25)) == "Simulated(cost=1.0, dispatch=0.25)"
    assert repr(Simulated([1, 2, 3], seed=4)) == "Simulated(cost=<3 numbers>, seed=4)"
    assert repr(Simulated(speeds=[1, 2])) == "Simulated(speeds=[1.0, 2.0])"


def test_the_machine_of_the_course_has_four_workers():
    assert data_parallel(abs, range(8), backend="simulated").workers == 4
    assert data_parallel(abs, range(8), backend=Simulated(cost=1.0)).workers == 4
    assert data_parallel(abs, range(8), backend=Simulated(cost=1.0, speeds=[1, 2])).workers == 2


# ---- Costs ----------------------------------------------------------------------------------------------------------


def test_a_number_is_seconds_per_item_of_a_data_plan_and_per_task_otherwise():
    assert elapsed(data_plan(abs, range(6), chunks=2), 2, cost=0.5) == 1.5
    assert elapsed(pipeline_plan(abs, abs, data=range(3)), 2, cost=0.5) == 2.0
    assert elapsed(Plan([Task("a", None), Task("b", None)]), 1, cost=0.5) == 1.0


def test_an_array_is_seconds_of_each_item_and_a_chunk_costs_the_sum_of_its_items():
    spans = execute(data_plan(abs, range(5), chunks=2), 2, Simulated([1, 2, 3, 4, 5])).trace.spans
    assert sorted(span.seconds for span in spans) == [6, 9]


def test_an_array_is_seconds_of_each_task_where_tasks_are_not_chunks():
    plan = Plan([Task("a", None), Task("b", None)])
    assert [span.seconds for span in execute(plan, 1, Simulated([2, 3])).trace.spans] == [2, 3]


def test_a_mapping_goes_by_name_then_by_kind():
    plan = Plan([Task("a", None, kind="knead"), Task("b", None, kind="knead"), Task("c", None, cost=7)])
    spans = execute(plan, 1, Simulated({"knead": 2, "b": 3, "c": 4})).trace.spans
    assert {span.task: span.seconds for span in spans} == {"a": 2, "b": 3, "c": 7}  # a task's own cost comes first


def test_a_function_of_the_task_is_a_cost():
    plan = data_plan(abs, range(4), chunks=2)
    assert elapsed(plan, 1, cost=lambda task: task.items.stop) == 6


def test_a_cost_for_each_worker_depends_on_who_does_it():
    plan = Plan([Task("a", None, cost=[1, 5]), Task("b", None, cost=[1, 5])])
    assert spans_of(execute(plan, 2, Simulated())) == {"a": (0, 0, 1), "b": (1, 0, 5)}


def test_without_a_cost_the_task_is_run_once_here_and_timed():
    calls = []
    run = data_parallel(lambda item: calls.append(item) or -item, [1, 2, 3], workers=3, backend="simulated")
    assert run.result == [-1, -2, -3]
    assert sorted(calls) == [1, 2, 3]
    assert run.source == "simulated from a measured cost"
    assert 0 < run.elapsed < 60


def test_with_a_cost_a_task_is_still_run_for_its_result():
    run = data_parallel(abs, [-1, -2], workers=2, backend=Simulated(cost=10.0))
    assert (run.result, run.elapsed, run.source) == ([1, 2], 10.0, "simulated")


def test_with_a_cost_and_without_a_function_nothing_is_run():
    assert execute(bag(3), 3, Simulated()).result == {"t0": None, "t1": None, "t2": None}


def test_a_failing_task_fails_at_the_end_of_its_cost():
    def burn():
        raise ValueError("burnt")

    with pytest.raises(ValueError, match="burnt") as caught:
        execute(Plan([Task("a", burn, cost=2.0), Task("b", None, cost=9.0)]), 1, Simulated())
    assert caught.value.run.elapsed == 2.0


# ---- Start-up, overhead, speed --------------------------------------------------------------------------------------


def test_a_worker_starts_up_once():
    assert [span.started for span in execute(bag(4), 2, Simulated(startup=0.5)).trace.spans] == [0.5, 0.5, 1.5, 1.5]


def test_a_span_lasts_overhead_and_cost_over_speed():
    run = execute(bag(2, cost=3.0), 2, Simulated(overhead=1.0, speeds=[2, 0.5]))
    assert {span.worker: span.seconds for span in run.trace.spans} == {0: 2.0, 1: 8.0}


def test_specialists_are_fast_at_their_kind_only():
    tasks = [Task("dough", None, cost=2, kind="knead"), Task("cake", None, cost=2, kind="bake")]
    run = execute(Plan(tasks), 2, Simulated(speeds={"knead": [2, 1], "bake": [1, 4]}))
    assert {span.task: span.seconds for span in run.trace.spans} == {"dough": 1.0, "cake": 0.5}


def test_a_kind_that_speeds_does_not_know_is_refused():
    plan = Plan([Task("dough", None, cost=2, kind="knaed")])
    with pytest.raises(PlanError, match=r"speeds has no entry for kind 'knaed' of task 'dough'; did you mean 'knead'?"):
        execute(plan, 2, Simulated(speeds={"knead": [2, 1]}))


# ---- Dispatch -------------------------------------------------------------------------------------------------------


def test_four_tasks_two_workers_and_a_coordinator_take_two_and_three_quarter_seconds():
    run = execute(bag(4), 2, Simulated(dispatch=0.25))
    assert run.elapsed == 2.75
    assert [span.started for span in run.trace.spans] == [0.25, 0.5, 1.5, 1.75]


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(1, 4), st.integers(0, 8))
def test_a_task_starts_dispatch_after_the_later_of_coordinator_and_worker(costs, workers, eighths):
    dispatch = eighths / 8
    plan = Plan([Task(f"t{number}", None, cost=cost) for number, cost in enumerate(costs)])
    free, coordinator, expected = [0.0] * workers, 0.0, {}
    for number, cost in enumerate(costs):
        worker = free.index(min(free))  # the earliest free; of several, the lowest
        start = max(coordinator, free[worker]) + dispatch
        coordinator, free[worker] = start, start + cost
        expected[f"t{number}"] = worker, start, start + cost
    assert spans_of(execute(plan, workers, Simulated(dispatch=dispatch))) == expected


def test_one_coordinator_bounds_any_number_of_workers():
    assert elapsed(bag(100), 100, dispatch=0.125) == 100 * 0.125 + 1.0


# ---- Values that move -----------------------------------------------------------------------------------------------


def test_a_value_that_moves_between_workers_costs_latency_and_its_bytes_over_bandwidth():
    assert two(1000, latency=0.5, bandwidth=2000) == 1.0 + point_to_point(1000, 0.5, 2000) == 2.0


def test_a_value_that_stays_costs_nothing():
    assert two(1000, reader=0, latency=0.5, bandwidth=2000) == 1.0


def test_inputs_are_everywhere():
    plan = Plan([Task("use", len, ["bytes"], cost=1.0)], {"bytes": bytes(1000)})
    assert elapsed(plan, 2, latency=5.0, bandwidth=1.0) == 1.0


def test_an_explicit_size_replaces_the_measured_one():
    value = np.zeros(1000, np.uint8)
    plan = Plan([Task("make", lambda: value, cost=1.0), Task("use", len, {"make": 10**6}, cost=1.0)])
    run = execute(plan, 2, Simulated(bandwidth=1e6), order=by_assignment({"make": 0, "use": 1}))
    assert spans_of(run)["use"] == (1, 2.0, 3.0)
    assert run.result["use"] == 1000


def test_several_values_travel_at_the_same_time():
    tasks = [Task("a", None, cost=1), Task("b", None, cost=2), Task("c", None, {"a": 300, "b": 100}, cost=1)]
    where = by_assignment({"a": 0, "b": 1, "c": 2})
    assert spans_of(execute(Plan(tasks), 3, Simulated(bandwidth=100.0), order=where))["c"] == (2, 4.0, 5.0)


def test_bytes_are_those_of_an_array_else_of_its_pickle():
    assert nbytes(np.zeros((3, 4))) == 96
    assert 10_000 < nbytes("x" * 10_000) < 10_100
    assert nbytes(x for x in [1]) == 0


# ---- Noise ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [(0.5, 10.0), 0.3, lambda generator: generator.exponential()])
def test_noise_is_drawn_from_its_seed(noise):
    def times(seed):
        return [span.seconds for span in execute(bag(20), 1, Simulated(noise=noise, seed=seed)).trace.spans]

    assert times(1) == times(1) != times(2)
    assert len(set(times(1))) > 1
    assert [span.seconds for span in execute(bag(20), 1, Simulated(seed=1)).trace.spans] == [1.0] * 20


def test_stragglers_take_that_many_times_longer():
    spans = execute(bag(1000), 10, Simulated(noise=(0.25, 8.0))).trace.spans
    late = sum(span.seconds > 1.5 for span in spans)
    assert {round(span.seconds, 9) for span in spans} == {1.0, 8.0}
    assert 200 < late < 300
    assert execute(bag(9), 3, Simulated(noise=(0, 8.0))).elapsed == 3.0
    assert execute(bag(9), 3, Simulated(noise=(1, 8.0))).elapsed == 24.0


def test_the_same_tasks_straggle_whoever_works_on_them():
    def late(workers):
        spans = execute(bag(50), workers, Simulated(noise=(0.3, 8.0), seed=7)).trace.spans
        return {span.task for span in spans if span.seconds > 4}

    assert late(1) == late(3) == late(50)


# ---- The same to the last bit ---------------------------------------------------------------------------------------


def columns(trace):
    return [trace.tasks, *(getattr(trace, name).tobytes() for name in ("worker", "submitted", "started", "finished"))]


@given(plans(cost=st.floats(0.001, 9)), st.integers(1, 4), st.integers(0, 99))
def test_the_same_plan_and_seed_give_the_same_trace_to_the_last_bit(plan, workers, seed):
    machine = {"dispatch": 0.1, "overhead": 0.01, "latency": 0.3, "bandwidth": 1e3, "noise": 0.5, "seed": seed}
    one, other = (execute(plan, workers, Simulated(**machine)) for _ in range(2))
    assert columns(one.trace) == columns(other.trace)
    assert one.result == other.result


def test_another_interpreter_with_other_hashes_agrees_to_the_last_bit():
    program = (
        "from parlib import Plan, Simulated, Task, execute; import hashlib;"
        "tasks = [Task(f't{n}', None, [f't{n // 2}'] if n else [], cost=1 + n / 7) for n in range(40)];"
        "trace = execute(Plan(tasks), 3, Simulated(noise=0.4, seed=3, latency=0.1, dispatch=0.01)).trace;"
        "print(hashlib.sha256(trace.started.tobytes() + trace.worker.tobytes()).hexdigest())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, env=os.environ | {"PYTHONHASHSEED": seed}
        ).stdout
        for seed in "12"
    }
    assert len(told) == 1


# ---- Pipelines ------------------------------------------------------------------------------------------------------

stage_costs = st.lists(st.integers(1, 6), min_size=1, max_size=4)


def stages(costs, workers=None):
    """A stage for each cost; its function is named for the cost."""
    return [Stage(named(f"s{place}"), workers=(workers or [1] * 9)[place]) for place in range(len(costs))]


def named(name):
    def fn(item):
        return item

    fn.__name__ = name
    return fn


@given(st.integers(1, 9), st.integers(1, 5))
def test_a_pipeline_takes_items_plus_stages_minus_one(items, count):
    assert elapsed(pipeline_plan(*stages([1] * count), data=range(items)), None, cost=1.0) == items + count - 1


@given(stage_costs, st.integers(1, 8))
def test_a_pipeline_runs_at_the_pace_of_its_slowest_stage(costs, items):
    cost = {f"s{place}": seconds for place, seconds in enumerate(costs)}
    run = execute(pipeline_plan(*stages(costs), data=range(items)), None, Simulated(cost))
    assert run.elapsed == sum(costs) + (items - 1) * max(costs) == pipeline_time(costs, items)


@settings(deadline=None)
@given(stage_costs, st.integers(0, 10), st.lists(st.integers(1, 3), min_size=4, max_size=4), st.integers(0, 3))
def test_a_buffer_of_size_b_never_holds_more_than_b_and_the_next_workers(costs, items, hands, room):
    cost = {f"s{place}": seconds for place, seconds in enumerate(costs)}
    plan = pipeline_plan(*stages(costs, hands), data=range(items), buffer=room)
    spans = spans_of(execute(plan, None, Simulated(cost)))
    for here in range(len(costs) - 1):
        for moment in {end for _, _, end in spans.values()}:
            finished = [spans[f"s{here}[{item}]"][2] <= moment for item in range(items)]
            through = [spans[f"s{here + 1}[{item}]"][2] <= moment for item in range(items)]
            assert sum(finished) - sum(through) <= room + hands[here + 1]


@settings(deadline=None)
@given(stage_costs, st.integers(0, 10), st.lists(st.integers(1, 3), min_size=4, max_size=4))
def test_a_stage_of_k_workers_does_at_most_k_items_at_once_dealt_in_turn(costs, items, hands):
    cost = {f"s{place}": seconds for place, seconds in enumerate(costs)}
    spans = spans_of(execute(pipeline_plan(*stages(costs, hands), data=range(items)), None, Simulated(cost)))
    for stage, crew in zip(range(len(costs)), hands):
        for item in range(crew, items):
            assert spans[f"s{stage}[{item - crew}]"][2] <= spans[f"s{stage}[{item}]"][1]


def test_without_a_buffer_a_fast_first_stage_runs_ahead_and_with_one_it_waits():
    cost = {"s0": 1, "s1": 5}
    far = execute(pipeline_plan(*stages([1, 5]), data=range(5)), None, Simulated(cost))
    near = execute(pipeline_plan(*stages([1, 5]), data=range(5), buffer=0), None, Simulated(cost))
    assert [spans_of(far)[f"s0[{item}]"][2] for item in range(5)] == [1, 2, 3, 4, 5]
    assert [spans_of(near)[f"s0[{item}]"][2] for item in range(5)] == [1, 7, 13, 19, 25]
    assert [far.elapsed, near.elapsed] == [26, 30]


# ---- Bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"cost": -1}, PlanError, "cost must be a finite number of seconds, 0 or more, not -1"),
        ({"cost": math.nan}, PlanError, "not nan"),
        ({"cost": True}, TypeError, "cost must be"),
        ({"cost": "much"}, TypeError, "cost must be"),
        ({"cost": [1, math.nan]}, PlanError, "cost must be a row of finite numbers of seconds"),
        ({"cost": [[1, 2]]}, PlanError, "cost must be a row of finite numbers of seconds"),
        ({"cost": {"bake": -1}}, PlanError, "the cost of 'bake' must be a finite number of seconds"),
        ({"cost": {"bake": "long"}}, TypeError, "the cost of 'bake' must be a number of seconds"),
        ({"startup": -1}, PlanError, "startup"),
        ({"overhead": math.nan}, PlanError, "overhead"),
        ({"dispatch": "slow"}, TypeError, "dispatch"),
        ({"latency": math.inf}, PlanError, "latency"),
        ({"bandwidth": 0}, ValueError, "bandwidth must be more than 0 and finite, not 0"),
        ({"bandwidth": math.nan}, ValueError, "not nan"),
        ({"speeds": [1, 0]}, ValueError, "the speed of worker 1 must be more than 0 and finite, not 0"),
        ({"speeds": [1, math.nan]}, ValueError, "not nan"),
        ({"speeds": [1, math.inf]}, ValueError, "the speed of worker 1"),
        ({"speeds": []}, ValueError, "speeds"),
        ({"speeds": 2.0}, TypeError, "speeds"),
        ({"noise": (2, 3)}, ValueError, "probability from 0 to 1, not 2"),
        ({"noise": (0.5, -3)}, ValueError, "the factor of noise"),
        ({"noise": -1}, PlanError, "noise"),
        ({"noise": "some"}, TypeError, "noise"),
        ({"noise": (1, 2, 3)}, TypeError, "noise"),
        ({"seed": "x"}, TypeError, "seed"),
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": None}, TypeError, "seed"),
    ],
)
def test_a_machine_that_makes_no_sense_is_refused_at_birth(arguments, error, says):
    with pytest.raises(error, match=says):
        Simulated(**arguments)


def test_too_few_costs_or_speeds_are_refused_before_anything_runs():
    ran = []
    plan = data_plan(ran.append, range(4), chunks=4)
    with pytest.raises(PlanError, match=r"cost has 3 entries, but task .* needs entry 3: give one for each"):
        execute(plan, 2, Simulated([1, 2, 3]))
    with pytest.raises(PlanError, match="speeds has 2 entries, one for each worker, but there are 3 workers"):
        execute(plan, 3, Simulated(1.0, speeds=[1, 1]))
    with pytest.raises(PlanError, match="task 'a' has costs for 1 worker"):
        execute(Plan([Task("a", ran.append, cost=[1.0])]), 2, Simulated())
    with pytest.raises(PlanError, match=r"the cost of task 'append.*' must be a finite number"):
        execute(plan, 2, Simulated(lambda task: math.nan))
    assert ran == []


def test_a_task_with_neither_function_nor_cost_is_refused():
    with pytest.raises(PlanError, match="task 'a' has neither a function to time nor a cost: give it one of them"):
        execute(Plan([Task("a", None)]), 1, Simulated({"b": 1.0}))

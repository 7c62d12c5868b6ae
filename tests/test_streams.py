"""Streams of items through stages and graphs: the answers of plain nested loops, and nothing lost or done twice.

What a buffer holds is read from traces, of real and of simulated runs.
"""

import _thread
import threading
import time
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import evaluate, in_flight, most_at_once, plans

from parlib import (
    Plan,
    PlanError,
    Simulated,
    Skipped,
    Stage,
    Task,
    data_parallel,
    execute,
    pipeline_parallel,
    pipeline_plan,
    task_parallel,
)

REAL = ["serial", "threads", "processes"]
BACKENDS = [*REAL, Simulated(cost=1.0)]

hands = st.lists(st.integers(1, 3), min_size=1, max_size=4)
buffers = st.none() | st.integers(0, 3)
items = st.lists(st.integers(-99, 99), max_size=10)
crews = st.none() | st.integers(1, 5)


def line(hands, *, slow=0.0, slow_at=None):
    """Stages of so many workers that each leave a mark, so that no mix-up goes unnoticed."""

    def stage(number):
        def mark(story):
            if number == slow_at:
                time.sleep(slow)
            return [*np.atleast_1d(story).tolist(), number]

        return mark

    return [Stage(stage(number), workers=count) for number, count in enumerate(hands)]


def nested(stages, data):
    """What a pipeline computes, by plain nested loops."""
    return [reduce(lambda value, stage: stage.fn(value), stages, item) for item in data]


def most_between(run, before, after):
    """The largest number of items that were finished at one stage and not yet at the next."""
    ends = {span.task: span.finished for span in run.trace.spans}
    held = [number for number in range(len(run.plan)) if f"{before}[{number}]" in ends]
    return most_at_once(
        [ends[f"{before}[{number}]"] for number in held],
        [ends.get(f"{after}[{number}]", np.inf) for number in held],
    )


# ---- Plain nested loops ---------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(items, hands, buffers, crews)
def test_a_pipeline_is_nested_loops_on_every_backend_with_any_crew(data, hands, buffer, workers):
    stages = line(hands)
    for backend in BACKENDS:
        run = pipeline_parallel(*stages, data=data, buffer=buffer, workers=workers, backend=backend)
        assert run.result == nested(stages, data)
        assert sorted(run.trace.tasks) == sorted(run.plan.position)  # everything once
        assert in_flight(run.trace) <= run.workers


@settings(max_examples=25, deadline=None)
@given(plans(release=st.sampled_from([0, 0.001])), st.integers(1, 4), items, hands, buffers)
def test_a_graph_beside_a_pipeline_is_recursion_beside_nested_loops(graph, workers, data, hands, buffer):
    stages = line(hands)
    for backend in BACKENDS:
        run = execute(graph | pipeline_plan(*stages, data=data, buffer=buffer), workers, backend)
        assert run.result == (evaluate(graph), nested(stages, data))


# ---- Buffers --------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(items, hands, st.integers(0, 3), crews, st.lists(st.integers(1, 5), min_size=4, max_size=4))
def test_no_more_items_lie_between_two_stages_than_the_buffer_and_the_hands_hold(data, hands, buffer, workers, costs):
    stages = [Stage(stage, workers=count) for stage, count in zip((abs, float, int, str), hands)]
    machine = Simulated({stage.fn.__name__: cost for stage, cost in zip(stages, costs)})
    for backend in (machine, *REAL):
        run = pipeline_parallel(*stages, data=data, buffer=buffer, workers=workers, backend=backend)
        for before, after in pairwise(stages):
            most = most_between(run, before.fn.__name__, after.fn.__name__)
            assert most <= buffer + after.workers


@pytest.mark.parametrize("backend", ["threads", "processes", Simulated({"abs": 0.001, "rest": 0.01})])
@pytest.mark.parametrize("buffer", [0, 2])
def test_a_buffer_before_a_slow_stage_is_filled_and_not_overfilled(buffer, backend):
    def rest(item):
        time.sleep(0.01)
        return item

    run = pipeline_parallel(abs, rest, data=range(12), buffer=buffer, backend=backend)
    assert most_between(run, "abs", "rest") == buffer + 1


def test_without_a_buffer_the_same_count_goes_beyond_it():
    run = pipeline_parallel(abs, float, data=range(12), backend=Simulated({"abs": 1.0, "float": 5.0}))
    assert most_between(run, "abs", "float") > 3


# ---- A stage that fails ---------------------------------------------------------------------------------------------


def burn(item):
    if item == 5:
        raise ValueError("burnt")
    return item * item


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("buffer", [None, 0])
def test_a_stage_that_fails_names_the_item_and_the_stage_and_keeps_what_is_done(backend, buffer):
    with pytest.raises(ValueError, match="burnt") as caught:
        pipeline_parallel(abs, burn, float, data=range(9), buffer=buffer, backend=backend)
    assert caught.value.__notes__[-1].startswith("in task 'burn[5]', item 5, worker ")
    run = caught.value.run
    done = sorted(name for name in run.trace.tasks if name.startswith("float["))
    assert run.result == [float(int(name[6:-1]) ** 2) for name in done]
    assert "burn[5]" in run.trace.tasks
    assert len(set(run.trace.tasks)) == len(run.trace)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("buffer", [None, 0, 1])
def test_skipping_leaves_out_that_item_and_loses_no_other(backend, buffer):
    run = pipeline_parallel(abs, burn, float, data=range(9), buffer=buffer, backend=backend, on_error="skip")
    assert [run.result[item] for item in range(9) if item != 5] == [float(item**2) for item in range(9) if item != 5]
    assert (run.result[5].task, run.result[5].item) == ("burn[5]", 5)
    assert sorted(run.trace.tasks) == sorted(run.plan.position.keys() - {"float[5]"})


# ---- A stage that returns nothing -----------------------------------------------------------------------------------


def forget(item):
    return None if item == 2 else item


def more(item):
    return item + 1


NOTHING = "it was given None: 'forget[2]' returned nothing; does it end without `return`?"


@pytest.mark.parametrize("backend", BACKENDS)
def test_where_a_stage_fails_on_nothing_the_one_that_returned_it_is_named(backend):
    with pytest.raises(TypeError) as caught:
        pipeline_parallel(abs, forget, more, data=range(5), backend=backend)
    assert caught.value.__notes__[-1] == NOTHING
    skipped = pipeline_parallel(abs, forget, more, data=range(5), backend=backend, on_error="skip").result
    assert [type(value) for value in skipped] == [int, int, Skipped, int, int]
    assert skipped[2].error.__notes__[-1] == NOTHING


def test_so_is_a_function_of_a_graph():
    def sauce(): ...

    def plate(sauce):
        return sauce + "meat"

    with pytest.raises(TypeError) as caught:
        task_parallel(sauce, plate)
    assert "'sauce' returned nothing" in caught.value.__notes__[-1]


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_may_be_passed_on_to_a_stage_that_can_use_it(backend):
    assert pipeline_parallel(abs, forget, repr, data=range(4), backend=backend).result == ["0", "1", "None", "3"]
    assert pipeline_parallel(abs, forget, data=range(4), backend=backend).result == [0, 1, None, 3]


def test_who_fails_on_something_is_alone_to_blame():
    with pytest.raises(ValueError, match="burnt") as caught:
        pipeline_parallel(forget, abs, burn, data=[5])
    assert len(caught.value.__notes__) == 1


# ---- Refused before anything runs -----------------------------------------------------------------------------------


def test_a_buffer_below_nothing_and_a_name_for_two_things_are_refused_in_one_sentence():
    told = r"^buffer \(places before each next stage\) must be at least 0, or None for any number of places, not -1$"
    with pytest.raises(ValueError, match=told):
        pipeline_parallel(abs, abs, data=[1], buffer=-1)
    for allowed in (0, 1, None):
        assert pipeline_parallel(abs, abs, data=[1], buffer=allowed).result == [1]

    def sauce(): ...

    with pytest.raises(PlanError, match=r"^'sauce' is both an input and a task: rename one of them$"):
        task_parallel(sauce, inputs={"sauce": 1})


# ---- Stopped early --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_once_stop_when_is_true_no_later_item_starts_and_what_is_done_is_there(backend):
    told = []

    def enough(run):
        told.append(len(run.result) >= 3)
        return told[-1]

    data = range(40)
    run = execute(pipeline_plan(abs, burn_not, data=data, buffer=1), None, backend, stop_when=enough)
    assert run.stopped
    assert told.count(True) >= 1
    assert run.result[:3] == [0, 1, 2]
    assert len(run.trace) < 20
    assert sorted(run.trace.tasks) == sorted(set(run.trace.tasks))


def burn_not(item):
    return item


@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
def test_an_interrupt_keeps_what_is_done_and_starts_no_later_item(backend, tmp_path):
    def mark(item):
        (tmp_path / str(item)).touch()
        time.sleep(0.02)
        return item

    def press():
        while len(list(tmp_path.iterdir())) < 6:
            time.sleep(0.005)
        _thread.interrupt_main()

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt) as caught:
        pipeline_parallel(abs, mark, float, data=range(400), buffer=1, backend=backend)
    presser.join()
    run, marks = caught.value.run, len(list(tmp_path.iterdir()))
    assert run.result == [float(item) for item in range(len(run.result))]
    assert 4 <= len(run.result) <= marks <= 12
    time.sleep(0.1)
    assert len(list(tmp_path.iterdir())) == marks
    assert data_parallel(abs, [-1, 2], workers=2, backend=backend).result == [1, 2]  # and the workers are well


def test_a_finish_that_wants_everything_is_not_called_with_half_of_it():
    def most(values):
        raise AssertionError("not all are there")

    plan = Plan([Task("a", abs, ["x"]), Task("b", burn, ["y"], after=["a"])], {"x": -1, "y": 5}, finish=most)
    with pytest.raises(ValueError, match="burnt") as caught:
        execute(plan, 1)
    assert caught.value.run.result == {"a": 1}

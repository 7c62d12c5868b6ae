"""The loop obeys its rules on every plan: on a clock that jumps, against a dumber loop, and on real workers."""

import gc
import itertools
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import evaluate, in_flight, list_schedule, plans, spans_of

from parlib import (
    Plan,
    PlanError,
    Schedule,
    Simulated,
    Skipped,
    Task,
    brent,
    data_parallel,
    data_plan,
    execute,
    pipeline_parallel,
    pipeline_plan,
    task_plan,
)
from parlib.schedule import Ready

crews = st.integers(1, 4)


def bag(*costs, **fields):
    """Independent tasks a, b, c … of these costs, in seconds."""
    return Plan([Task(chr(97 + place), None, cost=cost, **fields) for place, cost in enumerate(costs)])


def by_rank(rank):
    return lambda plan, workers, backend: Schedule(rank=rank)


# ---- Which task, which slot, when -----------------------------------------------------------------------------------


@given(plans(release=st.integers(0, 6)), crews)
def test_the_loop_does_what_the_textbook_says_second_by_second(plan, workers):
    assert spans_of(execute(plan, workers, Simulated())) == list_schedule(plan, workers)


@given(plans(), crews, st.permutations(range(8)))
def test_the_first_ready_task_by_order_goes_first(plan, workers, numbers):
    rank = {f"t{name}": number // 2 for name, number in enumerate(numbers)}  # halved: some of them tie
    run = execute(plan, workers, Simulated(), order=by_rank(rank))
    assert spans_of(run) == list_schedule(plan, workers, rank)


def test_ties_are_decided_by_plan_position_then_by_the_lowest_slot():
    run = execute(bag(1, 1, 1, 1), 2, Simulated())
    assert spans_of(run) == {"a": (0, 0, 1), "b": (1, 0, 1), "c": (0, 1, 2), "d": (1, 1, 2)}


def test_a_task_without_a_rank_counts_as_rank_zero():
    run = execute(bag(1, 1, 1), 1, Simulated(), order=by_rank({"a": 1, "c": -1}))
    assert [span.task for span in run.trace.spans] == ["c", "b", "a"]


def test_equal_tasks_on_p_workers_take_the_ceiling_of_n_over_p():
    for tasks, workers in itertools.product(range(12), range(1, 8)):
        assert execute(bag(*[1] * tasks), workers, Simulated()).elapsed == -(-tasks // workers)


@given(plans(), crews)
def test_elapsed_lies_between_brents_two_bounds(plan, workers):
    fastest, slowest = brent(plan.work, plan.depth, workers)
    assert fastest - 1e-9 <= execute(plan, workers, Simulated()).elapsed <= slowest + 1e-9


def test_more_workers_may_take_longer():
    plan = grahams_nine(3, 2, 2, 2, 4, 4, 4, 4, 9)
    assert [execute(plan, workers, Simulated()).elapsed for workers in (3, 4)] == [12, 15]


def test_shorter_tasks_may_take_longer():
    plan = grahams_nine(2, 1, 1, 1, 3, 3, 3, 3, 8)  # each a second less than above
    assert execute(plan, 3, Simulated()).elapsed == 13


def test_less_to_wait_for_may_take_longer():
    plan = grahams_nine(3, 2, 2, 2, 4, 4, 4, 4, 9, waiting=(7, 8))  # 5 and 6 wait for nobody
    assert execute(plan, 3, Simulated()).elapsed == 16


def test_another_list_may_take_longer():
    plan = grahams_nine(3, 2, 2, 2, 4, 4, 4, 4, 9)
    rank = {f"T{number}": place for place, number in enumerate((1, 2, 4, 5, 6, 3, 9, 7, 8))}
    assert execute(plan, 3, Simulated(), order=lambda *_: Schedule(rank)).elapsed == 14


def grahams_nine(*costs, waiting=(5, 6, 7, 8)):
    """The tasks of his anomalies: 5 to 8 wait for 4, and 9 waits for 1 (Graham, 1969)."""
    waits = {number: ["T4"] for number in waiting} | {9: ["T1"]}
    return Plan(
        [Task(f"T{number}", None, after=waits.get(number, ()), cost=cost) for number, cost in enumerate(costs, 1)]
    )


@given(plans(), crews)
def test_never_more_than_workers_tasks_are_in_flight(plan, workers):
    assert in_flight(execute(plan, workers, Simulated()).trace) <= workers


def test_with_one_slot_too_many_the_same_check_would_fail(monkeypatch):
    born = Ready.__init__
    monkeypatch.setattr(
        Ready, "__init__", lambda self, plan, workers, schedule: born(self, plan, workers + 1, schedule)
    )
    machine = Simulated(speeds=[1, 1, 1])
    machine.hire = lambda plan, workers, began: type(machine).hire(machine, plan, workers + 1, began)
    assert in_flight(execute(bag(1, 1, 1), 2, machine).trace) == 3


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_never_more_than_workers_tasks_are_in_flight_on_real_workers_either(backend):
    run = data_parallel(abs, range(60), workers=2, chunks=30, backend=backend)
    assert in_flight(run.trace) <= 2
    assert {span.worker for span in run.trace.spans} <= {0, 1}


@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
def test_every_life_goes_from_submitted_to_received(backend):
    trace = data_parallel(abs, range(40), workers=2, chunks=20, backend=backend).trace
    assert (trace.submitted >= 0).all()
    assert (trace.submitted <= trace.started).all()
    assert (trace.started <= trace.finished).all()
    assert (trace.finished <= trace.received).all()
    assert (trace.cpu >= 0).all()


@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
def test_no_slot_does_two_things_at_once(backend):
    spans = data_parallel(abs, range(40), workers=2, chunks=20, backend=backend).trace.spans
    for worker in (0, 1):
        mine = sorted((span.submitted, span.received) for span in spans if span.worker == worker)
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(mine))


def test_a_free_slot_does_not_wait_for_a_task_that_is_passed_over():
    def burn(*_):
        raise ValueError("burnt")

    tasks = [Task("a", burn, cost=1), Task("long", None, cost=10), Task("b", burn, ["a"]), Task("c", burn, ["b"])]
    last = Task("free", None, after=["c"], cost=1)
    run = execute(Plan([*tasks, last]), 2, Simulated(), on_error="skip")
    assert spans_of(run)["free"] == (0, 1, 2)


# ---- Releases: requests that arrive ---------------------------------------------------------------------------------


def test_no_task_starts_before_its_release():
    run = execute(Plan([Task("late", None, cost=1, release=5), Task("early", None, cost=1)]), 1, Simulated())
    assert spans_of(run) == {"early": (0, 0, 1), "late": (0, 5, 6)}
    assert run.elapsed == 6


def test_requests_wait_in_line_when_they_arrive_faster_than_they_are_served():
    plan = Plan([Task(f"request{n}", None, cost=2, release=n) for n in range(4)])
    assert [span.started for span in execute(plan, 1, Simulated()).trace.spans] == [0, 2, 4, 6]


@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
def test_a_release_is_waited_for_on_a_real_clock_too(backend):
    plan = Plan([Task("late", abs, ["x"], release=0.05), Task("early", abs, ["x"])], {"x": -1})
    run = execute(plan, 1, backend)
    assert [span.task for span in run.trace.spans] == ["early", "late"]
    assert run.trace.spans[1].submitted >= 0.05


# ---- Values ---------------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(plans(), crews)
def test_every_backend_makes_the_values_that_plain_recursion_makes(plan, workers):
    values = evaluate(plan)
    for backend in ("serial", "threads", "processes", Simulated()):
        assert list(execute(plan, workers, backend).result.items()) == list(values.items())  # in the plan's order


def test_needs_arrive_in_the_order_of_needs_also_twice():
    makers = [Task("b", lambda: "b"), Task("a", lambda: "a")]
    everything = Task("all", lambda *values: "".join(values), ["a", "b", "a", "letters"])
    assert execute(Plan([*makers, everything], {"letters": "xy"}), 2).result["all"] == "abaxy"


class Value:
    """Something whose end can be watched."""


@pytest.mark.parametrize("backend", ["serial", "threads", Simulated()])
def test_a_value_is_dropped_once_its_last_reader_has_received_it(backend):
    watched = []

    def make():
        watched.append(weakref.ref(value := Value()))
        return value

    def use(value):
        return None

    def look(_):
        gc.collect()
        return watched[0]() is None

    tasks = [Task("make", make), Task("use", use, ["make"]), Task("again", use, ["make"], after=["use"])]
    end = Task("gone", look, ["again"])
    assert execute(Plan([*tasks, end], keep=["gone"]), 1, backend).result == {"gone": True}
    watched.clear()
    assert execute(Plan([*tasks, end]), 1, backend).result["gone"] is False  # kept for the result: still there


def test_a_value_that_nobody_reads_is_dropped_at_once():
    watched = []

    def make():
        watched.append(weakref.ref(value := Value()))
        return value

    gone = Task("gone", lambda: watched[0]() is None, after=["make"])
    plan = Plan([Task("make", make), gone], keep=["gone"])
    assert execute(plan, 1, "serial").result == {"gone": True}


def test_an_idle_thread_holds_on_to_nothing():
    watched = weakref.ref(value := Value())
    data_parallel(id, [value], workers=1)
    del value
    gc.collect()
    assert watched() is None


def test_a_value_that_only_a_skipped_task_would_have_read_is_dropped():
    watched = []

    def make():
        watched.append(weakref.ref(value := Value()))
        return value

    def burn():
        raise ValueError("burnt")

    tasks = [Task("make", make), Task("burn", burn), Task("never", print, ["make", "burn"])]
    gone = Task("gone", lambda: watched[0]() is None, after=["never"])
    run = execute(Plan([*tasks, gone], keep=["never", "gone"]), 1, "serial", on_error="skip")
    assert run.result["gone"] is True


def test_only_what_is_kept_is_in_the_result():
    plan = Plan([Task("flour", lambda: 1), Task("dough", lambda flour: flour + 1, ["flour"])], keep=["dough"])
    assert execute(plan, 1).result == {"dough": 2}


def test_finish_is_called_once_and_in_the_parent():
    calls = []
    plan = Plan([Task("a", lambda: 1)], finish=lambda values: calls.append((values, threading.current_thread())))
    execute(plan, 1)
    assert calls == [({"a": 1}, threading.current_thread())]


def test_a_plan_runs_as_often_as_you_like():
    plan = data_plan(abs, [-1, 2], chunks=2)
    assert [execute(plan, 2).result for _ in range(3)] == [[1, 2]] * 3


def test_an_empty_plan_gives_an_empty_result_and_an_empty_trace():
    for backend in ("serial", "threads", "processes", Simulated()):
        run = execute(Plan([]), 2, backend)
        assert (run.result, len(run.trace), run.trace.elapsed) == ({}, 0, 0.0)


@pytest.mark.parametrize("backend", ["serial", "threads", "processes", Simulated(cost=1.0)])
def test_two_plans_at_once_share_the_workers_and_give_both_results(backend):
    def tea(water):
        return water + " tea"

    one = data_plan(abs, [-1, 2, -3], chunks=2, combine=sum)
    other = task_plan(tea, inputs={"water": "hot"})
    third = pipeline_plan(str.strip, str.title, data=[" rye "])
    assert execute(one | other, 2, backend).result == (6, {"tea": "hot tea"})
    assert execute(one | other | third, 2, backend).result == (6, {"tea": "hot tea"}, ["Rye"])
    assert execute(one | (other | third), 2, backend).result == (6, {"tea": "hot tea"}, ["Rye"])


def test_two_plans_at_once_overlap():
    both = Plan([Task("a", None, cost=2)]) | Plan([Task("b", None, cost=2)])
    assert execute(both, 2, Simulated()).elapsed == 2


# ---- Elapsed --------------------------------------------------------------------------------------------------------


def test_elapsed_goes_from_the_call_to_the_result_in_hand():
    def slowly(values):
        threading.Event().wait(0.05)
        return values

    run = execute(Plan([Task("a", abs, ["x"])], {"x": 1}, finish=slowly), 1)
    assert run.elapsed >= run.trace.elapsed + 0.05
    assert run.trace.submitted[0] >= 0


def test_on_a_simulated_backend_seconds_are_virtual():
    run = execute(bag(1e6), 1, Simulated())
    assert run.elapsed == run.trace.elapsed == 1e6


# ---- Failure --------------------------------------------------------------------------------------------------------

BACKENDS = ["serial", "threads", "processes", Simulated(cost=1.0)]


def burn_the_fifth(item):
    if item == 5:
        raise ValueError("burnt")
    return item * item


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_task_that_raises_ends_the_run_with_its_own_exception_a_note_and_the_run_so_far(backend):
    with pytest.raises(ValueError, match="burnt") as caught:
        data_parallel(burn_the_fifth, range(8), workers=1, chunks=4, backend=backend)
    assert caught.value.__notes__[-1] == "in task 'burn_the_fifth[4:6]', item 5, worker 0"
    run = caught.value.run
    assert run.failed == "burn_the_fifth[4:6]"
    assert [span.error for span in run.trace.spans] == [None, None, "ValueError: burnt"]
    assert len(run.plan) == 4
    assert repr(run).startswith("<Run: 2 of 4 tasks on 1 ")


@pytest.mark.parametrize("backend", BACKENDS)
def test_on_failure_nothing_more_is_submitted(backend):
    with pytest.raises(ValueError, match="burnt") as caught:
        data_parallel(burn_the_fifth, [5] * 95, workers=2, chunks=95, backend=backend)
    assert len(caught.value.run.trace) <= 3


def test_of_two_tasks_that_fail_the_first_to_be_received_is_named_and_both_are_in_the_trace():
    def burn():
        raise ValueError("burnt")

    plan = Plan([Task("b", burn, cost=2), Task("a", burn, cost=2), Task("c", burn, cost=3)])
    with pytest.raises(ValueError, match="burnt") as caught:
        execute(plan, 3, Simulated())
    assert caught.value.run.failed == "b"
    assert [span.task for span in caught.value.run.trace.spans] == ["b", "a"]


def test_a_pipeline_names_the_item():
    with pytest.raises(ValueError, match="burnt") as caught:
        pipeline_parallel(abs, burn_the_fifth, data=range(8))
    assert caught.value.__notes__[-1].startswith("in task 'burn_the_fifth[5]', item 5, worker ")


# ---- Skipping -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("chunks", [1, 2, 8])
def test_skipping_leaves_a_gap_at_the_item_and_nowhere_else(backend, chunks):
    run = data_parallel(burn_the_fifth, range(8), workers=2, chunks=chunks, backend=backend, on_error="skip")
    gap = run.result[5]
    assert run.result[:5] + run.result[6:] == [0, 1, 4, 9, 16, 36, 49]
    assert (type(gap), gap.item, str(gap.error)) == (Skipped, 5, "burnt")
    assert gap.task in run.plan.position
    assert [span.task for span in run.trace.spans if span.error] == [gap.task]
    assert not run.failed


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_item_may_fail_and_be_skipped(backend):
    run = data_parallel(burn_the_fifth, [5, 5, 5], workers=2, backend=backend, on_error="skip")
    assert [gap.item for gap in run.result] == [0, 1, 2]


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_depends_on_a_skipped_task_is_skipped_as_well(backend):
    def sauce():
        raise ValueError("burnt")

    def bread():
        return "bread"

    def plate(sauce, bread):
        return sauce + bread

    def table(plate):
        return plate

    result = execute(task_plan(sauce, bread, plate, table), 2, backend, on_error="skip").result
    assert result["bread"] == "bread"
    assert [result[name].task for name in ("sauce", "plate", "table")] == ["sauce"] * 3


@settings(deadline=None)
@given(plans(), crews, st.sets(st.integers(0, 7)))
def test_exactly_those_tasks_are_skipped_that_failed_or_needed_one_that_was(plan, workers, bad):
    def fail(*values):
        raise ValueError

    broken = {f"t{number}" for number in bad}
    tasks = [replace(task, fn=fail) if task.name in broken else task for task in plan.tasks]

    def lost(name):
        needs = plan.tasks[plan.position[name]].needs
        return name in broken or any(lost(need) for need in needs if need in plan.position)

    values = evaluate(plan)
    for backend in ("threads", Simulated()):
        run = execute(Plan(tasks, plan.inputs), workers, backend, on_error="skip")
        assert {name for name, value in run.result.items() if isinstance(value, Skipped)} == set(filter(lost, values))
        assert all(run.result[name] == values[name] for name in values if not lost(name))
        assert {value.task for value in run.result.values() if isinstance(value, Skipped)} <= broken


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_pipeline_takes_the_other_items_further(backend):
    run = pipeline_parallel(burn_the_fifth, abs, data=range(8), backend=backend, on_error="skip", buffer=0)
    assert [run.result[item] for item in range(8) if item != 5] == [0, 1, 4, 9, 16, 36, 49]
    assert (run.result[5].task, run.result[5].item) == ("burn_the_fifth[5]", 5)
    assert len(run.trace) == 15  # item 5 never reached the second stage


def test_combine_gets_the_gaps():
    run = data_parallel(burn_the_fifth, range(8), workers=2, on_error="skip", combine=lambda found: found[5].item)
    assert run.result == 5


def test_an_interrupt_is_never_skipped():
    def interrupt(item):
        raise KeyboardInterrupt

    for backend in BACKENDS:
        with pytest.raises(KeyboardInterrupt):
            data_parallel(interrupt, [1, 2], workers=1, backend=backend, on_error="skip")


# ---- Stopping early -------------------------------------------------------------------------------------------------


def test_once_stop_when_is_true_no_further_task_starts():
    seen = []

    def enough(run):
        seen.append(len(run.trace))
        return len(run.trace) >= 3

    run = execute(data_plan(abs, range(-9, 0), chunks=9), 1, Simulated(cost=1.0), stop_when=enough)
    assert seen == [1, 2, 3]
    assert run.stopped
    assert run.result == [9, 8, 7]
    assert run.elapsed == 3


def test_tasks_under_way_are_still_received_after_a_stop():
    run = execute(bag(1, 3, 1, 1), 2, Simulated(), stop_when=lambda run: True)
    assert [span.task for span in run.trace.spans] == ["a", "b"]
    assert run.elapsed == 3


def test_a_search_may_stop_at_what_it_found():
    found = lambda run: any(value == 49 for value in run.result)
    run = execute(data_plan(burn_the_fifth, range(6, 100), chunks=94), 2, "threads", stop_when=found)
    assert 49 in run.result
    assert len(run.result) < 94


@pytest.mark.parametrize("join", [lambda plan: plan, lambda plan: plan | Plan([])], ids=["alone", "joined"])
def test_combine_is_called_once_however_often_one_asks_whether_to_stop(join):
    calls, seen = [], []
    plan = join(data_plan(abs, range(-4, 0), chunks=4, combine=calls.append))
    execute(plan, 1, Simulated(cost=1.0), stop_when=lambda run: seen.append(run.result))
    assert calls == [[4, 3, 2, 1]]
    assert seen[0] in ([4], ([4], {}))
    assert len(seen) == 4


def test_a_stop_does_not_wait_for_releases():
    plan = Plan([Task("now", None, cost=1), Task("in a year", None, cost=1, release=3e7)])
    assert execute(plan, 1, Simulated(), stop_when=lambda run: True).elapsed == 1


# ---- Bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, -1, np.int64(0)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_workers_below_one_are_refused(workers, backend):
    with pytest.raises(ValueError, match=f"workers must be at least 1, not {workers}"):
        execute(bag(1), workers, backend)


@pytest.mark.parametrize("workers", [2.5, 2.0, "four", True, [2]])
@pytest.mark.parametrize("backend", BACKENDS)
def test_workers_that_are_no_whole_number_are_refused(workers, backend):
    with pytest.raises(TypeError, match="workers must be a whole number of at least 1, not"):
        execute(bag(1), workers, backend)


def test_numpy_integers_are_fine():
    assert execute(bag(1, 1), np.int32(2), Simulated()).workers == 2


def test_what_to_do_is_a_plan():
    with pytest.raises(TypeError, match="execute needs a Plan, such as data_plan"):
        execute([abs], 1)


def test_on_error_is_stop_or_skip():
    with pytest.raises(ValueError, match="on_error must be 'stop' or 'skip', not 'ignore'"):
        execute(bag(1), 1, on_error="ignore")


def test_a_schedule_may_only_name_workers_that_there_are():
    meant = lambda plan, workers, backend: Schedule(worker={"a": 2})
    with pytest.raises(ValueError, match="task 'a' is meant for worker 2, but the workers are 0 to 1"):
        execute(bag(1), 2, Simulated(), order=meant)


@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
def test_a_task_without_a_function_is_refused_where_work_is_real(backend):
    with pytest.raises(PlanError, match="task 'a' has no function"):
        execute(bag(1), 1, backend)


def test_nothing_runs_before_all_of_it_is_checked():
    ran = []
    tasks = [Task("a", lambda: ran.append("a")), Task("b", None)]
    for backend in ("serial", "threads", Simulated()):
        with pytest.raises(PlanError, match="'b'"):
            execute(Plan(tasks), 1, backend)
    assert ran == []

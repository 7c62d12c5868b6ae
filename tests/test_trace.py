"""A trace keeps a million spans in a few arrays; a run tells its story from them."""

import dataclasses
import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlib import Plan, Run, Simulated, Skipped, Span, Task, Trace, WorkerLost, data_parallel, execute

LIFE = {"submitted": 0.0, "started": 0.25, "finished": 2.25, "received": 2.5, "cpu": 1.0}


def span(task="bake", worker=0, error=None, **times):
    return Span(task, "oven", worker, **LIFE | times, error=error)


def spans(count, workers=4):
    return [
        span(f"t{number}", number % workers, submitted=number / 8, received=number + 3.0) for number in range(count)
    ]


# ---- Spans ----------------------------------------------------------------------------------------------------------


def test_a_span_tells_its_story():
    assert repr(span()) == "<Span: bake on worker 0, 0.250 s to 2.250 s>"
    assert (
        repr(span(error="ValueError: burnt"))
        == "<Span: bake on worker 0, 0.250 s to 2.250 s, failed: ValueError: burnt>"
    )
    assert span().seconds == 2.0


def test_a_span_never_changes():
    with pytest.raises(dataclasses.FrozenInstanceError):
        span().started = 0.0


# ---- Traces ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.builds(span, st.text(), st.integers(0, 9), st.none() | st.text(min_size=1)), max_size=9))
def test_a_trace_gives_back_the_spans_it_was_made_of(spans):
    trace = Trace.of(spans, workers=10, source="measured")
    assert list(trace.spans) == list(trace.spans[:]) == spans
    assert [trace.spans[number] for number in range(-len(spans), 0)] == spans
    assert trace.spans[::-2] == spans[::-2]
    assert len(trace) == len(trace.spans) == len(spans)


def test_a_trace_without_kinds_or_errors_has_spans_too():
    trace = Trace(["a"], [0], [0.0], [0.0], [1.0], [1.0], [1.0], workers=1, source="simulated")
    assert trace.spans[0] == Span("a", "", 0, 0.0, 0.0, 1.0, 1.0, 1.0, None)
    with pytest.raises(IndexError):
        trace.spans[1]


def test_a_million_spans_cost_tens_of_megabytes():
    many = np.zeros(1_000_000)
    trace = Trace(range(1_000_000), many, many, many, many, many, many, workers=4, source="simulated")
    columns = [column for column in vars(trace).values() if isinstance(column, np.ndarray)]
    assert sum(column.nbytes for column in columns) <= 50e6
    assert trace.spans[-1].task == 999_999


def test_elapsed_goes_from_the_first_submission_to_the_last_receipt():
    trace = Trace.of(
        [span(submitted=0.2, received=3.0), span(submitted=0.1, received=2.5)], workers=2, source="measured"
    )
    assert trace.elapsed == pytest.approx(2.9)


def test_work_is_the_sum_of_span_times_and_utilization_its_share():
    trace = Trace.of([span(), span(finished=1.25)], workers=2, source="measured")
    assert trace.work == 3.0
    assert trace.utilization == 3.0 / (2.5 * 2)


def test_a_trace_without_spans_took_no_time():
    trace = Trace.of([], workers=3, source="simulated")
    assert (trace.elapsed, trace.work, trace.utilization) == (0.0, 0.0, 0.0)
    assert list(trace.spans) == []


def test_traces_tell_their_stories():
    assert repr(Trace.of(spans(2), workers=4, source="measured")) == "<Trace: 2 spans on 4 workers, 4.00 s, measured>"
    assert repr(Trace.of(spans(1), workers=1, source="recorded")) == "<Trace: 1 span on 1 worker, 3.00 s, recorded>"
    assert repr(Trace.of(spans(2), workers=4, source="measured").spans) == "<2 spans>"


def test_a_trace_viewer_gets_microseconds():
    text = Trace.of([span(worker=3, error="ValueError: burnt")], workers=4, source="simulated").to_chrome_json()
    told = json.loads(text)
    assert isinstance(text, str)
    assert told["otherData"] == {"source": "simulated"}
    assert told["traceEvents"] == [
        {"name": "bake", "cat": "oven", "ph": "X", "pid": 0, "tid": 3, "ts": 0.25e6, "dur": 2e6}
        | {"args": {"cpu": 1.0, "error": "ValueError: burnt"}}
    ]


# ---- Runs -----------------------------------------------------------------------------------------------------------


def test_a_run_tells_its_story():
    trace = Trace.of([span(f"square[{n}:{n + 1}]", n % 4) for n in range(8)], workers=4, source="measured")
    trace.started[:], trace.finished[:], trace.received[:] = 0, 0.097, 0.2  # 8 · 0.097 / (4 · 0.2) = 97 %
    plan = Plan([Task(f"square[{n}:{n + 1}]", abs) for n in range(8)])
    run = Run(None, trace, plan, "processes", 0.21, 4, noun="process")
    assert repr(run) == "<Run: 8 tasks on 4 processes, 0.21 s, 97% busy>"
    part = Trace.of(
        list(trace.spans)[:3] + [span("square[6:8]", error="ValueError: burnt")], workers=4, source="measured"
    )
    failed = Run(None, part, plan, "threads", 0.1, 4, failed="square[6:8]", noun="thread")
    assert repr(failed) == "<Run: 3 of 8 tasks on 4 threads, failed at square[6:8], 0.10 s>"


def test_a_simulated_run_tells_its_story():
    plan = Plan([Task("dough", None, cost=2.0)])
    assert repr(execute(plan, 1, Simulated())) == "<Run: 1 task on 1 simulated worker, 2.00 s, 100% busy>"
    assert repr(execute(plan, 2, Simulated())) == "<Run: 1 task on 2 simulated workers, 2.00 s, 50% busy>"


def test_a_run_that_was_stopped_says_so():
    plan = Plan([Task(name, None, cost=1.0) for name in "abcd"])
    run = execute(plan, 2, Simulated(), stop_when=lambda run: True)
    assert repr(run) == "<Run: 2 of 4 tasks on 2 simulated workers, stopped early, 1.00 s, 100% busy>"


@pytest.mark.parametrize(
    ("backend", "story"),
    [("serial", "1 serial worker"), ("threads", "2 threads"), ("simulated", "2 simulated workers")],
)
def test_a_run_names_its_workers(backend, story):
    assert f"<Run: 2 tasks on {story}, " in repr(data_parallel(abs, [1, -2], workers=2, backend=backend))


def test_the_source_of_a_run_is_set_by_the_backend_and_cannot_be_passed_in():
    assert data_parallel(abs, [1], workers=1).source == "measured"
    assert data_parallel(abs, [1], workers=1, backend=Simulated(cost=1.0)).source == "simulated"
    assert data_parallel(abs, [1], workers=1, backend="simulated").source == "simulated from a measured cost"
    run = data_parallel(abs, [1], workers=1)
    with pytest.raises(TypeError):
        Run(run.result, run.trace, run.plan, "threads", 0.1, 1, source="measured")
    with pytest.raises(AttributeError):
        run.source = "recorded"
    with pytest.raises(TypeError):
        dataclasses.replace(run, source="measured")


def test_a_run_never_changes():
    run = data_parallel(abs, [1], workers=1)
    for field in dataclasses.fields(run):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(run, field.name, None)


def test_a_run_can_be_kept_in_a_file():
    run = data_parallel(abs, [1, -2], workers=2, backend=Simulated(cost=1.0))
    again = pickle.loads(pickle.dumps(run))
    assert repr(again) == repr(run)
    assert again.result == [1, 2]
    assert list(again.trace.spans) == list(run.trace.spans)


# ---- Skipped, and lost ----------------------------------------------------------------------------------------------


def test_a_gap_tells_its_story():
    assert repr(Skipped("square[0:4]", 2, ValueError("burnt"))) == "<Skipped: square[0:4], item 2, ValueError: burnt>"
    assert repr(Skipped("dough", None, KeyError())) == "<Skipped: dough, KeyError>"


def test_a_lost_worker_is_a_runtime_error_that_travels_with_its_tasks():
    lost = WorkerLost("a worker died", ["square[0:4]"])
    again = pickle.loads(pickle.dumps(lost))
    assert isinstance(again, RuntimeError)
    assert (str(again), again.tasks) == ("a worker died", ("square[0:4]",))

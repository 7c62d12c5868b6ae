"""Prepare, train and answer at once: the answers of plain nested loops, and no request is lost or answered twice."""

import _thread
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlib import Plan, Simulated, Skipped, execute
from parlib.workloads.loading import Learn, Load, write_photographs
from parlib.workloads.network import Descent, convolutional
from parlib.workloads.streaming import Answer, chefs, stream, stream_in_turn, streaming_plan

NETWORK = convolutional(side=32, colors=3, filters=4, classes=2)
FAST = Descent(rate=0.05)
COSTS = Simulated({"load": 1.0, "train": 1.0, "answer": 0.5})
BACKENDS = ["serial", "threads", "processes", COSTS]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return write_photographs(tmp_path_factory.mktemp("photographs"), 12)


@pytest.fixture
def bad(tmp_path):
    """A file that is no image."""
    path = tmp_path / "flower-text.jpg"
    path.write_text("a flower")
    return path


def same(run, truth):
    answers, learned = run.result
    return answers == truth.answers and np.array_equal(learned.weights, truth.learned.weights)


class Once:
    """An answer that notes down what it was asked: each file of requests leaves one line."""

    def __init__(self, folder, slow=0.0):
        self.folder, self.slow, self.answer = folder, slow, Answer(NETWORK)

    def __call__(self, paths, learned):
        for path in paths:
            with (self.folder / path.name).open("a") as notes:
                notes.write("asked\n")
            time.sleep(self.slow)
        return self.answer(paths, learned)

    def asked(self):
        return {path.name: path.read_text().count("asked") for path in self.folder.glob("*.jpg")}


# ---- Plain nested loops ---------------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(
    st.integers(0, 12), st.integers(0, 12), st.integers(1, 5), st.integers(1, 4), st.none() | st.integers(0, 2)
)  # fmt: skip
def test_any_crew_answers_and_learns_as_nested_loops_do(photographs, files, asked, batch, workers, buffer):
    paths, requests = photographs[:files], photographs[:asked]
    truth = stream_in_turn(NETWORK, paths, requests, batch=batch, descent=FAST)
    assert sorted(truth.answers) == list(range(asked))
    for backend in BACKENDS:
        run = stream(
            NETWORK, paths, requests, batch=batch, descent=FAST, workers=workers, backend=backend, buffer=buffer
        )
        assert same(run, truth)
        assert sorted(run.trace.tasks) == sorted(run.plan.position)


def test_a_request_is_answered_by_the_model_of_the_batch_before(photographs):
    weights, models = [], [NETWORK.start()]

    def learn(batch, learned):
        learned = Learn(NETWORK, FAST)(batch, learned)
        models.append(learned.weights)
        return learned

    def answer(paths, learned):
        weights.append(learned.weights)
        return ["seen"] * len(paths)

    stream(NETWORK, photographs, photographs[:6], batch=2, learn=learn, answer=answer)
    assert all(any(np.array_equal(used, model) for used in weights) for model in models[:-1])
    assert not any(np.array_equal(used, models[-1]) for used in weights)


def test_the_answers_of_another_model_are_seen(photographs):
    truth = stream_in_turn(NETWORK, photographs, photographs, batch=2, descent=FAST)
    late = stream_in_turn(NETWORK, photographs[::-1], photographs, batch=2, descent=Descent(rate=1.0))
    assert truth.answers != late.answers


def test_three_chefs_work_at_the_same_time(photographs):
    plan = streaming_plan(NETWORK, photographs, photographs, batch=1)
    run = execute(plan, 3, Simulated({"load": 1.0, "train": 1.0, "answer": 1.0}), order=chefs)
    assert {(span.kind, span.worker) for span in run.trace.spans} == {("train", 0), ("answer", 1), ("load", 2)}
    assert run.elapsed == 12 + 1  # the first batch is loaded first; then all three go side by side
    assert execute(plan, 1, Simulated(1.0), order=chefs).elapsed == 36


def test_no_more_batches_wait_than_the_buffer_holds(photographs):
    slow = Simulated({"load": 1.0, "train": 9.0, "answer": 1.0})
    run = stream(NETWORK, photographs, [], batch=1, buffer=1, backend=slow)
    ends = {span.task: span.finished for span in run.trace.spans}
    starts = {span.task: span.started for span in run.trace.spans}
    assert all(starts[f"load[{n}]"] >= ends[f"train[{n - 2}]"] for n in range(2, 12))


# ---- A stage that is slow, or fails ---------------------------------------------------------------------------------


@pytest.mark.parametrize("slow", ["load", "learn", "answer"])
@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_a_slow_chef_changes_no_answer_and_repeats_none(photographs, tmp_path, slow, backend):
    load, learn = Load(), Learn(NETWORK, FAST)
    once = Once(tmp_path, slow=0.01 if slow == "answer" else 0.0)

    def slow_load(files, number):
        time.sleep(0.02)
        return load(files, number)

    def slow_learn(batch, learned):
        time.sleep(0.02)
        return learn(batch, learned)

    more = {"load": slow_load} if slow == "load" else {"learn": slow_learn} if slow == "learn" else {}
    run = stream(NETWORK, photographs, photographs, batch=3, descent=FAST, backend=backend, answer=once, **more)
    assert same(run, stream_in_turn(NETWORK, photographs, photographs, batch=3, descent=FAST))
    assert once.asked() == {path.name: 1 for path in photographs}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_bad_file_stops_the_stream_and_is_named_and_what_was_answered_is_kept(photographs, bad, backend):
    with pytest.raises(ValueError, match=r"flower-text\.jpg cannot be decoded") as caught:
        stream(NETWORK, [*photographs[:6], bad], photographs, batch=2, descent=FAST, backend=backend)
    run = caught.value.run
    assert run.failed.startswith("load[")
    truth = stream_in_turn(NETWORK, [*photographs[:6], bad], photographs, batch=2, descent=FAST, load=Load("skip"))
    assert all(truth.answers[number] == answer for number, answer in run.result.answers.items())


@pytest.mark.parametrize("backend", BACKENDS)
def test_where_errors_are_skipped_a_bad_file_costs_no_request(photographs, bad, backend):
    paths, more = [*photographs[:6], bad], {"batch": 2, "descent": FAST}
    run = stream(NETWORK, paths, photographs, backend=backend, on_error="skip", **more)
    assert same(run, stream_in_turn(NETWORK, paths, photographs, load=Load("skip"), **more))
    assert run.result.learned.skipped == (str(bad),)


@pytest.mark.parametrize("stage", ["load", "learn"])
@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_a_chef_who_fails_once_leaves_the_last_good_model_to_answer(photographs, stage, backend):
    load, learn = Load(), Learn(NETWORK, FAST)

    def failing_load(files, number):
        if number == 1:
            raise OSError("the oven is cold")
        return load(files, number)

    def failing_learn(batch, learned):
        if len(learned.losses) == 1 and not learned.skipped:
            raise FloatingPointError("burnt")
        return learn(batch, learned)

    more = {"load": failing_load} if stage == "load" else {"learn": failing_learn}
    run = stream(NETWORK, photographs, photographs, batch=3, backend=backend, on_error="skip", **more)
    assert sorted(run.result.answers) == list(range(12))
    assert set(run.result.answers.values()) <= {"temple", "flower"}
    assert len(run.result.learned.losses) == 3  # of four batches
    assert [text.split(":")[1] for text in run.result.learned.skipped] in ([" OSError"], [" FloatingPointError"])


def test_without_the_last_good_model_one_failure_would_cost_all_later_requests(photographs):
    def burn(batch, learned):
        raise FloatingPointError("burnt")

    plan = streaming_plan(NETWORK, photographs, photographs, batch=3, learn=burn)
    for task in plan.tasks:
        object.__setattr__(task, "fn", getattr(task.fn, "fn", task.fn))  # the bare work
    run = execute(Plan(plan.tasks, plan.inputs, keep=plan.keep, finish=plan.finish), 2, on_error="skip")
    lost = [number for number, answer in run.result.answers.items() if isinstance(answer, Skipped)]
    assert lost == list(range(3, 12))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_request_that_is_no_image_is_skipped_alone(photographs, bad, backend):
    requests = [*photographs[:4], bad, *photographs[4:7]]
    run = stream(NETWORK, photographs[:6], requests, batch=3, backend=backend, on_error="skip")
    assert isinstance(run.result.answers[4], Skipped)
    assert run.result.answers[4].item == 4
    assert [number for number, answer in run.result.answers.items() if isinstance(answer, Skipped)] == [4]
    with pytest.raises(Exception, match="cannot identify image file") as caught:
        stream(NETWORK, photographs[:6], requests, batch=3, backend=backend)
    assert "in task 'answer[1]', item 4, worker" in caught.value.__notes__[-1]


# ---- Interrupted ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
def test_after_an_interrupt_the_rest_can_be_asked_and_nobody_is_asked_twice(photographs, tmp_path, backend):
    once = Once(tmp_path, slow=0.01)

    def press():
        while len(once.asked()) < 3:
            time.sleep(0.002)
        _thread.interrupt_main()

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(KeyboardInterrupt) as caught:
        stream(NETWORK, photographs, photographs, batch=1, backend=backend, answer=once)
    presser.join()
    answered, asked = caught.value.run.result.answers, once.asked()
    assert list(answered) == list(range(len(answered)))
    assert len(answered) < 12
    if backend != "serial":  # there the task under way is cut short: its request was asked, and has no answer
        assert asked == {photographs[number].name: 1 for number in answered}
    time.sleep(0.05)
    assert once.asked() == asked
    rest = stream(NETWORK, photographs, photographs[len(answered) :], batch=1, backend=backend).result.answers
    assert len(answered) + len(rest) == 12


def test_a_stop_keeps_the_answers_and_the_last_model_there_are(photographs):
    plan = streaming_plan(NETWORK, photographs, photographs, batch=1)
    run = execute(plan, 3, COSTS, order=chefs, stop_when=lambda run: len(run.result.answers) >= 4)
    assert run.stopped
    assert sorted(run.result.answers) == [0, 1, 2, 3]
    assert 3 <= len(run.result.learned.losses) <= 5

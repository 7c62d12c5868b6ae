"""Two services, one stream of requests: every answer is that of a plain loop, none is lost, and waiting is counted."""

import builtins
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlib import Simulated, Skipped, Task, by_assignment, execute
from parlib.plan import Plan
from parlib.workloads import equal, sentiment
from parlib.workloads.digits import digits
from parlib.workloads.sentiment import feelings, sentences
from parlib.workloads.serving import Request, See, model, requests, responses, serve_in_turn, serving_plan

COSTS = Simulated({"see": 2.0, "read": 1.0})


def few(count, **more):
    return requests(count, images=3, texts=2, **more)


# ---- Language -------------------------------------------------------------------------------------------------------


def test_friendly_and_unfriendly_sentences_are_told_apart():
    good, bad, turned, neither = feelings(["I love it.", "I hate it.", "I don't love it.", "It is a table."])
    assert bad < turned < neither == 0 < good


def test_sentences_are_one_line_each_and_the_same_every_time():
    assert all("\n" not in sentence and 20 < len(sentence) < 300 for sentence in sentences())
    assert sentences() is sentences()


def test_without_the_lexicon_the_pip_line_is_named(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest, **more):
        if name.startswith("vaderSentiment"):
            raise ImportError(name)
        return real(name, *rest, **more)

    sentiment._judge.cache_clear()
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match="pip install vaderSentiment"):
        feelings(["good"])


# ---- Requests -------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(1, 30), st.floats(0, 1), st.integers(0, 9))
def test_requests_arrive_in_order_and_are_the_same_for_the_same_seed(count, reading, seed):
    stream, again = (few(count, rate=100, reading=reading, seed=seed) for _ in range(2))
    moments = [request.arrives for request in stream]
    assert moments == sorted(moments)
    assert all(map(equal, stream, again))
    assert {request.kind for request in stream} <= {"see", "read"}


def test_they_arrive_as_often_as_said_and_all_at_once_where_nothing_is_said():
    assert few(2000, rate=50)[-1].arrives == pytest.approx(2000 / 50, rel=0.1)
    assert {request.arrives for request in few(20)} == {0.0}
    assert {request.kind for request in few(20, reading=0)} == {"see"}
    assert {request.kind for request in few(20, reading=1)} == {"read"}


@pytest.mark.parametrize(
    ("more", "words"),
    [({"rate": 0}, "rate must be"), ({"rate": float("nan")}, "rate must be"), ({"reading": 1.5}, "reading must be")],
)
def test_what_makes_no_sense_is_refused(more, words):
    with pytest.raises(ValueError, match=words):
        few(3, **more)
    with pytest.raises(ValueError, match="count must be at least 1"):
        requests(0)


def test_a_request_to_nobody_is_refused():
    with pytest.raises(ValueError, match="request 0 is to 'sing', and there are services to see and to read only"):
        serving_plan([Request("sing", "la", 0.0)])


# ---- Answers --------------------------------------------------------------------------------------------------------


def test_the_classifier_knows_digits_that_it_has_not_seen():
    network, weights = model()
    assert network.accuracy(weights, digits().test_images, digits().test_labels) > 0.95


def test_images_that_travel_as_bytes_are_seen_as_the_numbers_they_were():
    network, weights = model()
    (request,) = requests(1, reading=0, images=400)
    assert request.content.dtype == np.uint8
    scores = network.scores(weights, digits().test_images)
    bytewise = np.rint(16 * digits().test_images).astype(np.uint8)
    assert np.array_equal(See(network)(bytewise, weights), scores.argmax(axis=1))
    assert not np.array_equal(network.scores(weights, 1.0 * bytewise).argmax(axis=1), scores.argmax(axis=1))


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 12), st.sampled_from([1000.0, float("inf")]), st.integers(1, 4), st.integers(0, 99))
def test_every_backend_answers_as_a_plain_loop_does(count, rate, workers, seed):
    stream = few(count, rate=rate, seed=seed)
    for backend in ("serial", "threads", "processes", COSTS):
        run = execute(serving_plan(stream), workers, backend)
        assert equal(run.result, serve_in_turn(stream))
        assert sorted(run.trace.tasks) == sorted(run.plan.position)
        assert responses(run).unanswered == ()


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_each_service_may_have_a_worker_of_its_own(backend):
    run = execute(serving_plan(few(8)), 2, backend, order=by_assignment({"see": 0, "read": 1}))
    assert {span.kind: span.worker for span in run.trace.spans} == {"see": 0, "read": 1}


# ---- Response times -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["serial", "threads", "processes", COSTS])
def test_a_response_lasts_from_the_arrival_to_the_answer(backend):
    run = execute(serving_plan(few(8, rate=200.0)), 2, backend)
    found = responses(run)
    for kind in ("see", "read"):
        spans = {span.task: span for span in run.trace.spans if span.kind == kind}
        tasks = [task for task in run.plan.tasks if task.kind == kind]
        assert found.seconds[kind].tolist() == [spans[task.name].received - task.release for task in tasks]
        assert (found.seconds[kind] >= found.waiting[kind]).all()
        assert (found.waiting[kind] >= 0).all()


def line_of(*arrivals, cost=1.0, workers=1):
    tasks = [Task(f"read[{n}]", None, kind="read", cost=cost, release=moment) for n, moment in enumerate(arrivals)]
    return responses(execute(Plan(tasks), workers, Simulated()))


def test_who_comes_while_others_are_served_waits_in_line():
    assert line_of(0, 0, 0, 5).seconds["read"].tolist() == [1, 2, 3, 1]
    assert line_of(0, 0, 0, 5).waiting["read"].tolist() == [0, 1, 2, 0]
    assert line_of(0, 0, 0, 5, workers=3).seconds["read"].tolist() == [1, 1, 1, 1]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=12))
def test_one_worker_serves_as_lindleys_line_does(arrivals):
    """Each waits as long as the one before did, and its service, less the gap between them (Lindley, 1952)."""
    waits, moments = [0], sorted(arrivals)
    for before, after in pairwise(moments):
        waits.append(max(0, waits[-1] + 2 - (after - before)))
    assert line_of(*moments, cost=2.0).waiting["read"].tolist() == waits


def test_a_request_that_cannot_be_answered_is_named_and_no_other_is_lost():
    stream = [*few(6), Request("see", np.zeros((1, 5, 5, 1)), 0.0), *few(3, seed=1)]
    for backend in ("threads", "processes"):
        run = execute(serving_plan(stream), 2, backend, on_error="skip")
        assert isinstance(run.result[6], Skipped)
        del run.result[6]
        assert equal(run.result, serve_in_turn(stream[:6] + stream[7:]))
        assert responses(run).unanswered == ("see[6]",)


def test_requests_whose_turn_never_came_are_named_too():
    run = execute(serving_plan(few(6)), 1, COSTS, stop_when=lambda run: len(run.trace) == 2)
    assert len(responses(run).unanswered) == 4
    assert "4 requests without an answer" in repr(responses(run))

"""Copies of the last tasks: exact by formula, against a dumber simulation second by second, and never later."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlib import straggler_probability
from parlib.workloads.stragglers import with_backups

bags = st.lists(st.integers(1, 9), max_size=9)


def second_by_second(first, again, workers):
    """The same, by looking at every second: when the last task is done."""
    waiting, now, done = list(range(len(first))), 0, set()
    crew, begun, doubled = [None] * workers, {}, set()
    while len(done) < len(first):
        over = sorted({crew[slot][0] for slot in range(workers) if crew[slot] and crew[slot][1] == now})
        done |= set(over)
        crew = [None if one and one[0] in done else one for one in crew]
        for slot in range(workers):
            alone = [task for task in begun if task not in done and task not in doubled]
            if crew[slot] is None and waiting:
                begun[task := waiting.pop(0)] = now
                crew[slot] = task, now + first[task]
            elif crew[slot] is None and alone:
                doubled.add(task := min(alone, key=lambda task: (begun[task], task)))
                crew[slot] = task, now + again[task]
        now += len(done) < len(first)
    return now


@given(bags, st.lists(st.integers(1, 9), min_size=9, max_size=9), st.integers(1, 4))
def test_it_ends_when_a_second_by_second_simulation_says(first, again, workers):
    assert with_backups(first, workers, again=again[: len(first)]).elapsed == second_by_second(first, again, workers)


@given(bags, st.floats(0.1, 9), st.integers(1, 4))
def test_copies_never_make_it_later(first, again, workers):
    with_them = with_backups(first, workers, again=again).elapsed
    assert with_them <= with_backups(first, workers, backups=False).elapsed


@given(st.integers(2, 20), st.integers(1, 10), st.floats(1, 30), st.floats(0.5, 4))
def test_with_a_task_each_and_a_free_hand_for_each_straggler_it_takes_two_turns_at_most(workers, slow, factor, turn):
    """Of p tasks s are f times as long, s ≤ p − s: max(c, min(f·c, 2·c)) instead of f·c."""
    slow = min(slow, workers // 2)
    seconds = [turn] * (workers - slow) + [factor * turn] * slow
    assert with_backups(seconds, workers, again=turn).elapsed == pytest.approx(min(factor, 2) * turn)
    assert with_backups(seconds, workers, again=turn, backups=False).elapsed == pytest.approx(factor * turn)


def test_without_copies_the_chance_of_a_slow_run_is_that_of_any_slow_worker():
    """All of 2⁴ crews, each worker slow or not: a run is slow as often as the formula says."""
    crews = [[5.0 if number >> place & 1 else 1.0 for place in range(4)] for number in range(16)]
    slow = sum(with_backups(crew, 4, backups=False).elapsed == 5.0 for crew in crews) / 16
    assert slow == straggler_probability(0.5, 4)


@given(bags, st.floats(0.1, 9), st.integers(1, 4))
def test_every_task_is_done_once_and_no_worker_does_two_things(first, again, workers):
    trace = with_backups(first, workers, again=again)
    done = [int(span.task.removeprefix(span.kind)[1:-1]) for span in trace.spans if span.kind != "given up"]
    assert sorted(done) == list(range(len(first)))
    for worker in range(workers):
        mine = sorted((span.started, span.finished) for span in trace.spans if span.worker == worker)
        assert all(end <= start for (_, end), (start, _) in pairwise(mine))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="again has 1 numbers for 2 tasks"):
        with_backups([1, 2], 2, again=[1])
    with pytest.raises(ValueError, match="workers must be at least 1"):
        with_backups([1], 0)
    with pytest.raises(ValueError, match="seconds of a task"):
        with_backups([-1], 1)

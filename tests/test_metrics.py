"""Four numbers, each a line of arithmetic, whatever the seconds come as."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parlib import Plan, Simulated, Task, data_parallel, efficiency, execute, imbalance, overhead, speedup
from parlib.metrics import seconds_of

positive = st.floats(1e-3, 1e3)


def run_of(*costs, workers=2):
    return execute(Plan([Task(f"t{n}", None, cost=cost) for n, cost in enumerate(costs)]), workers, Simulated())


# ---- Speedup and efficiency -----------------------------------------------------------------------------------------


def test_speedup_is_baseline_over_elapsed():
    assert speedup(6.0, 2.0) == 3.0
    assert speedup(4, run_of(1, 1, 1, 1)) == 2.0
    assert speedup(run_of(1, 1, 1, 1, workers=1), run_of(1, 1, 1, 1)) == 2.0


def test_of_a_sequence_the_median_counts():
    assert speedup([5.0, 6.0, 70.0], (2.0, 3.0, 9.0, 1.0)) == 6.0 / 2.5
    assert speedup(np.array([6.0, 6.0]), [run_of(1), run_of(3), run_of(2)]) == 3.0


def test_efficiency_is_speedup_over_workers():
    assert efficiency(4, run_of(1, 1, 1, 1)) == 1.0
    assert efficiency(4, run_of(4), workers=4) == 0.25
    assert efficiency([6.0], [1.0, 2.0, 3.0], workers=3) == 1.0
    assert efficiency(4, [run_of(2), run_of(2)]) == 1.0
    assert efficiency(4, (run_of(2), run_of(2))) == 1.0


def test_of_seconds_alone_an_efficiency_needs_the_workers():
    for seconds in (1.0, [1.0, 2.0], np.ones(3), []):
        with pytest.raises(TypeError, match="number of workers: pass a Run, or workers="):
            efficiency(4.0, seconds)


@given(positive, positive, st.integers(1, 99))
def test_speedup_is_efficiency_times_workers(baseline, seconds, workers):
    assert efficiency(baseline, seconds, workers=workers) * workers == pytest.approx(speedup(baseline, seconds))


@pytest.mark.parametrize("bad", ["fast", None, True, [], np.array([]), ["fast"]])
def test_seconds_are_a_run_a_number_or_a_sequence_of_them(bad):
    with pytest.raises(TypeError, match="seconds are a Run, a number, or a sequence of them, not"):
        seconds_of(bad)


def test_a_run_that_took_no_time_has_no_speedup():
    with pytest.raises(ValueError, match="took 0 seconds"):
        speedup(1.0, run_of())


@pytest.mark.parametrize("workers", [0, -1, 2.5, True])
def test_an_efficiency_needs_at_least_one_worker(workers):
    with pytest.raises((TypeError, ValueError), match="workers"):
        efficiency(4.0, 1.0, workers=workers)


# ---- Imbalance and overhead -----------------------------------------------------------------------------------------


def test_imbalance_is_the_busiest_over_the_mean_of_all_workers():
    assert imbalance(run_of(3, 1)) == 1.5
    assert imbalance(run_of(2, 2).trace) == 1.0
    assert imbalance(run_of(2, workers=4)) == 4.0  # idle workers count
    assert imbalance(run_of()) == 1.0


@given(st.lists(st.integers(0, 9), max_size=9), st.integers(1, 4))
def test_imbalance_lies_between_one_and_the_number_of_workers(costs, workers):
    assert 1.0 <= imbalance(run_of(*costs, workers=workers)) <= workers


def test_overhead_is_the_worker_seconds_that_were_not_work():
    assert overhead(run_of(3, 1)) == 2.0
    assert overhead(execute(Plan([Task("a", None, cost=1.0)]), 1, Simulated(startup=0.5))) == 0.5


@given(st.lists(st.integers(0, 9), max_size=9), st.integers(1, 4))
def test_work_and_overhead_are_all_there_is(costs, workers):
    run = run_of(*costs, workers=workers)
    assert overhead(run) + run.trace.work == pytest.approx(run.elapsed * workers)
    assert run.trace.work == sum(costs)


@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
def test_no_real_run_is_busier_than_its_workers(backend):
    run = data_parallel(abs, range(20), workers=2, chunks=10, backend=backend)
    assert 0 < run.trace.utilization <= 1
    assert overhead(run) >= 0
    assert run.elapsed >= run.trace.elapsed

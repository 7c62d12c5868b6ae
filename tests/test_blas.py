"""While a run lasts, the arithmetic library has one thread per worker; before and after, what it had."""

import sys
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from parlib import Plan, Simulated, Task, data_parallel, execute
from parlib.blas import OneThread, allow, one_thread


def threads(_=None):
    """How many threads each arithmetic library may use now; of OpenMP each thread has a number of its own to set."""
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def two():
    """Every test begins with two threads for each library, whatever machine this is."""
    found = [(library, library.get_num_threads()) for library in one_thread._libraries()]
    for library, _ in found:
        allow(library, 2)
    if set(threads()) != {2}:
        pytest.skip("this NumPy has no arithmetic library whose threads can be set")
    yield
    for library, number in found:
        allow(library, number)


BACKENDS = ["serial", "threads"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_during_a_run_there_is_one_thread_per_worker_and_after_it_what_was_before(backend):
    run = data_parallel(threads, range(4), workers=2, backend=backend)
    assert {number for numbers in run.result for number in numbers} == {1}
    assert set(threads()) == {2}


def test_without_the_guard_the_same_check_would_fail(monkeypatch):
    monkeypatch.setattr(one_thread, "_libraries", list)
    run = data_parallel(threads, range(4), workers=2)
    assert {number for numbers in run.result for number in numbers} == {2}


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_threads_come_back_after_a_failure_too(backend):
    with pytest.raises(ZeroDivisionError):
        data_parallel(lambda item: 1 / 0, [1], workers=1, backend=backend)
    assert set(threads()) == {2}


def test_the_threads_come_back_after_a_plan_was_refused():
    with pytest.raises(ValueError, match="no function"):
        execute(Plan([Task("a", None)]), 1)
    assert set(threads()) == {2}


def test_worker_processes_have_one_thread_from_birth():
    run = data_parallel(threads_with_numpy, range(4), workers=2, chunks=4, backend="processes")
    assert {number for numbers in run.result for number in numbers} == {1}
    assert set(threads()) == {2}


def threads_with_numpy(item):
    np.ones((2, 2)) @ np.ones((2, 2))
    return threads()


def test_a_nested_run_does_not_give_the_threads_back_too_early():
    def outer(item):
        data_parallel(abs, [1, 2], workers=1, backend="serial")
        return threads()

    run = data_parallel(outer, [1, 2], workers=1)
    assert {number for numbers in run.result for number in numbers} == {1}
    assert set(threads()) == {2}


def test_of_runs_that_overlap_the_last_restores_what_the_first_found():
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()
    seen = []

    def first(item):
        first_in.set()
        second_in.wait(10)

    def second(item):
        second_in.set()
        first_out.wait(10)
        seen.append(set(threads()))

    runs = [threading.Thread(target=data_parallel, args=(fn, [1]), kwargs={"workers": 1}) for fn in (first, second)]
    runs[0].start()
    first_in.wait(10)
    runs[1].start()
    runs[0].join()
    first_out.set()
    runs[1].join()
    assert seen == [{1}]  # the first run is over, and the second still has one thread
    assert set(threads()) == {2}


def test_a_run_may_be_started_in_any_thread():
    data_parallel(abs, [1], workers=1)  # the main thread was the first to ask
    seen = []
    other = threading.Thread(target=lambda: seen.append(data_parallel(threads, [1, 2], workers=2).result))
    other.start()
    other.join()
    assert {number for numbers in seen[0] for number in numbers} == {1}
    assert set(threads()) == {2}


def test_afterwards_everybody_may_set_the_threads_again():
    done, leave = threading.Event(), threading.Event()

    def run_and_stay():  # a thread that asked first, and has not ended
        data_parallel(abs, [1], workers=1)
        done.set()
        leave.wait(10)

    other = threading.Thread(target=run_and_stay)
    other.start()
    assert done.wait(10)
    with threadpool_limits(limits=1):
        assert set(threads()) == {1}
    leave.set()
    other.join()


def test_a_simulated_run_leaves_the_threads_alone():
    assert set(execute(Plan([Task("a", threads)]), 1, Simulated(cost=1.0)).result["a"]) == {2}


def test_what_knows_the_libraries_is_kept_and_made_anew_when_a_module_was_loaded(monkeypatch):
    guard = OneThread()
    with guard:
        pass
    kept = guard._controller
    with guard:
        pass
    assert guard._controller is kept
    monkeypatch.setitem(sys.modules, "a_new_library", None)
    with guard:
        pass
    assert guard._controller is not kept

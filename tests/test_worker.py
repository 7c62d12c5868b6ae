"""A worker tells when it started, how long it computed, and why not; and it knows that it is one."""

import threading
import time

import pytest

from parlib import Simulated, data_parallel
from parlib.worker import inside, perform

SECONDS = 0.05


def compute():
    end = time.thread_time() + SECONDS
    while time.thread_time() < end:
        pass


def wait():
    time.sleep(SECONDS)


# ---- Reports --------------------------------------------------------------------------------------------------------


def test_a_report_says_what_came_of_the_call_and_when():
    before = time.perf_counter()
    report = perform(divmod, 7, 2)
    assert (report.value, report.error, report.nested) == ((3, 1), None, False)
    assert before <= report.started <= report.finished <= time.perf_counter()


def test_computing_uses_cpu_seconds_and_waiting_does_not():
    computed, waited = perform(compute), perform(wait)
    assert SECONDS <= computed.cpu <= computed.finished - computed.started
    assert waited.cpu < SECONDS <= waited.finished - waited.started


def test_the_cpu_seconds_of_another_thread_do_not_count():
    other = threading.Thread(target=compute)
    other.start()
    assert perform(other.join).cpu < SECONDS


@pytest.mark.parametrize("error", [ValueError("burnt"), SystemExit(3), GeneratorExit(), StopIteration(4)])
def test_whatever_a_task_raises_is_reported(error):
    def burn():
        raise error

    assert perform(burn).error is error
    assert perform(burn).value is None


def test_an_interrupt_is_not_caught():
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform(interrupt)
    assert not inside()


# ---- Workers hire no workers ----------------------------------------------------------------------------------------


def test_inside_a_task_one_is_inside_and_outside_one_is_not():
    assert perform(inside).value is True
    assert perform(perform, inside).value.value is True
    assert inside() is False


def nested(backend):
    def outer(item):
        run = data_parallel(abs, [-item, item], workers=2, backend=backend)
        return run.backend, run.workers, run.result

    return outer


@pytest.mark.parametrize("inner", ["threads", "processes", "dask"])
@pytest.mark.parametrize("outer", ["serial", "threads", "processes", Simulated(cost=1.0)])
def test_a_paradigm_inside_a_worker_runs_serially_and_says_so_once(outer, inner):
    with pytest.warns(RuntimeWarning) as said:
        run = data_parallel(nested(inner), [1, 2, 3], workers=2, chunks=3, backend=outer)
    assert run.result == [("serial", 1, [item, item]) for item in (1, 2, 3)]
    assert [str(warning.message) for warning in said] == [
        "a task started a run of its own; inside a worker that runs serially"
    ]


@pytest.mark.parametrize("outer", ["serial", "threads", "processes"])
@pytest.mark.parametrize("inner", ["serial", Simulated(cost=1.0)])
def test_what_needs_no_workers_runs_inside_one_as_it_is(outer, inner):
    run = data_parallel(nested(inner), [1, 2], workers=2, backend=outer)
    name, workers = ("serial", 1) if inner == "serial" else ("simulated", 2)
    assert run.result == [(name, workers, [item, item]) for item in (1, 2)]


def test_a_second_run_beside_a_task_is_not_inside_it():
    """A thread that the learner starts is nobody's worker, even while one of ours is busy."""
    busy, done = threading.Event(), threading.Event()

    def hold(item):
        busy.set()
        return done.wait(10)

    other = threading.Thread(target=data_parallel, args=(hold, [1]), kwargs={"workers": 1})
    other.start()
    busy.wait(10)
    assert data_parallel(abs, [-1], workers=1).backend == "threads"
    done.set()
    other.join()

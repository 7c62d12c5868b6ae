"""Executors know calls and futures: what they take is done once, by somebody who stays for the next call."""

import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from parlib.executors import InCaller, ProcessEnded, WarmProcesses, WarmThreads

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def processes():
    executor = WarmProcesses()
    yield executor
    executor.close()


def gone(process):
    """Wait until a process is gone."""
    while psutil.pid_exists(process):
        time.sleep(0.001)
    return True


# ---- In the caller --------------------------------------------------------------------------------------------------


def test_without_workers_the_call_is_made_at_once_in_the_thread_that_submits():
    assert InCaller().submit(threading.get_ident).result(timeout=0) == threading.get_ident()
    assert InCaller().submit(dict, a=1).result() == {"a": 1}


# ---- Threads --------------------------------------------------------------------------------------------------------


def test_a_thread_stays_for_the_next_call():
    threads = WarmThreads()
    assert len({threads.submit(threading.get_ident).result() for _ in range(20)}) == 1


def test_as_many_threads_as_calls_work_at_once():
    threads, meeting = WarmThreads(), threading.Barrier(5)
    calls = [threads.submit(meeting.wait, 10) for _ in range(5)]
    assert sorted(call.result() for call in calls) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_call_that_fails_gives_its_exception_and_the_thread_stays(error):
    def fail():
        raise error

    threads = WarmThreads()
    before = threads.submit(threading.get_ident).result()
    assert type(threads.submit(fail).exception()) is error
    assert threads.submit(threading.get_ident).result() == before


def test_a_thread_that_was_given_up_is_used_no_more():
    threads, release = WarmThreads(), threading.Event()
    held = threads.submit(lambda: (release.wait(10), threading.get_ident()))
    threads.give_up(held)
    release.set()
    idents = {threads.submit(threading.get_ident).result() for _ in range(5)}
    assert not held.done()
    assert len(idents) == 1


def test_threads_do_not_hold_up_the_end_of_the_program():
    threads = WarmThreads()
    threads.submit(int).result()
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "parlib worker")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_a_fork_has_workers_of_its_own(backend):
    program = f"""
import os, warnings
from parlib import data_parallel
warnings.simplefilter("ignore")
if __name__ == "__main__":
    data_parallel(abs, [-1, -2], workers=2, backend="{backend}")
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    print(data_parallel(abs, [-1, -2], workers=2, backend="{backend}").result, flush=True)
    if not child:
        os._exit(0)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (told.stdout, told.stderr) == ("[1, 2]\n" * 2, "")


# ---- Processes ------------------------------------------------------------------------------------------------------


def test_a_process_stays_for_the_next_call(processes):
    numbers = {processes.submit(os.getpid).result() for _ in range(20)}
    assert len(numbers) == 1
    assert os.getpid() not in numbers


def test_as_many_processes_as_calls_work_at_once(processes):
    calls = [processes.submit(time.sleep, 0.2) for _ in range(3)]
    assert [call.result() for call in calls] == [None] * 3
    assert len(processes.lines) == 3


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_call_that_fails_in_a_process_gives_its_exception_and_the_process_stays(processes, error):
    before = processes.submit(os.getpid).result()
    assert type(processes.submit(fail, error).exception()) is error
    assert processes.submit(os.getpid).result() == before


def fail(error):
    raise error


def test_a_process_that_ends_fails_its_own_call_and_no_other(processes):
    other = processes.submit(time.sleep, 0.2)
    assert isinstance(processes.submit(os._exit, 3).exception(), ProcessEnded)
    assert other.result() is None
    assert processes.submit(abs, -1).result() == 1


def test_a_process_that_was_given_up_is_ended_with_all_that_it_has_started(processes):
    call = processes.submit(subprocess.run, [sys.executable, "-c", "import time; time.sleep(60)"])
    family = []
    while len(family) < 2:
        (number,) = processes._processes
        family = [number, *(child.pid for child in psutil.Process(number).children())] if number else []
    processes.give_up(call)
    assert isinstance(call.exception(), ProcessEnded)
    assert all(map(gone, family))


def test_a_call_that_is_over_cannot_be_given_up_since_its_process_may_be_on_another(processes):
    over = processes.submit(os.getpid)
    over.result()
    processes.give_up(over)
    assert processes.submit(os.getpid).result() == over.result()


def test_processes_stand_by_but_not_too_many(processes):
    processes.stand_by(3, most=3)
    assert len(processes.lines) == 3
    first = set(processes.lines)
    processes.stand_by(1, most=2)
    assert len(processes.lines) == 2
    assert set(processes.lines) < first


def test_the_end_is_the_end_of_all_processes(processes):
    numbers = [processes.submit(os.getpid).result() for _ in range(2)]
    processes.close()
    assert processes.lines == []
    assert all(map(gone, numbers))
    assert processes.submit(abs, -1).result() == 1  # and may be followed by a new beginning


def test_a_process_that_cannot_be_started_fails_its_call(processes, monkeypatch):
    from loky.backend.context import LokyProcess

    def start(self):
        raise OSError("too many processes")

    monkeypatch.setattr(LokyProcess, "start", start)
    assert isinstance(processes.submit(abs, -1).exception(timeout=10), ProcessEnded)
    assert processes.lines == []

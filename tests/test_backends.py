"""Wherever a plan runs, it makes the same values; whatever happens there, the caller hears of it, and nothing hangs."""

import _thread
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlib import (
    Plan,
    Simulated,
    Skipped,
    Stage,
    WorkerLost,
    close,
    data_parallel,
    execute,
    machine,
    pipeline_parallel,
    task_parallel,
)
from parlib.backends import find

pytestmark = pytest.mark.timeout(60)  # nothing hangs
REAL = ["serial", "threads", "processes"]
LONG = 30.0  # seconds: longer than any test waits


@pytest.fixture(scope="module")
def executors():
    """Somebody else's pools."""
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2) as processes, Far() as far:
        yield {"thread pool": threads, "process pool": processes, "far away": far}


class Far(Executor):
    """An executor of which nothing is known: its workers might be anywhere, so that all must travel as bytes."""

    def submit(self, fn, /, *args, **kwargs):
        import pickle

        future = Future()
        fn, args = pickle.loads(pickle.dumps((fn, args)))
        try:
            future.set_result(pickle.loads(pickle.dumps(fn(*args, **kwargs))))
        except Exception as error:
            future.set_exception(error)
        return future


def cube(item):
    return item * item * item


def total(results):
    return sum(map(np.sum, results))


# ---- All agree ---------------------------------------------------------------------------------------------------

numbers = st.lists(st.integers(-9, 9), max_size=12)
tables = st.builds(
    lambda rows, columns, code: np.arange(rows * columns, dtype=code).reshape(rows, columns)[::-1],
    st.integers(0, 6),
    st.integers(0, 4),
    st.sampled_from(["<i8", ">f4", "<c16"]),
)


@settings(max_examples=25, deadline=None)
@given(data=numbers | tables, workers=st.integers(1, 4), chunks=st.none() | st.integers(1, 9), combining=st.booleans())
def test_all_backends_agree_with_a_list_comprehension(data, workers, chunks, combining, executors):
    wanted = [cube(item) for item in data]
    combine = total if combining else None
    for backend in (*REAL, Simulated(), Simulated(cost=1.0), *executors.values()):
        run = data_parallel(cube, data, workers=workers, chunks=chunks, backend=backend, combine=combine)
        assert np.array_equal(run.result, total(wanted) if combining else wanted)
        assert combining or list(map(type, run.result)) == list(map(type, wanted))


@settings(max_examples=15, deadline=None)
@given(data=numbers, hands=st.lists(st.integers(1, 3), min_size=1, max_size=3), buffer=st.none() | st.integers(0, 2))
def test_all_backends_agree_on_pipelines(data, hands, buffer, executors):
    stages = [Stage(cube if number % 2 else abs, workers=count) for number, count in enumerate(hands)]
    wanted = data
    for stage in stages:
        wanted = [stage.fn(item) for item in wanted]
    for backend in (*REAL, Simulated(), *executors.values()):
        assert pipeline_parallel(*stages, data=data, buffer=buffer, backend=backend).result == wanted


def test_functions_that_no_module_knows_run_everywhere_too(executors):
    here = 7
    backends = [*REAL, Simulated(cost=1.0), *executors.values()]
    for backend in backends:
        assert data_parallel(lambda item: item + here, [1, 2], workers=2, backend=backend).result == [8, 9]


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed", reason="pip install 'parlib[dask]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        local = distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None)
        with local, distributed.Client(local) as client:
            yield client


def test_a_dask_client_agrees_too(cluster):
    data = np.arange(12.0).reshape(6, 2)
    run = data_parallel(cube, data, workers=2, chunks=3, backend=cluster)
    assert np.array_equal(run.result, data**3)
    assert run.backend == "dask"
    assert (run.trace.submitted <= run.trace.started).all()
    assert (run.trace.finished <= run.trace.received).all()
    assert pipeline_parallel(abs, cube, data=[-1, 2], backend=cluster).result == [1, 8]
    assert data_parallel(cube, [1, 2], backend="dask").result == [1, 8]  # the client in use
    assert data_parallel(cube, [1, 2], backend=cluster).workers == 2


def test_a_dask_client_gives_a_task_its_own_exception(cluster):
    with pytest.raises(Burnt, match="item 3") as caught:
        data_parallel(burn, [1, 2, 3], workers=2, backend=cluster)
    assert caught.value.__notes__[-1].startswith("in task 'burn[2:3]', item 2, worker ")
    with pytest.raises(TypeError, match="its result cannot be sent back"):
        data_parallel(generator, [1], workers=1, backend=cluster)


def test_a_dask_worker_that_dies_is_lost_like_any_other():
    distributed = pytest.importorskip("distributed", reason="pip install 'parlib[dask]'")
    settings = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
    with warnings.catch_warnings(), dask_setting("distributed.scheduler.allowed-failures", 0):
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(**settings) as local, distributed.Client(local) as client:
            with pytest.raises(WorkerLost) as caught:
                data_parallel(leave, [0, 1, 2], workers=1, chunks=3, backend=client)
            assert caught.value.tasks == ("leave[2:3]",)
            assert data_parallel(cube, [1, 2], backend=client).result == [1, 8]


def dask_setting(name, value):
    import dask

    return dask.config.set({name: value})


def generator(item):
    return (one for one in [item])


def test_a_missing_dask_is_named_with_the_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"backend='dask' needs Dask: pip install 'dask\[distributed\]'"):
        data_parallel(cube, [1], backend="dask")


# ---- Which place, how many workers -------------------------------------------------------------------------------


def test_an_unknown_backend_lists_the_known():
    says = (
        "there is no backend 'thread'; known are serial, threads, processes, dask, simulated; did you mean 'threads'?"
    )
    for use in (lambda: data_parallel(abs, [1], backend="thread"), lambda: execute(Plan([]), backend="thread")):
        with pytest.raises(ValueError) as caught:
            use()
        assert str(caught.value) == says
    with pytest.raises(
        ValueError, match=r"there is no backend 'gpu'; known are serial, threads, processes, dask, simulated$"
    ):
        find("gpu")


@pytest.mark.parametrize("backend", [None, 4, ThreadPoolExecutor, abs])
def test_a_backend_is_a_name_an_executor_a_client_or_a_machine(backend):
    with pytest.raises(
        TypeError, match=r"a backend is one of 'serial', .* an Executor, a Dask client or Simulated\(...\), not"
    ):
        data_parallel(abs, [1], backend=backend)


def test_an_object_with_an_executor_is_a_backend_too():
    class View:
        executor = Far()

    assert data_parallel(cube, [1, 2], workers=2, backend=View()).result == [1, 8]


def test_by_default_there_is_a_worker_for_each_usable_core():
    cores = machine().cores
    for backend in ("threads", "processes"):
        assert data_parallel(abs, range(100), backend=backend).workers == cores
    assert execute(Plan([]), backend=Far()).workers == cores


def test_an_executor_knows_its_own_number_of_workers(executors):
    with ThreadPoolExecutor(3) as pool:
        run = data_parallel(abs, range(100), backend=pool)
    assert (run.workers, len(run.plan)) == (3, 3)
    assert repr(run).startswith("<Run: 3 tasks on 3 ThreadPoolExecutor workers, ")


def test_serial_has_one_slot_and_workers_only_set_the_number_of_chunks():
    run = data_parallel(abs, range(100), workers=5, backend="serial")
    assert (run.workers, len(run.plan)) == (1, 5)
    assert set(run.trace.worker) == {0}


def test_a_worker_is_a_slot_not_a_process():
    run = data_parallel(abs, range(6), workers=3, chunks=6, backend="processes")
    assert set(run.trace.worker) <= {0, 1, 2}


def where(item):
    time.sleep(0.05)
    return os.getpid(), threading.get_ident()


def test_threads_are_threads_and_processes_are_processes():
    assert {process for process, _ in data_parallel(where, range(4), workers=2, backend="threads").result} == {
        os.getpid()
    }
    assert os.getpid() not in {
        process for process, _ in data_parallel(where, range(4), workers=2, backend="processes").result
    }
    assert set(data_parallel(where, range(4), workers=2, backend="serial").result) == {
        (os.getpid(), threading.get_ident())
    }


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_workers_work_at_the_same_time(backend, tmp_path):
    """Each of two tasks waits until it sees the other: one after the other, they would wait in vain."""

    def meet(item):
        (tmp_path / f"{backend}{item}").touch()
        end = time.monotonic() + LONG
        while not (tmp_path / f"{backend}{1 - item}").exists() and time.monotonic() < end:
            time.sleep(0.001)
        return time.monotonic() < end

    run = data_parallel(meet, range(2), workers=2, backend=backend)
    assert run.result == [True, True]
    first, second = run.trace.spans
    assert max(first.started, second.started) < min(first.finished, second.finished)


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_workers_are_kept_warm_for_the_next_run(backend):
    first, second = (set(data_parallel(where, range(8), workers=2, chunks=8, backend=backend).result) for _ in range(2))
    assert first & second


def test_close_ends_the_worker_processes_and_the_next_run_starts_new_ones():
    before = {process for process, _ in data_parallel(where, range(4), workers=2, backend="processes").result}
    close()
    assert not any(psutil.pid_exists(process) for process in before)
    after = {process for process, _ in data_parallel(where, range(4), workers=2, backend="processes").result}
    assert not before & after


def test_two_runs_at_once_have_workers_of_their_own():
    results = {}

    def run(name, backend):
        results[name] = data_parallel(cube, range(50), workers=2, chunks=25, backend=backend).result

    threads = [threading.Thread(target=run, args=(n, ["threads", "processes"][n % 2])) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(results.values()) == [[cube(item) for item in range(50)]] * 6


# ---- Failure -----------------------------------------------------------------------------------------------------


class Burnt(Exception):
    pass


def burn(item):
    if item == 3:
        raise Burnt(f"item {item}")
    return item


def test_a_task_that_fails_gives_its_own_exception_wherever_it_ran(executors):
    for backend in (*REAL, *executors.values()):
        with pytest.raises(Burnt, match="item 3") as caught:
            data_parallel(burn, [1, 2, 3], workers=1, chunks=3, backend=backend)
        assert caught.value.__notes__[-1] == "in task 'burn[2:3]', item 2, worker 0"
        assert caught.value.run.failed == "burn[2:3]"
        assert data_parallel(burn, [1, 2], workers=1, backend=backend).result == [1, 2]  # and the next run works


def test_a_value_that_cannot_come_back_fails_its_own_task_wherever_it_ran(executors):
    for backend in ("processes", executors["process pool"], executors["far away"]):
        run = task_parallel(lazy, plain, workers=1, backend=backend, on_error="skip")
        assert run.result["plain"] == 3
        assert type(run.result["lazy"]) is Skipped
        assert "its result cannot be sent back" in str(run.result["lazy"].error)


def lazy():
    return (one for one in [1])


def plain():
    return 3


def test_what_has_not_started_when_a_task_fails_never_starts(tmp_path):
    def leave_a_mark(item):
        (tmp_path / str(item)).touch()
        if item == 0:
            raise Burnt
        time.sleep(0.1)

    for backend in ("threads", "processes"):
        with pytest.raises(Burnt):
            data_parallel(leave_a_mark, range(50), workers=2, chunks=50, backend=backend)
        assert len(list(tmp_path.iterdir())) < 10
        count = len(list(tmp_path.iterdir()))
        time.sleep(0.3)
        assert len(list(tmp_path.iterdir())) == count


def test_a_failure_does_not_wait_for_a_task_that_never_ends_in_a_process(tmp_path):
    def slow_or_burnt(item):
        if item:
            (tmp_path / "process").write_text(str(os.getpid()))
            time.sleep(LONG)
        while not (tmp_path / "process").exists():
            time.sleep(0.01)
        raise Burnt

    with pytest.raises(Burnt):
        data_parallel(slow_or_burnt, [0, 1], workers=2, backend="processes")
    assert not_running(int((tmp_path / "process").read_text()))


def not_running(process):
    """Whether a process is gone, or is a worker that waits for work."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    return True


def test_a_thread_that_does_not_end_after_a_failure_is_named_in_a_warning():
    release = threading.Event()

    def hold_or_burn(item):
        if item == 0:
            raise Burnt
        release.wait(LONG)

    with (
        pytest.warns(RuntimeWarning, match=r"task 'hold_or_burn\[1:2\]' is still running: Python cannot stop a thread"),
        pytest.raises(Burnt),
    ):
        data_parallel(hold_or_burn, [0, 1], workers=2)
    release.set()


def test_sys_exit_in_a_task_ends_the_task_and_not_the_worker():
    for backend in REAL:
        with pytest.raises(SystemExit) as caught:
            data_parallel(sys.exit, [3], workers=1, backend=backend)
        assert caught.value.code == 3
        assert data_parallel(abs, [-1], workers=1, backend=backend).result == [1]


# ---- Workers that die --------------------------------------------------------------------------------------------


def leave(item):
    if item == 2:
        os._exit(3)
    time.sleep(0.2)
    return item


def kill(item):
    if item == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    return item


DEATHS = [leave, pytest.param(kill, marks=pytest.mark.skipif(os.name != "posix", reason="signals are for POSIX"))]


@pytest.mark.parametrize("die", DEATHS)
def test_a_worker_that_dies_gives_worker_lost_which_names_exactly_its_task(die):
    for data in ([2], [0, 2, 3, 4], [2, 0], [0, 1, 3, 4, 2]):
        with pytest.raises(
            WorkerLost, match=r"a worker died while working on '.*': it was killed, ran out of mem"
        ) as caught:
            data_parallel(die, data, workers=2, chunks=len(data), backend="processes")
        culprit = f"{die.__name__}[{data.index(2)}:{data.index(2) + 1}]"
        assert caught.value.tasks == (culprit,)
        assert caught.value.run.failed == culprit
        assert isinstance(caught.value, RuntimeError)
        assert data_parallel(abs, [-1, -2], workers=2, backend="processes").result == [1, 2]  # and the next run works


def test_without_the_board_the_others_in_a_pool_would_be_suspected_too(monkeypatch):
    from parlib.couriers import SharedMemoryNoted

    monkeypatch.setattr(SharedMemoryNoted, "were_on", lambda self, processes: [])
    with ProcessPoolExecutor(2) as pool, pytest.raises(WorkerLost) as caught:
        data_parallel(leave, [0, 2], workers=2, backend=pool)
    assert set(caught.value.tasks) == {"leave[0:1]", "leave[1:2]"}


def test_a_worker_that_dies_in_a_pipeline_or_a_task_plan_is_named():
    with pytest.raises(WorkerLost) as caught:
        pipeline_parallel(abs, leave, data=[0, 1, 2, 3], backend="processes")
    assert caught.value.tasks == ("leave[2]",)
    with pytest.raises(WorkerLost) as caught:
        task_parallel(leave, workers=1, inputs={"item": 2}, backend="processes")
    assert caught.value.tasks == ("leave",)


def test_a_lost_worker_is_never_skipped():
    with pytest.raises(WorkerLost):
        data_parallel(leave, [1, 2], workers=1, backend="processes", on_error="skip")


def test_where_several_vanish_together_one_of_them_is_named():
    with pytest.raises(WorkerLost) as caught:
        data_parallel(leave, [2, 2], workers=2, backend="processes")
    assert set(caught.value.tasks) < {"leave[0:1]", "leave[1:2]"}


def test_where_several_vanish_together_from_a_pool_all_candidates_are_named():
    with ProcessPoolExecutor(2) as pool, pytest.raises(WorkerLost) as caught:
        data_parallel(leave, [2, 2], workers=2, backend=pool)
    assert set(caught.value.tasks) <= {"leave[0:1]", "leave[1:2]"}


def test_a_task_that_is_over_is_no_candidate_though_its_worker_died_on_the_next():
    with ProcessPoolExecutor(1) as pool, pytest.raises(WorkerLost) as caught:
        data_parallel(leave_at_once, [0, 2], workers=2, backend=pool)
    assert caught.value.tasks == ("leave_at_once[1:2]",)


def test_runs_beside_each_other_do_not_lose_each_others_workers():
    """When one breaks off, it must end its own processes, and not one that has gone over to another run."""
    problems = []

    def user(fn, error):
        for _ in range(8):
            try:
                data_parallel(fn, range(4), workers=2, chunks=4, backend="processes")
            except error:
                pass
            except BaseException as problem:
                problems.append(problem)

    cases = [(cube, ()), (cube, ()), (leave_at_once, WorkerLost), (burn, Burnt)]
    users = [threading.Thread(target=user, args=case) for case in cases]
    for thread in users:
        thread.start()
    for thread in users:
        thread.join()
    assert problems == []


def leave_at_once(item):
    if item == 2:
        os._exit(3)


def test_a_process_pool_of_somebody_else_that_breaks_gives_worker_lost_too():
    with ProcessPoolExecutor(2) as pool, pytest.raises(WorkerLost) as caught:
        data_parallel(leave, [0, 2], workers=2, backend=pool)
    assert "leave[1:2]" in caught.value.tasks  # and perhaps what the pool ended with it


def test_a_worker_that_is_killed_between_two_runs_is_replaced():
    for _ in range(3):
        workers = {process for process, _ in data_parallel(where, range(4), workers=2, backend="processes").result}
        kill_and_see(workers.pop())
        assert data_parallel(abs, [-1, -2, -3], workers=2, chunks=3, backend="processes").result == [1, 2, 3]


def kill_and_see(process):
    """Kill a process, and wait until it is gone."""
    psutil.Process(process).kill()
    while psutil.pid_exists(process):
        time.sleep(0.001)


def test_all_workers_may_be_killed_between_two_runs():
    for process in {process for process, _ in data_parallel(where, range(4), workers=2, backend="processes").result}:
        kill_and_see(process)
    assert data_parallel(abs, [-1, -2], workers=2, backend="processes").result == [1, 2]


# ---- Interrupts --------------------------------------------------------------------------------------------------


def interrupted(run, started):
    """Press ■ once `started()` is true, while this, the main thread, waits for the run; what came of it, and when."""
    over, pressed = threading.Event(), []

    def press():
        while not over.wait(0.01):
            if started():
                pressed.append(time.monotonic())
                return _thread.interrupt_main()
        return None

    thread = threading.Thread(target=press)
    thread.start()
    try:
        run()
    except KeyboardInterrupt as error:
        return error, time.monotonic() - pressed[0]
    finally:
        over.set()
        thread.join()
    raise AssertionError("the run ended before it was interrupted")


@pytest.fixture
def marks(tmp_path):
    """A function that leaves its process number in a file and then goes on for long; and what is in the files."""

    def busy(item):
        (tmp_path / str(item)).write_text(str(os.getpid()))
        end = time.monotonic() + LONG
        while time.monotonic() < end:
            time.sleep(0.01)

    return busy, lambda: [int(text) for text in (path.read_text() for path in tmp_path.iterdir()) if text]


def test_after_an_interrupt_no_task_of_the_run_is_running_in_a_process(marks):
    busy, seen = marks
    error, seconds = interrupted(
        lambda: data_parallel(busy, range(8), workers=2, chunks=8, backend="processes"), lambda: len(seen()) == 2
    )
    assert all(map(not_running, seen()))
    assert len(seen()) == 2  # no other task was started
    assert (len(error.run.trace), len(error.run.plan)) == (0, 8)
    assert seconds < LONG / 2  # it did not wait for them
    assert data_parallel(abs, [-1], workers=1, backend="processes").result == [1]


def test_after_an_interrupt_a_thread_that_does_not_end_is_named_and_not_used_again():
    held, release, idents = [], threading.Event(), []

    def hold(item):
        held.append(threading.get_ident())
        release.wait(LONG)

    with pytest.warns(RuntimeWarning, match="is still running: Python cannot stop a thread") as said:
        _, seconds = interrupted(lambda: data_parallel(hold, range(8), workers=2, chunks=8), lambda: len(held) == 2)
    assert [f"hold[{number}:{number + 1}]" in str(said[number].message) for number in (0, 1)] == [True, True]
    assert seconds < LONG / 2
    idents = [ident for _, ident in data_parallel(where, range(4), workers=2, chunks=4).result]
    assert not set(held) & set(idents)
    release.set()
    assert len(held) == 2


def test_after_an_interrupt_a_serial_run_stops_where_it_is():
    held = []

    def hold(item):
        held.append(item)
        end = time.monotonic() + LONG
        while time.monotonic() < end:
            time.sleep(0.01)

    error, _ = interrupted(
        lambda: data_parallel(hold, range(8), workers=1, chunks=8, backend="serial"), lambda: len(held) == 1
    )
    assert held == [0]
    assert error.run.stopped


def test_pressing_stop_twice_stops_too(marks):
    busy, seen = marks
    main, over = threading.get_ident(), threading.Event()

    def press_again():
        while not over.wait(0.001):
            if "stop" in names_of_frames(main):
                return _thread.interrupt_main()
        return None

    again = threading.Thread(target=press_again)
    again.start()
    try:
        interrupted(lambda: data_parallel(busy, range(2), workers=2, backend="processes"), lambda: len(seen()) == 2)
    finally:
        over.set()
        again.join()
    assert all(map(not_running, seen()))
    assert data_parallel(abs, [-1], workers=1, backend="processes").result == [1]


def names_of_frames(ident):
    frame, names = sys._current_frames().get(ident), []
    while frame is not None:
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


@pytest.mark.skipif(os.name != "posix", reason="signals are for POSIX")
def test_workers_are_deaf_to_ctrl_c_which_reaches_the_whole_group():
    workers = {process for process, _ in data_parallel(where, range(4), workers=2, backend="processes").result}
    for worker in workers:
        os.kill(worker, signal.SIGINT)
    after = {process for process, _ in data_parallel(where, range(8), workers=2, chunks=8, backend="processes").result}
    assert workers & after


def test_the_program_can_end_while_a_thread_is_stuck():
    program = """
import threading, _thread, warnings
from parlib import data_parallel
warnings.simplefilter("ignore")
stuck = threading.Event()
def hold(item):
    stuck.set()
    threading.Event().wait()
threading.Thread(target=lambda: (stuck.wait(), _thread.interrupt_main()), daemon=True).start()
try:
    data_parallel(hold, [1], workers=1)
except KeyboardInterrupt:
    print("interrupted")
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=LONG)
    assert (told.returncode, told.stdout, told.stderr) == (0, "interrupted\n", "")


@pytest.mark.parametrize("end", ["", "parlib.close()", "raise SystemExit(0)"])
def test_the_program_ends_quietly_and_so_do_its_workers(end):
    program = f"""
import os, parlib
if __name__ == "__main__":
    run = parlib.data_parallel(lambda item: os.getpid(), range(4), workers=2, chunks=4, backend="processes")
    print(*set(run.result))
    {end}
"""
    told = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=LONG)
    assert (told.returncode, told.stderr) == (0, "")
    assert not any(map(psutil.pid_exists, map(int, told.stdout.split())))

"""Nothing is left behind: no memory, no handle, no process, however a run ends.

Twenty rounds of every kind of end, counted before and after. The last test of each kind is the control: the same count
notices a leak that was put there.
"""

import _thread
import contextlib
import gc
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import parlib
from parlib import WorkerLost, data_parallel
from parlib.couriers import SharedMemory
from parlib.sharing import Memory, _temporary_file, share

ROUNDS = 20
DATA = np.arange(40_000.0).reshape(4, 10_000)


def left_over():
    """What this process holds beyond its own: pieces of memory, handles, files, child processes."""
    parlib.close()
    gc.collect()
    me = psutil.Process()
    handles = me.num_fds() if hasattr(me, "num_fds") else me.num_handles()
    children = [
        child.pid for child in me.children(recursive=True) if "resource_tracker" not in " ".join(child.cmdline())
    ]
    return {"memory": Memory.alive, "handles": handles, "files": files_of(me.pid), "children": children}


def files_of(process):
    """Files of a process in the folders for temporary files and shared memory: both are named with its number."""
    folders = [folder for folder in (tempfile.gettempdir(), "/dev/shm") if os.path.isdir(folder)]
    return sorted(name for folder in folders for name in os.listdir(folder) if f"-{process}-" in name)


def double(row):
    return row * 2


def fail(row):
    if row[0]:
        raise ValueError("this row is not to my taste")
    return double(row)


def linger(row):
    time.sleep(60)


def die(row):
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def ends_well():
    run = data_parallel(double, DATA, workers=2, backend="processes")
    np.testing.assert_array_equal(run.result, DATA * 2)


def ends_with_an_exception():
    with pytest.raises(ValueError, match="taste"):
        data_parallel(fail, DATA, workers=2, backend="processes")


def is_interrupted():
    stop = threading.Timer(0.2, _thread.interrupt_main)
    stop.start()
    with pytest.raises(KeyboardInterrupt):
        data_parallel(linger, DATA, workers=2, backend="processes")
    stop.join()


def loses_a_worker():
    with pytest.raises(WorkerLost):
        data_parallel(die, DATA, workers=2, chunks=4, backend="processes")


def holds_shared_arrays():
    shared = share(DATA)
    run = data_parallel(double, shared, workers=2, backend="processes")
    assert run.shared_bytes == 0


ENDS = [ends_well, ends_with_an_exception, is_interrupted, loses_a_worker, holds_shared_arrays]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_twenty_rounds_leave_nothing_behind(end):
    end()
    before = left_over()
    for _ in range(ROUNDS):
        end()
    assert left_over() == before


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_temporary_files_leave_nothing_behind_either(end, monkeypatch):
    monkeypatch.setattr(Memory, "make", staticmethod(_temporary_file))
    end()
    before = left_over()
    for _ in range(ROUNDS // 4):
        end()
    assert left_over() == before


def test_twenty_rounds_use_the_same_threads():
    def workers():
        return sum(thread.name == "parlib worker" for thread in threading.enumerate())

    data_parallel(double, DATA, workers=2)
    before = workers()
    for _ in range(ROUNDS):
        data_parallel(double, DATA, workers=2, chunks=4)
        with pytest.raises(ValueError, match="taste"):
            data_parallel(fail, DATA, workers=2, chunks=4)
    assert workers() == before


def test_the_count_notices_a_process_that_is_kept():
    before = left_over()
    kept = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    after = left_over()
    kept.kill()
    kept.wait()
    assert sorted(after["children"]) == sorted([*before["children"], kept.pid])  # numbers of processes begin anew


def test_the_count_notices_memory_that_is_kept(monkeypatch):
    ends_well()
    before, kept = left_over(), []
    monkeypatch.setattr(SharedMemory, "unload", lambda courier: kept.append((courier.shelf, courier.outbox)))
    for _ in range(ROUNDS):  # more than what others may have left open, and close meanwhile
        ends_well()
    after = left_over()
    assert after["memory"] > before["memory"]
    assert after["handles"] > before["handles"]


@pytest.mark.timeout(60)
def test_a_run_lets_go_at_its_end_without_waiting_for_the_garbage_collector():
    gc.disable()
    try:
        before = Memory.alive
        ends_well()
        with contextlib.suppress(ValueError):
            data_parallel(fail, DATA, workers=2, backend="processes")
        assert Memory.alive == before
    finally:
        gc.enable()


KERNEL = textwrap.dedent(
    """
    import subprocess, sys, time
    import numpy as np
    from parlib import data_parallel, share

    data = share(np.ones((4, 100_000)))
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], start_new_session=True)

    def linger(row):
        open(sys.argv[1] + f"/{int(time.time_ns())}", "w").close()
        time.sleep(120)

    print(bystander.pid, flush=True)
    data_parallel(linger, data, workers=2, backend="processes")
    """
)


@pytest.mark.skipif(os.name != "posix", reason="process groups and SIGKILL are POSIX")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("group", [False, True], ids=["the kernel alone", "its process group"])
def test_a_killed_kernel_takes_its_workers_and_memory_with_it(group, tmp_path):
    program = tmp_path / "kernel.py"
    program.write_text(KERNEL.replace("sys.argv[1]", repr(str(tmp_path / "started"))))
    (tmp_path / "started").mkdir()
    kernel = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True, start_new_session=True)
    bystander = psutil.Process(int(kernel.stdout.readline()))
    try:
        while len(list(Path(tmp_path / "started").iterdir())) < 2:  # both workers are at work
            time.sleep(0.05)
        family = [one for one in psutil.Process(kernel.pid).children(recursive=True) if one != bystander]
        assert len(family) >= 2
        (os.killpg if group else os.kill)(kernel.pid, signal.SIGKILL)
        kernel.wait()
        _, alive = psutil.wait_procs(family, timeout=20)
        assert alive == []
        assert bystander.is_running(), "the control: a process that nobody ends is still there"
        assert files_of(kernel.pid) == []
    finally:
        bystander.kill()
        kernel.stdout.close()


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX")
@pytest.mark.timeout(60)
def test_files_of_a_killed_kernel_are_swept_away_at_the_next_use(tmp_path, monkeypatch):
    program = """
import os, signal, sys, tempfile
import numpy as np
from parlib import share
from parlib.sharing import Memory, _temporary_file
tempfile.tempdir = sys.argv[1]
Memory.make = staticmethod(_temporary_file)
kept = share(np.ones(10))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program, tmp_path])
    assert len(list(tmp_path.iterdir())) == 1  # the control: nobody could remove it
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Memory, "make", staticmethod(_temporary_file))
    ends_well()
    gc.collect()
    assert list(tmp_path.iterdir()) == []

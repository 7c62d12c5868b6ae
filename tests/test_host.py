"""The machine panel tells the cores one may really use, on machines described by made-up files."""

import dataclasses
import importlib
import os
import subprocess
import sys
import time

import pytest

from parlib import host
from parlib.host import Machine, cpu_quota, machine, memory, usable_cores

QUIET = Machine(
    cores=4,
    allowed=4,
    logical=8,
    physical=4,
    quota=None,
    processor="Example 3000",
    blas="openblas 0.3",
    blas_threads=8,
    start_method="loky (spawn-like)",
    interpreter_start_method="spawn",
    gil=True,
    memory=16 * host.GIB,
    memory_available=8 * host.GIB,
    load=0.5,
    busy=0.05,
    system="Linux",
    python="3.13.0",
    numpy="2.4.0",
    can_measure=True,
)


def written(folder, files):
    """A made-up tree of control groups: {relative path: text}."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return {"root": folder / "cgroup", "membership": folder / "self"}


# ---- Usable cores ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "quota", "expected"),
    [(8, None, 8), (8, 2.0, 2), (8, 1.5, 2), (8, 0.2, 1), (2, 16.0, 2), (1, None, 1), (0, None, 1)],
)
def test_usable_cores_are_the_smaller_of_affinity_and_quota_rounded_up_and_at_least_one(allowed, quota, expected):
    assert usable_cores(allowed=lambda: allowed, quota=lambda: quota) == expected


def test_usable_cores_never_exceed_what_the_machine_has():
    assert 1 <= usable_cores() <= os.cpu_count()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin a process to CPUs")
def test_usable_cores_follow_affinity_when_it_changes():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_usable_cores_reads_no_file_after_the_first_call(monkeypatch):
    usable_cores()
    monkeypatch.setattr(host, "_text", lambda path: pytest.fail(f"read {path}"))
    assert usable_cores() >= 1


def test_importing_host_loads_no_heavy_library():
    heavy = "{'numpy', 'psutil', 'threadpoolctl', 'multiprocessing', 'matplotlib', 'IPython'}"
    # Loaded from its file, because importing it as parlib.host runs the whole package's front door.
    code = (
        "import importlib.util, sys; "
        f"spec = importlib.util.spec_from_file_location('host', {host.__file__!r}); "
        "sys.modules['host'] = module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module); "
        f"module.usable_cores(); print(sorted({heavy} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_usable_cores_is_cheap_next_to_one_look_at_the_whole_machine():
    def seconds(look, times):
        started = time.perf_counter()
        for _ in range(times):
            look()
        return time.perf_counter() - started

    usable_cores()
    assert seconds(usable_cores, 10) < seconds(lambda: machine(watch=0.05), 1)  # a ratio, never real seconds


# ---- Container limits -----------------------------------------------------------------------------------------------


def test_quota_of_version_two_is_read_from_one_file(tmp_path):
    tree = written(tmp_path, {"self": "0::/\n", "cgroup/cpu.max": "150000 100000\n"})
    assert cpu_quota(**tree) == 1.5


def test_quota_of_version_one_is_read_from_two_files(tmp_path):
    files = {
        "self": "5:memory:/\n4:cpuacct,cpu:/box\n",
        "cgroup/cpu/box/cpu.cfs_quota_us": "400000\n",
        "cgroup/cpu/box/cpu.cfs_period_us": "200000\n",
    }
    assert cpu_quota(**written(tmp_path, files)) == 2.0


def test_the_tightest_quota_on_the_way_up_holds(tmp_path):
    files = {
        "self": "0::/slice/box\n",
        "cgroup/cpu.max": "max 100000\n",
        "cgroup/slice/cpu.max": "300000 100000\n",
        "cgroup/slice/box/cpu.max": "800000 100000\n",
        "cgroup/other/cpu.max": "100000 100000\n",  # somebody else's
    }
    assert cpu_quota(**written(tmp_path, files)) == 3.0


def test_a_container_that_sees_its_own_group_as_the_root_still_finds_its_quota(tmp_path):
    tree = written(tmp_path, {"self": "0::/docker/0123abcd\n", "cgroup/cpu.max": "200000 100000\n"})
    assert cpu_quota(**tree) == 2.0


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"self": "0::/\n"},
        {"self": "0::/\n", "cgroup/cpu.max": "max 100000\n"},
        {"self": "1:cpu:/\n", "cgroup/cpu/cpu.cfs_quota_us": "-1\n", "cgroup/cpu/cpu.cfs_period_us": "100000\n"},
    ],
    ids=["no control groups", "no files", "version 2 without limit", "version 1 without limit"],
)
def test_no_limit_gives_no_quota(tmp_path, files):
    assert cpu_quota(**written(tmp_path, files)) is None


def test_memory_is_the_containers_not_the_machines(tmp_path):
    files = {
        "self": "0::/\n",
        "cgroup/memory.max": "1000000\n",
        "cgroup/memory.current": "700000\n",
        "cgroup/memory.stat": "anon 500000\ninactive_file 200000\n",
    }
    assert memory(**written(tmp_path, files)) == (1_000_000, 500_000)


def test_memory_without_a_limit_is_the_machines(tmp_path):
    unlimited = {"self": "3:memory:/\n", "cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}
    total, available = memory(**written(tmp_path, unlimited))
    assert total == memory(**written(tmp_path / "empty", {"self": ""}))[0]
    assert 0 < available <= total


# ---- The panel ------------------------------------------------------------------------------------------------------


def test_the_panel_tells_the_whole_story():
    assert repr(QUIET) == (
        "This machine\n"
        "  usable cores      4  (of 8 logical CPUs on 4 physical cores, 4 allowed by affinity, no container quota)\n"
        "  processor         Example 3000\n"
        "  BLAS              openblas 0.3, 8 threads\n"
        "  worker processes  loky (spawn-like); Python's own default here: spawn\n"
        "  GIL               on: Python code runs in one thread at a time\n"
        "  memory            16.0 GiB, 8.0 GiB available\n"
        "  load              5% of the CPUs busy now, 0.50 programs running on average in the last minute\n"
        "  software          Python 3.13.0, NumPy 2.4.0, Linux\n"
        "  measuring         Quiet enough to measure fairly."
    )


def test_the_panel_says_unknown_where_the_machine_does_not_tell():
    silent = dataclasses.replace(
        QUIET, physical=None, processor="", blas_threads=None, memory=None, memory_available=None, load=None, busy=None
    )
    assert str(silent).count("unknown") == 3
    assert "None" not in str(silent)
    assert not silent.too_busy


def test_html_panel_names_its_rows_and_shows_the_same_answers():
    page = QUIET._repr_html_()
    assert "<caption" in page
    assert page.count('<th scope="row"') == len(QUIET.rows)
    assert "Python&#x27;s own default" in page  # text is escaped


@pytest.mark.parametrize(("busy", "too_busy"), [(0.0, False), (0.25, False), (0.26, True), (1.0, True), (None, False)])
def test_too_busy_when_others_use_more_than_a_quarter_of_the_usable_cores(busy, too_busy):
    assert dataclasses.replace(QUIET, busy=busy).too_busy is too_busy


def test_a_busy_neighbor_outside_the_quota_does_not_matter():
    assert not dataclasses.replace(QUIET, allowed=64, cores=4, quota=4.0, busy=0.9).too_busy


def test_advice_fits_the_machine():
    assert "Other programs keep 90% of the CPUs busy" in dataclasses.replace(QUIET, busy=0.9).advice
    assert "One usable core" in dataclasses.replace(QUIET, cores=1).advice
    assert "inside a browser" in dataclasses.replace(QUIET, can_measure=False).advice
    assert QUIET.advice == "Quiet enough to measure fairly."


def test_this_machine_answers_every_question():
    here = machine()
    assert here.cores == usable_cores() <= here.allowed <= here.logical
    assert here.can_measure
    assert 0 <= here.busy <= 1
    assert 0 < here.memory_available <= here.memory
    assert here.python.startswith("{}.{}.{}".format(*sys.version_info))
    assert here.numpy == importlib.import_module("numpy").__version__


def test_asking_does_not_fix_the_start_method():
    code = (
        "import multiprocessing as m; from parlib.host import machine; machine(watch=0); "
        "print(m.get_start_method(allow_none=True))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "None"


def test_a_browsers_python_is_told_apart(monkeypatch):
    monkeypatch.setattr(sys, "platform", "emscripten")
    monkeypatch.setattr(host, "_psutil", lambda: None)  # psutil does not exist there
    here = machine()
    assert not here.can_measure
    assert here.memory is None
    assert here.busy is None

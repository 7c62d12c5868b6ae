"""A hostile class gets what it deserves, and nobody else pays for it; graders that decide in the kernel are fooled."""

import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import corpus
import psutil
import pytest

from parlib.grading.course import HOME, exercises_of, master_of
from parlib.grading.grade import Grading, grade
from parlib.grading.sandbox import Limits

SMALL = Limits(
    cell_seconds=3, whole_seconds=20, memory=512 * 2**20, processes=32, disk=2**24, output=2**21, messages=3_000
)
NAIVE = Path(__file__).with_name("naive_grader.py")
ATTACKS = [case for case in corpus.CASES if case.kind == "attack"]
EVERYDAY = {"check-deleted", "forges-the-numbers-of-the-referee", "half-done", "cut-off"}  # some of each kind

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="strangers' code is shut in on Linux only")


def graded(cases, tmp_path, **how):
    """What the grader says about some cases: {name: result}; and its exit code."""
    folder, out = corpus.write(tmp_path / "handed in", cases), tmp_path / "out"
    code = grade([folder], Grading(out, master_of("02"), **{"jobs": 2, "seed": "corpus", "limits": SMALL} | how))
    return {one["student"]: one for one in json.loads((out / "grades.json").read_text())["students"]}, code


def mistakes(cases, results):
    """Where the grader and the honest mark differ."""
    for case in cases:
        result = results[case.name]
        marks = {one["exercise"]: one["points"] for one in result["exercises"]}
        if (marks, result["status"]) != (case.marks, case.status):
            yield case.name, result["status"], result["reason"], marks


@pytest.mark.notebook
def test_some_of_a_hostile_class_get_what_they_deserve(tmp_path):
    cases = [case for case in corpus.CASES if case.name in EVERYDAY]
    results, code = graded(cases, tmp_path)
    assert list(mistakes(cases, results)) == []
    assert code == 1  # one of them was no notebook


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_hostile_class_gets_what_it_deserves(tmp_path):
    before = set(psutil.pids())
    results, code = graded(corpus.CASES, tmp_path)
    assert list(mistakes(corpus.CASES, results)) == []
    assert len(corpus.CASES) >= 60
    assert code == 1
    left = [" ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"]) if one.pid not in before]
    assert [one for one in left if "grading.kernels" in one or one.startswith(("bwrap", "sleep 33."))] == []


@pytest.mark.long
@pytest.mark.timeout(600)
def test_every_attack_fools_a_grader_that_decides_in_the_kernel(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        points = dict(
            zip((case.name for case in ATTACKS), pool.map(lambda case: naive_points(case, tmp_path), ATTACKS))
        )
    assert {case.name for case in ATTACKS if points[case.name] == sum(case.marks.values())} == set()


@pytest.mark.long
@pytest.mark.notebook
def test_a_grader_that_decides_in_the_kernel_is_right_about_honest_work(tmp_path):
    honest = [case for case in corpus.CASES if case.name in ("solved", "half-done")]
    assert [naive_points(case, tmp_path) for case in honest] == [sum(case.marks.values()) for case in honest]


def naive_points(case, tmp_path):
    """What the naive grader says; None where it hangs, dies, or says nothing."""
    room = tmp_path / case.name
    room.mkdir(parents=True)
    exercises = exercises_of(corpus.MASTER)
    told = {number: {"expected": one.expected, "points": one.points} for number, one in exercises.items()}
    (room / "expected.json").write_text(json.dumps(told))
    (room / "notebook.ipynb").write_bytes(case.raw)
    launch = subprocess.Popen(  # with a parent that may be killed
        ["/bin/sh", "-c", f'"{sys.executable}" "{NAIVE}" notebook.ipynb expected.json; exit $?'],
        cwd=room,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(HOME.parent), "MPLBACKEND": "agg", "IPYTHONDIR": str(room)},
    )
    try:
        said = launch.communicate(timeout=12)[0].decode()
    except subprocess.TimeoutExpired:
        return None
    finally:
        clean_up(launch, room)
    lines = [line.split()[1] for line in said.splitlines() if line.startswith("POINTS ")]
    return int(lines[-1]) if lines else None


def clean_up(launch, room):
    """Kill what an attack has left behind on the naive grader's side; the sandbox does this by itself."""
    try:
        os.killpg(launch.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    for one in psutil.process_iter():
        try:
            if one.cwd() == str(room):
                one.kill()
        except psutil.Error:
            continue
    launch.stdout.close()
    launch.wait()
    shutil.rmtree(room, ignore_errors=True)

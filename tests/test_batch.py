"""Whatever is handed in, there is a row for it; nobody pays for another's work; a batch that was stopped goes on."""

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import corpus
import pytest
from test_exercises import EXERCISES, broken
from test_grading import cell, master_of, solve, write_course

from parlib import __main__ as command
from parlib.grading import leftovers, marking, rendezvous, sandbox
from parlib.grading.batch import Batch, Result, grade_all, master_at
from parlib.grading.build import student_notebook
from parlib.grading.course import HOME, write_json
from parlib.grading.course import master_of as master_path
from parlib.grading.gathering import gathered
from parlib.grading.grade import Grading, grade
from parlib.grading.intake import Unreadable
from parlib.grading.journal import Journal, write_whole
from parlib.grading.marking import Mark
from parlib.grading.referee import NotTogether, Referee, Room
from parlib.grading.references import BadMaster, Course
from parlib.grading.reports import COLUMNS, page_name, statistics, write_reports
from parlib.grading.sandbox import Limits, Refused, Sandbox
from parlib.grading.worker import Job, Outcome, run

SMALL = Limits(cell_seconds=3, whole_seconds=20, memory=512 * 2**20)
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="strangers' code is shut in on Linux only")
RUNGS = [pytest.param(rung, marks=on_linux) for rung in ("bubblewrap", "landlock")] + ["limits"]


# ---- What was handed in ---------------------------------------------------------------------------------------------


def test_files_folders_and_zips_of_learning_systems_are_understood(tmp_path):
    for place in (
        "class/amy/any name.ipynb",
        "class/amy/photo.png",
        "class/Bo Li_4711_assignsubmission_file_/x.ipynb",
        "class/chenda_LATE_123_456_02.ipynb",
        "class/dora.ipynb",
        "class/ed/essay.pdf",
        "class/.ipynb_checkpoints/dora.ipynb",
        "class/__MACOSX/amy/x.ipynb",
    ):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(b"{}")
    students = ["amy", "Bo Li", "chenda", "dora", "ed"]
    assert [one.student for one in gathered([tmp_path / "class"])] == students
    for top in ("", "export/"):
        with zipfile.ZipFile(tmp_path / "class.zip", "w") as packed:
            for path in sorted((tmp_path / "class").rglob("*.*")):
                if path.is_file():
                    name = path.relative_to(tmp_path / "class").as_posix()
                    packed.write(path, top + (name if "/" in name or not top else f"{path.stem}/{name}"))
        assert len(gathered([tmp_path / "class.zip"])) == 5
    assert [one.student for one in gathered([tmp_path / "class" / "dora.ipynb"])] == ["dora"]


def test_two_students_of_one_name_keep_their_numbers(tmp_path):
    for folder in ("Bo Li_1", "Bo Li_2", "Al_3"):
        (tmp_path / f"{folder}_assignsubmission_file_").mkdir()
        (tmp_path / f"{folder}_assignsubmission_file_" / "x.ipynb").touch()
    for name in ("chen_7_11_x", "chen_LATE_8_12_x", "chen_8_13_y"):
        (tmp_path / f"{name}.ipynb").touch()
    assert [one.student for one in gathered([tmp_path])] == ["Al", "Bo Li_1", "Bo Li_2", "chen_7", "chen_8", "chen_8"]


def test_a_student_with_an_empty_folder_has_a_row_too(tmp_path):
    (tmp_path / "class" / "amy" / "02").mkdir(parents=True)
    (tmp_path / "class" / "bo").mkdir()
    (tmp_path / "class" / "bo" / ".DS_Store").touch()
    (tmp_path / "class" / "chen.ipynb").touch()
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as packed:
        for name in ("amy/", "bo/", "bo/.DS_Store", "chen.ipynb"):
            packed.writestr(name, "")
    for path in (tmp_path / "class", tmp_path / "class.zip"):
        amy, bo, chen = gathered([path])
        assert [refusal(one) for one in (amy, bo)] == [
            f"nothing was handed in: the folder {name} is empty" for name in ("amy", "bo")
        ]
        assert chen.read() == b""


def refusal(submission):
    with pytest.raises(Unreadable) as refused:
        submission.read()
    return str(refused.value)


def test_what_zips_have_been_abused_for_has_its_own_sentence(tmp_path):
    with zipfile.ZipFile(tmp_path / "class.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("../../up.ipynb", "{}")
        packed.writestr("/etc/root.ipynb", "{}")
        packed.writestr("bomb/x.ipynb", b" " * 10**7)
        packed.writestr("nested/x.zip", b"PK")
        link = zipfile.ZipInfo("link/x.ipynb")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "/etc/passwd")
    said = [refusal(one) for one in gathered([tmp_path / "class.zip"])]
    for words in ("leads out of the zip", "packed more tightly", "zip inside", "is a link"):
        assert any(words in one for one in said)
    assert len(said) == 5


def test_a_damaged_zip_costs_its_own_file_only(tmp_path):
    with zipfile.ZipFile(tmp_path / "class.zip", "w") as packed:
        packed.writestr("amy.ipynb", "{" + "a" * 100)
        packed.writestr("bo.ipynb", "{}")
    raw = bytearray((tmp_path / "class.zip").read_bytes())
    raw[60] ^= 255
    (tmp_path / "class.zip").write_bytes(raw)
    amy, bo = gathered([tmp_path / "class.zip"])
    assert "damaged in its zip" in refusal(amy)
    assert bo.read() == b"{}"
    (tmp_path / "class.zip").write_bytes(raw[:80])
    with pytest.raises(Unreadable, match="is damaged, or no zip"):
        gathered([tmp_path / "class.zip"])


@on_linux
def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "amy.ipynb").symlink_to("/etc/passwd")
    assert "is a link" in refusal(gathered([tmp_path / "class"])[0])


# ---- The sandbox ----------------------------------------------------------------------------------------------------


def published(rung, source, limits=SMALL, **job):
    """What one cell publishes in a sandbox, and the verdict."""
    publish = '\nfrom parlib.grading import check\ncheck("99.1", lambda: found)'
    notebook = {"cells": [code("by-student-x", source), code("check-99-1", publish)]}
    try:
        with Sandbox(limits, rung) as shut_in:
            outcome = run(Job(notebook | FORMAT, shut_in.wish, **job), shut_in.folder)
    except Refused as refused:
        pytest.skip(f"not on this system: {refused}")
    verdict = outcome.verdicts.get("check-99-1", {"published": []})
    return verdict["published"][0]["value"] if verdict["published"] else outcome.verdicts


FORMAT = {"metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def code(name, source):
    return {"cell_type": "code", "id": name, "source": source, "metadata": {}, "outputs": [], "execution_count": 1}


LOOK_AROUND = """
import os, socket
from pathlib import Path
found = {{"secret": os.environ.get("SECRET"), "readable": [], "writable": [], "reached": []}}
for path in {paths}:
    try:
        found["readable"].append(open(path).read(1) and path)
    except OSError:
        pass
for folder in ("/", "/usr", "/etc", "/dev", os.path.dirname(os.__file__), {home!r}):
    try:
        Path(folder, "mark").write_text("x")
        found["writable"].append(folder)
    except OSError:
        pass
try:
    socket.create_connection(("127.0.0.1", {port}), 2)
    found["reached"].append("network")
except OSError:
    pass
try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.sendto(b"knock", ("127.0.0.1", {udp}))
except OSError:
    pass
for parent in Path.cwd().parents:
    with socket.socket(socket.AF_UNIX) as asking:  # the place where kernels are to be had
        try:
            asking.connect(str(parent / "kernels"))
            asking.settimeout(5)
            asking.sendall(b'{{"rung": "limits"}}\\n')
            found["reached"] += ["another kernel"] * bool(asking.recv(100))
        except OSError:
            pass
"""


@pytest.mark.long
@pytest.mark.notebook
@pytest.mark.parametrize("rung", RUNGS[:2])
def test_from_inside_there_is_nothing_to_see_to_change_or_to_reach(rung, tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "the seed")
    (tmp_path / "others work").write_text("hidden")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(type=socket.SOCK_DGRAM) as post:
        post.bind(("127.0.0.1", 0))
        post.setblocking(False)
        ports = {"port": server.getsockname()[1], "udp": post.getsockname()[1]}
        paths = [str(tmp_path / "others work"), str(master_path("02")), "/etc/shadow", "/proc/1/environ"]
        found = published(rung, LOOK_AROUND.format(paths=paths, home=str(tmp_path), **ports))
        with pytest.raises(BlockingIOError):
            post.recv(10)
    assert not [path for path in found["readable"] if path != "/proc/1/environ" or rung != "bubblewrap"]
    assert found | {"readable": []} == {"secret": None, "readable": [], "writable": [], "reached": []}


@pytest.mark.long
@pytest.mark.notebook
@on_linux
def test_without_a_sandbox_all_of_this_can_be_seen(tmp_path, monkeypatch):
    (tmp_path / "others work").write_text("hidden")
    source = LOOK_AROUND.format(paths=[str(tmp_path / "others work")], home=str(tmp_path), port=1, udp=1)
    found = published("limits", source)
    assert found["readable"]
    assert str(tmp_path) in found["writable"]
    assert found["secret"] is None  # the environment is clean on every rung


PROCESSES = """
from parlib import data_parallel
found = data_parallel(lambda x: x * x, range(3), workers=2, backend="processes").result
"""


@pytest.mark.long
@pytest.mark.notebook
@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_runs_honest_work_and_ends_a_loop(rung):
    assert published(rung, PROCESSES) == [0, 1, 4]
    verdicts = published(rung, "found = 1\nwhile True:\n    pass", Limits(cell_seconds=1))
    assert verdicts["by-student-x"]["stopped"] == "stopped after 1 seconds"


@pytest.mark.long
@pytest.mark.notebook
@pytest.mark.parametrize("rung", RUNGS)
def test_no_process_and_no_shared_memory_outlives_its_sandbox(rung):
    before = set(os.listdir("/dev/shm"))
    source = "import subprocess\nfound = subprocess.Popen(['sleep', '61.5'], start_new_session=True).pid > 0\n"
    source += "import mmap\nfile = open('/dev/shm/left', 'w+b')\nfile.truncate(9)\nkept = mmap.mmap(file.fileno(), 9)"
    assert published(rung, source) is True
    assert b"61.5" not in subprocess.run(["ps", "-eo", "args"], capture_output=True, check=True).stdout
    assert not {name for name in set(os.listdir("/dev/shm")) - before if name == "left"}


@on_linux
def test_what_others_keep_in_shared_memory_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(leftovers, "PLACE", str(tmp_path))
    (tmp_path / "old").touch()
    names = leftovers.Names()
    (tmp_path / "others").touch()
    with (tmp_path / "old").open(), (tmp_path / "ours").open("w"):
        names.look([os.getpid()])
    names.clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "others"]


def test_a_ladder_says_why_it_stands_no_higher(monkeypatch):
    monkeypatch.setattr(sandbox, "missing", lambda rung: f"{rung} is not for us")
    with Sandbox() as shut_in:
        assert shut_in.rung == "limits"
        assert shut_in.why == [f"{rung}: {rung} is not for us" for rung in ("bubblewrap", "landlock")]
    with pytest.raises(Refused), Sandbox(only="landlock"):
        pass
    with pytest.raises(ValueError, match="no isolation called 'hope'"):
        Sandbox(only="hope")
    with pytest.raises(ValueError, match="memory must be above 0"):
        Limits(memory=0)


@on_linux
def test_the_names_of_sockets_stay_short_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 20)))
    assert str(sandbox.short_place()) == "/tmp"


def test_what_a_killed_batch_left_is_removed_and_what_a_living_one_has_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "short_place", lambda: tmp_path)
    for name, owner in (("dead", 2**22 + 1), ("alive", os.getpid())):
        (tmp_path / f"parlib-grade-{name}").mkdir()
        (tmp_path / f"parlib-grade-{name}" / "owner").write_text(str(owner))
    with Sandbox(only="limits"):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["parlib-grade-alive"]


def test_where_nothing_shuts_code_in_grading_is_refused_unless_trusted(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sandbox, "missing", lambda rung: "not here")
    (tmp_path / "amy.ipynb").write_text("{}")
    assert grade([tmp_path / "amy.ipynb"], Grading(tmp_path / "out")) == 3
    assert "add --trust" in capsys.readouterr().out
    assert grade([tmp_path / "amy.ipynb"], Grading(tmp_path / "out", trust=True)) == 1  # it is no notebook


# ---- The referee ----------------------------------------------------------------------------------------------------


def meet(referee, units, threads):
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda unit: referee.answer("ovens", unit, 99), units))


def test_only_who_works_at_the_same_time_gets_numbers():
    rooms = {"ovens": {"together": 3, "units": list("abcdef")}}
    together = Referee(None, b"secret", rooms, 0.3)
    numbers = [said["number"] for said in meet(together, "abcdef", 3)]
    assert len(set(numbers)) == 6
    one_by_one = Referee(None, b"secret", rooms, 0.3)
    assert not any("number" in said for said in meet(one_by_one, "abcdef", 1))
    assert not any("number" in said for said in meet(Referee(None, b"secret", rooms, 0.3), "abcdef", 2))
    with_strangers = Referee(None, b"secret", rooms, 0.3)
    assert not any("number" in said for said in meet(with_strangers, "axy", 3))  # who is not expected does not count
    twice = Referee(None, b"secret", rooms, 0.3)
    assert not any("number" in said for said in meet(twice, "aaa", 3))  # nor does one twice
    assert "no such room" in Referee(None, b"secret", {}, 0.3).answer("ovens", "a", 3)["no"]


def test_the_numbers_follow_from_secret_room_and_round():
    rooms = {"ovens": {"together": 2, "units": ["a", "b"]}}
    said = []
    for secret, round_ in ((b"one", "x"), (b"one", "x"), (b"two", "x"), (b"one", "y")):
        referee = Referee(None, secret, rooms)
        referee.begin(round_)
        said.append([answer["number"] for answer in meet(referee, "ab", 2)])
    assert said[0] == said[1]
    assert len({tuple(one) for one in said}) == 3


def test_who_waited_alone_once_closes_the_room_until_the_next_round():
    referee = Referee(None, b"secret", {"ovens": {"together": 2, "units": ["a", "b"]}}, 0.2)
    assert "waited alone" in referee.answer("ovens", "a", 2)["no"]
    began = time.monotonic()
    assert "waited alone before" in referee.answer("ovens", "b", 2)["no"]
    assert time.monotonic() - began < 0.2  # at once, so a long queue does not wait one by one
    referee.begin("again")
    assert all("number" in said for said in meet(referee, "ab", 2))


def test_every_cell_begins_a_new_round_at_home(monkeypatch):
    """So what was right may be run again, and what was wrong may be mended."""
    hooks = []
    events = SimpleNamespace(register=lambda event, hook: hooks.append((event, hook)))
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(events=events))
    flame = rendezvous("stove", together=2, units=["a", "b"])
    ((event, begin),) = hooks
    assert event == "pre_run_cell"
    for _ in range(2):
        begin("a cell")
        with ThreadPoolExecutor(2) as pool:
            assert len(set(pool.map(flame, "ab"))) == 2
    with pytest.raises(NotTogether, match="was here before"):
        flame("a")


def test_a_room_needs_two():
    with pytest.raises(ValueError, match="at least two must meet"):
        rendezvous("ovens", together=1)
    with pytest.raises(RuntimeError, match="lonely: waited alone"):
        rendezvous("lonely", together=2)("a")
    with pytest.raises(NotTogether, match="known: there is no such unit"):
        rendezvous("known", together=2, units=["a", "b"])("c")
    assert Room(2, ["a"]).meet("b") == "there is no such unit of work"


TOGETHER = {
    "9.1": "from concurrent.futures import ThreadPoolExecutor\n"
    "def double1(trays):\n    # solution\n    with ThreadPoolExecutor(3) as pool:\n"
    "        return list(pool.map(oven, trays))"
}


def parallel_course(folder):
    """One exercise that must be done in parallel: its units meet three at a time."""
    master = master_of(1)
    parts = {part["id"]: part for part in master["cells"]}
    parts["given-9-1"]["source"] = "numbers1 = ['rye', 'spelt', 'oat', 'corn', 'rice', 'teff']"
    parts["answer-9-1"]["source"] = TOGETHER["9.1"]
    parts["check-9-1"]["source"] = 'check("9.1", lambda: double1(numbers1))'
    rooms = 'from parlib.grading import rendezvous\noven = rendezvous("ovens", together=3)'
    master["cells"].insert(3, cell("run-9-1", rooms))
    write_json(folder / "09_solutions.ipynb", master)
    return folder / "09_solutions.ipynb", student_notebook(master)


@pytest.mark.long
@pytest.mark.notebook
@on_linux
def test_a_sequential_answer_is_told_so_and_a_parallel_one_earns_its_points(tmp_path):
    master, notebook = parallel_course(tmp_path)
    faked = (
        "import threading, time\nfor n in range(8):\n"
        "    threading.Thread(target=lambda n=n: oven(f'idle {n}') and None, daemon=True).start()\n"
        "time.time = time.perf_counter = lambda: 0.0\n"
    )
    answers = {
        "parallel": TOGETHER["9.1"],
        "with-more-threads": TOGETHER["9.1"].replace("(3)", "(6)"),
        "by-hand": TOGETHER["9.1"] + "\ndouble1(numbers1[:1])",
        "sequential": "def double1(trays):\n    return [oven(tray) for tray in trays]",
        "sequential-with-idle-threads": faked + "def double1(trays):\n    return [oven(tray) for tray in trays]",
        "made-up": "def double1(trays):\n    return [len(tray) for tray in trays]",
        "too-few": TOGETHER["9.1"].replace("(3)", "(2)"),
        "patched": "import parlib.grading.referee as r\nr._number = r.number_of = lambda *_: 1\n"
        "def double1(trays):\n    return [r.number_of(b'', tray) for tray in trays]",
    }
    for name, source in answers.items():
        for part in notebook["cells"]:
            if part["id"] == "answer-9-1":
                part["source"] = source
        write_json(tmp_path / "class" / name / "x.ipynb", notebook)
    assert grade([tmp_path / "class"], Grading(tmp_path / "out", master, jobs=2)) == 0
    rows = {row["student"]: row for row in read_csv(tmp_path / "out") if row["exercise"] == "9.1"}
    right = {name for name, row in rows.items() if row["points"] == "1"}
    assert right == {"parallel", "with-more-threads", "by-hand"}
    assert "fewer than 3 were at work together" in rows["sequential"]["reason"]


# ---- Marks ----------------------------------------------------------------------------------------------------------


def read_csv(out):
    with (out / "grades.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def class_of(folder, **answers):
    """A folder of submissions to the course of three exercises: {student: the exercises they solved}."""
    for student, places in answers.items():
        write_json(folder / student / "x.ipynb", solve(student_notebook(master_of(3)), *places))
    return folder


@pytest.mark.long
@pytest.mark.notebook
@on_linux
def test_a_second_run_grades_only_what_changed(tmp_path, monkeypatch):
    master = write_course(tmp_path / "course", 3) / "solutions" / "09_solutions.ipynb"
    folder, out = class_of(tmp_path / "class", amy=[1, 2, 3], bo=[2]), tmp_path / "out"
    ran = []
    monkeypatch.setattr(marking, "rebuilt", lambda *words, true=marking.rebuilt: ran.append(1) or true(*words))
    assert grade([folder], Grading(out, master, seed="s")) == 0
    first = read_csv(out)
    assert [row["points"] for row in first if row["exercise"] == "ALL"] == ["6", "2"]
    assert list(first[0]) == list(COLUMNS)
    assert len(ran) == 2
    class_of(folder, bo=[2, 3])
    assert grade([folder], Grading(out, master)) == 0  # the seed is in the journal
    assert len(ran) == 3
    assert [row["points"] for row in read_csv(out) if row["exercise"] == "ALL"] == ["6", "5"]
    assert grade([folder], Grading(out, master, force=True, seed="s")) == 0
    assert len(ran) == 5
    told = json.loads((out / "grades.json").read_text())
    assert told["seed"] == "s"
    assert told["isolation"] in sandbox.RUNGS
    assert told["exercises"]["9.3"]["right"] == 2


@pytest.mark.long
@pytest.mark.notebook
@on_linux
def test_hidden_inputs_decide_the_points(tmp_path):
    master = write_course(tmp_path / "course", 2) / "solutions" / "09_solutions.ipynb"
    notebook = json.loads(master.read_text())
    hidden = "def hidden_inputs(random):\n    return {'numbers1': [random.randint(10, 99) for _ in range(3)]}"
    extra = {"cell_type": "code", "id": "hidden-9-1", "metadata": {"tags": ["solution"]}, "source": hidden}
    notebook["cells"].append(extra | {"outputs": [], "execution_count": None})
    write_json(master, notebook)
    class_of(tmp_path / "class", honest=[1, 2])
    copied = solve(student_notebook(master_of(2)), 2)
    next(part for part in copied["cells"] if part["id"] == "answer-9-1")["source"] = (
        "def double1(x):\n    return {1: 2, 2.5: 5.0}[x]"
    )
    write_json(tmp_path / "class" / "copied" / "x.ipynb", copied)
    assert grade([tmp_path / "class"], Grading(tmp_path / "out", master)) == 0
    marks = {(row["student"], row["exercise"]): row["points"] for row in read_csv(tmp_path / "out")}
    assert marks["honest", "ALL"] == "3"
    assert (marks["copied", "9.1"], marks["copied", "9.2"]) == ("0", "2")
    page = next((tmp_path / "out" / "feedback").glob("copied-*")).read_text()
    assert "It ends with KeyError." in page  # and not with which key


def outcome_of(**stopped):
    def run(notebook, seconds):
        verdicts, dead = {}, ""
        for part in notebook["cells"]:
            name, source = part["id"], part["source"]
            verdict = {"passed": True, "published": [], "errors": [], "stopped": "", "compared": False, "seconds": 0.0}
            if dead:
                verdict |= {"passed": False, "stopped": "Kernel dead on test start"}
            elif "LOOP" in source:
                dead = "stopped after 3 seconds"
                verdict |= {"passed": False, "stopped": dead}
            elif name.startswith("check"):
                number = name[-1]
                answers = [one["source"] for one in notebook["cells"] if f"by-student-answer-9-{number}-" in one["id"]]
                right = any("return x + x" in one for one in answers)
                spoilt = any("SPOIL" in one["source"] for one in notebook["cells"])
                verdict |= {"passed": right and not spoilt, "compared": not right or spoilt}
                verdict["published"] = [{"exercise": f"9.{number}", "value": 1}]
            verdicts[name] = verdict
        runs.append(len(verdicts))
        return Outcome(verdicts, {}, 0.0)

    runs: list[int] = []
    return run, runs


def marks_of(notebook, count=4):
    from parlib.grading.course import exercises_of
    from parlib.grading.intake import Handed
    from parlib.grading.references import Variant

    master = master_of(count)
    handed = [Handed(part["cell_type"], part["id"], "".join(part["source"])) for part in notebook["cells"]]
    runner, runs = outcome_of()
    marks = marking.marked(handed, Variant(master, exercises_of(master), {}, b"", {}), (), runner, 60)
    return {mark.exercise: mark.status for mark in marks}, len(runs)


def put(notebook, slot, source):
    next(part for part in notebook["cells"] if part["id"] == slot)["source"] = source
    return notebook


def test_honest_work_is_run_once():
    assert marks_of(solve(student_notebook(master_of(4)), 1, 2, 3, 4)) == (dict.fromkeys(FOUR, "right"), 1)
    statuses, runs = marks_of(solve(student_notebook(master_of(4)), 2))
    assert (statuses["9.2"], runs) == ("right", 1)  # stubs spoil nothing


FOUR = ("9.1", "9.2", "9.3", "9.4")


def test_a_failure_does_not_sink_those_after_it():
    looped = put(solve(student_notebook(master_of(4)), 1, 2, 3, 4), "answer-9-2", "LOOP")
    assert marks_of(looped) == ({"9.1": "right", "9.2": "timed out", "9.3": "right", "9.4": "right"}, 2)
    spoilt = put(solve(student_notebook(master_of(4)), 1, 2, 3, 4), "answer-9-1", "SPOIL")
    assert marks_of(spoilt) == ({"9.1": "wrong", "9.2": "right", "9.3": "right", "9.4": "right"}, 2)
    twice = put(put(solve(student_notebook(master_of(4)), 1, 2, 3, 4), "answer-9-1", "LOOP"), "answer-9-3", "LOOP")
    assert marks_of(twice) == ({"9.1": "timed out", "9.2": "right", "9.3": "timed out", "9.4": "right"}, 3)


def test_a_scratch_cell_costs_nothing():
    notebook = solve(student_notebook(master_of(4)), 1, 2, 3, 4)
    notebook["cells"].insert(4, code("mine", "LOOP"))
    assert marks_of(notebook) == (dict.fromkeys(FOUR, "right"), 2)


# ---- The journal and the reports ------------------------------------------------------------------------------------


def test_a_journal_cut_off_in_the_middle_of_a_line_keeps_the_others(tmp_path):
    journal = Journal(tmp_path, "")
    journal.add("a", {"points": 1})
    journal.add("b", {"points": 2})
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    again = Journal(tmp_path, "")
    assert (again.seed, list(again.results)) == (journal.seed, ["a"])
    assert Journal(tmp_path, "another").results == {}  # other inputs, other marks
    assert len(Journal(tmp_path / "new", "").seed) == 32


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    write_whole(tmp_path / "grades.csv", "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_whole(tmp_path / "grades.csv", "new")
    assert (tmp_path / "grades.csv").read_text() == "old"


NASTY = '=HYPERLINK("x")<script>alert(1)</script>\x00\ud800\n,'


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))


def test_a_student_of_several_files_has_one_all_row_in_which_the_better_try_counts(tmp_path):
    def result(file, points, status="graded"):
        marks = [Mark(number, "", earned, 2, "right", "", "", 0.1) for number, earned in points.items()]
        return Result("Ann", file, file * 64, status, "why", 1.0, tuple(marks))

    write_reports(tmp_path, [result("a", {"2.1": 2, "2.2": 0}), result("b", {"2.2": 2}), result("c", {"3.1": 1})], {})
    rows = read_csv(tmp_path)
    assert [row["exercise"] for row in rows].count("ALL") == 1
    assert rows[-1] | {"points": "5", "max_points": "6", "status": "graded", "seconds": "3.0"} == rows[-1]
    assert rows[-1]["sha256"].split() == ["a" * 64, "b" * 64, "c" * 64]
    write_reports(tmp_path, [result("a", {"2.1": 2}), result("d", {}, "unreadable")], {})
    assert read_csv(tmp_path)[-1]["status"] == "unreadable"  # nobody overlooks what could not be graded


def test_what_a_student_writes_becomes_no_formula_no_tag_and_no_path(tmp_path):
    mark = Mark("9.1", NASTY, 0, 1, "wrong", NASTY, NASTY, 0.1)
    results = [Result(NASTY, f"../../{NASTY}", "0" * 64, "graded", "", 1.0, (mark,))]
    results.append(Result("../../up", "x.ipynb", "", "unreadable", NASTY, 0.0))
    write_reports(tmp_path, results, {"seed": "s"})
    rows = read_csv(tmp_path)
    assert [row["exercise"] for row in rows] == ["9.1", "ALL", "ALL"]
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())
    suites = ElementTree.parse(tmp_path / "grades.xml").getroot()
    assert [suite.get("errors") for suite in suites] == ["0", "1"]
    assert json.loads((tmp_path / "grades.json").read_text())["students"][1]["reason"]
    pages = list((tmp_path / "feedback").iterdir())
    assert len(pages) == 2
    for page in pages:
        tags = Tags()
        tags.feed(page.read_text())
        assert "script" not in {tag for tag, _ in tags.seen}
        assert not [attributes for _, attributes in tags.seen if {"src", "href"} & set(attributes)]  # nothing is loaded


def test_pages_of_two_students_of_one_name_are_two():
    one, other = (Result("Amy", name, "", "graded", "", 0.0) for name in ("a/x.ipynb", "b/x.ipynb"))
    assert page_name(one) != page_name(other)
    assert statistics([]) == {}


# ---- The command ----------------------------------------------------------------------------------------------------


def test_misuse_gets_one_sentence_and_code_2(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sandbox, "missing", lambda rung: "not here")  # quick
    (tmp_path / "empty").mkdir()
    (tmp_path / "amy.ipynb").write_text("{}")
    (tmp_path / "no master.ipynb").write_text('{"cells": []}')
    for words in (
        [str(tmp_path / "nowhere")],
        [str(tmp_path / "empty")],
        [str(tmp_path / "amy.ipynb"), "--master", str(tmp_path / "nowhere.ipynb")],
        [str(tmp_path / "amy.ipynb"), "--master", str(tmp_path / "amy.ipynb")],
        [str(tmp_path / "amy.ipynb"), "--master", str(tmp_path / "no master.ipynb")],
    ):
        assert command.main(["grade", *words, "--out", str(tmp_path / "out"), "--trust"]) == 2
        said = capsys.readouterr().out
        assert said.count("\n") == 1
        assert "Traceback" not in said
    assert command.main(["grade", str(tmp_path / "amy.ipynb"), "--out", str(tmp_path / "amy.ipynb" / "x")]) == 2
    with pytest.raises(SystemExit, match="2"):
        command.main(["grade", str(tmp_path), "--out", "x", "--jobs", "0"])


def test_a_master_whose_own_answer_fails_is_refused_by_name():
    master = master_of(1)
    verdict = {"published": [], "errors": [["NameError", "no double1"]], "stopped": ""}
    course = Course("09", master, "s", lambda *_: Outcome({"check-9-1": verdict}, {}, 0.0))
    with pytest.raises(BadMaster, match=r"09: its own answer to 9\.1 does not work .*NameError: no double1"):
        course.variant_of("0")


def test_the_variant_follows_from_the_file_and_the_seed():
    verdict = {"published": [{"value": 1}], "errors": [], "stopped": ""}
    courses = [Course("09", master_of(1), seed, lambda *_: Outcome({"check-9-1": verdict}, {}, 0.0)) for seed in "aab"]
    secrets = [[course.variant_of(str(file)).secret for file in range(20)] for course in courses]
    assert secrets[0] == secrets[1] != secrets[2]
    assert 1 < len(set(secrets[0])) <= 4


def test_a_fault_of_the_grader_is_a_row_too(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "missing", lambda rung: "not here")
    master = write_course(tmp_path / "course", 1) / "solutions" / "09_solutions.ipynb"
    class_of(tmp_path / "class", amy=[1])
    with Sandbox(SMALL) as shut_in:
        batch = Batch(shut_in, Journal(tmp_path, "s"), master)
        monkeypatch.setattr(batch, "_graded", lambda *_: 1 / 0)
        result, new = batch.grade(gathered([tmp_path / "class"])[0])
    assert (result.status, result.points, result.max_points, new) == ("failed", 0, 1, True)
    assert "the grader itself failed (ZeroDivisionError" in result.reason
    assert master_at(master)["cells"]


# ---- A whole class --------------------------------------------------------------------------------------------------

ANSWERS = [[1, 2, 3], [1, 2], [3], [], [2, 3]]


def large_class(tmp_path, count):
    master = write_course(tmp_path / "course", 3) / "solutions" / "09_solutions.ipynb"
    for number in range(count):
        notebook = solve(student_notebook(master_of(3)), *ANSWERS[number % 5])
        notebook["cells"].append(code("mine", f"number = {number}"))
        write_json(tmp_path / "class" / f"student{number:02}" / "x.ipynb", notebook)
    honest = {f"student{number:02}": str(sum(ANSWERS[number % 5])) for number in range(count)}
    return master, honest


def totals(out):
    return {row["student"]: row["points"] for row in read_csv(out) if row["exercise"] == "ALL"}


@pytest.mark.long
@on_linux
def test_a_class_of_fifty(tmp_path):
    master, honest = large_class(tmp_path, 50)
    assert grade([tmp_path / "class"], Grading(tmp_path / "out", master, jobs=2)) == 0
    assert totals(tmp_path / "out") == honest


@pytest.mark.long
@on_linux
def test_a_batch_that_was_killed_goes_on_and_loses_nothing(tmp_path):
    master, honest = large_class(tmp_path, 20)
    words = ["grade", str(tmp_path / "class"), "--out", str(tmp_path / "out"), "--master", str(master), "--jobs", "2"]
    place = Path(tempfile.mkdtemp())  # a short path
    own = os.environ | {"PYTHONPATH": str(HOME.parent), "TMPDIR": str(place)}
    killed = subprocess.Popen(
        [sys.executable, "-m", "parlib", *words], env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    journal = tmp_path / "out" / "journal.jsonl"
    patience = time.monotonic() + 60
    while time.monotonic() < patience and not (journal.exists() and journal.read_text().count('"key"') >= 3):
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = journal.read_text().count('"key"')
    assert 3 <= done < 20
    time.sleep(2)
    assert len(list(place.glob("parlib-grade-*"))) == 1
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(place) not in left  # no kernel, no warm parent, no sandbox
    assert subprocess.run([sys.executable, "-m", "parlib", *words], env=own, capture_output=True).returncode == 0
    assert totals(tmp_path / "out") == honest
    assert not list(place.glob("parlib-grade-*"))  # nor a file
    shutil.rmtree(place)  # an empty folder of multiprocessing may be left
    assert journal.read_text().count('"key"') == 20


@pytest.mark.long
@on_linux
def test_a_batch_that_was_interrupted_keeps_no_half_marks(tmp_path):
    master, honest = large_class(tmp_path, 12)
    words = ["grade", str(tmp_path / "class"), "--out", str(tmp_path / "out"), "--master", str(master), "--jobs", "2"]
    own = os.environ | {"PYTHONPATH": str(HOME.parent)}
    begun = [sys.executable, "-m", "parlib", *words]
    stopped = subprocess.Popen(begun, env=own, stdout=subprocess.PIPE, text=True, start_new_session=True)
    journal = tmp_path / "out" / "journal.jsonl"
    patience = time.monotonic() + 60
    while time.monotonic() < patience and not (journal.exists() and journal.read_text().count('"key"') >= 2):
        time.sleep(0.05)
    os.killpg(stopped.pid, signal.SIGINT)  # as Ctrl+C does: everybody hears it
    said, _ = stopped.communicate(timeout=30)
    assert stopped.returncode == 130
    assert "run the same command to go on" in said
    assert subprocess.run(begun, env=own, capture_output=True).returncode == 0
    assert totals(tmp_path / "out") == honest


@pytest.mark.long
@on_linux
def test_solutions_get_full_marks_under_ten_random_seeds(tmp_path):
    masters = gathered(sorted((HOME / "solutions").glob("*.ipynb")))
    with Sandbox() as shut_in:
        for seed in (os.urandom(8).hex() for _ in range(10)):
            batch = Batch(shut_in, Journal(tmp_path / seed, seed))
            results = grade_all(batch, masters, 2, lambda result: None)
            lost = [(one.file, mark.exercise, mark.reason) for one in results for mark in one.marks if not mark.points]
            assert (seed, lost) == (seed, [])
            assert [one.status for one in results] == ["graded"] * len(masters)


@pytest.mark.long
@on_linux
def test_a_solution_broken_in_one_place_loses_exactly_that_exercise(tmp_path):
    for lesson, number in EXERCISES:
        write_json(tmp_path / "class" / number / "x.ipynb", broken(lesson, number))
    assert grade([tmp_path / "class"], Grading(tmp_path / "out", jobs=2, seed="s")) == 0
    rows = [row for row in read_csv(tmp_path / "out") if row["exercise"] != "ALL"]
    lost = [(row["student"], row["exercise"]) for row in rows if row["points"] != row["max_points"]]
    assert sorted(lost) == sorted((number, number) for _, number in EXERCISES)


# ---- The instructor's page ------------------------------------------------------------------------------------------

PAGE = (HOME / "GRADING.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^python -m .+$", PAGE, re.MULTILINE)


@pytest.mark.long
@pytest.mark.notebook
@on_linux
def test_every_command_of_the_instructors_page_works(tmp_path):
    for folder in ("parlib", "exercises"):
        shutil.copytree(HOME.parent / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    notebook = corpus.text(corpus.solved())
    (tmp_path / "handed-in" / "amy").mkdir(parents=True)
    (tmp_path / "handed-in" / "amy" / "x.ipynb").write_bytes(notebook)
    with zipfile.ZipFile(tmp_path / "handed-in.zip", "w") as packed:
        packed.writestr("amy/x.ipynb", notebook)
    assert len(COMMANDS) == 5
    for line in COMMANDS:
        words = [sys.executable, *line.split()[1:]]
        own = os.environ | {"PYTHONPATH": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython")}
        done = subprocess.run(words, cwd=tmp_path, env=own, capture_output=True, text=True, timeout=200)
        assert done.returncode == (1 if "check" in words else 0), (
            done.stdout + done.stderr
        )  # nothing is solved there yet
    for out in ("marks", "marks-of-02", "marks-trusted"):
        assert totals(tmp_path / out) == {"amy": "10"}
        assert {one.name for one in (tmp_path / out).iterdir()} == set(
            re.findall(r"^\| `([\w.]+)/?` \|", PAGE, re.MULTILINE)
        )

"""What the learner leaves behind is whole at every moment, shared between kernels, and may vanish at any time."""

import json
import os
import subprocess
import sys
import threading
import warnings
from contextlib import nullcontext

import pytest

from parlib import state as module
from parlib.state import State, here, notebooks_folder


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / ".parlib")


def on_disk(state):
    return json.loads(state.path.read_text("utf-8"))


# ---- Keeping --------------------------------------------------------------------------------------------------------


def test_an_entry_is_there_in_the_next_visit(state):
    state.put("predictions", "2.1", {"value": 1.7})
    assert State(state.folder).get("predictions", "2.1") == {"value": 1.7}
    assert on_disk(state) == {"version": 1, "predictions": {"2.1": {"value": 1.7}}}


def test_nothing_kept_is_no_error(state):
    assert state.get("predictions", "2.1") is None
    assert state.section("quiz") == {}
    assert not state.folder.exists(), "asking must not write"


def test_the_last_writer_of_a_key_wins(state):
    other = State(state.folder)
    state.put("predictions", "2.1", 1)
    other.put("predictions", "2.1", 2)
    assert state.get("predictions", "2.1") == 2


def test_an_entry_can_be_removed(state):
    state.put("predictions", "2.1", 1)
    state.put("predictions", "2.2", 2)
    state.remove("predictions", "2.1")
    assert state.section("predictions") == {"2.2": 2}
    state.remove("predictions", "9.9")


@pytest.mark.parametrize("entry", [object(), float("nan"), {"a": {1, 2}}])
def test_what_cannot_be_kept_is_refused_before_anything_changes(state, entry):
    with pytest.raises((TypeError, ValueError)):
        state.put("predictions", "2.1", entry)
    assert state.section("predictions") == {}
    assert not state.path.exists()


def test_any_text_survives(state):
    strange = 'naïve 🧁 \n " </script> \ud83d'
    state.put("quiz", strange, strange)
    assert State(state.folder).section("quiz") == {strange: strange}


def test_the_folder_is_ignored_by_git(state):
    state.put("predictions", "2.1", 1)
    assert "*" in (state.folder / ".gitignore").read_text().splitlines()


def test_it_tells_its_story(state):
    assert repr(state) == "<State: nothing kept yet>"
    state.put("predictions", "2.1", 1)
    state.put("quiz", "a", 1)
    state.put("quiz", "b", 1)
    assert repr(state) == "<State: 1 entry in predictions, 2 entries in quiz>"


# ---- Forgetting -----------------------------------------------------------------------------------------------------


def test_reset_deletes_everything_and_only_its_own(state):
    state.put("predictions", "2.1", 1)
    (state.folder / "homework.txt").write_text("mine")
    state.reset()
    assert os.listdir(state.folder) == ["homework.txt"]
    assert state.section("predictions") == {}
    (state.folder / "homework.txt").unlink()
    state.put("predictions", "2.1", 1)
    state.reset()
    assert not state.folder.exists()
    state.reset()


def test_deleting_the_folder_at_any_time_breaks_nothing(state):
    state.put("predictions", "2.1", 1)
    delete(state)
    assert state.get("predictions", "2.1") is None
    state.put("predictions", "2.2", 2)
    assert state.section("predictions") == {"2.2": 2}


def test_deleting_the_folder_in_the_middle_of_a_write_breaks_nothing(state, monkeypatch):
    write = State._write
    times = iter([True, True, False])

    def vanishing(self, sections):
        if next(times):
            delete(self)
        write(self, sections)

    monkeypatch.setattr(State, "_write", vanishing)
    state.put("predictions", "2.1", 1)
    assert on_disk(state)["predictions"] == {"2.1": 1}


def delete(state):
    for file in state.folder.iterdir():
        file.unlink()
    state.folder.rmdir()


# ---- Damage ---------------------------------------------------------------------------------------------------------

BROKEN = [
    b"", b"{", b'{"version": 1, "predictions": {"2.1"', b"\xff\xfe\x00", b"[]", b"null", b"[" * 100_000,
    b'{"version": 2, "predictions": {}}', b'{"predictions": {}}', b'{"version": 1, "predictions": []}', b"1" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("content", BROKEN, ids=lambda content: repr(content[:20]))
def test_a_file_nobody_understands_is_set_aside_and_the_lesson_goes_on(state, content):
    state.folder.mkdir()
    state.path.write_bytes(content)
    assert state.get("predictions", "2.1") is None
    assert (state.folder / "state.broken.json").read_bytes() == content
    state.put("predictions", "2.1", 1)
    assert State(state.folder).get("predictions", "2.1") == 1


def test_a_good_file_is_not_set_aside(state):
    state.put("predictions", "2.1", 1)
    state.get("predictions", "2.1")
    assert not (state.folder / "state.broken.json").exists()


def test_a_writer_that_fails_leaves_the_old_file_whole_and_no_litter(state, monkeypatch):
    state.put("predictions", "2.1", 1)
    before = state.path.read_bytes()

    def stopped(*paths):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        state.put("predictions", "2.2", 2)
    assert state.path.read_bytes() == before
    assert not list(state.folder.glob("*.new"))


def test_where_nothing_can_be_written_entries_last_until_the_kernel_ends(tmp_path):
    (tmp_path / ".parlib").write_text("a file is in the way")
    state = State(tmp_path / ".parlib")
    with pytest.warns(UserWarning, match="cannot be kept in .* until the kernel stops"):
        state.put("predictions", "2.1", 1)
    assert state.get("predictions", "2.1") == 1
    assert State(tmp_path / ".parlib").get("predictions", "2.1") is None
    (tmp_path / ".parlib").unlink()
    state.put("predictions", "2.1", 2)
    assert State(tmp_path / ".parlib").get("predictions", "2.1") == 2


# ---- Two kernels ----------------------------------------------------------------------------------------------------

WRITER = """
import sys
from parlib.state import State
state = State(sys.argv[1])
for n in range(30):
    state.put("predictions", f"{sys.argv[2]}.{n}", n)
"""


def test_kernels_that_write_together_keep_every_entry(state):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, state.folder, name]) for name in "abc"]
    while any(writer.poll() is None for writer in writers):
        state.section("predictions")  # a reader in between never sees half a file, which it would set aside
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert state.section("predictions") == {f"{name}.{n}": n for name in "abc" for n in range(30)}
    assert not (state.folder / "state.broken.json").exists()


@pytest.mark.parametrize("locked", [True, False])
def test_a_write_in_the_middle_of_another_is_lost_only_without_the_lock(state, monkeypatch, locked):
    if not locked:
        monkeypatch.setattr(module, "_alone", lambda path: nullcontext())
    other = State(state.folder)
    second = threading.Thread(target=other.put, args=("predictions", "second", 2))
    write = State._write

    def interrupted(self, sections):
        if self is state:
            second.start()
            second.join(timeout=0.2)
        write(self, sections)

    monkeypatch.setattr(State, "_write", interrupted)
    state.put("predictions", "first", 1)
    second.join()
    assert state.section("predictions") == ({"first": 1, "second": 2} if locked else {"first": 1})


def test_a_writer_that_never_gives_the_lock_back_stops_nobody(state, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    state.folder.mkdir()
    with module._alone(state.folder / "lock"):
        state.put("predictions", "2.1", 1)
    assert state.get("predictions", "2.1") == 1


# ---- Place ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [".", "notebooks", "exercises", "exercises/solutions", "notebooks/aids"])
def test_everywhere_in_the_course_the_state_is_beside_the_lessons(tmp_path, monkeypatch, start):
    for folder in ("notebooks/aids", "exercises/solutions"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "exercises/01_exercises.ipynb").touch()
    monkeypatch.chdir(tmp_path / start)
    assert here().folder == tmp_path / "notebooks" / ".parlib"
    assert here() is here()


def test_a_lesson_copied_elsewhere_keeps_its_state_beside_it(tmp_path, monkeypatch):
    (tmp_path / "01_copy.ipynb").touch()
    monkeypatch.chdir(tmp_path)
    assert here().folder == tmp_path / ".parlib"


@pytest.mark.parametrize("reason", ["no notebooks", "not writable", "deleted"])
def test_elsewhere_it_is_in_the_users_data_folder(tmp_path, monkeypatch, reason):
    import platformdirs

    (tmp_path / "place").mkdir()
    monkeypatch.chdir(tmp_path / "place")
    monkeypatch.setattr(platformdirs, "user_data_path", lambda *name, **options: tmp_path / "data")
    if reason == "not writable":
        (tmp_path / "place/01_lesson.ipynb").touch()
        monkeypatch.setattr(module.os, "access", lambda path, mode: False)
    if reason == "deleted":
        if sys.platform == "win32":
            pytest.skip("Windows keeps a working directory from being deleted")
        (tmp_path / "place").rmdir()
        assert notebooks_folder() is None
    assert here().folder == tmp_path / "data"


def test_keeping_is_silent(state):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state.put("predictions", "2.1", 1)

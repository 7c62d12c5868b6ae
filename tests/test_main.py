"""`python -m parlib` shows the machine; `lab` opens the first lesson anywhere, or says in one sentence why not."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import anyio
import pytest

from parlib import __main__ as command
from parlib.host import machine

EMPTY_NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def course(tmp_path):
    """A folder like the repository's, with two lessons."""
    for name in ("01_later.ipynb", "00_first.ipynb", "notes.ipynb"):
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        (tmp_path / "notebooks" / name).write_text(EMPTY_NOTEBOOK)
    return tmp_path


def told(call):
    """The sentence with which a command ends."""
    with pytest.raises(SystemExit) as ended:
        call()
    assert isinstance(ended.value.code, str)  # Python prints it and exits with code 1
    assert "\n" not in ended.value.code
    return ended.value.code


@pytest.mark.parametrize("words", [[], ["machine"]], ids=["no command", "machine"])
def test_without_a_command_the_machine_panel_is_printed(words, capsys):
    assert command.main(words) == 0
    shown = capsys.readouterr().out
    assert [line[:18] for line in shown.splitlines()] == [line[:18] for line in str(machine(watch=0)).splitlines()]


def test_an_unknown_command_names_the_known_ones(capsys):
    with pytest.raises(SystemExit, match="2"):
        command.main(["labb"])
    told_ = capsys.readouterr().err
    assert all(known in told_ for known in ("machine", "lab", "check", "reset"))


def test_check_passes_the_notebook_on_and_its_verdict_back(monkeypatch):
    seen = []
    monkeypatch.setattr("parlib.grading.check_notebook", lambda path: seen.append(path) or 1)
    assert command.main(["check", "exercises/01_exercises.ipynb"]) == 1
    assert seen == [Path("exercises/01_exercises.ipynb")]


def test_reset_forgets_what_the_learner_left_behind(monkeypatch, capsys):
    forgotten = []
    monkeypatch.setattr("parlib.study.reset", lambda: forgotten.append(True))
    assert command.main(["reset"]) == 0
    assert forgotten == [True]
    assert "Forgotten" in capsys.readouterr().out


# ---- lab: which lesson, which port, which screen --------------------------------------------------------------------


def test_the_first_lesson_is_found_here_before_elsewhere(course, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert command.all_lessons([course, elsewhere])[0].name == "00_first.ipynb"
    assert command.all_lessons([elsewhere, course])[0].name == "00_first.ipynb"


def test_missing_lessons_are_told_with_the_places_looked_at(tmp_path):
    sentence = told(lambda: command.all_lessons([tmp_path]))
    assert str(tmp_path / "notebooks") in sentence
    assert "run this command in the folder of the course" in sentence


def test_lab_without_lessons_starts_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "__file__", str(tmp_path / "parlib" / "__main__.py"))
    monkeypatch.setattr(command, "serve", lambda arguments: pytest.fail("a server was started"))
    assert "No lessons in" in told(lambda: command.main(["lab"]))


def test_a_taken_port_is_told_before_anything_starts(course, monkeypatch):
    monkeypatch.chdir(course)
    monkeypatch.setattr(command, "serve", lambda arguments: pytest.fail("a server was started"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"Port {port} is taken" in told(lambda: command.main(["lab", "--port", str(port)]))
    command.check_port(port)  # and once the other has gone, it is free


def test_a_port_for_administrators_is_told_as_such(monkeypatch):
    class Refused(socket.socket):
        def bind(self, address):
            raise PermissionError

    monkeypatch.setattr(socket, "socket", Refused)
    assert "is for administrators" in told(lambda: command.check_port(80))


@pytest.mark.parametrize("port", ["0", "-1", "65536", "80.5", "http", ""])
def test_what_is_no_port_is_refused(port, capsys):
    with pytest.raises(SystemExit, match="2"):
        command.main(["lab", f"--port={port}"])
    assert "a port is a whole number from 1 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environment", "system", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "darwin", True),
        ({}, "win32", True),
    ],
)
def test_a_display_is_told_by_the_system_or_a_variable(environment, system, expected):
    assert command.has_display(environment, system) is expected


def test_root_and_a_missing_display_change_exactly_one_argument_each(course):
    def arguments(**changes):
        lesson = course / "notebooks" / "00_first.ipynb"
        return {a for a in command.lab_arguments(lesson, None, **changes) if "token" not in a}

    usual = arguments(browser=True, root=False)
    assert arguments(browser=False, root=False) - usual == {"--no-browser"}
    assert arguments(browser=True, root=True) - usual == {"--allow-root"}


@pytest.mark.parametrize(
    ("words", "display", "opened"),
    [(["lab"], True, True), (["lab"], False, False), (["lab", "--no-browser"], True, False)],
)
def test_a_browser_opens_only_on_a_display_and_if_wanted(course, monkeypatch, words, display, opened):
    started = []
    monkeypatch.chdir(course)
    monkeypatch.setattr(command, "has_display", lambda: display)
    monkeypatch.setattr(command, "serve", started.extend)
    assert command.main(words) == 0
    assert ("--no-browser" not in started) is opened


def test_without_jupyterlab_the_pip_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", None)
    assert "pip install -r requirements.txt" in told(lambda: command.serve([]))


def test_a_server_stopped_in_the_middle_of_a_request_leaves_no_thread_behind():
    async def request():
        await anyio.to_thread.run_sync(threads.append, None)
        threads[:] = [thread for thread in threading.enumerate() if thread.name == "AnyIO worker thread"]
        asyncio.get_running_loop().stop()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        await asyncio.sleep(3600)

    threads, loop = [], asyncio.new_event_loop()
    left = loop.create_task(request())
    loop.run_forever()
    assert [thread.is_alive() for thread in threads] == [True]  # and would keep the process from ending
    command.end_tasks(loop)
    threads[0].join(timeout=10)
    assert left.cancelled()
    assert not threads[0].is_alive()
    loop.close()


@contextlib.contextmanager
def running_lab(course, *words):
    """A real server, started as a learner would on a machine without a display; yields the URL it says."""
    environment = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    for name in ("CONFIG", "DATA", "RUNTIME"):
        environment[f"JUPYTER_{name}_DIR"] = str(course / name.lower())
    started = [sys.executable, "-m", "parlib", "lab", "--no-browser", *words]  # Windows and macOS have a display
    with subprocess.Popen(started, cwd=course, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield next(line.strip() for line in server.stdout if "http://" in line)
        finally:
            server.terminate()


def test_a_real_server_answers_at_the_url_it_says_and_nowhere_without_the_token(course):
    with running_lab(course) as url:
        with urllib.request.urlopen(url, timeout=60) as page:
            assert page.status == 200
            assert page.url.startswith(url.partition("?")[0])  # not sent on to a login page
        assert "/lab/tree/notebooks/00_first.ipynb?token=" in url
        with urllib.request.urlopen(url.replace("/lab/tree/", "/api/contents/"), timeout=60) as listing:
            assert json.load(listing)["path"] == "notebooks/00_first.ipynb"
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            urllib.request.urlopen(url.replace("/lab/tree/", "/api/contents/").partition("?")[0], timeout=60)
        refused.value.close()

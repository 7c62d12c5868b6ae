"""`python -m parlib`: the panel of this machine; with a word after it, the lessons, a check, a fresh start.

    machine    what is this machine?
    lab        open the lessons in JupyterLab
    slides     lessons as slides, for a room without a kernel
    check      is this exercise notebook right?
    grade      grade what a class has handed in
    reset      forget predictions, answers and measurements

Thin on purpose: each command parses, calls one function of the library, and prints what it says.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

SLIDES = """Open in a browser:

{}

Space goes on, Escape shows all slides, S the speaker's notes, C shows or hides code."""
WELCOME = "The lessons are open at\n\n    {}\n\nStop with Ctrl+C."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0: all is well). Mistakes end with one sentence and code 1 or 2."""
    options = _parser().parse_args(arguments)
    return options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m parlib", description="Many Bakers, Many Chefs")
    parser.set_defaults(run=show_machine)
    commands = parser.add_subparsers(title="commands", metavar="command")
    commands.add_parser("machine", help="what is this machine? (also without a command)").set_defaults(run=show_machine)
    lab = commands.add_parser("lab", help="open the lessons in JupyterLab")
    lab.add_argument("--port", type=_port, help="listen here and nowhere else (default: 8888, or the next free one)")
    lab.add_argument("--no-browser", action="store_true", help="only say the URL")
    lab.add_argument("--present", action="store_true", help="for a projector: large type, one document at a time")
    lab.set_defaults(run=open_lab)
    slides = commands.add_parser("slides", help="lessons as slides, for a room without a kernel")
    slides.add_argument("lessons", nargs="*", metavar="NN", help="their numbers, such as 01 (all, unless said)")
    slides.add_argument("--out", type=Path, default=Path("slides"), help="the folder to write (slides, unless said)")
    slides.set_defaults(run=write_slides)
    check = commands.add_parser("check", help="is this exercise notebook right?")
    check.add_argument("notebook", type=Path, help="for example exercises/02_exercises.ipynb")
    check.set_defaults(run=check_exercises)
    _add_grade(commands)
    reset = commands.add_parser("reset", help="forget predictions, answers and measurements")
    reset.set_defaults(run=forget)
    return parser


def _add_grade(commands: Any) -> None:
    grade = commands.add_parser("grade", help="grade what a class has handed in")
    grade.add_argument("submissions", nargs="+", type=Path, help="notebooks, folders, or a zip of a learning system")
    grade.add_argument("--out", type=Path, required=True, help="the folder for grades, feedback and the journal")
    grade.add_argument("--master", type=Path, help="the notebook with the solutions (the course's own, unless said)")
    grade.add_argument("--jobs", type=_count, default=1, help="notebooks at a time (1, unless said)")
    grade.add_argument("--seed", default="", help="what hidden inputs are drawn from (random, and kept, unless said)")
    grade.add_argument("--force", action="store_true", help="grade again what was graded before")
    grade.add_argument("--trust", action="store_true", help="grade even where nothing can shut the notebooks in")
    grade.add_argument("--seconds", type=_count, default=20, help="the longest time for one cell (20, unless said)")
    grade.set_defaults(run=grade_submissions)


# ---- The commands ---------------------------------------------------------------------------------------------------


def show_machine(options: argparse.Namespace) -> int:
    """Print the machine panel."""
    from parlib.host import machine

    print(machine())
    return 0


def check_exercises(options: argparse.Namespace) -> int:
    """Check one exercise notebook and print its points."""
    from parlib.grading import check_notebook

    return check_notebook(options.notebook)


def grade_submissions(options: argparse.Namespace) -> int:
    """Grade what was handed in, and write the reports."""
    from parlib.grading.grade import Grading, grade
    from parlib.grading.sandbox import Limits

    limits = Limits(cell_seconds=options.seconds, whole_seconds=6 * options.seconds)
    how = Grading(
        options.out, options.master, options.jobs, options.seed, options.force, options.trust, limits=limits
    )
    return grade(options.submissions, how)


def forget(options: argparse.Namespace) -> int:
    """Delete what the learner left behind; the lessons themselves stay as they are."""
    from parlib import study

    study.reset()
    print("Forgotten: predictions, answers and measurements. The lessons are as they were.")
    return 0


def open_lab(options: argparse.Namespace) -> int:
    """Open the first lesson in JupyterLab; comes back when the server is stopped."""
    notebook = all_lessons()[0]
    if options.port is not None:
        check_port(options.port)
    browser = not options.no_browser and has_display()
    with TemporaryDirectory() as folder:
        settings = for_projector(Path(folder)) if options.present else None
        serve(lab_arguments(notebook, options.port, browser=browser, settings=settings))
    return 0


def write_slides(options: argparse.Namespace) -> int:
    """Make slides of the lessons, and say how to use them."""
    from parlib.presenting import make_slides

    lessons = [lesson for lesson in all_lessons() if not options.lessons or lesson.name[:2] in options.lessons]
    missing = sorted(set(options.lessons) - {lesson.name[:2] for lesson in lessons})
    if missing:
        known = ", ".join(lesson.name[:2] for lesson in all_lessons())
        raise SystemExit(f"There is no lesson {missing[0]}: there are {known}.")
    try:
        pages = make_slides(lessons, options.out)
    except ImportError as error:
        raise SystemExit(str(error)) from None
    print(SLIDES.format("\n".join(f"    {page}" for page in pages)))
    return 0


# ---- What `lab` needs to know ---------------------------------------------------------------------------------------


def all_lessons(places: Sequence[Path] | None = None) -> list[Path]:
    """The notebooks of the course: here, or beside the library; a sentence and the end if there are none."""
    places = places or (Path.cwd(), Path(__file__).resolve().parent.parent)
    for place in places:
        lessons = sorted((place / "notebooks").glob("[0-9][0-9]_*.ipynb"))
        if lessons:
            return lessons
    looked = " or ".join(dict.fromkeys(str(place / "notebooks") for place in places))
    raise SystemExit(f"No lessons in {looked}: run this command in the folder of the course, which holds notebooks/.")


def for_projector(folder: Path) -> Path:
    """The learner's settings in larger type, kept in `folder`."""
    from jupyterlab.commands import get_user_settings_dir

    from parlib.presenting import projector_settings

    return projector_settings(folder, Path(get_user_settings_dir()))


def lab_arguments(
    notebook: Path, port: int | None, *, browser: bool, root: bool | None = None, settings: Path | None = None
) -> list[str]:
    """What to tell JupyterLab: this lesson, this port, no questions on first use, nothing from the network.

    With `settings` of its own, as on a projector, the lesson has the window to itself.
    """
    from parlib.presenting import DEFAULTS

    root, page = is_root() if root is None else root, "doc" if settings else "lab"
    return [
        f"--ServerApp.root_dir={notebook.parent.parent}",  # so that links to the exercises work
        f"--LabApp.default_url=/{page}/tree/{notebook.parent.name}/{notebook.name}",
        f"--LabApp.app_settings_dir={DEFAULTS}",  # no prompt about news
        *([f"--LabApp.user_settings_dir={settings}"] if settings else []),
        *([] if port is None else [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]),
        *([] if browser else ["--no-browser"]),
        *(["--allow-root"] if root else []),  # as in a container, where root is the only user
        f"--IdentityProvider.token={secrets.token_hex(16)}",  # ours, so that we can say the whole URL in one line
        "--ServerApp.answer_yes=True",  # Ctrl+C stops it at once
        "--Application.log_level=ERROR",
        "--LabApp.news_url=None",  # and no request for them
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
    ]


def serve(arguments: list[str]) -> None:
    """Run JupyterLab with these arguments until it is stopped, having said its URL."""
    try:
        from jupyterlab.labapp import LabApp
    except ImportError:
        raise SystemExit("JupyterLab is not installed: run  pip install -r requirements.txt") from None
    server = LabApp.initialize_server(argv=arguments)
    # The server listens from its loop's first turn on; said then, the URL can be opened the moment it is read.
    server.io_loop.add_callback(lambda: print(WELCOME.format(lesson_url(server)), flush=True))
    server.start()
    end_tasks(server.io_loop.asyncio_loop)


def end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what a stopped loop has left half done, as `asyncio.run` does at its end and JupyterLab does not.

    A request that is never answered keeps its thread, and a thread that waits keeps the process from ending.
    """

    async def cancel_the_rest() -> None:
        for _ in range(10):  # a task may take a cancellation for an error of its own, and go on
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=0.5)

    loop.run_until_complete(cancel_the_rest())


def lesson_url(server: Any) -> str:
    """The whole URL of the first lesson on a running server, password (token) included."""
    return f"{server.connection_url.rstrip('/')}{server.default_url}?token={server.identity_provider.token}"


def check_port(port: int, host: str = "127.0.0.1") -> None:
    """A sentence and the end if nothing can listen on this port."""
    with socket.socket() as probe:
        if os.name == "posix":  # a port whose last user has gone is free; on Windows the option means something else
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            raise SystemExit(f"Port {port} is for administrators: choose one above 1023 or leave out --port.") from None
        except OSError:
            raise SystemExit(f"Port {port} is taken: choose another, or leave out --port to get a free one.") from None


def has_display(environment: Mapping[str, str] = os.environ, system: str = sys.platform) -> bool:
    """Is there a screen to open a browser on? Windows and macOS always have one; elsewhere a variable tells."""
    return system in ("win32", "darwin") or bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def is_root() -> bool:
    """Is this the administrator, whom JupyterLab refuses unless told otherwise?"""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port is a whole number from 1 to 65535, not {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 9999):
        raise argparse.ArgumentTypeError(f"this is a whole number from 1 to 9999, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())

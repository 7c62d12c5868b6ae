"""Where does a kernel come from? A parent that has imported everything forks one for every request.

    template (warm, knows no secret)  ──fork──►  guard  ──builds──►  sandbox   (bubblewrap, or Landlock)
                                                   └────fork────►  kernel, inside it, without any right

    python -m parlib.grading.kernels SOCKET MODULE …       listens at SOCKET, having imported the modules

Who wants a kernel connects, sends one line of JSON, and reads one line: that the kernel is
ready, or why not. As long as the connection lives, so does the sandbox; when it closes, on
whichever side and however rudely, every process in the sandbox is gone. The guard stays
outside, counts processes and memory, and ends what takes too much.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from . import linux
from .alone import prepared_kernel, set_limits
from .leftovers import Names

LOOK_AGAIN = 0.1  # seconds between two looks at what a sandbox takes

Wish = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Import the modules, then answer requests until the parent ends."""
    path, *modules = arguments or sys.argv[1:]
    linux.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the batch, which ends us
    for module in modules:
        with contextlib.suppress(Exception):  # then the notebook imports it, or fails at it
            import_module(module)
    gc.freeze()  # what is here now stays shared between all forks
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a guard ended
        print("ready", flush=True)
        while True:
            _serve(listening)


def _serve(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    if _is_inside(connection):  # a kernel that asks for another, without walls
        connection.close()
        return
    if os.fork() == 0:
        listening.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            guard(connection)
        except BaseException as error:
            _say(connection, refused=f"{type(error).__name__}: {error}")
        finally:
            os._exit(0)
    connection.close()


def _is_inside(connection: socket.socket) -> bool:
    """Whether who connects comes from one of our own sandboxes, or is gone already."""
    asking = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    while asking > 1 and asking != os.getpid():
        try:
            told = Path(f"/proc/{asking}/stat").read_text()
        except OSError:
            return True
        asking = int(told.rpartition(")")[2].split()[1])  # its parent
    return asking == os.getpid()


def guard(connection: socket.socket) -> None:
    """Build the sandbox that a connection asks for, start its kernel, and stay until one of them ends."""
    linux.die_with_parent()
    linux.adopt_orphans()
    wish = json.loads(connection.makefile().readline())
    holder = _walls(wish) if wish["rung"] == "bubblewrap" else None
    shared = Names() if holder is None else None
    ready, go = os.pipe(), os.pipe()
    kernel = os.fork()
    if kernel == 0:
        _become_kernel(wish, ready[1], go[0])
    os.close(ready[1])
    try:
        said = os.read(ready[0], 500).decode("utf-8", "replace")
        if holder:
            linux.read_only("/room")  # the sockets are there: from here on the disk outside cannot be filled
        _say(connection, **({"ready": True} if said == "!" else {"refused": said or "the kernel did not start"}))
        os.write(go[1], b"!")
        if said == "!" and (why := _watch(connection, kernel, wish, shared)):
            _say(connection, ended=why)
    finally:
        if shared:
            shared.look(descendants())
        _end(holder)
        if shared:
            shared.clear()


def _walls(wish: Wish) -> subprocess.Popen[bytes]:
    """Have bubblewrap build the sandbox, and go in, except for our own place among the processes."""
    report, write = os.pipe()
    command = [*wish["walls"], "--info-fd", str(write), "/bin/sh", "-c", "echo; read end"]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    holder = subprocess.Popen(command, pass_fds=[write], **pipes)
    os.close(write)
    if not (holder.stdout and holder.stdout.read(1)):  # it says a word when all is built
        raise OSError((holder.stderr.read() if holder.stderr else b"").decode("utf-8", "replace").strip())
    with os.fdopen(report) as file:
        linux.enter(json.load(file)["child-pid"])
    return holder


def _become_kernel(wish: Wish, ready: int, go: int) -> None:
    """The forked child: limits, no rights, then a kernel that begins when told. Never returns."""
    try:
        linux.die_with_parent()
        _forget_files(ready, go)
        os.setsid()
        os.chdir(wish["home"])
        os.environ |= wish["environment"]
        set_limits(wish["limits"])
        linux.give_up_rights()
        if wish["rung"] == "landlock":
            linux.shut_in(wish["readable"], wish["writable"], wish["listable"])
            linux.no_network()
        start = prepared_kernel(wish["connection"])
        os.write(ready, b"!")
        os.close(ready)
        if os.read(go, 1):
            os.close(go)
            start()
    except BaseException as error:
        os.write(ready, f"{type(error).__name__}: {error}".encode()[:500])
    finally:
        os._exit(1)


def _forget_files(*kept: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    low = 3
    for number in sorted(kept):
        os.closerange(low, number)
        low = number + 1
    os.closerange(low, 1 << 16)


def _watch(connection: socket.socket, kernel: int, wish: Wish, shared: Names | None) -> str:
    """Stay as long as all is well; '' if nobody is connected any longer, else why the kernel had to end."""
    while not select.select([connection], [], [], LOOK_AGAIN)[0]:
        if os.waitpid(kernel, os.WNOHANG)[0]:
            return "the kernel ended"
        inside = [int(name) for name in os.listdir("/proc") if name.isdigit()] if shared is None else descendants()
        if shared:
            shared.look(inside)
        if len(inside) > wish["processes"]:
            return f"it started more than {wish['processes']} processes"
        if sum(map(_memory, inside)) > wish["memory"]:
            return f"it took more than {wish['memory'] // 2**20} MB of memory"
    return ""


def _memory(pid: int) -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0


def descendants() -> list[int]:
    """All processes below this one."""
    found: list[int] = []
    waiting = [os.getpid()]
    while waiting:
        try:
            below = Path(f"/proc/{(pid := waiting.pop())}/task/{pid}/children").read_text().split()
        except OSError:
            continue
        waiting += map(int, below)
        found += map(int, below)
    return found


def _end(holder: subprocess.Popen[bytes] | None) -> None:
    """Kill everything in the sandbox, and wait until it is gone: the walls go with it, or every process by itself."""
    patience = time.monotonic() + 10
    if holder:
        holder.kill()
    while time.monotonic() < patience:
        for pid in [] if holder else descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def _say(connection: socket.socket, **words: Any) -> None:
    with contextlib.suppress(OSError):
        connection.sendall((json.dumps(words) + "\n").encode())


if __name__ == "__main__":
    main()

"""How does nbval speak with a kernel that nobody has reason to trust? With caps on everything.

    cells ──►  shell socket  ──►  kernel in its sandbox
    outputs ◄── iopub socket ◄──

nbval waits for the end of a cell first and reads what it put out later; here both are read
at once, so that what is put out can be counted. A cell that takes too long, puts out too
much, or ends the kernel is `Stopped`, and so is the kernel: whoever swallows interrupts is
not asked twice.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from queue import Empty
from typing import Any

from .leftovers import Names
from .sandbox import Limits, Refused, Wish, ask, environment, heard, let_go, sockets

__all__ = ["GuardedKernel", "Stopped", "start_kernel"]

LOOK_AGAIN = 0.05  # seconds between two looks at a kernel that says nothing
LARGEST_MESSAGE = 2 * 2**20  # bytes; a longer one is dropped on its way in
Message = dict[str, Any]


class Stopped(RuntimeError):
    """A kernel that had to end in the middle of a cell; the message says why in a few words."""


def start_kernel(wish: Wish, room: Path) -> GuardedKernel:
    """A new kernel on the rung that was wished for; its sockets are in `room`."""
    reach = sockets() if sys.platform != "win32" else _ports()
    keeper = Alone(wish, room, reach) if wish.rung == "limits" else Guard(wish, room, reach)
    return GuardedKernel(keeper, reach | {"ip": reach.get("ip", str(room / "k"))}, wish.limits)


class Guard:
    """The guard of a kernel in a sandbox, as seen from here: a connection that lives as long as both do."""

    def __init__(self, wish: Wish, room: Path, reach: dict[str, Any]) -> None:
        self.line = ask(wish, room, reach)
        self.line.settimeout(0)
        self.over = ""

    def why_over(self) -> str:
        """Why the kernel has ended, or '' while it lives."""
        with contextlib.suppress(BlockingIOError):
            self.over = self.over or heard(self.line).get("ended", "the kernel ended")
        return self.over

    def end(self) -> None:
        """Kill the kernel and all its processes; comes back when they are gone."""
        self.line.settimeout(20)
        let_go(self.line)


class Alone:
    """A kernel without a sandbox: a process group with limits."""

    def __init__(self, wish: Wish, room: Path, reach: dict[str, Any]) -> None:
        content = reach | {"ip": reach.get("ip", str(room / "k"))}
        told = {"limits": wish.limits.of_process, "connection": {"folder": str(room), "content": content}}
        (room / "wish.json").write_text(json.dumps(told), encoding="utf-8")
        self.shared = Names()
        if sys.platform == "linux":
            from .linux import adopt_orphans

            adopt_orphans()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "parlib.grading.alone", str(room)],
            env=environment(room) | {"PARLIB_REFEREE": str(room / "referee")},
            cwd=room,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if not (self.process.stdout and self.process.stdout.readline().startswith(b"ready")):
            self.end()
            raise Refused("the kernel did not start")

    def why_over(self) -> str:
        """Why the kernel has ended, or '' while it lives."""
        return "" if self.process.poll() is None else "the kernel ended"

    def end(self) -> None:
        """Kill the kernel and what it started, as far as that can be found."""
        import psutil

        for _ in range(3):  # a process may start another while it is being looked for
            with contextlib.suppress(psutil.NoSuchProcess):
                family = psutil.Process().children(recursive=True)
                self.shared.look(member.pid for member in family)
                for member in family:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        member.kill()
                psutil.wait_procs(family, timeout=5)
        if self.process.stdout:
            self.process.stdout.close()
        self.process.wait()
        self.shared.clear()


class GuardedKernel:
    """A kernel as nbval knows one, whose every word is counted."""

    def __init__(self, keeper: Guard | Alone, reach: dict[str, Any], limits: Limits) -> None:
        import zmq
        from jupyter_client.session import Session

        self.keeper, self.limits = keeper, limits
        self.session = Session(key=reach["key"].encode(), signature_scheme=reach["signature_scheme"])
        self.context = zmq.Context()
        self.shell = self._socket(zmq.DEALER, "shell", reach)
        self.iopub = self._socket(zmq.SUB, "iopub", reach)
        self.outputs: deque[Message] = deque()
        self.stopped = ""
        self.begin_counting("")
        self._be_heard()

    def _socket(self, kind: int, name: str, reach: dict[str, Any]) -> Any:
        import zmq

        made = self.context.socket(kind)
        for option, value in ((zmq.MAXMSGSIZE, LARGEST_MESSAGE), (zmq.LINGER, 0), (zmq.RCVHWM, 2_000)):
            made.setsockopt(option, value)
        if kind == zmq.SUB:
            made.subscribe(b"")
        between = "-" if reach["transport"] == "ipc" else ":"
        made.connect(f"{reach['transport']}://{reach['ip']}{between}{reach[name + '_port']}")
        return made

    def _be_heard(self) -> None:
        """Ask until an answer also comes on the second socket, which drops what nobody has subscribed to yet."""
        patience = time.monotonic() + 60
        while time.monotonic() < patience and not self.why_over():
            asked = self._send("kernel_info_request", {})
            again = time.monotonic() + 0.1
            while (left := again - time.monotonic()) > 0:
                with contextlib.suppress(Empty):
                    message = self._next(self.iopub, left)
                    if message["msg_type"] == "iopub_welcome" or _is_idle(message, asked):
                        return
        raise Refused("the kernel did not answer")

    # ---- What nbval asks for

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> str:
        """Send one cell; the name of the request."""
        content = {"code": source, "silent": False, "store_history": False, "allow_stdin": False}
        asked = self._send("execute_request", content | {"stop_on_error": False, "user_expressions": {}})
        self.begin_counting(asked)
        return asked

    def await_reply(self, asked: str, timeout: float | None = None) -> None:
        """Wait for the end of a cell and keep what it puts out; `Stopped` when it takes too much of anything."""
        patience = time.monotonic() + self.limits.cell_seconds
        while True:
            with contextlib.suppress(Empty):
                self._count(self._next(self.iopub, LOOK_AGAIN))
                if time.monotonic() < patience:  # there may be more; the reply can wait
                    self._drain()
            with contextlib.suppress(Empty):
                if _answers(self._next(self.shell, 0), asked):
                    return
            if why := self.why_over():
                self._stop(why)
            if time.monotonic() > patience:
                self._stop(f"stopped after {self.limits.cell_seconds:g} seconds")

    def get_message(self, stream: str, timeout: float | None = None) -> Message:
        """The next output of the cell; `Empty` after `timeout` seconds."""
        if self.outputs:
            return self.outputs.popleft()
        if self.stopped or self.why_over():
            self._stop(self.stopped or self.why_over())
        self._count(self._next(self.iopub, 1.0 if timeout is None else timeout))
        return self.outputs.popleft()

    def is_alive(self) -> bool:
        """Whether cells can still be run."""
        return not self.stopped and not self.why_over()

    def interrupt(self) -> None:
        """Nobody is asked to stop: a kernel is ended."""
        self._stop("interrupted")

    def stop(self) -> None:
        """End the kernel and everything it started."""
        self.stopped = self.stopped or "over"
        self.context.destroy(linger=0)
        self.keeper.end()

    # ---- Counting

    def begin_counting(self, asked: str) -> None:
        self.asked, self.bytes, self.messages = asked, 0, 0
        self.outputs.clear()

    def why_over(self) -> str:
        """Why the kernel has ended, or '' while it lives."""
        return self.keeper.why_over()

    def _drain(self) -> None:
        for _ in range(200):
            try:
                self._count(self._next(self.iopub, 0))
            except Empty:
                return

    def _count(self, message: Message) -> None:
        self.messages += 1
        if self.messages > self.limits.messages:
            self._stop(f"put out more than {self.limits.messages:,} pieces in one cell")
        if self.bytes > self.limits.output:
            self._stop(f"put out more than {self.limits.output / 2**20:g} MB in one cell")
        if message["parent_header"].get("msg_id") == self.asked:
            self.outputs.append(message)

    def _next(self, stream: Any, seconds: float) -> Message:
        import zmq

        if not stream.poll(max(0, int(seconds * 1000))):
            raise Empty
        parts = stream.recv_multipart(zmq.NOBLOCK)
        self.bytes += sum(map(len, parts))
        try:
            _, parts = self.session.feed_identities(parts)
            message = self.session.deserialize(parts)
            return message if _is_message(message) else self._stop("sent what is no message")
        except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError, AttributeError):
            return self._stop("sent what is no message")

    def _send(self, kind: str, content: dict[str, Any]) -> str:
        sent = self.session.send(self.shell, kind, content)
        return sent["header"]["msg_id"] if sent else ""

    def _stop(self, why: str) -> Any:
        if not self.stopped:
            self.stopped = why
            self.outputs.clear()
            self.keeper.end()
        raise Stopped(why)


def _answers(message: Message, asked: str) -> bool:
    return message["parent_header"].get("msg_id") == asked


def _is_idle(message: Message, asked: str) -> bool:
    return _answers(message, asked) and message["content"].get("execution_state") == "idle"


FIELDS: dict[str, dict[str, type]] = {
    "display_data": {"data": dict, "metadata": dict},
    "execute_result": {"data": dict, "metadata": dict, "execution_count": int},
    "stream": {"name": str, "text": str},
    "error": {"ename": str, "evalue": str, "traceback": list},
    "status": {"execution_state": str},
}


def _is_message(message: Any) -> bool:
    """Whether a message has the fields that nbval will look for, each of its kind."""
    content, fields = message["content"], FIELDS.get(message["msg_type"], {})
    return isinstance(content, dict) and all(isinstance(content.get(name), kind) for name, kind in fields.items())


def _ports() -> dict[str, Any]:
    """Free ports of this machine, where a kernel cannot be reached through files."""
    with contextlib.ExitStack() as stack:
        probes = {name: stack.enter_context(socket.socket()) for name in sockets() if name.endswith("_port")}
        for probe in probes.values():
            probe.bind(("127.0.0.1", 0))
        ports = {name: probe.getsockname()[1] for name, probe in probes.items()}
    return sockets() | ports | {"transport": "tcp", "ip": "127.0.0.1"}

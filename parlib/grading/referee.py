"""Did they really work at the same time? They had to meet: nobody gets a number alone.

    oven = rendezvous("2.4 ovens", together=3, units=trays)
    number = oven(tray)          waits until three different trays are waiting, then each gets its number

A unit of work needs a number that only the referee knows. The referee answers when enough
*different* units wait in the same room; one that waits in vain closes the room, and every
answer is "no" from then on. So a sequential answer cannot produce the numbers, however it
tampers with clocks and traces. One room for each function: task parallelism; one room for
one function on different data: data parallelism.

When points are counted the referee sits outside the sandbox, at a socket. It has learned
from the model answer which units there are and how many must meet; what a client says about
that does not matter. In a student's own notebook it sits in the same process, with the same
rules and less patience. Every unit must be a different one, and their number a multiple of
those who meet; every cell begins a new round.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from .values import plain

__all__ = ["NotTogether", "Referee", "Rooms", "rendezvous"]

PATIENCE = 3.0  # seconds that the first one waits for the others; an honest crew needs a hundredth
AT_HOME = 0.4  # seconds, where nobody else is at work: so a check answers within a second
LONGEST = 10_000  # letters in a question
MOST_GUESTS = 256  # connections at a time
Rooms = dict[str, dict[str, Any]]  # {name: {"together": 3, "units": [...]}}


class NotTogether(RuntimeError):
    """A unit of work that waited in vain: the work is done one after the other."""


class Room:
    """One room: who waits in it, who has left it, and whether somebody waited in vain."""

    def __init__(self, together: int, units: list[str] | None = None, patience: float = PATIENCE) -> None:
        self.together, self.known, self.patience = together, list(units or ()), patience
        self.waiting: set[str] = set()
        self.released: set[str] = set()
        self.closed = False
        self.changed = threading.Condition()

    def meet(self, unit: str) -> str:
        """Wait for the others; '' for those who met, else why not."""
        with self.changed:
            if why := self._refuse(unit):
                return why
            self.waiting.add(unit)
            if len(self.waiting) >= self.together:
                self.released |= self.waiting
                self.waiting.clear()
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.closed or unit in self.released, self.patience)
            if unit in self.released:
                return ""
            self.closed = True
            self.changed.notify_all()
            return f"waited alone: fewer than {self.together} were at work together"

    def _refuse(self, unit: str) -> str:
        if self.closed:
            return f"somebody waited alone before: fewer than {self.together} were at work together"
        if unit not in self.known:
            return "there is no such unit of work"
        if unit in self.released or unit in self.waiting:
            return "this unit of work was here before"
        return ""


class Referee:
    """All rooms of a notebook, and the numbers to be had in them; at a socket, while its `with` lasts."""

    def __init__(
        self, folder: Path | None, secret: bytes, rooms: Rooms | None = None, patience: float = PATIENCE
    ) -> None:
        self.folder, self.secret, self.patience = folder, secret, patience
        self.learning = rooms is None
        self.expected: set[str] = set()  # rooms of which we were told who may come
        self.lock = threading.Lock()
        self.known: Rooms = rooms or {}
        self.begin("")

    def __repr__(self) -> str:
        return f"<Referee: {len(self.halls)} rooms, {'learning' if self.learning else 'judging'}>"

    @property
    def rooms(self) -> Rooms:
        """How many meet in each room, and who: as it was told, or as it was learned."""
        return self.known

    def begin(self, round_: str) -> None:
        """Open all rooms anew: whoever met, or waited alone, before a check begins has no part in it."""
        self.round = round_
        self.halls = {name: self._room(told["together"], told["units"]) for name, told in self.known.items()}

    def expect(self, name: str, together: int, units: list[str]) -> None:
        """Be told who may come to a room, where there is no model answer to learn it from."""
        with self.lock:
            self.expected.add(name)
            self.known[name] = {"together": together, "units": units}
            self.halls[name] = self._room(together, units)

    def _room(self, together: int, units: list[str]) -> Room:
        return Room(together, units, self.patience)

    def answer(self, name: str, unit: str, together: int) -> dict[str, Any]:
        """The number of a unit, once it has met enough others; else why not."""
        round_ = self.round
        if self.learning and name not in self.expected:
            self._learn(name, unit, together)
        hall = self.halls.get(name)
        why = hall.meet(unit) if hall else "there is no such room"
        return {"no": why} if why else {"number": number_of(self.secret, round_, name, unit)}

    def _learn(self, name: str, unit: str, together: int) -> None:
        """Note what a model answer, which we trust, says about a room."""
        with self.lock:
            told = self.known.setdefault(name, {"together": together, "units": []})
            if unit not in told["units"]:
                told["units"].append(unit)
            if name not in self.halls:
                self.halls[name] = self._room(together, [])
            self.halls[name].known.append(unit)

    def __enter__(self) -> Referee:
        if self.folder and hasattr(socket, "AF_UNIX"):
            self.server = _Server(str(self.folder / "referee"), partial(_Guest, self))
            threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if hasattr(self, "server"):
            self.server.shutdown()
            self.server.server_close()


def number_of(secret: bytes, *words: str) -> int:
    """What a unit of work gets for having met the others: nobody can guess it without the secret."""
    return int.from_bytes(hmac.digest(secret, "\0".join(words).encode(), "sha256")[:4], "big")


_local = Referee(None, b"a notebook of my own", patience=AT_HOME)


def begin_alone(*_: object) -> None:
    """Open the rooms of this notebook anew, as every cell and every check does."""
    _local.begin("")


def rendezvous(room: str, *, together: int, units: Iterable[object] | None = None) -> Callable[[object], int]:
    """A meeting room for `together` units of work at a time: call it with a unit, get the number of that unit.

    `units` are those who may come (None: anybody). `NotTogether`, a RuntimeError, for a unit
    that waited in vain: the work is done one after the other.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     numbers = list(pool.map(rendezvous("ovens", together=2), ["rye", "spelt"]))
    >>> len(set(numbers))
    2
    """
    if not isinstance(together, int) or together < 2:
        raise ValueError(f"at least two must meet, not {together!r}")
    _begin_with_every_cell()
    if units is not None:
        _local.expect(room, together, [_name(unit) for unit in units])
    return partial(_number, room, together)


def _begin_with_every_cell() -> None:
    """Whoever runs a cell once more begins once more, as it is when points are counted."""
    notebook = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if notebook:
        notebook.events.register("pre_run_cell", begin_alone)


def _name(unit: object) -> str:
    return json.dumps(plain(unit), sort_keys=True)


def _number(room: str, together: int, unit: object) -> int:
    path = os.environ.get("PARLIB_REFEREE", "")
    name, outside = _name(unit), os.path.exists(path)
    said = _asked(path, room, name, together) if outside else _local.answer(room, name, together)
    if "number" not in said:
        raise NotTogether(f"{room}: {said.get('no', 'the referee has gone')}")
    return said["number"]


def _asked(path: str, room: str, unit: str, together: int) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(path)
        asking.sendall((json.dumps([room, unit, together]) + "\n").encode())
        return json.loads(asking.makefile().readline() or "{}")


class _Guest(socketserver.StreamRequestHandler):
    """One question: a room and a unit, in one line of JSON of bounded length."""

    timeout = 2 * PATIENCE

    def __init__(self, referee: Referee, *rest: Any) -> None:
        self.referee = referee
        super().__init__(*rest)

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
            room, unit, together = json.loads(self.rfile.readline(LONGEST))
            if isinstance(room, str) and isinstance(unit, str) and isinstance(together, int):
                said = self.referee.answer(room, unit, together)
                self.wfile.write((json.dumps(said) + "\n").encode())


if hasattr(socketserver, "ThreadingUnixStreamServer"):
    _Base: Any = socketserver.ThreadingUnixStreamServer
else:  # Windows: there the numbers are those of a notebook of one's own
    _Base = object


class _Server(_Base):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def process_request(self, request: Any, address: Any) -> None:
        """A thread for every guest, but not for any number of them."""
        if threading.active_count() > MOST_GUESTS:
            self.shutdown_request(request)
        else:
            super().process_request(request, address)

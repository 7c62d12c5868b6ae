"""When may a panel measure? When its controls have rested; and a move ends it at once.

    moved ──► rest half a second ──► measure, in a process of its own ──► tell, tell, over
      ▲                                        │
      └───────────── moved: cancel ◄───────────┘

One thread does the waiting, so neither the kernel nor the page is ever held up. Only one panel of
a kernel measures at a time: two would measure each other. What is simulated for long waits its
turn too, since it would be measured as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Measuring", "Wish"]

REST = 0.5  # seconds without a move: longer than the pause between two key presses, shorter than impatience
LOOK = 0.1  # seconds between two looks at what has come in

_turn = threading.Lock()  # held by the one panel that measures


class Wish(NamedTuple):
    """What to measure, and whether the learner asked for it with the button."""

    choice: Any
    pressed: bool


class Measuring:
    """Measures what was last wished for, once nothing has moved for `rest` seconds.

    start(wish)                     gives the measurement to follow (running, poll, cancel), or None for nothing to do
    tell(wish, measurement, over)   is called in the background: first with None, when the controls have come to
                                    rest; then as samples come; with over=True at the end
    fail(error)                     is called in the background where any of them raised
    """

    def __init__(
        self,
        start: Callable[[Wish], Any],
        tell: Callable[[Wish, Any, bool], None],
        fail: Callable[[Exception], None],
        rest: float = REST,
    ) -> None:
        self._start, self._tell, self._fail, self._rest = start, tell, fail, rest
        self._changed = threading.Condition()
        self._wish: Wish | None = None
        self._due = 0.0
        self._moves = 0  # how often anything was wished: a measurement ends when this changes
        self._thread: threading.Thread | None = None

    def moved(self, choice: Any) -> None:
        """A control moved: end what is being measured, and measure this once it has rested."""
        self._want(Wish(choice, False), self._rest)

    def press(self, choice: Any) -> None:
        """Measure this now."""
        self._want(Wish(choice, True), 0.0)

    def stop(self) -> None:
        """End what is being measured, and wish for nothing."""
        self._want(None, 0.0)

    def _want(self, wish: Wish | None, rest: float) -> None:
        with self._changed:
            self._wish, self._due, self._moves = wish, time.monotonic() + rest, self._moves + 1
            if self._thread is None and wish:
                self._thread = threading.Thread(target=self._live, name="parlib panel", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _live(self) -> None:
        while True:
            wish, moves = self._next()
            try:
                self._tell(wish, None, False)
                self._in_turn(wish, moves)
            except Exception as error:  # this thread must outlive it, or no later move would be measured
                self._fail(error)

    def _in_turn(self, wish: Wish, moves: int) -> None:
        """Measure when no other panel does; a move ends the waiting too."""
        while not _turn.acquire(timeout=LOOK):
            if self._disturbed(moves, 0.0):
                return
        try:
            self._follow(wish, moves)
        finally:
            _turn.release()

    def _next(self) -> tuple[Wish, int]:
        """Wait for a wish whose time has come."""
        with self._changed:
            while self._wish is None or (left := self._due - time.monotonic()) > 0:
                self._changed.wait(None if self._wish is None else left)
            wish, self._wish = self._wish, None
            return wish, self._moves

    def _follow(self, wish: Wish, moves: int) -> None:
        """Measure, and tell as samples come, until it is over or something moves."""
        measurement = self._start(wish)
        if measurement is None:
            return
        while measurement.running and not self._disturbed(moves, LOOK):
            if measurement.poll():
                self._tell(wish, measurement, False)
        measurement.cancel()  # nothing to cancel, if it is over
        self._tell(wish, measurement, True)

    def _disturbed(self, moves: int, seconds: float) -> bool:
        """Whether anything moved since, or moves within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._moves != moves, seconds)

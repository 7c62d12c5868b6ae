"""What would a kernel leave in shared memory? Names that outlive its processes, where it has no /dev/shm of its own.

    names = Names()          what was there before
    names.look(pids)         now and then: what these processes have open, or mapped
    names.clear()            once they are gone: remove what is new, and was theirs

Nothing is removed that was there before, or that no process of the sandbox was seen with:
other programs keep files there, too.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["Names"]

PLACE = "/dev/shm"


class Names:
    """The names that some processes have made in shared memory."""

    def __init__(self) -> None:
        self.before, self.theirs = set(_listed(PLACE)), set[str]()

    def __repr__(self) -> str:
        return f"<Names: {len(self.theirs)} new in {PLACE}>"

    def look(self, pids: Iterable[int]) -> None:
        """Note what these processes have open or mapped, if there is anything new at all."""
        if new := set(_listed(PLACE)) - self.before:
            self.theirs |= {name for pid in pids for name in _names_of(pid)} & new

    def clear(self) -> None:
        """Remove what was noted."""
        for name in self.theirs:
            with contextlib.suppress(OSError):
                os.unlink(f"{PLACE}/{name}")


def _names_of(pid: int) -> set[str]:
    found = [_target(f"/proc/{pid}/fd/{number}") for number in _listed(f"/proc/{pid}/fd")]
    with contextlib.suppress(OSError):
        found += Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    return {name for line in found for name in re.findall(rf"{PLACE}/([^/]+)$", line)}


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []

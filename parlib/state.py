"""What does the learner leave behind? One small file of predictions, answers and cards, which may vanish at any time.

    .parlib/state.json      {"version": 1, "predictions": {"2.1": {...}}, "quiz": {...}, "cards": {...}}
                                            section        key     entry

It lies beside the notebooks, else in the user's data folder. Two invariants keep it safe:

* the file on disk is always whole: a new one is written under another name, then renamed over the old one;
* a write changes one entry of what is on disk *now*, so two kernels never undo each other's work.

A file that cannot be read is set aside and a fresh one begun; where nothing can be written, entries live in memory
until the kernel ends. A lesson never stops for the sake of its notes. This file does not know what an entry means.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

Sections = dict[str, dict[str, Any]]
Result = TypeVar("Result")

VERSION = 1
PATIENCE = 2.0  # seconds to wait for another writer, who needs about a millisecond; then we go on without its lock
GITIGNORE = "# One learner's notes: yours, and not part of the course.\n*\n"


class State:
    """The learner's file in one folder: sections of entries, each entry plain JSON data under its key.

    >>> from tempfile import mkdtemp
    >>> state = State(mkdtemp())
    >>> state.put("predictions", "2.1", {"value": 1.7})
    >>> state.get("predictions", "2.1")
    {'value': 1.7}
    >>> state
    <State: 1 entry in predictions>
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.path = self.folder / "state.json"
        self._unsaved: Sections = {}  # what could not be written; it counts as long as this kernel lives

    def section(self, name: str) -> dict[str, Any]:
        """All entries of one section by key; an empty dict where there are none or the file cannot be opened."""
        try:
            saved = self._read().get(name, {})
        except OSError:
            saved = {}
        return {**saved, **self._unsaved.get(name, {})}

    def get(self, section: str, key: str) -> Any:
        """One entry, or None."""
        return self.section(section).get(key)

    def put(self, section: str, key: str, entry: Any) -> None:
        """Keep one entry (plain JSON data: TypeError or ValueError otherwise); the last writer of a key wins."""
        json.dumps(entry, allow_nan=False)  # refused before anything changes
        self._unsaved.setdefault(section, {})[key] = entry
        if self._change(lambda sections: sections.setdefault(section, {}).update({key: entry})):
            del self._unsaved[section][key]

    def remove(self, section: str, key: str) -> None:
        """Forget one entry; no error if there is none."""
        self._unsaved.get(section, {}).pop(key, None)
        self._change(lambda sections: sections.get(section, {}).pop(key, None))

    def reset(self) -> None:
        """Forget everything: delete the files kept here, and the folder if nothing else is in it."""
        self._unsaved.clear()
        for name in ("state.json", "state.broken.json", "lock", ".gitignore"):
            with suppress(OSError):
                (self.folder / name).unlink()
        with suppress(OSError):
            self.folder.rmdir()

    def __repr__(self) -> str:
        with suppress(OSError):
            counts = {name: len(self.section(name)) for name in {**self._read(), **self._unsaved}}
            told = (f"{n} {'entry' if n == 1 else 'entries'} in {name}" for name, n in counts.items() if n)
            return f"<State: {', '.join(told) or 'nothing kept yet'}>"
        return "<State: cannot be read>"

    def _change(self, edit: Callable[[Sections], Any]) -> bool:
        """Edit what is on disk now and write it back; False, and a warning, where that is impossible."""
        for _ in range(3):  # the folder may be deleted between any two lines: then it is made anew
            try:
                return self._edit_alone(edit)
            except FileNotFoundError:
                continue
            except OSError as error:
                problem = error.strerror
                break
        else:
            problem = "the folder keeps vanishing"
        lost = f"Your notes cannot be kept in {self.folder} ({problem}); they last until the kernel stops."
        warnings.warn(lost, stacklevel=4)
        return False

    def _edit_alone(self, edit: Callable[[Sections], Any]) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        with _alone(self.folder / "lock"):
            sections = self._read()
            edit(sections)
            self._write(sections)
        return True

    def _read(self) -> Sections:
        """The sections on disk; a file nobody can understand (broken, or of another version) is set aside."""
        try:
            content = json.loads(_patiently(lambda: self.path.read_text("utf-8")))
            return _sections(content)
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError):
            with suppress(OSError):
                _patiently(lambda: os.replace(self.path, self.folder / "state.broken.json"))
            return {}

    def _write(self, sections: Sections) -> None:
        (self.folder / ".gitignore").write_text(GITIGNORE, "utf-8")
        with tempfile.NamedTemporaryFile("w", dir=self.folder, suffix=".new", delete=False, encoding="utf-8") as file:
            json.dump({"version": VERSION, **sections}, file, indent=1, allow_nan=False)
        try:
            _patiently(lambda: os.replace(file.name, self.path))
        finally:
            with suppress(FileNotFoundError):
                os.unlink(file.name)


def here() -> State:
    """The state that belongs to the working directory; the same object for the same place."""
    return _state_in(_home())


def notebooks_folder(start: str | os.PathLike[str] | None = None) -> Path | None:
    """The folder with the lessons, seen from `start` (default: the working directory), or None.

    From the repository, the exercises or any folder below it is always `notebooks`; a folder that holds notebooks of
    its own, as when one lesson was copied elsewhere, is taken as it is.
    """
    try:
        start = Path(start or Path.cwd()).absolute()
        around = [folder / "notebooks" for folder in (start, *start.parents)]
        known = (folder for folder in (start, *around) if (folder / "aids").is_dir())
        return next(known, start if any(start.glob("*.ipynb")) else None)
    except OSError:  # the working directory was deleted, or may not be listed
        return None


def _home() -> Path:
    lessons = notebooks_folder()
    if lessons and os.access(lessons, os.W_OK):
        return lessons / ".parlib"
    from platformdirs import user_data_path

    return user_data_path("parlib", appauthor=False)


@cache
def _state_in(folder: Path) -> State:
    return State(folder)


def _sections(content: Any) -> Sections:
    """The sections of a file of our version; ValueError for anything else."""
    if not isinstance(content, dict) or content.pop("version", None) != VERSION:
        raise ValueError("not a state file of this version")
    if not all(isinstance(section, dict) for section in content.values()):
        raise ValueError("a section is not a table of entries")
    return content


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; the system gives it back even if our kernel is killed."""
    with open(path, "a") as file:
        deadline = time.monotonic() + PATIENCE
        while not _hold(file.fileno()) and time.monotonic() < deadline:
            time.sleep(0.005)
        yield


def _hold(number: int) -> bool:
    """Ask for the only lock on an open file; False while another writer has it. It ends when the file is closed."""
    try:
        try:
            import fcntl
        except ImportError:  # Windows
            import msvcrt

            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
        else:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _patiently(action: Callable[[], Result]) -> Result:
    """Windows refuses for a moment to touch a file that another kernel has open: try again for a fifth of a second."""
    for _ in range(20):
        with suppress(PermissionError):
            return action()
        time.sleep(0.01)
    return action()

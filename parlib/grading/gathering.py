"""What was handed in, and by whom? Files, folders and zips, as learning systems export them.

    amy.ipynb                     amy     a file by itself is named for its student
    02/amy/any name.ipynb         amy     a folder of students, one folder each
    02/Amy Li_4711_assignsubmission_file_/x.ipynb     Amy Li     Moodle
    02/liamy_LATE_123_456_x.ipynb                     liamy      Canvas
    02.zip                        the same, packed

Every file is a submission, or the reason why it is none: links, zips in zips, names that
lead elsewhere, essays; and so is a student's folder with nothing in it. Only what systems
leave behind (hidden files, `__MACOSX`) is passed over, and pictures and the like beside a
student's notebook. Two students of one name keep their numbers. Nothing is unpacked to disk.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from .intake import LARGEST, Unreadable, read_bytes

__all__ = ["Submission", "gathered"]

MOST_MEMBERS, LARGEST_ZIP, STEEPEST = 20_000, 2**31, 200  # files, unpacked bytes, unpacked ÷ packed bytes
MOODLE = re.compile(r"_\d+_assignsubmission_(file|onlinetext)_?$")
CANVAS = re.compile(r"_(LATE_)?\d+_\d+_.*$")
MOODLE_END, CANVAS_END = re.compile(r"_assignsubmission_.*$"), re.compile(r"(?<=\d)_\d+_.*$")  # numbers of people stay
NOTEBOOK = ".ipynb"
Read = Callable[[], bytes]
File = tuple[PurePosixPath, str, Read]  # where it is below the student's folder, what it is called, its bytes


@dataclass(frozen=True)
class Submission:
    """One file that somebody handed in; `read` gives its bytes, or raises `Unreadable` with one sentence."""

    student: str
    name: str
    read: Read

    def __repr__(self) -> str:
        return f"<Submission: {self.name} of {self.student}>"


def gathered(paths: Iterable[Path]) -> list[Submission]:
    """All submissions in files, folders and zips, by student and name; `Unreadable` if a path leads nowhere."""
    found = [submission for path in paths for submission in _in_path(path)]
    with_notebook = {submission.student for submission in found if submission.name.endswith(NOTEBOOK)}
    kept = [one for one in found if one.name.endswith(NOTEBOOK) or one.student not in with_notebook]
    return sorted(kept, key=lambda one: (one.student.casefold(), one.student, one.name))


def _in_path(path: Path) -> Iterator[Submission]:
    try:
        if not path.exists():
            raise Unreadable(f"{str(path)!r} is not there: give notebooks, folders or a zip")
        _open(path)
        if path.is_dir():
            return iter(_in_folder(path))
        if path.suffix.lower() == ".zip" and not zipfile.is_zipfile(path):
            raise Unreadable(f"{str(path)!r} is damaged, or no zip: export or copy it again")
        return iter(_in_zip(path) if zipfile.is_zipfile(path) else [_alone(path)])
    except (OSError, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"{str(path)!r} cannot be opened ({error}): give notebooks, folders or a zip") from None


def _open(path: Path) -> None:
    """OSError where a folder or file may not be read; listing and looking further would find nothing in silence."""
    if path.is_dir():
        os.listdir(path)
    elif path.suffix.lower() == ".zip":
        path.open("rb").close()


def _alone(path: Path) -> Submission:
    return Submission(_student(PurePosixPath(path.name)), path.name, partial(_read_file, path))


def _in_folder(folder: Path) -> list[Submission]:
    below = [(PurePosixPath(path.relative_to(folder).as_posix()), path) for path in sorted(folder.rglob("*"))]
    is_file = {path: path.is_symlink() or not path.is_dir() for _, path in below}
    files: list[File] = [(place, str(place), partial(_read_file, path)) for place, path in below if is_file[path]]
    return _by_student(files, [place for place, path in below if not is_file[path]], folder)


def _in_zip(path: Path) -> list[Submission]:
    with zipfile.ZipFile(path) as packed:
        members = packed.infolist()
    if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > LARGEST_ZIP:
        raise Unreadable(f"{path.name} unpacks to more than {MOST_MEMBERS:,} files or 2 GB: give a smaller one")
    places = [PurePosixPath(member.filename) for member in members if not member.is_dir()]
    top = {place.parts[0] for place in places if len(place.parts) > 1 and _counts(place)}
    outer = len(top) == 1 and all(len(place.parts) > 2 for place in places if _counts(place))
    own = [PurePosixPath(*PurePosixPath(member.filename).parts[outer:]) for member in members]
    below = list(zip(own, members))
    files: list[File] = [(at, one.filename, partial(_read_member, path, one)) for at, one in below if not one.is_dir()]
    return _by_student(files, [at for at, one in below if one.is_dir()])


def _by_student(files: list[File], folders: list[PurePosixPath], above: Path | None = None) -> list[Submission]:
    """All files that count, and the folders of students in which there is none."""
    files = [file for file in files if _counts(file[0])]
    empty = {place.parts[:1] for place in folders if _counts(place)} - {place.parts[:1] for place, _, _ in files} - {()}
    files += [(PurePosixPath(name, "nothing"), name, partial(_read_nothing, name, above)) for (name,) in sorted(empty)]
    alike = Counter(short for short, _ in {_whose(place) for place, _, _ in files})
    return [Submission(_whose(place)[alike[_whose(place)[0]] > 1], name, read) for place, name, read in files]


def _counts(place: PurePosixPath) -> bool:
    """Whether a file is somebody's, and not the system's own."""
    hidden = any(part.startswith(".") and part != ".." for part in place.parts)
    return not hidden and "__MACOSX" not in place.parts and place.name not in ("Thumbs.db", "desktop.ini")


def _whose(place: PurePosixPath) -> tuple[str, str]:
    """Whose file it is, by the outermost folder, else by the name of the file; and the same with its numbers."""
    inside = [part for part in place.parts if part not in ("/", "..")]
    if len(inside) > 1:
        return MOODLE.sub("", inside[0]) or inside[0], MOODLE_END.sub("", inside[0])
    stem = place.name.removesuffix(NOTEBOOK)
    return CANVAS.sub("", stem) or stem, CANVAS_END.sub("", stem.replace("_LATE_", "_"))


def _student(place: PurePosixPath) -> str:
    return _whose(place)[0]


def _read_nothing(name: str, above: Path | None) -> bytes:
    try:
        if above:
            _open(above / name)
    except OSError as error:
        raise Unreadable(f"the folder {name} cannot be opened ({error.strerror}): give one you may read") from None
    raise Unreadable(f"nothing was handed in: the folder {name} is empty")


def _read_file(path: Path) -> bytes:
    if path.is_symlink():
        raise Unreadable(f"{path.name} is a link, not a file: hand in the notebook itself")
    _refuse_other(path.name)
    return read_bytes(path)


def _read_member(path: Path, member: zipfile.ZipInfo) -> bytes:
    """One file of a zip, in memory; all that zips have been abused for has its own sentence."""
    name = PurePosixPath(member.filename).name
    _refuse_member(member, name)
    _refuse_other(name)
    try:
        with zipfile.ZipFile(path) as packed, packed.open(member) as file:
            raw = file.read(LARGEST + 1)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
        raise Unreadable(f"{name} is damaged in its zip ({error}): pack it again") from None
    except Exception as error:  # zlib.error and its like, which share no parent
        raise Unreadable(f"{name} is damaged in its zip ({type(error).__name__}): pack it again") from None
    if len(raw) > LARGEST:
        raise Unreadable(f"{name} is too large, more than {LARGEST // 10**6} MB: clear its outputs and save it again")
    return raw


def _refuse_member(member: zipfile.ZipInfo, name: str) -> None:
    place = PurePosixPath(member.filename.replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts or re.match(r"[A-Za-z]:", member.filename):
        raise Unreadable(f"{name} is packed under a name that leads out of the zip: pack it again")
    if (member.external_attr >> 16) & 0o170000 == 0o120000:
        raise Unreadable(f"{name} is a link, not a file: hand in the notebook itself")
    if member.flag_bits & 1:
        raise Unreadable(f"{name} is locked with a password: pack it again without")
    if member.file_size > max(10**6, STEEPEST * member.compress_size):
        raise Unreadable(f"{name} is too large: packed more tightly than any notebook can be")


def _refuse_other(name: str) -> None:
    if name.lower().endswith(".zip"):
        raise Unreadable(f"{name} is a zip inside a folder or a zip: unpack it first")
    if not name.lower().endswith((NOTEBOOK, ".json")):
        raise Unreadable(f"{name} is not a notebook: hand in a file that ends in {NOTEBOOK}")

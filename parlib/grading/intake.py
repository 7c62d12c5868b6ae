"""What did the student hand in? Cells, read with care from a file nobody has reason to trust.

The file is read as bytes of bounded size, as text in UTF-8 or UTF-16 with or without a
byte-order mark, and as JSON of bounded depth. Both notebook formats in use (3 and 4) are
understood, sources in one string or in lines, ids or only metadata. Nothing of the file is
used but the kind, the name and the source of its cells: outputs, tags and the kernel it
asks for are left behind.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

__all__ = ["Handed", "Unreadable", "cells_of", "read_bytes", "read_cells"]

MOST_CELLS = 2_000  # an honest notebook of exercises has forty
LARGEST = 20_000_000  # bytes: far above any honest notebook, far below the memory of a laptop
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Unreadable(ValueError):
    """A file that cannot be checked; the message says why in one sentence."""


@dataclass(frozen=True)
class Handed:
    """One cell as it was handed in: 'code' or something else, its name (or ''), its source."""

    kind: str
    slot: str
    source: str

    def __repr__(self) -> str:
        return f"<Handed: {self.kind} {self.slot or 'without a name'}, {len(self.source.splitlines())} lines>"


def read_cells(path: str | Path) -> list[Handed]:
    """The cells of the notebook at `path`; `Unreadable` with one sentence where there are none."""
    path = Path(path)
    return cells_of(path.name, read_bytes(path))


def cells_of(name: str, raw: bytes) -> list[Handed]:
    """The cells of a notebook called `name` with these bytes; `Unreadable` with one sentence where there are none."""
    cells = _listed(name, _as_json(name, _as_text(name, raw)))
    return [_handed(cell) for cell in islice((cell for cell in cells if isinstance(cell, dict)), MOST_CELLS)]


def read_bytes(path: Path) -> bytes:
    """The content of a file of bounded size; `Unreadable` with one sentence if it cannot be had."""
    if not os.path.isfile(path):  # False, too, for a name that no file can have
        raise Unreadable(f"{path.name!r} is not a file: give the path of a notebook")
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise Unreadable(f"{path.name!r} cannot be opened ({error.strerror}): give a file you may read") from None
    if len(raw) > LARGEST:
        raise Unreadable(f"{path.name} is larger than {LARGEST // 10**6} MB: clear its outputs and save it again")
    return raw


def _as_text(name: str, raw: bytes) -> str:
    encoding = next((MARKS[mark] for mark in MARKS if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(encoding).replace("\0", "")
    except UnicodeDecodeError:
        raise Unreadable(f"{name} is not text in UTF-8 or UTF-16: save it again from Jupyter") from None


def _as_json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise Unreadable(f"{name} is nested too deeply for a notebook: save it again from Jupyter") from None
    except ValueError as error:
        raise Unreadable(f"{name} is not a notebook, or was cut off ({error}): save it again from Jupyter") from None


def _listed(name: str, content: Any) -> Iterable[Any]:
    """The cells of format 4, or those of all worksheets of format 3."""
    sheets = content.get("worksheets", [content]) if isinstance(content, dict) else []
    lists = [sheet.get("cells") for sheet in _list(sheets) if isinstance(sheet, dict)]
    if not any(isinstance(cells, list) for cells in lists):
        raise Unreadable(f"{name} has no list of cells, so it is not a notebook: save it again from Jupyter")
    return [cell for cells in lists for cell in _list(cells)]


def _handed(cell: dict[str, Any]) -> Handed:
    source = cell.get("source", cell.get("input"))  # format 3 called it the input
    lines = [source] if isinstance(source, str) else _list(source)
    text = "".join(line for line in lines if isinstance(line, str))
    text = text.encode("utf-8", "replace").decode("utf-8")  # half a character cannot travel
    return Handed(str(cell.get("cell_type")), _slot(cell), text.replace("\r\n", "\n").replace("\r", "\n"))


def _slot(cell: dict[str, Any]) -> str:
    metadata = cell.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    named = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    return next((name for name in (named, cell.get("id")) if isinstance(name, str)), "")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

"""What has been graded already? One line for every submission, written as soon as it is done.

    journal.jsonl     {"seed": …}                      the first line
                      {"key": …, "result": {…}}        one for each submission

The key says everything that a mark depends on: the file's bytes, the master, the seed, the
limits, the isolation, the versions. What has the same key need not be graded again, so a
batch that was killed goes on where it was. A line that was cut off counts as not written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

__all__ = ["Journal", "write_whole"]

Entry = dict[str, Any]


class Journal:
    """The journal in a folder: its seed, and the results by key. `force`: begin a new one."""

    def __init__(self, folder: Path, seed: str, *, force: bool = False) -> None:
        self.path, self.lock = folder / "journal.jsonl", Lock()
        lines = [] if force else list(self._lines())
        kept = next((str(line["seed"]) for line in lines if "seed" in line), "")
        self.known = seed in ("", kept) and bool(kept)
        self.seed = kept if self.known else seed or os.urandom(16).hex()
        self.results = {line["key"]: line["result"] for line in lines if "key" in line} if self.known else {}
        self._begin()

    def __repr__(self) -> str:
        return f"<Journal: {len(self.results)} results>"

    def add(self, key: str, result: Entry) -> None:
        """Keep a result, on disk before this comes back."""
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            self.results[key] = result
            file.write(json.dumps({"key": key, "result": result}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _lines(self) -> Iterator[Entry]:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # it was being written when the batch ended
            if isinstance(entry, dict):
                yield entry

    def _begin(self) -> None:
        """Write anew what counts, so that a line cut off is not continued."""
        lines = [{"seed": self.seed}, *({"key": key, "result": result} for key, result in self.results.items())]
        write_whole(self.path, "".join(json.dumps(line) + "\n" for line in lines))


def write_whole(path: Path, text: str) -> None:
    """Write a file under another name, then rename it: there is never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8", newline="")
    os.replace(beside, path)

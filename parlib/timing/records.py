"""What is kept of a sweep? A small JSON file; and, so that no cell is measured twice, the learner's notes.

    record(sweep, path)   a file with machine, date and versions
    recorded(name)        one of the files that come with parlib, or your own; labelled "recorded"

What was measured in this kernel is remembered by workload, and shown again at once. Of workloads
that come with parlib it is also kept in `.parlib/`, by machine and versions, for the next kernel.
Of a function that a learner wrote it is not: under the same name it may be another tomorrow.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ..host import machine
from ..metrics import Spent
from ..plan import did_you_mean
from ..state import here
from .sweeps import Sample, Sweep, story, versions

__all__ = ["keep", "kept", "kept_sweeps", "record", "recorded"]

SHIPPED = Path(__file__).parent.parent / "recorded"

_kept: dict[Any, Sweep] = {}  # of this kernel


def record(sweep: Sweep, path: str | PathLike[str]) -> None:
    """Keep a sweep in a JSON file: raw seconds, with machine, date and versions.

    Raises ValueError for a simulated sweep, whose seconds are no record of anything.
    """
    if not isinstance(sweep, Sweep):
        raise TypeError(f"record keeps a Sweep, not {sweep!r}")
    if sweep.source.startswith("simulated"):
        raise ValueError("a simulated sweep cannot be recorded: whoever has the costs can simulate it again")
    Path(path).write_text(json.dumps(as_data(sweep), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def recorded(name: str | PathLike[str]) -> Sweep:
    """A sweep that was recorded: by name one that comes with parlib, or a .json file of your own.

    The name is that of the workload and of the backend; the workload alone will do where it was
    recorded on one backend only. Raises ValueError for a name that is not known.

    >>> recorded("bakery.waiting").workload, recorded("text.words.threads").backend
    ('bakery.waiting', 'threads')
    """
    path = Path(name) if str(name).endswith(".json") else _shipped(str(name))
    return replace(from_data(json.loads(path.read_text(encoding="utf-8"))), source="recorded")


def _shipped(name: str) -> Path:
    """The file that a name means."""
    files = {file.stem: file for file in sorted(SHIPPED.glob("*.json"))}
    meant = [known for known in files if _letters(name) in (_letters(known), _letters(known.rpartition(".")[0]))]
    if not meant:
        raise ValueError(f"nothing was recorded under {name!r}{did_you_mean(name, files)}")
    if len(meant) > 1:
        raise ValueError(f"{name!r} was recorded more than once: say which, {' or '.join(map(repr, meant))}")
    return files[meant[0]]


def _letters(name: str) -> str:
    """A name without its marks: nobody remembers whether it was a dot or a line."""
    return "".join(filter(str.isalnum, name))


def as_data(sweep: Sweep) -> dict[str, Any]:
    """A sweep as plain JSON data."""
    return asdict(sweep) | {"raw": [[one.workers, _plain(one.size), *one[2:]] for one in sweep.raw]}


def from_data(data: dict[str, Any]) -> Sweep:
    """A sweep from plain JSON data; a size that was a tuple became a list on the way, and is a tuple again."""
    return Sweep(**data | {"raw": tuple(_sample(*one) for one in data["raw"])})


def _sample(workers: int | None, size: Any, seconds: float, spent: Sequence[float] | None = None) -> Sample:
    return Sample(workers, _whole(size), seconds, None if spent is None else Spent(*spent))


def _plain(size: Any) -> Any:
    return size.tolist() if isinstance(size, np.generic) else size


def _whole(size: Any) -> Any:
    return tuple(size) if isinstance(size, list) else size


def kept(workload: Any, backend: Any, chunks: int | None) -> Sweep | None:
    """What was measured before of this workload on this backend, here; None if nothing was."""
    if not _named(workload, backend):
        return None
    label = _label(workload, backend, chunks)
    if (workload, label) in _kept:
        return _kept[workload, label]
    data = here().get(SECTION, label) if _ours(workload) else None
    return None if data is None else from_data(data)


def keep(workload: Any, backend: Any, chunks: int | None, sweep: Sweep) -> None:
    """Remember a sweep, unless the machine was too busy for it to be fair."""
    if not _named(workload, backend) or sweep.warning or not sweep.raw:
        return
    label = _label(workload, backend, chunks)
    _kept[workload, label] = sweep
    if _ours(workload):
        here().put(SECTION, label, as_data(sweep))


def kept_sweeps() -> list[Sweep]:
    """All that was measured before, in this kernel and here by this machine and these versions; the latest first."""
    noted = {label: from_data(data) for label, data in here().section(SECTION).items() if label.endswith(_place())}
    every = [*noted.items(), *((label, sweep) for (_, label), sweep in _kept.items())]  # the kernel's own is newer
    return sorted(dict(every).values(), key=lambda sweep: sweep.when, reverse=True)


SECTION = "sweeps"  # of the learner's notes


def _named(workload: Any, backend: Any) -> bool:
    """Whether workload and backend mean the same thing whenever they are given again."""
    return hasattr(workload, "plan") and isinstance(backend, str)


def _ours(workload: Any) -> bool:
    return getattr(workload.plan, "__module__", "").startswith(f"{__package__.split('.')[0]}.")


def _label(workload: Any, backend: str, chunks: int | None) -> str:
    cut = "" if chunks is None else f" in {chunks} chunks"
    return f"{workload.name} on {backend}{cut}{_place()}"


def _place() -> str:
    return f", {story(machine(watch=0))}, {versions()}"

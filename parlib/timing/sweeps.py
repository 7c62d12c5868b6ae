"""What does a contest leave behind? Raw seconds, with everything one needs to know to believe them.

    speedup = median seconds of the serial baseline / median seconds on so many workers

A sweep keeps every sample, in the order in which it was taken. Medians and quartiles are worked
out when they are asked for. It says who measured what, where and when, and whether the machine
had other things to do.
"""

from __future__ import annotations

import html
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any, NamedTuple

import numpy as np

from ..host import Machine
from ..metrics import Spent
from ..plan import counted

__all__ = ["Sample", "Sweep", "story", "versions"]


class Sample(NamedTuple):
    """One run: on how many workers (None: the serial baseline), of which size, in how many seconds, spent on what."""

    workers: int | None
    size: Any
    seconds: float
    spent: Spent | None = None  # None: nobody looked


@dataclass(frozen=True, repr=False)
class Sweep:
    """Raw seconds of one workload on several numbers of workers, and of its serial baseline.

    `source` is "measured" or "recorded" ("simulated", where the runs were); `cores` are those
    that were usable on `machine`; `warning` is a sentence if it was too busy to measure fairly.
    Sweeps of the same workload, backend and machine can be joined: `a | b` has the samples of both.
    """

    workload: str
    spends: str
    backend: str
    source: str
    machine: str
    cores: int
    versions: str
    when: str
    raw: tuple[Sample, ...] = ()  # in the order in which they were taken
    chunks: int | None = None  # tasks of every run; None: one for each worker
    warning: str = ""

    @property
    def workers(self) -> tuple[int, ...]:
        """The numbers of workers that were measured, small to large."""
        return tuple(sorted({sample.workers for sample in self.raw if sample.workers is not None}))

    @property
    def sizes(self) -> tuple[Any, ...]:
        """The sizes that were measured, in order."""
        return tuple(dict.fromkeys(sample.size for sample in self.raw))

    def samples(self, workers: int | None, size: Any = None) -> np.ndarray:
        """Raw seconds of all runs on so many workers; `size` may be left out where there is only one."""
        size = self._the(size)
        return np.array([sample.seconds for sample in self.raw if sample[:2] == (workers, size)])

    def baseline(self, size: Any = None) -> np.ndarray:
        """Raw seconds of the serial baseline."""
        return self.samples(None, size)

    def speedups(self, size: Any = None) -> dict[int, tuple[float, float, float]]:
        """By number of workers: (median, low, high) of how many times faster than the serial baseline.

        Low is the fast quartile of the baseline over the slow quartile of the runs, and high is
        the other way round: half of the samples on both sides lie between them.
        """
        size = self._the(size)
        serial = self.baseline(size)
        points = {workers: self.samples(workers, size) for workers in self.workers} if len(serial) else {}
        return {workers: _ratio(serial, seconds) for workers, seconds in points.items() if len(seconds)}

    def only(self, workers: Iterable[int], sizes: Iterable[Any]) -> Sweep:
        """The samples of these numbers of workers and these sizes, and their baselines."""
        wanted = {None, *workers}
        sizes = tuple(sizes)
        return replace(self, raw=tuple(one for one in self.raw if one.workers in wanted and one.size in sizes))

    def __or__(self, other: Sweep) -> Sweep:
        """The samples of both."""
        if not isinstance(other, Sweep):
            return NotImplemented
        for what in ("workload", "backend", "chunks", "source", "machine", "versions"):
            mine, theirs = getattr(self, what), getattr(other, what)
            if mine != theirs:
                raise ValueError(f"the {what} of these sweeps differ, {mine!r} and {theirs!r}: draw them side by side")
        warning = " ".join(dict.fromkeys(filter(None, (self.warning, other.warning))))
        return replace(self, raw=self.raw + other.raw, when=max(self.when, other.when), warning=warning)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table as texts: size, workers, runs, seconds, speedup, from, to, efficiency."""
        return [row for size in self.sizes for row in self._rows_of(size)]

    def _rows_of(self, size: Any) -> Iterable[tuple[str, ...]]:
        serial = self.baseline(size)
        if len(serial):
            yield str(size), "serial", str(len(serial)), f"{np.median(serial):.3f}", "", "", "", ""
        for workers, (middle, low, high) in self.speedups(size).items():
            seconds = self.samples(workers, size)
            run = str(size), str(workers), str(len(seconds)), f"{np.median(seconds):.3f}"
            yield *run, f"{middle:.2f}", f"{low:.2f}", f"{high:.2f}", f"{middle / workers:.0%}"

    def _the(self, size: Any) -> Any:
        if size is None and len(self.sizes) == 1:
            return self.sizes[0]
        if size not in self.sizes and self.raw:
            raise ValueError(f"size {size!r} was not measured; these were: {', '.join(map(repr, self.sizes))}")
        return size

    @property
    def _title(self) -> str:
        return f"{self.workload} on {self.backend}" if self.backend else self.workload

    @property
    def _best(self) -> str:
        """The largest speedup, in words."""
        points = [(best, workers) for size in self.sizes for workers, (best, *_) in self.speedups(size).items()]
        if not points:
            return "nothing measured yet"
        best, workers = max(points)
        return f"{self.source}: at best {best:.2f} times the serial speed, on {counted(workers, 'worker')}"

    def __repr__(self) -> str:
        lines = [f"<Sweep: {self._title}, {self._best}>"]
        if self.rows:
            lines += [_line(HEADINGS), *map(_line, self.rows), f"  {self.source} {self.when}, {self.machine}"]
        return "\n".join(lines + [f"  {self.warning}"] * bool(self.warning))

    def _repr_html_(self) -> str:
        """A table that a screen reader can walk: a caption, headings, and every row under them."""
        caption = f"{self._title}, {self._best} ({self.when}, {self.machine})"
        head = "".join(f'<th scope="col">{name}</th>' for name in HEADINGS)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows)
        note = f"<p>{html.escape(self.warning)}</p>" if self.warning else ""
        whole = f"<caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        return f"<table>{whole}</table>{note}"


HEADINGS = ("size", "workers", "runs", "seconds", "speedup", "from", "to", "efficiency")


def _line(cells: Sequence[str]) -> str:
    return "  " + "".join(f"{cell:>{max(9, len(name) + 2)}}" for cell, name in zip(cells, HEADINGS, strict=True))


def _ratio(serial: np.ndarray, seconds: np.ndarray) -> tuple[float, float, float]:
    fast, middle, slow = np.quantile(serial, (0.25, 0.5, 0.75))
    quick, median, long = np.quantile(seconds, (0.25, 0.5, 0.75))
    return float(middle / median), float(fast / long), float(slow / quick)


def story(host: Machine) -> str:
    """A machine in one line: what a reader of its seconds must know."""
    return f"{host.processor or 'a processor without a name'}, {counted(host.cores, 'usable core')}, {host.system}"


def versions() -> str:
    """The software that was measured, in one line."""
    return f"Python {platform.python_version()}, NumPy {np.__version__}, parlib {metadata.version('parlib')}"

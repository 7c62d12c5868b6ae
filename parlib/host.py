"""What is this machine? The cores you may really use, and what else decides how fast it can go.

    logical CPUs ── affinity ──► allowed CPUs ── container quota ──► usable cores

The number on the box is not the number you have. A batch system may pin you to a few CPUs (affinity), a container
may give you the time of a few (quota), and BLAS may already keep all of them busy. `usable_cores()` is the number
that counts; `machine()` is the whole panel, taken at one moment.

The files and functions that answer are parameters, so a test can describe any machine. This file knows nothing of
plans, workers or runs.
"""

from __future__ import annotations

import functools
import html
import math
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")  # where Linux keeps the limits of containers; absent elsewhere
MEMBERSHIP = Path("/proc/self/cgroup")  # which of those limits apply to this process
GIB = 2**30


# ---- How many cores: the cheap answer -------------------------------------------------------------------------------


def allowed_cpus() -> int:
    """CPUs the operating system lets this process run on (affinity), which may be fewer than the machine has."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13 on; it also respects PYTHON_CPU_COUNT
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota(root: Path = CGROUPS, membership: Path = MEMBERSHIP) -> float | None:
    """CPUs' worth of time a container may use, None without a limit; the tightest of all limits above this process."""
    quotas = [_quota_at(folder) for folder in _control_groups("cpu", root, membership)]
    return min((quota for quota in quotas if quota is not None), default=None)


# Read once: a quota hardly ever changes while a program runs, and the scheduler asks before every run.
_quota_here = functools.cache(cpu_quota)


def usable_cores(allowed: Callable[[], int] = allowed_cpus, quota: Callable[[], float | None] = _quota_here) -> int:
    """Cores this process can keep busy at once: at least 1, affinity and container quota respected.

    A quota of 1.5 counts as 2 cores: two workers use it up, one leaves a third of it unused.

    >>> usable_cores(allowed=lambda: 8, quota=lambda: 1.5)
    2
    """
    limit = quota()
    return max(1, allowed() if limit is None else min(allowed(), math.ceil(limit)))


def _quota_at(folder: Path) -> float | None:
    """The limit written in one control group: version 2 keeps one file, version 1 keeps two."""
    quota, period = (_words(folder / "cpu.max") or [_first(folder / "cpu.cfs_quota_us"), "100000"])[:2]
    period = _first(folder / "cpu.cfs_period_us") or period
    return int(quota) / int(period) if quota.isdigit() and int(period) > 0 else None  # "max" and -1 mean no limit


def _control_groups(controller: str, root: Path, membership: Path) -> Iterator[Path]:
    """The folders whose limits hold for this process, innermost first, for both versions of Linux control groups."""
    for line in _text(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or controller in controllers.split(","):
            base = root / controller if controllers else root  # version 2 has no controllers and one common root
            inner = base / path.lstrip("/")
            yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(base))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # absent on this system, or not ours to read
        return ""


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _first(path: Path) -> str:
    return next(iter(_words(path)), "")


# ---- The panel ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Machine:
    """What decides how fast this machine can go, at the moment it was asked; prints as a panel.

    >>> print(machine(watch=0))  # doctest: +ELLIPSIS
    This machine
      usable cores      ...
    """

    cores: int  # usable: affinity and container quota respected
    allowed: int  # CPUs by affinity
    logical: int  # CPUs the operating system sees
    physical: int | None  # cores on the chip; None where nobody says
    quota: float | None  # CPUs' worth of time; None without a limit
    processor: str  # model name; "" where nobody says
    blas: str  # the library behind NumPy's matrix product
    blas_threads: int | None  # threads it would start on its own; None where it does not say
    start_method: str  # how our worker processes are started
    interpreter_start_method: str  # how Python's own multiprocessing would start them
    gil: bool  # True: one thread at a time runs Python code
    memory: int | None  # bytes, container limit respected
    memory_available: int | None  # bytes that can be used without pushing anything out
    load: float | None  # runnable programs, mean over the last minute
    busy: float | None  # share of the allowed CPUs in use now, 0 to 1
    system: str
    python: str
    numpy: str
    can_measure: bool  # False inside a browser: neither processes nor a fair clock

    @property
    def too_busy(self) -> bool:
        """True when other programs use so much that a measurement of all usable cores would not be fair.

        A quarter of one's cores is the limit: below it, a median of repeats still comes out right; above it, the
        last worker regularly waits for somebody else's program and the curve bends for a reason that is not ours.
        """
        return self.idle is not None and self.idle < 0.75 * self.cores

    @property
    def idle(self) -> float | None:
        """CPUs, of those allowed, that nobody uses at the moment."""
        return None if self.busy is None else (1 - self.busy) * self.allowed

    @property
    def advice(self) -> str:
        """One sentence: can this machine be measured fairly now, and if not, what helps?"""
        if not self.can_measure:
            return "This Python runs inside a browser: runs are simulated or recorded, never measured here."
        if self.too_busy:
            return (
                f"Other programs keep {self.busy:.0%} of the CPUs busy: close some or wait, "
                "because measurements taken now would tell about them."
            )
        if self.cores == 1:
            return "One usable core: waiting can overlap here, computing cannot; recorded runs show the rest."
        return "Quiet enough to measure fairly."

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """The panel as (question, answer) pairs of text."""
        return (
            ("usable cores", f"{self.cores}  ({self._cores_story})"),
            ("processor", self.processor or "unknown"),
            ("BLAS", self.blas + ("" if self.blas_threads is None else f", {_count(self.blas_threads, 'thread')}")),
            ("worker processes", f"{self.start_method}; Python's own default here: {self.interpreter_start_method}"),
            ("GIL", "on: Python code runs in one thread at a time" if self.gil else "off: threads run Python together"),
            ("memory", self._memory_story),
            ("load", self._load_story),
            ("software", f"Python {self.python}, NumPy {self.numpy}, {self.system}"),
            ("measuring", self.advice),
        )

    @property
    def _cores_story(self) -> str:
        physical = "" if self.physical is None else f" on {_count(self.physical, 'physical core')}"
        pinned = "" if self.allowed == self.logical else f", {self.allowed} allowed by affinity"
        quota = "no container quota" if self.quota is None else f"container quota {self.quota:g}"
        return f"of {_count(self.logical, 'logical CPU')}{physical}{pinned}, {quota}"

    @property
    def _memory_story(self) -> str:
        if self.memory is None or self.memory_available is None:
            return "unknown"
        return f"{self.memory / GIB:.1f} GiB, {self.memory_available / GIB:.1f} GiB available"

    @property
    def _load_story(self) -> str:
        now = "unknown" if self.busy is None else f"{self.busy:.0%} of the CPUs busy now"
        return now if self.load is None else f"{now}, {self.load:.2f} programs running on average in the last minute"

    def __repr__(self) -> str:
        return "\n".join(["This machine", *(f"  {name:<18}{value}" for name, value in self.rows)])

    def _repr_html_(self) -> str:
        """A table that a screen reader can walk: a caption, and every answer beside its row's heading."""
        left = 'style="text-align:left"'
        rows = "".join(
            f'<tr><th scope="row" {left}>{html.escape(name)}</th><td {left}>{html.escape(value)}</td></tr>'
            for name, value in self.rows
        )
        return f"<table><caption {left}>This machine</caption><tbody>{rows}</tbody></table>"


def machine(watch: float = 0.1) -> Machine:
    """Look at this machine, watching its CPUs for `watch` seconds to see how busy they are (0: do not look).

    >>> machine(watch=0).cores == usable_cores()
    True
    """
    total, available = memory()
    library, threads = _blas()
    return Machine(
        cores=usable_cores(),
        allowed=allowed_cpus(),
        logical=os.cpu_count() or 1,
        physical=_physical(),
        quota=_quota_here(),
        processor=_processor(),
        blas=library,
        blas_threads=threads,
        start_method="loky (spawn-like)",
        interpreter_start_method=_start_method(),
        gil=getattr(sys, "_is_gil_enabled", lambda: True)(),
        memory=total,
        memory_available=available,
        load=_load(),
        busy=_busy(watch),
        system=platform.platform(terse=True),
        python=platform.python_version(),
        numpy=_numpy_version(),
        can_measure=sys.platform != "emscripten",
    )


# ---- Where the answers come from ------------------------------------------------------------------------------------


def memory(root: Path = CGROUPS, membership: Path = MEMBERSHIP) -> tuple[int | None, int | None]:
    """(total, available) bytes of memory, the container's limit respected; None where nobody says."""
    psutil = _psutil()
    if psutil is None:
        return None, None
    whole = psutil.virtual_memory()
    limits = [limit for folder in _control_groups("memory", root, membership) for limit in _memory_limits(folder)]
    return min([whole.total, *(total for total, _ in limits)]), min([whole.available, *(left for _, left in limits)])


def _memory_limits(folder: Path) -> Iterator[tuple[int, int]]:
    """(limit, bytes left) of one control group; nothing where it sets no limit."""
    limit = _first(folder / "memory.max") or _first(folder / "memory.limit_in_bytes")
    used = _first(folder / "memory.current") or _first(folder / "memory.usage_in_bytes")
    if limit.isdigit():  # "max" means no limit; version 1 writes a number near 2**63 instead, which min() drops
        statistics = _words(folder / "memory.stat")
        # Files read once and cached count as used, yet are given back on demand.
        cached = int(dict(zip(statistics[::2], statistics[1::2])).get("inactive_file", 0))
        yield int(limit), max(0, int(limit) - max(0, int(used or 0) - cached))


def _psutil():
    """psutil, or None where it cannot be installed (inside a browser)."""
    try:
        import psutil
    except ImportError:
        return None
    return psutil


def _physical() -> int | None:
    psutil = _psutil()
    return psutil and psutil.cpu_count(logical=False)


def _load() -> float | None:
    psutil = _psutil()
    try:
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else psutil and psutil.getloadavg()[0]  # Windows
    except OSError:
        return None


def _busy(watch: float) -> float | None:
    """Share of the allowed CPUs in use over the next `watch` seconds, 0 to 1."""
    psutil = _psutil()
    if psutil is None or not watch:
        return None
    shares = psutil.cpu_percent(interval=watch, percpu=True)
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(shares))
    mine = [shares[cpu] for cpu in allowed if cpu < len(shares)]
    return sum(mine) / len(mine) / 100 if mine else None


def _blas() -> tuple[str, int | None]:
    """(library with version, threads it would start) of NumPy's BLAS."""
    import numpy
    import threadpoolctl

    for pool in threadpoolctl.threadpool_info():
        if pool["user_api"] == "blas":
            return f"{pool['internal_api']} {pool['version'] or ''}".strip(), pool["num_threads"]
    # Apple's Accelerate cannot be asked; then NumPy's build at least names it.
    return numpy.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {}).get("name", "unknown"), None


def _start_method() -> str:
    """How Python's multiprocessing starts processes here, asked without fixing it (get_start_method() alone would)."""
    import multiprocessing

    return multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's model name: Linux writes it in a file, macOS answers a command, Windows tells Python."""
    named = [line.partition(":")[2].strip() for line in _text(cpuinfo).splitlines() if line.startswith("model name")]
    return (named or [_macos_processor() or platform.processor()])[0]


def _macos_processor() -> str:
    if sys.platform != "darwin":
        return ""
    import subprocess

    asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def _numpy_version() -> str:
    import numpy

    return numpy.__version__


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")

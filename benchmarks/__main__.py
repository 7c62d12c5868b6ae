"""The one command: `python -m benchmarks [part ...] [--quick] [--resume]`.

    python -m benchmarks                  everything, written into README.md: about 25 minutes
    python -m benchmarks tiny graph       these parts, written into README.md
    python -m benchmarks --resume         go on where a run was interrupted
    python -m benchmarks --quick          a first impression, printed only: about 2 minutes

A contest is kept in results.json as soon as it is over, with all its raw times, so an
interrupted run loses one contest at most.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from joblib import Parallel, delayed

from parlib import close, machine

from . import report

PARTS = ("tiny", "graph", "simulator", "calibration", "slider", "scenes", "learning", "streams", "grading", "arrays")
RESULTS = Path(__file__).parent / "results.json"
LIBRARIES = ("numpy", "loky", "joblib", "dask")


def main(arguments: Sequence[str] | None = None) -> None:
    """Hold the contests that are asked for, print their tables, and keep both."""
    asked = parse(arguments)
    kept = load(asked.results)
    joblib_first()
    for part in asked.parts or PARTS:
        module = import_module(f".{part}", __package__)
        before, kept[part] = kept.get(part, {}) if asked.resume else {}, {}
        for title, measure in module.sections(asked.scale).items():
            print(f"… {title}", file=sys.stderr, flush=True)
            kept[part][title] = still_true(before.get(title)) or with_conditions(measure)
            save(kept, asked.results)
        text = f"{here()}\n\n{module.report(kept[part])}"
        print(f"\n### {module.TITLE}\n\n{text}")
        if asked.readme:
            report.write(part, text, asked.readme)
    close()


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure parlib beside other executors.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"any of {', '.join(PARTS)} (all, unless said)")
    parser.add_argument(
        "--quick",
        dest="scale",
        action="store_const",
        const="quick",
        default="full",
        help="a first impression, printed only",
    )
    parser.add_argument(
        "--mini",
        dest="scale",
        action="store_const",
        const="mini",
        help="does every contest still run? Its numbers mean nothing",
    )
    parser.add_argument("--resume", action="store_true", help="keep what an interrupted run has measured")
    parser.add_argument("--readme", type=Path, help="where to write the tables")
    parser.add_argument("--results", type=Path, help="where to keep the raw times")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(map(repr, sorted(unknown)))}; known are {', '.join(PARTS)}")
    if asked.scale == "full":
        asked.readme, asked.results = asked.readme or report.README, asked.results or RESULTS
    return asked


def joblib_first() -> None:
    """Start joblib's processes before loky's.

    The other way round, joblib waits a second at the end of each call with a memory-mapped
    array, for a file that nobody removes: both have a tracker of shared files, and share it
    badly. That second would be ours to blame, and none of joblib's.
    """
    array = np.zeros(2**18)  # two megabytes: above its threshold for memory-mapping
    Parallel(n_jobs=2)(delayed(np.sum)(array) for _ in range(2))


def with_conditions(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a contest measured, and under which conditions."""
    before, when = psutil.getloadavg()[0], time.strftime("%Y-%m-%d %H:%M")
    record = measure()
    load = f"{before:.1f} → {psutil.getloadavg()[0]:.1f}"
    return record | {"load": load, "when": when, "machine": here()}


def still_true(record: dict[str, Any] | None) -> dict[str, Any] | None:
    """A record of this machine with these libraries; None for any other."""
    return record if record and record["machine"] == here() else None


def here() -> str:
    """This machine and what was measured on it, in one line."""
    panel = machine(watch=0)
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{panel.processor or platform.machine()}, {panel.cores} usable cores, {panel.blas}; {platform.system()}, "
        f"Python {platform.python_version()}, {libraries}."
    )


def load(path: Path | None) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path and path.exists() else {}


def save(kept: dict[str, Any], path: Path | None) -> None:
    if path:
        short = json.loads(json.dumps(kept), parse_float=lambda text: float(f"{float(text):.6g}"))
        path.write_text(json.dumps(short, indent=1), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

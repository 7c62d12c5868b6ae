"""Slider to pixels: how long after a key press does the page show the new picture?

    key ──► JupyterLab ──► kernel: simulate, draw, pack ──► page: unpack, paint
     └──────────────────── this time ────────────────────────────────────┘

A real JupyterLab in a real Chromium, without a window. A witness in the page (`slider.js`) notes
every key press and looks at the picture once a frame; the frame itself adds up to 17 ms that no
clock of the page sees. Run alone with `python -m benchmarks.slider`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from .report import Target, row

TITLE = "Slider to pixels"
EXPLORE = "from parlib import explore\nfrom parlib.workloads import bakery\nexplore(bakery.busy)"
LAWS = "from parlib import explore_laws, recorded\nexplore_laws(recorded('bakery.waiting'), workers=1_000_000)"


class Slider(NamedTuple):
    """A panel, which slider of it, the keys there and back, and how many presses before it turns round."""

    code: str
    number: int
    keys: tuple[str, str]
    turn: int


SLIDERS = {
    "The workers slider of `explore`": Slider(EXPLORE, 0, ("ArrowRight", "ArrowLeft"), 10),
    "The data size slider of `explore`": Slider(EXPLORE, 1, ("ArrowRight", "ArrowLeft"), 1),
    "The workers slider of `explore_laws`, at a million": Slider(LAWS, 0, ("ArrowLeft", "ArrowRight"), 3),
}

PAUSE = 0.35  # seconds between two presses: time to settle, and too short for a measurement to begin
WARM = 6  # presses that are not counted

SCALES = {"full": 60, "quick": 20, "mini": 2}


def sections(scale: str) -> dict[str, Callable[[], dict[str, Any]]]:
    return {title: partial(press, slider, SCALES[scale]) for title, slider in SLIDERS.items()}


def press(slider: Slider, times: int) -> dict[str, Any]:
    """Press keys on one slider, and note the milliseconds until the picture had changed for the last time."""
    found = browser()
    with tempfile.TemporaryDirectory() as root:
        written(Path(root), slider.code)
        with found.Lab(root) as lab, found.opened(lab, width=1500, height=1000) as page:
            page.open("panel.ipynb")
            page.run_all()
            return pressed(page, slider, times)


def browser() -> Any:
    """What the tests know of browsers and JupyterLab; ends the program with one sentence where there is none."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    import browser

    return browser if browser.chromium() else sys.exit(browser.MISSING)


def written(root: Path, code: str) -> None:
    """A notebook with a panel in it."""
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, root / "panel.ipynb")


def pressed(page: Any, slider: Slider, times: int) -> dict[str, Any]:
    page.slider(0, slider.number).focus()
    page.cell(0).locator("img").wait_for()
    psutil.cpu_percent()
    for count in range(-WARM, times):
        if count == 0:
            page.cell(0).evaluate((Path(__file__).parent / "slider.js").read_text(encoding="utf-8"))
            page.page.wait_for_timeout(300)
        page.page.keyboard.press(slider.keys[(count + WARM) // slider.turn % 2])
        page.page.wait_for_timeout(PAUSE * 1000)
    seen = page.page.evaluate("() => window.witness.stop()")
    return delays(**seen) | {"busy": psutil.cpu_percent() / 100}


def delays(keys: Sequence[float], frames: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For each key press the milliseconds to the last new picture before the next; and how many frames were blank.

    >>> look = [{"time": t, "there": True, "sign": s} for t, s in [(0, "a"), (16, "a"), (33, "b"), (50, "b")]]
    >>> delays([10.0], look)
    {'delays': [23.0], 'unanswered': 0, 'blank': 0}
    """
    ends, found = [*keys[1:], float("inf")], []
    for key, end in zip(keys, ends, strict=True):
        sign = next((frame["sign"] for frame in reversed(frames) if frame["time"] <= key and frame["there"]), None)
        changes = []
        for frame in frames:
            if key < frame["time"] <= end and frame["there"] and frame["sign"] != sign:
                sign = frame["sign"]
                changes.append(frame["time"] - key)
        found.append(changes[-1] if changes else None)
    blank = sum(not frame["there"] for frame in frames)
    return {"delays": [one for one in found if one is not None], "unanswered": found.count(None), "blank": blank}


def report(kept: dict[str, dict[str, Any]]) -> str:
    """The table, and whether the target was met."""
    heads = "slider", "presses", "p50 (ms)", "p95 (ms)", "slowest (ms)", "unanswered", "blank frames", "CPUs busy"
    lines = [row(*heads), row(*["---"] * len(heads))]
    for title, record in kept.items():
        times = np.array(record["delays"])
        middle, most, last = np.quantile(times, 0.5), np.quantile(times, 0.95), times.max()
        numbers = f"{middle:.0f}", str(Target("", float(most), at_most=100)), f"{last:.0f}"
        faults = str(record["unanswered"]), str(record["blank"])
        lines.append(row(title, str(len(times)), *numbers, *faults, f"{record['busy']:.0%}"))
    return "\n".join(lines)


if __name__ == "__main__":
    scale = next((word for word in sys.argv[1:] if word in SCALES), "full")
    print(report({title: measure() for title, measure in sections(scale).items()}))

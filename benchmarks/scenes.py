"""Scenes: how many frames a second does a crowded one play, beside an empty page?

    round 1:  empty  scene        the same browser, a fresh page each time, and the order drawn anew for each round;
    round 2:  scene  empty        the scene plays from its beginning

64 bakers bake 2,000 trays, in the replay that plays without a kernel; its script is the widget's, too. An empty page
shows as many frames as the machine gives. A scene that does not play to the end of a count is refused.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from .contest import Middle, ratio
from .report import Target, row, table, times_of
from .slider import browser

TITLE = "Scenes"
WORKERS, TRAYS = 64, 2000
SCENE, EMPTY = "the scene plays", "an empty page"
WANTED = 55  # frames a second; or what an empty page shows, where that is less
PAGE = "<!doctype html><html lang='en'><title>Frames</title><body>{}</body></html>"

# scale: rounds, and the seconds of each count; a performance takes 12
SCALES = {"full": (9, 10), "quick": (3, 4), "mini": (2, 0.2)}


def sections(scale: str) -> dict[str, Callable[[], dict[str, Any]]]:
    return {f"{TRAYS:,} trays on {WORKERS} workers": partial(play, *SCALES[scale])}


def play(rounds: int, seconds: float) -> dict[str, Any]:
    """Frames a second of the scene and of an empty page, in turn, and how busy others kept the machine."""
    found = browser()
    from playwright.sync_api import sync_playwright

    count, scene = (Path(__file__).parent / "frames.js").read_text(encoding="utf-8"), replay()
    rates: dict[str, list[float]] = {EMPTY: [], SCENE: []}
    draw, busy = random.Random(rounds), []
    with sync_playwright() as player:
        chrome = player.chromium.launch(executable_path=found.chromium(), args=list(found.FLAGS))
        for _ in range(rounds):
            busy.append(psutil.cpu_percent(interval=0.1) / 100)
            for name in draw.sample([*rates], len(rates)):
                with chrome.new_page(viewport={"width": 1100, "height": 1000}) as page:
                    rates[name].append(counted(page, scene if name == SCENE else "", count, seconds))
        chrome.close()
    return {"rates": rates, "busy": busy}


def replay() -> str:
    """The scene as a notebook keeps it: a frame with all that it needs."""
    from parlib import Bakery, simulate
    from parlib.scenes.page import twin_forms

    costs = np.random.default_rng(1).exponential(1.0, TRAYS)
    scene = Bakery(simulate(costs, WORKERS, dispatch=1e-3), title=f"{TRAYS:,} trays on {WORKERS} bakers")
    forms = twin_forms(scene._values() | {"question": {}}, room=10**7)
    assert forms is not None
    return forms["text/html"]


def counted(page: Any, scene: str, count: str, seconds: float) -> float:
    """Frames a second of a page with this scene playing in it, or with nothing in it."""
    page.set_content(PAGE.format(scene))
    if not scene:
        return page.evaluate(count, seconds)
    button = page.frame_locator("iframe").locator("button[data-do=play]")
    button.click()
    rate = page.frames[-1].evaluate(count, seconds)
    if "Pause" not in button.inner_text():
        raise AssertionError("the scene does not play")
    return rate


def report(records: dict[str, dict[str, Any]]) -> str:
    """The table, and whether the target was met."""
    return "\n\n".join(_table(title, record) for title, record in records.items())


def _table(title: str, record: dict[str, Any]) -> str:
    rates, lines = record["rates"], []
    for name, found in rates.items():
        middle = Middle.of(found)
        told = f"{middle.median:.1f} [{middle.low:.1f} – {middle.high:.1f}]"
        beside = times_of(ratio(found, rates[EMPTY])) if name == SCENE else ""
        goal = min(WANTED, Middle.of(rates[EMPTY]).median)
        verdict = str(Target("frames a second", middle.median, at_least=goal)) if name == SCENE else ""
        lines.append(row(name, told, beside, verdict))
    return table(title, record, ["", "frames a second", "this ÷ empty", "target"], lines)

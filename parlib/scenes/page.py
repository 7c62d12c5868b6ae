"""How does a scene reach the page, and what is left of it there? A widget, and two spare copies for when it is gone.

    widget   alive: sliders, baking for real                               gone when the notebook is reopened
    twin     the same script and score in a frame: plays without a kernel  where scripts may run, and size allows
    still    three moments as <img alt> and as PNG                         everywhere

The spare copies stand open in the file; where a better one lives, it closes them.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..plots.showing import small, tight
from .still import still
from .words import alt, guessed

__all__ = ["CSS", "ESM", "still_forms", "twin_forms"]

HERE = Path(__file__).parent
SCRIPTS = "moment", "stage", "trays", "timeline", "scene", "page"
LIMIT = 72_000  # bytes of a stored scene: a race that brings the script along fits, and a lesson has room for more

Forms = dict[str, str]


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _script() -> str:
    """All of the JavaScript as one module; the drawings are a text in it."""
    parts = [f"const ART = {json.dumps(_read('art.svg'))};", *(_read(f"{name}.js") for name in SCRIPTS)]
    return "\n".join(parts)


ESM, CSS = _script(), _read("scene.css")


def twin_forms(values: dict[str, Any], room: int, *, carries: bool = True) -> Forms | None:
    """The replay as a frame, or None where it would take more than `room` bytes.

    The script is most of it. One frame of a page `carries` it; the others borrow it from that one.
    """
    packed = base64.b64encode(gzip.compress(json.dumps(_light(values, carries)).encode(), 9, mtime=0)).decode()
    page = html.escape(_read("twin.html").replace("PACKED", packed))
    if len(page) > room:
        return None
    name, title = values["name"], html.escape(values["title"])
    frame = f'<iframe srcdoc="{page}" title="Replay: {title}" style="{FRAME}"></iframe>'
    text = f"Replay of {values['title']}, without a kernel."
    return {"text/plain": text, "text/html": _folded("twin", name, "Replay without a kernel", frame)}


FRAME = "width: 100%; height: 640px; border: 0; display: block"


def _light(values: dict[str, Any], carries: bool) -> dict[str, Any]:
    """What a frame needs: the script with short lines, and no sliders, for nobody would answer them."""
    kit = {"style": _lean(CSS), "script": _lean(ESM)}
    version = f"parlib {blake2b(kit['script'].encode(), digest_size=6).hexdigest()}"
    return {"kit": kit if carries else None, "version": version, "values": values | {"live": False}}


@cache
def _lean(source: str) -> str:
    """The same code without indents and lines of comment: for a machine that reads it in a stored file."""
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def still_forms(values: dict[str, Any]) -> Forms:
    """The picture with its words, open until something better closes it, and as PNG for pages without HTML."""
    guess = [guessed(values["guess"])] if values["guess"] is not None else []
    told = sides(values["score"])
    tail = [*dict.fromkeys(one["caption"] for one in told), *guess]
    words = " ".join([*map(alt, told), *tail])
    large, spare = still(values["score"])
    kind, shown = small(large)
    data = base64.b64encode(shown).decode()
    picture = f'<img alt="{html.escape(words)}" style="max-width: 100%" src="data:image/{kind};base64,{data}">'
    said = " ".join([*dict.fromkeys(one["said"] for one in told), *tail])
    figure = f'{picture}<p style="font-size: max(16px, 1em)">{html.escape(said)}</p>'
    name = values["name"]
    forms = {"text/plain": words, "text/html": _folded("still", name, "Still picture: beginning, middle, end", figure)}
    return forms | {"image/png": base64.b64encode(tight(spare)).decode()}


def _folded(kind: str, name: str, summary: str, inside: str) -> str:
    return f'<details open data-parlib-{kind}="{name}"><summary>{summary}</summary>{inside}</details>'


def sides(score: dict[str, Any]) -> list[dict[str, Any]]:
    """The scores of a race, or the one there is."""
    return score.get("sides", [score])

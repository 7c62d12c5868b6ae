"""How does something reach the page so that the saved file keeps it? As a still picture in an output of its own.

A widget is gone when a notebook is reopened, and an Output widget loses what was in it. So whatever must last goes
into a display handle: `place` puts it on the page, and the function it returns replaces it later, also from a button.

    update = place(still("Not yet.", "<p>Not yet.</p>"))
    update(pictured(value))

It does not know about predictions or quizzes.
"""

from __future__ import annotations

import base64
import html
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Still", "captured", "live", "place", "pictured", "still"]

WIDGET = "application/vnd.jupyter.widget-view+json"
LARGE = "font-size: max(16px, 1em)"  # readable from the back of a room; grows with the presentation mode


@dataclass(frozen=True)
class Still:
    """One thing to show, in the forms a notebook, a code host and a plain terminal each understand."""

    forms: dict[str, Any]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return self.forms

    def __repr__(self) -> str:
        return str(self.forms.get("text/plain", ""))


def still(text: str, markup: str) -> Still:
    """A text, and the same in HTML at reading size."""
    return Still({"text/plain": text, "text/html": f'<div style="{LARGE}">{markup}</div>'})


def live(widget: Any, text: str) -> Still:
    """A widget, with the `text` that stands for it where no widget can be drawn and that checkers compare."""
    return Still({"text/plain": text, WIDGET: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}})


def place(first: Any) -> Callable[[Any], None]:
    """Put `first` on the page; the returned function puts something else in its place."""
    from IPython.display import display

    handle = display(first, display_id=True)
    return handle.update if handle else lambda later: None  # in a plain terminal there is no place to come back to


def pictured(value: Any) -> Any:
    """`value`, or the picture of it if it is a part of a matplotlib figure."""
    if "matplotlib" not in sys.modules:
        return value
    from matplotlib import artist, pyplot

    figure: Any = value.figure if isinstance(value, artist.Artist) else None
    if not hasattr(figure, "savefig"):
        return value
    file = io.BytesIO()
    figure.savefig(file, format="png")
    pyplot.close(figure)  # or the notebook would show it once more, in the wrong cell
    return Still({"text/plain": repr(value), "image/png": base64.b64encode(file.getvalue()).decode()})


def captured(draw: Callable[[], Any]) -> Still:
    """Everything `draw()` prints, displays and returns, as one thing to show; an exception becomes its message."""
    from IPython.display import display
    from IPython.utils.capture import capture_output

    with capture_output(stderr=False) as caught:
        value = draw()
        if value is not None:
            display(pictured(value))
    printed = [{"text/plain": caught.stdout}] if caught.stdout.strip() else []
    return _together([*printed, *(output.data for output in caught.outputs)])


def _together(pieces: list[dict[str, Any]]) -> Still:
    if len(pieces) == 1:
        return Still(pieces[0])
    text = "\n".join(str(piece.get("text/plain", "")).rstrip() for piece in pieces)
    return Still({"text/plain": text, "text/html": "".join(map(_markup, pieces))})


def _markup(piece: dict[str, Any]) -> str:
    """The HTML of one output: its own, its picture, or its text."""
    text = html.escape(str(piece.get("text/plain", "")))
    if "image/png" in piece and "text/html" not in piece:
        return f'<img alt="{text}" src="data:image/png;base64,{piece["image/png"]}">'
    return piece.get("text/html") or piece.get("image/svg+xml") or f"<pre>{text}</pre>"

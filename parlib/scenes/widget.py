"""What travels between the kernel and a scene? The score, the question, and what the learner moves.

While a scene plays, nothing travels at all: the page has the score. This file does not know what is in it.
"""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from .page import CSS, ESM

__all__ = ["Stage"]


class Stage(anywidget.AnyWidget):
    """One scene on the page.

    Python writes `score`, `question`, `news` and `baking`; the page writes `guess`, `looked` (something
    was played), `workers`, `size` (the place of the order size among `sizes`) and `wish`, a counter that grows whenever
    somebody wants to bake for real.
    """

    _esm, _css = ESM, CSS
    name = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    score = traitlets.Dict().tag(sync=True)
    question = traitlets.Dict().tag(sync=True)
    guess = traitlets.Any(None, allow_none=True).tag(sync=True)
    looked = traitlets.Bool(False).tag(sync=True)
    live = traitlets.Bool(False).tag(sync=True)
    workers = traitlets.Int(1).tag(sync=True)
    most = traitlets.Int(16).tag(sync=True)
    sizes: Any = traitlets.List().tag(sync=True)
    size = traitlets.Int(0).tag(sync=True)
    wish = traitlets.Int(0).tag(sync=True)
    news = traitlets.Unicode().tag(sync=True)
    baking = traitlets.Bool(False).tag(sync=True)
    story = ""

    def __repr__(self) -> str:
        return self.story or "<Stage>"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget with its story as text, so that a checker compares the same words each time."""
        given: Any = super()._repr_mimebundle_(**options)
        return (given[0] | {"text/plain": repr(self)}, *given[1:])

"""What is going on, in one sentence that is seen and heard; and how far it is.

A live region, which ipywidgets has no widget for: assistive technology reads the sentence aloud
when it changes. It does not know what the sentence is about.
"""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets

__all__ = ["Status"]

HERE = Path(__file__).parent


class Status(anywidget.AnyWidget):
    """`text` is the sentence, `done` the share that is over (0 … 1), or -1 where nothing is going on.

    >>> Status(text="Measuring …", done=0.25)
    <Status: Measuring … 25%>
    """

    _esm, _css = HERE / "status.js", HERE / "status.css"
    text = traitlets.Unicode().tag(sync=True)
    done = traitlets.Float(-1.0).tag(sync=True)

    def __repr__(self) -> str:
        return f"<Status: {self.text}{f' {self.done:.0%}' if self.done >= 0 else ''}>"

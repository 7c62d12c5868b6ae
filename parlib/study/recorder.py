"""How do answers on the page reach the learner's notes? Through one invisible widget beside the page.

The page works without it; with it, what is opened is kept, and what is known appears beside each item. Its own output
is hidden by practice.css, so that a reopened notebook does not complain that the widget is gone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

if TYPE_CHECKING:
    from .practice import Practice

__all__ = ["Recorder"]


class Recorder(anywidget.AnyWidget):
    """Listens to one page of practice: messages {"item": 3, "answer": "b"} come in, notes by item go out."""

    _esm = Path(__file__).with_name("recorder.js")
    page = traitlets.Unicode().tag(sync=True)  # which page on the screen is ours
    notes = traitlets.Dict().tag(sync=True)

    def __init__(self, practice: Practice) -> None:
        super().__init__(page=f"{practice.kind}-{practice.lesson}", notes=practice.notes)
        self._practice = practice
        self.on_msg(self._heard)

    def _heard(self, widget: object, message: Any, buffers: object) -> None:
        try:
            self._practice.heard(message)
        except (KeyError, TypeError, ValueError):
            return  # the page shows an older file than the one that was read: nothing to keep
        self.notes = self._practice.notes

    def __repr__(self) -> str:
        return f"<Recorder of {self.page}>"

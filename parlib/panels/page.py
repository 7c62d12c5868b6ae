"""How does a panel reach the page? Controls, a sentence, and a picture that outlives them all.

    controls ▬▬●▬▬   [choice]   …
    a sentence, seen and heard
    ┌ picture ─────────────────────┐   an output of its own: it is saved
    └──────────────────────────────┘   with the notebook, and still there later

A move draws at once, in the thread that hears of it. What takes longer comes in on a thread of its own. One lock
keeps the two from drawing at the same time. This file does not know what is in the picture.
"""

from __future__ import annotations

import base64
import html
import threading
from functools import cached_property
from typing import Any

from ..plots.showing import small, spare

__all__ = ["LONG", "SHORT", "Page"]

SHORT: Any = {"style": {"description_width": "initial"}, "layout": {"width": "auto"}}
LONG: Any = SHORT | {"layout": {"width": "min(480px, 100%)"}}
WIDGET = "application/vnd.jupyter.widget-view+json"


class Page:
    """A panel without its contents: its heirs have `choice`, `controls`, `status`, `board`, and say what they show."""

    words = ""  # what the controls are, for those who have no controls
    choice: Any
    controls: Any
    status: Any
    board: Any

    def __init__(self) -> None:
        self._drawing = threading.RLock()
        self._handle: Any = None

    # ---- What an heir says -----------------------------------------------------------------------------------------

    def _alt(self) -> str:
        """What the picture shows, for those who cannot see it."""
        raise NotImplementedError

    def _caption(self) -> str:
        """Where its numbers come from."""
        raise NotImplementedError

    def _rows(self) -> list[list[Any]]:
        """The controls, row by row."""
        raise NotImplementedError

    def _listen(self) -> None:
        """Have every control tell of its moves."""
        raise NotImplementedError

    # ---- What all do ------------------------------------------------------------------------------------------------

    def move(self, **changes: Any) -> None:
        """Put controls elsewhere, as a hand would, by their names."""
        for name, value in changes.items():
            self.controls[name].value = value

    def _draw(self, lasting: bool = False) -> None:
        with self._drawing:
            if self._handle:
                self._handle.update(self._forms(lasting), raw=True)

    def _forms(self, lasting: bool) -> dict[str, str]:
        """The picture in every form a notebook asks for: made quickly, or, if it is `lasting`, made small."""
        alt, caption, picture = self._alt(), self._caption(), self.board.draw(self.choice, lasting)
        kind, shown = small(picture) if lasting else ("png", picture)
        fits = "max-width: 100%; height: auto; max-height: 68vh; object-fit: contain"
        width, height = self.board.canvas.get_width_height()
        size = f'width="{width}" height="{height}" style="{fits}"'
        source = f"data:image/{kind};base64,{_text(shown)}"
        image = f'<img alt="{html.escape(alt)}" decoding="sync" {size} src="{source}">'
        said = f'<p style="font-size: max(16px, 1em)">{html.escape(caption)}</p>'
        forms = {"text/plain": f"{alt}\n{caption}", "text/html": image + said}
        return forms | ({"image/png": _text(spare(picture))} if lasting else {})

    @cached_property
    def _arranged(self) -> Any:
        """Controls, sentence and the voice that names them; the same each time, so that nothing is heard twice."""
        import ipywidgets as widgets

        from ..accessibility import name_controls

        self._listen()
        looks = widgets.Layout(flex_flow="row wrap", grid_gap="4px 24px", align_items="center")
        rows = self._rows()
        boxes = [widgets.Box(row, layout=looks) for row in rows]
        return widgets.VBox([*boxes, self.status, name_controls(*(control for row in rows for control in row))])

    def _layout(self) -> Any:
        return self._arranged

    def _ipython_display_(self) -> None:
        from IPython.display import display

        layout = self._layout()
        view = {"version_major": 2, "version_minor": 0, "model_id": layout.model_id}
        display({"text/plain": self.words, WIDGET: view}, raw=True)
        self._handle = display(self._forms(lasting=True), raw=True, display_id=True)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

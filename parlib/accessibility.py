"""Can everyone use the controls? One invisible widget gives sliders their names, a focus ring, and the page a voice.

ipywidgets' sliders work by keyboard but have no name for a screen reader, selection and logarithmic sliders speak the
wrong value, and focus hardly shows. The JavaScript beside this file copies each control's label and readout to where
assistive technology looks, and keeps typed keys from JupyterLab's own shortcuts.

    voice = name_controls(slider, button)        # put `voice` in the same layout
    voice.say("2 workers: 1.7 times faster")     # read aloud once, politely, on pause and step only

It does not know what the controls mean, and it changes nothing a sighted mouse user sees except 16 px type.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import anywidget
import traitlets

__all__ = ["Voice", "name_controls"]

HERE = Path(__file__).parent


class Voice(anywidget.AnyWidget):
    """The invisible widget: it adopts every control that carries its class, and speaks."""

    _esm = HERE / "accessibility.js"
    _css = HERE / "accessibility.css"
    adopts = traitlets.Unicode().tag(sync=True)  # the CSS class of the controls it looks after
    count = traitlets.Int()

    def say(self, text: str) -> None:
        """Have `text` read aloud by a screen reader when it next pauses."""
        self.send({"say": text})

    def __repr__(self) -> str:
        return f"<Voice of {self.count} {'control' if self.count == 1 else 'controls'}>"


def name_controls(*widgets: Any) -> Voice:
    """Name ipywidgets controls for a screen reader: by tooltip, else by description. Lay out what it returns with them.

    >>> from ipywidgets import IntSlider
    >>> name_controls(IntSlider(description="workers"))
    <Voice of 1 control>
    """
    unique = f"parlib-{uuid.uuid4().hex[:12]}"
    for widget in widgets:
        widget.add_class("parlib-control")
        widget.add_class(unique)
    return Voice(adopts=unique, count=len(widgets))

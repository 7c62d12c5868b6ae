"""How does a long measurement show that it goes on? By a bar that is redrawn in place, and is gone at the end.

In a terminal that is one line of text. In a notebook it is one output, which ends as a sentence:
a trail of old bars would be stored with the notebook.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from tqdm import tqdm


class NotebookBar(tqdm):
    """A bar in one output of a notebook.

    >>> NotebookBar(total=2, desc="bread", shown=print).close()
    bread:   0%|          | 0/2 [00:00<?, ?it/s]
    bread: 0 of 2 runs
    """

    def __init__(self, *, shown: Any = None, **settings: Any) -> None:
        self.shown = shown or _output()
        super().__init__(file=io.StringIO(), ascii=False, leave=False, **settings)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Redraw the bar; with an empty message, which is tqdm's last, say how far it came."""
        self.shown(f"{self.desc.rstrip(': ')}: {self.n} of {self.total} runs" if msg == "" else str(self))


def bar(total: int, name: str, *, shown: bool) -> Any:
    """A bar for where this is running."""
    if shown and _in_notebook():
        return NotebookBar(total=total, desc=name, unit="run")
    return tqdm(total=total, desc=name, unit="run", leave=False, disable=not shown)


def _in_notebook() -> bool:
    """Whether a notebook shows what this kernel displays."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")


def _output() -> Any:
    """A function that shows a text in one output, each time in place of the one before."""
    from IPython.display import display

    handle = display({"text/plain": ""}, raw=True, display_id=True)
    return lambda text: handle.update({"text/plain": text}, raw=True)

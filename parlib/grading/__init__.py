"""Is this notebook right? A check publishes the student's value; another process compares it.

    in the student's notebook      check("2.1", lambda: ...)     publishes, compares, says where to look
    beside it                      hint("2.1")                   one step further with every call
    from a terminal                check_notebook(path)          the whole notebook, through nbval

The expected value never enters the process that runs the student's code when points are
counted: nbval compares what came out, in another process. The files, in reading order:
`values` (what is published), `course` (what an exercise is), `feedback` (what the student
sees), `build` (master to student notebook), `intake`, `rebuild`, `nbval_plugin`, `judge`. And a
whole class, `python -m parlib grade`: `gathering`, `references`, `marking`, `batch`, `journal`,
`reports`, `grade`; below them `sandbox`, `kernels`, `leftovers`, `linux`, `connection`, `worker`,
`referee`.
"""

from .feedback import NotYet, answered, check, hint
from .judge import check_notebook
from .referee import rendezvous

__all__ = ["NotYet", "answered", "check", "check_notebook", "hint", "rendezvous"]

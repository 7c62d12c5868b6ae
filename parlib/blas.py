"""How many threads may the arithmetic library use? One for each worker, while a run lasts.

NumPy hands matrix products to a library (a BLAS) with threads of its own. Two workers with
two such threads each would fight over two cores, and a "speedup" would mean nothing.
Nested and concurrent runs count themselves in and out, so that the last one to leave
restores what the first one found.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""What a worker process is started with, for libraries that it loads later."""


class OneThread:
    """A context manager that holds the arithmetic libraries at one thread each.

    >>> with one_thread:
    ...     pass
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0  # runs that are in progress
        self._found: list[tuple[Any, int]] = []  # the libraries, and the numbers that the first run found
        self._controller: Any = None  # knows the libraries; takes milliseconds to make, so it is kept
        self._modules = 0  # how many modules were loaded when it was made

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._found = [(library, library.get_num_threads()) for library in self._libraries()]
                for library, _ in self._found:
                    allow(library, 1)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                for library, number in self._found:
                    allow(library, number)

    def _libraries(self) -> list[Any]:
        from threadpoolctl import ThreadpoolController

        if self._controller is None or len(sys.modules) != self._modules:
            try:
                self._controller, self._modules = ThreadpoolController(), len(sys.modules)
            except OSError:  # a sandbox that does not show which libraries are loaded
                return []
        return self._controller.lib_controllers


def allow(library: Any, threads: int) -> None:
    """Set how many threads a library may use, whichever thread asks.

    From 3.8 on, threadpoolctl obeys only the first thread that asked. A run may be started
    in any thread, and end as the last in another, so nobody stays the first.
    """
    give_way = getattr(library, "clear_controlling_thread", lambda force: None)
    give_way(force=True)
    library.set_num_threads(threads)
    give_way(force=True)


one_thread = OneThread()

"""Is memory that was used once used again? With glibc only after it has seen a large block come and go.

    array freed ──► back to the system ──► asked for again, page by page, each one wiped first
                └─► kept, and used for the next array

Every step of an expression makes an array and drops it. For arrays of a few megabytes the way through
the system costs more than the arithmetic, and the threads of a process wait for each other on it.
The C library of Linux keeps blocks up to the size of the largest it has seen freed (at most 32 MiB;
`man mallopt`, M_MMAP_THRESHOLD). So it is shown one, which nobody ever wrote to: it takes no
memory and no time. Other systems do not mind.
"""

from __future__ import annotations

import numpy as np

__all__ = ["keep_freed_memory"]

LARGEST = 2**25 - 2**13  # bytes: the most that glibc learns from, with room for its own notes


def keep_freed_memory() -> None:
    """Let the C library keep the memory of arrays that are dropped, for the next ones: up to 64 MiB."""
    np.empty(LARGEST, np.uint8)

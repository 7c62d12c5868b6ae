"""What is a kernel that runs by itself? Limits first, then its sockets, then it waits for cells.

    python -m parlib.grading.alone FOLDER      for systems without a warm parent, and for trusted notebooks

FOLDER holds `wish.json`: the limits, and how the kernel is to be reached. A kernel that is
forked in a sandbox takes the same steps.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["prepared_kernel", "set_limits"]


def set_limits(limits: dict[str, int]) -> None:
    """What one process may take, in the names of the system: bytes of memory (AS), seconds (CPU), files (NOFILE), …"""
    try:
        import resource
    except ImportError:  # Windows has no limits of this kind; time is limited from outside
        return
    for name, most in limits.items():
        number = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(number)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(number, (most, most))
        except (ValueError, OSError):  # macOS has the name of a limit that it does not keep
            continue


def prepared_kernel(connection: dict[str, Any]) -> Callable[[], None]:
    """A kernel that has opened its sockets, and listens once the function returned is called."""
    from ipykernel.kernelapp import IPKernelApp

    path = Path(connection["folder"]) / "kernel.json"
    path.write_text(json.dumps(connection["content"]), encoding="utf-8")
    application = IPKernelApp.instance(connection_file=str(path))
    application.initialize(["--quiet", "--HistoryManager.enabled=False"])
    return application.start


def main() -> None:
    """Be the kernel that the folder wishes for."""
    wish = json.loads((Path(sys.argv[1]) / "wish.json").read_text(encoding="utf-8"))
    set_limits(wish["limits"])
    start = prepared_kernel(wish["connection"])
    os.write(1, b"ready\n")  # print speaks to the notebook by now
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    start()


if __name__ == "__main__":
    main()

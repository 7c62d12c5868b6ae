"""What every test, and every example in a docstring, finds: pictures need no window, none is left, and stop works."""

import os
import signal
import sys

import pytest

os.environ["MPLBACKEND"] = "agg"  # before anybody imports matplotlib
signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts tests in the background may have them ignore it


@pytest.fixture(autouse=True)
def _no_picture_left():
    """Close what a test drew: matplotlib keeps every figure, and warns (an error here) at the twenty-first."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")

"""What every test, and every example in a docstring, finds: pictures need no window, and none is left from before."""

import os
import sys

import pytest

os.environ["MPLBACKEND"] = "agg"  # before anybody imports matplotlib


@pytest.fixture(autouse=True)
def _no_picture_left():
    """Close what a test drew: matplotlib keeps every figure, and warns (an error here) at the twenty-first."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")

"""What all tests share: pictures without a window, notes of their own, and a real JupyterLab in a real browser.

    notes   a learner's notes in an empty folder, and a kernel that has measured nothing yet
    lab     a running JupyterLab in an empty folder of its own, one for all tests: make a folder in it per test
    page    a fresh browser window for it; its kernels stop when the test ends

The last two are for tests marked `browser`. Without a browser these are skipped, and fail where CI=true is set.
"""

import os

import matplotlib
import pytest
from browser import MISSING, chromium

from parlib.state import State
from parlib.timing import records

matplotlib.use("agg")  # of this process only: the kernels of the notebooks have their own way to show pictures

collect_ignore = ["make_reference_gradients.py"]  # a script that needs PyTorch; nothing else does


def pytest_runtest_setup(item):
    """Look for a browser before a test that is marked to need one."""
    if item.get_closest_marker("browser"):
        pytest.importorskip("playwright", reason="pip install playwright")
        if not chromium():
            pytest.fail(MISSING) if os.environ.get("CI") == "true" else pytest.skip(MISSING)


@pytest.fixture
def notes(tmp_path, monkeypatch):
    """A learner's notes of their own, and a kernel that remembers nothing."""
    state = State(tmp_path / ".parlib")
    monkeypatch.setattr(records, "here", lambda: state)
    monkeypatch.setattr(records, "_kept", {})
    return state


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A JupyterLab server; `lab.root` is the folder it shows."""
    from browser import Lab

    with Lab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture
def page(lab, request):
    """A window of its own for each test; parametrize it indirectly with Playwright's context options."""
    from browser import opened

    with opened(lab, **getattr(request, "param", {})) as window:
        yield window

"""One command checks everything: the linter and the type checker are tests too."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


@pytest.mark.parametrize("tool", [["ruff", "check", "."], ["mypy"]], ids=["ruff", "mypy"])
def test_nothing_to_complain_about(tool):
    asked = subprocess.run([sys.executable, "-m", *tool], cwd=REPOSITORY, capture_output=True, text=True)
    assert asked.returncode == 0, asked.stdout + asked.stderr


@pytest.mark.parametrize(
    ("tool", "bad"),
    [(["ruff", "check"], "import os\n"), (["mypy"], 'def double(x: int) -> int:\n    return x * "2" + 1\n')],
    ids=["ruff", "mypy"],
)
def test_a_mistake_is_complained_about(tool, bad, tmp_path):
    (tmp_path / "mistake.py").write_text(bad)
    settings = ["--config" if "ruff" in tool else "--config-file", str(REPOSITORY / "pyproject.toml")]
    asked = subprocess.run([sys.executable, "-m", *tool, *settings, str(tmp_path / "mistake.py")], capture_output=True)
    assert asked.returncode == 1

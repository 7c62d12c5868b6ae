"""How large is the type on a projector? As large as the last row needs: JupyterLab's own settings say so.

The learner's settings are left alone. A copy of them gets larger type, for text, code and controls, and goes
into a folder that only this JupyterLab reads: of type, it obeys a user's settings only, and no defaults.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

__all__ = ["projector_settings"]

THEME = "@jupyterlab/apputils-extension/themes.jupyterlab-settings"
LARGE = {"content-font-size1": "24px", "code-font-size": "21px", "ui-font-size1": "18px"}


def projector_settings(folder: Path, usual: Path) -> Path:
    """Fill `folder` with the `usual` settings, the type enlarged, and return it."""
    if usual.is_dir():
        shutil.copytree(usual, folder, dirs_exist_ok=True)
    path = folder / THEME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**_theme(path), "overrides": LARGE}, indent=1), encoding="utf-8")
    return folder


def _theme(path: Path) -> dict[str, object]:
    """The learner's choice of a theme; nothing where there is none, or where comments make it no plain JSON."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}

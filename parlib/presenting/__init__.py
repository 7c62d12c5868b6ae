"""How is a lesson shown to a room? Live on a projector, or as slides that need no kernel and no network.

projector   JupyterLab's settings, with type that is read from the last row
settings/   its defaults, for a room or not: no news from the network
slides      a lesson as a page of slides, with the speaker's notes
"""

from pathlib import Path

from .projector import projector_settings
from .slides import make_slides, run_sheet

__all__ = ["DEFAULTS", "make_slides", "projector_settings", "run_sheet"]

DEFAULTS = Path(__file__).parent / "settings"
"""What JupyterLab does unless the learner wants something else."""

"""What if I turn this knob? A panel answers at once with a simulation, and soon after with a measurement.

    model       what is simulated, what is known, what to say      (numbers)
    measuring   when to measure, in a process of its own           (waits for rest, ends on a move)
    board       the picture, redrawn within a blink                (matplotlib, its background kept)
    view        controls, picture and status on the page           (ipywidgets)
"""

from .view import Panel, explore

__all__ = ["Panel", "explore"]

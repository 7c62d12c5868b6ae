"""What if I turn this knob? A panel answers at once with a simulation, and soon after with a measurement.

    explore       a workload on a few workers             explore_laws   the laws on up to a million
    model         simulated and known       (numbers)     law_model      calculated and simulated   (numbers)
                                                          evidence       measured points, fitted laws
    board         curve and timeline        (picture)     law_board      strong and weak scaling    (picture)
    view          controls and sentence     (page)        law_view       controls and sentence      (page)

    explore_assignment   tasks given to workers by hand
    crew_model           simulated, beside greedy, earliest finish and the optimum      (numbers)
    crew_board           timeline, and who is done first                                (picture)
    crew_view            a row of buttons for each task                                 (page)

What all need: `easel` redraws a picture within a blink, `page` shows it, `measuring` waits until the controls rest
and ends on a move, in a thread of its own.
"""

from .crew_view import AssignmentPanel, explore_assignment
from .law_view import LawPanel, explore_laws
from .view import Panel, explore

__all__ = ["AssignmentPanel", "LawPanel", "Panel", "explore", "explore_assignment", "explore_laws"]

"""What does it look like? Still pictures: data first, `ax=None`, and the Axes come back.

    gantt(run)          who did what, and when: a timeline
    queue_depth(run)    where items pile up between the stages of a pipeline
    dag(plan)           what has to wait for what
    scaling(sweep)      how speed grows with workers
    side_by_side(runs)  which of two ways is shorter: timelines on one time axis
    samples(times)      how far a time can be trusted: every measurement, median and spread
    assignment(run)     who does which task: tasks by workers, of a run or a schedule
    heatmap(table)      which of all combinations is best
    parts(split, run)   who computed which part, and what had to be sent
    roofline(splits)    whether computing or sending is the limit
    show(ax, alt)       put any of them on the page, with words for those who cannot see it

Every picture says in its own corner whether it was measured, simulated or recorded, and takes
that from the thing it draws. Colors are told apart by color-blind eyes (Tol 2021) and never
carry a meaning alone: there is always a letter, a shape or a line style beside them.
"""

from .assignments import assignment
from .curves import scaling
from .cuts import parts
from .dots import samples
from .graphs import dag
from .heat import heatmap
from .pairs import side_by_side
from .roofs import roofline
from .showing import show
from .timelines import gantt, queue_depth

# fmt: off
__all__ = [
    "assignment", "dag", "gantt", "heatmap", "parts", "queue_depth", "roofline", "samples", "scaling", "show",
    "side_by_side",
]
# fmt: on

"""Draw the README's picture: the same sixteen seconds of work on the same four workers, shared in two ways.

    python .github/picture.py [where]      default: picture.png beside this file

Both timelines are simulated, so the picture is the same on every machine.
"""

import sys
from pathlib import Path

from matplotlib import pyplot

from parlib import Simulated, data_parallel, gantt, task_parallel
from parlib.plots.look import STYLE
from parlib.plots.showing import png

SECONDS = {"dough": 2, "sauce": 3, "meat": 4, "salad": 2, "bread": 2, "plate": 2, "serve": 1}  # sixteen together


def bake(tray): ...
def dough(): ...
def sauce(): ...
def meat(): ...
def salad(): ...
def bread(dough): ...
def plate(sauce, meat): ...
def serve(plate, bread, salad): ...


def draw(where: Path) -> None:
    """Write the picture to a PNG file."""
    bakers = data_parallel(bake, range(16), workers=4, chunks=8, backend=Simulated(cost=1.0))
    kitchen = (dough, sauce, meat, salad, bread, plate, serve)
    chefs = task_parallel(*kitchen, workers=4, backend=Simulated(cost=SECONDS))
    with pyplot.rc_context(STYLE):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(14, 3.6), dpi=100, layout="constrained", sharex=True)
        for ax, run, story in ((left, bakers, "Many bakers, one recipe"), (right, chefs, "Many chefs, one dinner")):
            gantt(run, ax=ax)
            ax.set_title(f"{story}\n{ax.get_title(loc='left')}", loc="left")
            ax.get_legend().remove()  # two legends would say the same; grey is waiting, as the alternative text tells
    where.write_bytes(png(figure))
    pyplot.close(figure)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("picture.png"))

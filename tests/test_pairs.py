"""Two timelines side by side can be compared by eye: one second has one width."""

import matplotlib
import pytest
from matplotlib import pyplot

from parlib import Simulated, data_parallel
from parlib.plots import show, side_by_side

matplotlib.use("agg")


def run_on(workers):
    return data_parallel(abs, range(4), workers=workers, backend=Simulated(cost=1.0))


@pytest.mark.parametrize("order", [(1, 2, 4), (4, 2, 1)])
def test_all_timelines_have_the_time_axis_of_the_longest(order):
    figure = side_by_side({f"{workers} bakers": run_on(workers) for workers in order})
    assert {ax.get_xlim() for ax in figure.axes} == {(0.0, 4.0)}
    pyplot.close(figure)


def test_it_says_where_both_come_from(capsys):
    show(side_by_side({"few": run_on(1), "many": run_on(4)}), "Four seconds beside one second.")
    assert "Simulated" in capsys.readouterr().out


def test_nothing_to_compare_is_refused_in_one_sentence():
    with pytest.raises(ValueError, match="at least one run"):
        side_by_side({})

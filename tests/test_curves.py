"""A scaling curve claims nothing about cores that it does not know."""

import matplotlib
import pytest
from matplotlib import pyplot

from parlib import Simulated, data_parallel, scaling, sweep

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def _closed():
    yield
    pyplot.close("all")


def cores_told(ax):
    return [text.get_text() for text in ax.texts if "core" in text.get_text()]


def one_order(workers, size):
    return data_parallel(abs, range(size), workers=workers, backend=Simulated(cost=1.0))


def test_a_purely_simulated_curve_has_no_line_at_anybodys_cores():
    assert cores_told(scaling([], simulated={1: 1.0, 10: 6.0}, prediction={4: 4.0})) == []


def test_a_sweep_says_where_its_cores_end():
    curve = sweep(one_order, (1, 128), [128], baseline=lambda size: one_order(1, size), progress=False)
    assert len(cores_told(scaling(curve))) == 1

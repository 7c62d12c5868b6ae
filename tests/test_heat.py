"""The best of all combinations stands out, by frame, number and color."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from parlib import Simulated, data_parallel, heatmap


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def frame(ax):
    """The (row, column) that the frame is around."""
    (patch,) = ax.patches
    return round(patch.get_y() + 0.5), round(patch.get_x() + 0.5)


def test_the_frame_is_around_the_least_or_the_most():
    table = [[3, 1], [2, 9]]
    assert frame(heatmap(table, rows="ab", columns="xy")) == (0, 1)
    assert frame(heatmap(table, rows="ab", columns="xy", best="most")) == (1, 1)


def test_every_cell_says_its_number_and_an_empty_one_says_nothing():
    ax = heatmap([[1.5, np.nan]], rows="a", columns="xy")
    assert [text.get_text() for text in ax.texts] == ["1.5"]


def test_runs_bring_their_seconds_and_their_source():
    runs = [
        [data_parallel(abs, range(8), workers=w, chunks=c, backend=Simulated(cost=1.0)) for c in (4, 8)] for w in (2, 4)
    ]
    ax = heatmap(runs, rows=(2, 4), columns=(4, 8), row="workers", column="chunks")
    assert ax.get_title(loc="left") == "Simulated: seconds, least 2"
    assert [text.get_text() for text in ax.texts] == ["4", "4", "2", "2"]


@pytest.mark.parametrize(
    ("table", "named", "sentence"),
    [
        ([[1, 2]], {"rows": "a", "columns": "x"}, "shape"),
        ([[np.nan]], {"rows": "a", "columns": "x"}, "no number"),
        ([[1]], {"rows": "a", "columns": "x", "best": "worst"}, "'least' or 'most'"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(table, named, sentence):
    with pytest.raises(ValueError, match=sentence):
        heatmap(table, **named)

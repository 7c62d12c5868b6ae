"""The picture of repeated times shows every one of them, their median, and what was predicted."""

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

from parlib import Simulated, data_parallel
from parlib.plots import samples

matplotlib.use("agg")


@pytest.fixture(autouse=True)
def _closed():
    yield
    pyplot.close("all")


def heights(ax, marker="o"):
    return sorted(y for line in ax.lines if line.get_marker() == marker for y in line.get_ydata())


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_every_measurement_is_a_dot():
    assert heights(samples({"a": [3.0, 1.0, 2.0], "b": [5.0]})) == [1.0, 2.0, 3.0, 5.0]


def test_the_median_leaves_the_warm_up_out():
    ax = samples({"a": [9.0, 1.0, 2.0, 3.0]}, warm_up=1)
    assert "2 s" in words(ax)
    assert "warm-up, not counted" in words(ax)
    assert heights(ax)[-1] == 9.0


def test_a_prediction_is_a_line_where_it_means_seconds_and_words_where_not():
    line = samples({"a": [1.0, 2.0]}, prediction="3×", at=3.0)
    assert any(np.all(np.asarray(drawn.get_ydata()) == 3.0) for drawn in line.lines)
    assert line.get_ylim()[1] > 3.0
    assert "you said 3×" in words(line)
    assert "you said Both" in words(samples({"a": [1.0]}, prediction="Both"))


@pytest.mark.parametrize("at", [0.001, 500.0])
def test_a_prediction_far_away_is_still_inside(at):
    ax = samples({"a": [1.0, 90.0]}, prediction="far", at=at)
    low, high = ax.get_ylim()
    assert low < at < high


def test_runs_say_themselves_where_their_seconds_come_from():
    runs = [data_parallel(abs, [1, 2], workers=2, backend=Simulated(cost=1.0))] * 3
    assert samples({"thought": runs}).source == ["simulated"]
    assert samples({"thought": runs, "done": [1.1]}).source == ["simulated", "measured"]
    assert samples({"thought": runs, "old": [1.1]}, source="recorded").source == ["simulated", "recorded"]


def test_the_axis_begins_at_zero_unless_it_says_otherwise():
    assert samples({"a": [1.0, 1.1]}).get_ylim()[0] == 0
    zoomed = samples({"a": [1.0, 1.1]}, zoom=True)
    assert zoomed.get_ylim()[0] > 0.9
    assert "does not begin at 0" in zoomed.get_ylabel()


@pytest.mark.parametrize("seconds", [[0.0, 0.0], [1.0], [1e-9, 1e9]])
def test_odd_times_are_drawn_too(seconds):
    samples({"a": seconds}, zoom=True).figure.draw_without_rendering()


def test_nothing_to_count_is_refused_in_one_sentence():
    with pytest.raises(ValueError, match="nothing left to count"):
        samples({"a": [1.0]}, warm_up=1)
    with pytest.raises(ValueError, match="at least one group"):
        samples({})


def test_the_title_names_all_sources_as_a_sentence_would():
    run = data_parallel(abs, [1, 2], workers=2, backend=Simulated(cost=1.0))
    ax = samples({"thought": [run], "done": [1.1], "old": [1.2]}, source=["measured", "recorded"])
    assert ax.get_title(loc="left") == "Simulated, measured and recorded"

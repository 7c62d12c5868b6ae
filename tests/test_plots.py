"""Pictures say what happened and where they know it from: checked on their artists, their words and their bytes."""

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image

from parlib import (
    Plan,
    Simulated,
    Span,
    Sweep,
    Task,
    Trace,
    dag,
    data_parallel,
    data_plan,
    fit,
    gantt,
    pipeline_parallel,
    pipeline_plan,
    queue_depth,
    scaling,
    show,
    task_parallel,
)
from parlib.plots.crowds import busy
from parlib.plots.graphs import layers, layout
from parlib.plots.look import FILLS, INKS, SOURCES
from parlib.plots.showing import Picture, caption, png
from parlib.plots.timelines import Bars, queue
from parlib.timing import Sample

KITCHEN = {"sauce": 3.0, "meat": 4.0, "plate": 1.0}


@pytest.fixture(autouse=True)
def _closed():
    yield
    pyplot.close("all")


def bakers(items=4, workers=2, **machine):
    return data_parallel(abs, range(items), workers=workers, chunks=items, backend=Simulated(cost=1.0, **machine))


def chefs():
    def sauce(): ...
    def meat(): ...
    def plate(sauce, meat): ...

    return task_parallel(sauce, meat, plate, workers=2, backend=Simulated(KITCHEN))


def trace_of(*bars, workers=2, source="measured", error=None):
    """A trace of (worker, started, finished, cpu); the last one failed if there is an error."""
    spans = [Span(f"t{n}", "t", w, s, s, f, f, cpu, None) for n, (w, s, f, cpu) in enumerate(bars)]
    if error:
        last = spans.pop()
        spans.append(replace(last, cpu=0.0, error=error))
    return Trace.of(spans, workers=workers, source=source)


def rectangles(collection):
    """The (left, right, low, high) of every rectangle."""
    corners = [path.vertices[:4].round(9) for path in collection.get_paths()]
    return [(box[:, 0].min(), box[:, 0].max(), box[:, 1].min(), box[:, 1].max()) for box in corners]


def words(ax):
    return [text.get_text() for text in ax.texts]


def title(ax):
    return ax.get_title(loc="left")


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ---- Timelines ------------------------------------------------------------------------------------------------------


def test_a_bar_lies_in_its_workers_lane_from_start_to_finish():
    _, whole, *_ = Bars(bakers()).areas()
    assert [(left, right, round((low + high) / 2)) for left, right, low, high in rectangles(whole)] == [
        (0, 1, 0),
        (0, 1, 1),
        (1, 2, 0),
        (1, 2, 1),
    ]


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_bar_is_filled_as_far_as_its_worker_computed(share):
    _, whole, filled, *_ = Bars(trace_of((0, 0.0, 2.0, 2.0 * share))).areas()
    (*_, low, high), (*_, below, above) = rectangles(whole)[0], rectangles(filled)[0]
    assert above == high, "it fills from the bottom of the lane"
    assert (above - below) / (high - low) == pytest.approx(share)


def test_a_task_that_computed_longer_than_it_lasted_fills_its_bar_and_no_more():
    _, whole, filled, *_ = Bars(trace_of((0, 0.0, 1.0, 5.0), (1, 1.0, 1.0, 0.0))).areas()
    assert rectangles(filled)[0] == rectangles(whole)[0]


def test_chunks_of_one_kind_differ_in_color_and_say_their_items():
    bars = Bars(bakers(3))
    assert bars.fills == list(FILLS[:3])
    assert bars.words == [["0:1"], ["1:2"], ["2:3"]]
    assert bars.named == {}


def test_kinds_of_tasks_differ_in_color_and_say_their_names():
    bars = Bars(chefs())
    assert dict(zip([words[0] for words in bars.words], bars.fills, strict=True)) == {
        "sauce": FILLS[0],
        "meat": FILLS[1],
        "plate": FILLS[2],
    }


def test_one_kind_keeps_its_color_over_all_items():
    bars = Bars(pipeline_parallel(abs, float, data=range(3), backend=Simulated(1.0)))
    assert len({(words[0].split()[0], fill) for words, fill in zip(bars.words, bars.fills, strict=True)}) == 2


def test_bars_too_narrow_for_their_name_carry_a_letter_that_the_legend_explains():
    run = pipeline_parallel(abs, float, data=range(40), backend=Simulated(1.0))
    ax = gantt(run)
    assert {"a: abs", "f: float"} <= set(legend(ax))
    assert {text[0] for text in words(ax)} <= {"a", "f"}


def test_bars_that_say_their_own_names_need_no_legend_for_them():
    assert legend(gantt(chefs())) == ["computing", "occupied, not computing", "waiting"]


def test_a_timeline_says_where_it_comes_from_and_how_long_it_took():
    assert title(gantt(bakers())) == "Simulated: 2 s on 2 workers"
    assert title(gantt(trace_of((0, 0.0, 0.05, 0.0), workers=1))) == "Measured: 50 ms on 1 worker"
    assert gantt(bakers().trace).source == "simulated"


def test_a_failed_task_is_hatched_and_crossed_out():
    ax = gantt(trace_of((0, 0.0, 1.0, 1.0), (1, 0.0, 2.0, 0.0), error="ValueError: burnt"))
    hatched = [area for area in ax.collections if area.get_hatch()]
    assert [rectangles(area) for area in hatched] == [[(0, 2, 0.6, 1.4)]]
    assert [line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "X"] == [[[2.0, 1.0]]]
    assert "failed" in legend(ax)


def test_where_nothing_failed_nothing_is_hatched():
    ax = gantt(trace_of((0, 0.0, 1.0, 1.0)))
    assert not any(rectangles(area) for area in ax.collections if area.get_hatch())
    assert "failed" not in legend(ax)


def test_400_bars_are_drawn_and_401_are_drawn_together_and_say_so():
    assert "together" not in gantt(bakers(400, 4)).get_xlabel()
    ax = gantt(bakers(401, 4))
    assert ax.get_xlabel() == "seconds (401 tasks, drawn as the share of workers that were busy)"
    assert not words(ax)


def test_a_crowd_is_as_busy_as_its_tasks_added_up_one_by_one():
    generator = np.random.default_rng(0)
    started, lasted = generator.random(50), generator.random(50)
    weight, edges = generator.random(50), np.linspace(0, 2, 9)
    middles = np.linspace(0, 2, 160_001)
    middles = (middles[1:] + middles[:-1]) / 2
    on = ((middles[:, None] >= started) & (middles[:, None] < started + lasted)) @ weight
    assert busy(started, started + lasted, weight, edges) == pytest.approx(on.reshape(8, -1).mean(1), abs=1e-3)


def test_a_million_tasks_make_a_picture():
    count = 1_000_000
    worker, started = np.arange(count) % 1000, np.arange(count) // 1000 * 1.0
    times = {"submitted": started, "started": started, "finished": started + 1, "received": started + 1}
    trace = Trace(range(count), worker, **times, cpu=np.ones(count), workers=1000, source="simulated")
    assert title(gantt(trace)) == "Simulated: 1000 s on 1000 workers"


@pytest.mark.parametrize("draw", [gantt, dag, scaling, queue_depth])
def test_what_cannot_be_drawn_is_refused_in_one_sentence(draw):
    with pytest.raises((TypeError, ValueError), match="pass"):
        draw([1, 2, 3] if draw is not scaling else 3)


def test_an_empty_run_is_an_empty_picture():
    assert title(gantt(data_parallel(abs, [], workers=2, backend=Simulated(1.0)))) == "Simulated: 0 s on 2 workers"


# ---- Queues ---------------------------------------------------------------------------------------------------------


def test_items_pile_up_before_the_slow_stage_and_not_behind_it():
    run = pipeline_parallel(abs, float, str, data=range(6), backend=Simulated({"abs": 1.0, "float": 2.0, "str": 1.0}))
    ax = queue_depth(run)
    assert {line.get_label(): max(line.get_ydata()) for line in ax.lines} == {"before float": 3, "before str": 0}
    assert title(ax) == "Simulated: 3 stages, 14 s"


def test_a_queue_is_empty_in_the_end_and_never_less_than_empty():
    run = pipeline_parallel(abs, float, data=range(9), backend=Simulated(1.0, noise=0.5, seed=3))
    _, waiting = queue(run.trace, "abs", "float")
    assert waiting.min() == 0 == waiting[-1]


def test_without_a_pipeline_there_is_no_queue():
    with pytest.raises(ValueError, match="pipeline"):
        queue_depth(bakers())


# ---- Graphs ---------------------------------------------------------------------------------------------------------


def test_a_task_stands_one_layer_behind_the_last_of_its_needs():
    assert layers(chefs().plan) == {"sauce": 0, "meat": 0, "plate": 1}


LINE, BAG = pipeline_plan(abs, float, str, data=range(6), buffer=1), data_plan(abs, range(5), chunks=5)


@pytest.mark.parametrize("plan", [LINE, BAG], ids=["pipeline", "data"])
def test_no_two_things_stand_in_the_same_place(plan):
    places = list(layout(plan).values())
    assert len(set(places)) == len(places)


def test_a_long_edge_keeps_clear_of_the_boxes_between():
    plan = Plan([Task("a", abs), Task("b", abs, ["a"]), Task("c", abs, ["b"]), Task("d", abs, ["a", "c"])])
    places = layout(plan)
    assert {node[2] for node in places if isinstance(node, tuple)} == {1, 2}
    assert places["a", "d", 1] != places["b"]


def test_the_critical_path_is_bold_from_end_to_end():
    two = [Task("sauce", abs, cost=3.0), Task("meat", abs, cost=4.0)]
    plan = Plan([*two, Task("plate", abs, ["sauce", "meat"], cost=1.0)])
    ax = dag(plan)
    bold = {text.get_text().split("\n")[0] for text in ax.texts if text.get_bbox_patch().get_linewidth() > 2}
    assert bold == set(plan.critical_path) == {"meat", "plate"}
    assert sorted(arrow.get_linewidth() for arrow in ax.patches) == [1.5, 3.0]
    assert title(ax) == "Planned: 3 tasks, longest chain 5 s"


def test_tasks_that_wait_for_nobody_have_no_critical_path():
    ax = dag(data_plan(abs, range(3), chunks=3))
    assert {text.get_bbox_patch().get_linewidth() for text in ax.texts} == {1.0}


def test_an_edge_that_carries_nothing_is_dashed():
    plan = Plan([Task("a", abs), Task("b", abs, after=["a"]), Task("c", abs, ["a"])])
    assert {arrow.get_linestyle() for arrow in dag(plan).patches} == {"--", "-"}


def test_a_plan_too_large_for_names_is_drawn_as_points_and_says_so():
    ax = dag(pipeline_plan(abs, float, data=range(40)))
    assert set(words(ax)) == {"●"}
    assert [child.txt.get_text() for child in ax.artists] == ["80 tasks: drawn as points, without their names"]


# ---- Scaling --------------------------------------------------------------------------------------------------------


def sweep_of(seconds, *, source="measured", cores=2, warning="", size=100):
    """A sweep with these raw seconds: {None: [...], 1: [...], …}."""
    raw = tuple(Sample(workers, size, one) for workers, all_ in seconds.items() for one in all_)
    where = source, "the school's laptop", cores, "", "2026-01-01 12:00"
    return Sweep("bread", "waiting", "threads", *where, raw, warning=warning)


TIMES = {None: [1.0, 1.0, 1.1], 1: [1.0, 1.1, 1.2], 2: [0.5, 0.5, 0.6]}


def drawn(ax, **looks):
    return [line for line in ax.lines if all(getattr(line, f"get_{name}")() == value for name, value in looks.items())]


def test_every_single_measurement_is_a_faint_dot():
    dots = [y for line in drawn(scaling(sweep_of(TIMES)), alpha=0.25) for y in line.get_ydata()]
    assert sorted(dots) == pytest.approx(sorted([1, 1 / 1.1, 1 / 1.2, 2, 2, 1 / 0.6]))


def test_a_point_is_the_median_speedup_and_its_bar_the_spread():
    ax = scaling(sweep_of(TIMES))
    ((middle, _, (spread,)),) = ax.containers
    assert middle.get_xydata().tolist() == [[1, pytest.approx(1 / 1.1)], [2, 2.0]]
    bars = [segment[:, 1].tolist() for segment in spread.get_segments()]
    assert bars == [pytest.approx(sweep_of(TIMES).speedups()[workers][1:]) for workers in (1, 2)]


def test_what_is_simulated_is_hollow_and_dashed_and_what_is_measured_is_not():
    ax = scaling(sweep_of(TIMES), simulated={1: 1.0, 2: 1.9, 4: 3.5})
    (thought,) = drawn(ax, label="simulated")
    assert (thought.get_linestyle(), thought.get_markerfacecolor()) == ("--", "white")
    assert [line.get_linestyle() for line in drawn(ax, color=INKS[0], alpha=None) if line.get_marker() == "o"] == ["-"]
    assert title(ax) == "Measured and simulated: bread on threads"


def test_the_ideal_line_goes_through_n_workers_n_times_as_fast():
    (line,) = drawn(scaling(sweep_of(TIMES)), label="ideal: n workers, n times as fast")
    assert line.get_xydata().tolist() == [[1, 1], [2, 2]]


@pytest.mark.parametrize(("source", "words_"), [("measured", "your 2 cores"), ("recorded", "2 cores")])
def test_the_cores_are_marked_and_are_yours_only_if_you_measured(source, words_):
    assert words_ in [text.strip() for text in words(scaling(sweep_of(TIMES, source=source)))]


def test_many_workers_double_from_tick_to_tick_and_few_do_not():
    assert scaling([], simulated={1: 1.0, 64: 20.0}).get_xscale() == "log"
    assert scaling([], simulated={1: 1.0, 8: 5.0}).get_xscale() == "linear"


def test_a_law_is_fitted_to_the_medians_and_says_what_it_found():
    sweep = sweep_of({None: [1.0], 1: [1.0], 2: [0.6], 4: [0.4]})
    named, given = scaling(sweep, laws="amdahl"), scaling(sweep, laws=[fit("amdahl", [1, 2, 4], [1, 1 / 0.6, 2.5])])
    assert "amdahl: serial fraction 0.2" in legend(named)
    assert legend(named) == legend(given)


@pytest.mark.parametrize("prediction", [1.7, {2: 1.7}])
def test_a_prediction_is_a_star_that_says_whose_it_is(prediction):
    ax = scaling(sweep_of(TIMES), prediction=prediction)
    assert [line.get_xydata().tolist() for line in drawn(ax, marker="*")] == [[[2, 1.7]]]
    assert "you said 1.7×" in words(ax)


def test_without_a_prediction_there_is_no_star():
    assert drawn(scaling(sweep_of(TIMES)), marker="*") == []


def test_a_busy_machine_is_admitted_in_the_picture():
    ax = scaling(sweep_of(TIMES, warning="Other programs were busy."))
    assert [child.txt.get_text() for child in ax.artists] == ["Other programs were busy."]


def test_several_sweeps_are_told_apart_by_what_differs():
    one, other = sweep_of(TIMES), sweep_of(TIMES, source="recorded")
    assert {"measured", "recorded"} <= set(legend(scaling([one, other])))
    small, large = sweep_of(TIMES, size=1), sweep_of(TIMES, size=2)
    assert {"measured, size 1", "measured, size 2"} <= set(legend(scaling([small, large])))


def test_a_sweep_that_was_stopped_before_its_first_point_is_no_error():
    assert title(scaling(sweep_of({}))) == "Measured: bread on threads"


# ---- On the page ----------------------------------------------------------------------------------------------------


def test_a_picture_comes_with_its_words_in_every_form():
    data = Picture(gantt(bakers()), 'Two bars & a "gap".', "simulated")._repr_mimebundle_()
    assert data["text/plain"] == 'Two bars & a "gap".\nSimulated: the seconds are virtual.'
    assert 'alt="Two bars &amp; a &quot;gap&quot;."' in data["text/html"]
    assert "Simulated: the seconds are virtual." in data["text/html"]
    assert set(data) == {"text/plain", "text/html", "image/png"}


def test_a_picture_is_shown_once_and_its_figure_is_gone(capsys):
    show(gantt(bakers()), "Bars.")
    assert capsys.readouterr().out == "Bars.\nSimulated: the seconds are virtual.\n"
    assert pyplot.get_fignums() == []


def test_every_source_has_a_sentence_and_a_misspelt_one_is_guessed():
    assert all(caption(source).endswith(".") for source in SOURCES)
    with pytest.raises(ValueError, match="did you mean 'simulated'"):
        Picture(gantt(bakers()), "Bars.", "simulatd")


def test_a_figure_of_several_pictures_says_the_sources_of_all():
    figure, (left, right) = pyplot.subplots(1, 2)
    gantt(bakers(), ax=left)
    gantt(trace_of((0, 0.0, 1.0, 1.0)), ax=right)
    assert Picture(figure, "Both.").caption == f"{SOURCES['simulated']} {SOURCES['measured']}"


def test_a_recorded_curve_names_its_machine():
    picture = Picture(scaling(sweep_of(TIMES, source="recorded")), "A curve.")
    assert picture.caption == "Recorded on the school's laptop, 2026-01-01 12:00."


@pytest.mark.parametrize(
    ("arguments", "error", "why"),
    [((3, "Three."), TypeError, "Axes"), ((None, ""), ValueError, "empty"), ((None, None), TypeError, "text")],
)
def test_a_picture_without_axes_or_without_words_is_refused(arguments, error, why):
    ax, alt = arguments
    with pytest.raises(error, match=why):
        show(gantt(bakers()) if ax is None else ax, alt)


def test_a_picture_of_unknown_source_is_refused():
    with pytest.raises(TypeError, match="where the picture's numbers come from"):
        show(pyplot.subplots()[1], "An empty picture.")


def test_the_same_picture_has_the_same_bytes_and_few_of_them():
    first, second = png(gantt(bakers()).figure), png(gantt(bakers()).figure)
    assert first == second
    assert len(first) < 25_000


def test_flat_colors_survive_the_palette_exactly():
    picture = Image.open(io.BytesIO(png(gantt(bakers()).figure))).convert("RGB")
    found = {color for _, color in picture.getcolors(picture.width * picture.height)}
    assert {(255, 255, 255), (0x77, 0xAA, 0xDD), (0xEE, 0x88, 0x66)} <= found


def test_the_readers_own_settings_are_left_alone():
    before = dict(pyplot.rcParams)
    gantt(bakers())
    assert dict(pyplot.rcParams) == before


def test_the_inks_can_be_read_on_white_and_black_can_be_read_on_the_fills():
    def light(color):  # relative luminance (WCAG 2.1)
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return np.dot([0.2126, 0.7152, 0.0722], linear)

    assert all(1.05 / (light(ink) + 0.05) >= 4.5 for ink in INKS)
    assert all((light(fill) + 0.05) / 0.05 >= 7 for fill in FILLS)

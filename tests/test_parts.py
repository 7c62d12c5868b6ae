"""A split is drawn to scale, with who computed which part; a roofline puts every split where its formula says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.colors import to_rgba
from matplotlib.patches import PathPatch, Rectangle

from parlib import Simulated, execute
from parlib.plots import parts, roofline
from parlib.plots.look import FILLS, INKS
from parlib.plots.roofs import intensity
from parlib.workloads.convolution import convolution_split
from parlib.workloads.matmul import product_split
from parlib.workloads.splits import Split, bounds_of, part


@pytest.fixture(autouse=True)
def _closed():
    yield
    pyplot.close("all")


def product(rows=6, columns=4, chunks=2, how="rows"):
    return product_split(np.ones((rows, 3)), np.ones((3, columns)), chunks, how)


def tiles(chunks=4, height=12, width=16, filter_side=3, how="tiles", images=1, filters=1):
    shapes = (images, height, width, 1), (filter_side, filter_side, 1, filters)
    return convolution_split(*map(np.ones, shapes), chunks, how)


def photograph(height=12, width=16):
    return np.arange(height * width, dtype=float).reshape(height, width)


def simulated(split, workers=2):
    return execute(split.plan(), workers=workers, backend=Simulated(cost=1.0))


def boxes(ax):
    """(left, top, width, height) of each outlined part."""
    found = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    return [(*box.get_xy(), box.get_width(), box.get_height()) for box in found]


def words(ax):
    return [text.get_text() for text in ax.texts]


def title(ax):
    return ax.get_title(loc="left")


# ---- Who computed which part ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["rows", "columns", "blocks"])
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), chunks=st.integers(1, 12))
@settings(deadline=None, max_examples=10)
def test_each_part_of_a_product_is_a_rectangle_at_its_place(how, rows, columns, chunks):
    split = product(rows, columns, chunks, how)
    ax = parts(split)
    wanted = []
    for one in split.parts:
        (top, bottom), (left, right) = (piece.indices(side)[:2] for piece, side in zip(one.where, split.shape))
        wanted.append((left, top, right - left, bottom - top))
    assert boxes(ax) == wanted
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, columns), (rows, 0))
    pyplot.close(ax.figure)


def test_a_part_is_named_and_colored_by_the_worker_that_computed_it():
    split = product(chunks=3)
    ax = parts(split, simulated(split))
    assert words(ax) == ["worker 0", "worker 1", "worker 0"]
    assert [patch.get_facecolor() for patch in ax.patches] == [to_rgba(FILLS[worker]) for worker in (0, 1, 0)]


def test_parts_without_a_run_are_numbered():
    assert words(parts(product(chunks=3))) == ["part 0", "part 1", "part 2"]


def test_unequal_parts_say_what_each_was_sent_and_equal_ones_say_it_once():
    unequal, equal = parts(product(rows=3, chunks=2)), parts(product(rows=4, chunks=2))
    assert words(unequal) == ["part 0\n144 bytes sent", "part 1\n120 bytes sent"]
    assert title(unequal) == "Calculated: 2 parts, 264 bytes sent"
    assert words(equal) == ["part 0", "part 1"]
    assert title(equal) == "Calculated: 2 parts of 144 bytes, 288 bytes sent"


def test_the_title_tells_what_the_split_counts():
    split = product(1024, 1024, 4)
    assert (
        title(parts(split))
        == f"Calculated: 4 parts of {split.parts[0].sent / 1e3:.3g} kB, {split.sent / 1e3:.3g} kB sent"
    )


@pytest.mark.parametrize(("backend", "source"), [(Simulated(cost=1.0), "simulated"), ("serial", "measured")])
def test_a_run_brings_its_source(backend, source):
    split = product()
    ax = parts(split, execute(split.plan(), workers=2, backend=backend))
    assert ax.source == source
    assert title(ax).startswith(source.capitalize())
    assert parts(split).source == "calculated"


def test_labels_never_leave_their_part_however_many_there_are():
    for how in ("rows", "columns", "blocks"):
        ax = parts(product(64, 64, 36, how))
        ax.figure.canvas.draw()
        drawn = {text.get_text(): text.get_window_extent() for text in ax.texts}
        places = {f"part {number}": patch.get_window_extent() for number, patch in enumerate(ax.patches)}
        places |= {name.split()[1]: place for name, place in places.items()}
        for name, extent in drawn.items():
            assert places[name].width >= extent.width - 1
            assert places[name].height >= extent.height - 1


def test_parts_too_thin_for_a_word_have_none():
    assert words(parts(product(200, 4, 200))) == []


def test_a_part_that_failed_is_hatched_and_says_so():
    def fussy(a, b):
        if len(a) == 1:
            raise ValueError("too thin")
        return a @ b

    whole = product(rows=3, chunks=2)
    split = Split(fussy, whole.shape, whole.dtype, whole.parts)
    run = execute(split.plan(), workers=1, backend="serial", on_error="skip")
    ax = parts(split, run)
    assert words(ax)[1].startswith("not computed")
    assert [bool(patch.get_hatch()) for patch in ax.patches] == [False, True]


def test_a_run_of_another_split_is_refused():
    with pytest.raises(ValueError, match="this run computed other parts"):
        parts(product(chunks=2), simulated(product(chunks=3)))


def test_a_split_without_parts_is_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        parts(product(rows=0))


@pytest.mark.parametrize(("how", "label", "count"), [("images", "images", 5), ("filters", "filters", 6)])
def test_a_batch_cut_on_one_axis_is_drawn_as_strips_of_everything_else(how, label, count):
    ax = parts(tiles(2, how=how, images=5, filters=6))
    assert ax.get_ylabel() == label
    assert ax.get_xlabel() == ", ".join(name for name in ("images", "rows", "columns", "filters") if name != label)
    assert ax.get_ylim() == (count, 0)
    assert sum(box[3] for box in boxes(ax)) == count


def test_a_row_of_numbers_is_a_row_of_parts():
    numbers = np.ones(6)
    cuts = [part((at,), {"a": (numbers, (at,))}, numbers[at].shape, 1, 8) for at in bounds_of(6, 3)]
    ax = parts(Split(np.abs, numbers.shape, numbers.dtype, cuts))
    assert boxes(ax) == [(0, 0, 2, 1), (2, 0, 2, 1), (4, 0, 2, 1)]
    assert ax.get_xlabel() == "items"


def test_what_is_given_to_draw_on_is_drawn_on():
    ax = pyplot.figure().subplots()
    assert parts(product(), ax=ax) is ax


# ---- On a photograph ------------------------------------------------------------------------------------------------


def test_tiles_lie_on_the_photograph_in_the_middle_of_what_they_read():
    ax = parts(tiles(filter_side=5), image=photograph())
    (image,) = ax.images
    assert tuple(image.get_extent()) == (0, 16, 12, 0)
    centers = [(left + width / 2, top + height / 2) for left, top, width, height in boxes(ax)]
    assert np.allclose(centers, [(5, 4), (11, 4), (5, 8), (11, 8)])


def area(corners):
    """The area within corners, negative where they run the other way round (the shoelace formula)."""
    x, y = np.transpose(corners)
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def test_a_halo_is_what_the_tile_nearest_to_the_middle_reads_and_does_not_make():
    ax = parts(tiles(9, height=11, width=14, filter_side=3), image=photograph(11, 14))
    (halo,) = (patch for patch in ax.patches if isinstance(patch, PathPatch))
    around = halo.get_path().vertices
    assert halo.get_hatch()
    assert (around.min(axis=0).tolist(), around.max(axis=0).tolist()) == ([4, 3], [10, 8])  # 4 × 3 and one all round
    assert abs(area(around[:5]) + area(around[5:])) == 6 * 5 - 4 * 3  # two outlines the opposite way round: a hole
    assert "halo" in ax.get_xlabel()


def test_a_filter_of_one_place_has_no_halo():
    ax = parts(tiles(filter_side=1), image=photograph())
    assert all(isinstance(patch, Rectangle) for patch in ax.patches)
    assert "halo" not in ax.get_xlabel()


def test_tiles_have_the_inks_of_their_workers_and_do_not_paint_over_each_other():
    split = tiles()
    ax = parts(split, simulated(split, 4), image=photograph())
    outlines = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert [patch.get_edgecolor() for patch in outlines] == [to_rgba(ink) for ink in INKS[:4]]
    first, second = boxes(ax)[:2]
    assert first[0] + first[2] < second[0]


@pytest.mark.parametrize("shades", [2, 200])
def test_a_photograph_is_drawn_in_few_shades_of_gray(shades):
    image = np.linspace(0, 255, 12 * 16 * 3).reshape(12, 16, 3) // (256 / shades)
    (drawn,) = parts(tiles(), image=image).images
    assert len(np.unique(drawn.get_array())) <= 8


@pytest.mark.parametrize(
    ("split", "image", "words"),
    [
        (tiles(), photograph(5, 5), r"images of \(12, 16\) places, and this one has \(5, 5\)"),
        (tiles(2, how="images", images=2), photograph(), "only tiles can be drawn on a photograph"),
        (product(), photograph(), "only tiles can be drawn on a photograph"),
    ],
)
def test_a_photograph_that_was_not_cut_is_refused(split, image, words):
    with pytest.raises(ValueError, match=words):
        parts(split, image=image)


# ---- Two roofs ------------------------------------------------------------------------------------------------------


def dots(ax):
    """{label: (x, y)} of the dots."""
    found = [line for line in ax.lines if not line.get_label().startswith("_")]
    return {line.get_label(): (line.get_xdata()[0], line.get_ydata()[0]) for line in found}


def test_each_dot_stands_at_its_intensity_under_the_lower_roof():
    small, large = product(8, 8, 4, "blocks"), product_split(*np.ones((2, 400, 400)), 4, "blocks")
    ax = roofline({"small": small, "large": large}, speed=1e9, bandwidth=1e8)
    (_, one), (_, other) = dots(ax).items()
    assert one == (intensity(small), intensity(small) * 1e8)
    assert other == (intensity(large), 1e9)
    assert [name.split(" (")[0] for name in dots(ax)] == ["A: small", "B: large"]


def test_intensity_is_operations_over_bytes_sent_and_returned():
    split = product(8, 8, 4, "blocks")
    assert intensity(split) == split.operations / (split.sent + split.returned)
    assert intensity(split) == pytest.approx(split.parts[0].intensity)  # the parts are equal


def test_the_roofs_meet_at_the_ridge():
    ax = roofline({"a": product()}, speed=6e9, bandwidth=2e9)
    slope, level, ridge = ax.lines[:3]
    assert (slope.get_xdata()[-1], slope.get_ydata()[-1]) == (level.get_xdata()[0], level.get_ydata()[0]) == (3, 6e9)
    assert set(ridge.get_xdata()) == {3}
    assert slope.get_ydata()[0] == pytest.approx(slope.get_xdata()[0] * 2e9)
    assert title(ax) == "Calculated: the ridge is at 3 operations per byte"
    assert ax.source == "calculated"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_more_workers_stand_further_to_the_left():
    places = [intensity(product(64, 64, workers)) for workers in (1, 4, 16, 64)]
    assert places == sorted(places, reverse=True)


def test_splits_in_one_place_share_it_and_both_letters_are_there():
    ax = roofline({"rows": product(8, 8, 4), "columns": product(8, 8, 4, "columns")}, speed=1e9, bandwidth=1e9)
    assert "A\nB" in words(ax)
    assert len(set(dots(ax).values())) == 1


def test_the_roofs_say_what_they_stand_for():
    told = " ".join(words(roofline({"a": product()}, speed=160e9, bandwidth=2e9)))
    assert "computing: 160 billion a second" in told
    assert "sending:\n2 GB a second" in told


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"speed": 0}, ValueError, "speed must be more than 0 and finite, not 0"),
        ({"bandwidth": float("inf")}, ValueError, "bandwidth must be more than 0 and finite"),
        ({"speed": "fast"}, TypeError, "speed must be a number, not 'fast'"),
        ({"splits": {}}, ValueError, "at least one split"),
    ],
)
def test_what_cannot_be_a_roof_is_refused(change, error, words):
    with pytest.raises(error, match=words):
        roofline(**{"splits": {"a": product()}, "speed": 1e9, "bandwidth": 1e9} | change)

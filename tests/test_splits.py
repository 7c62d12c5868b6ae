"""A split makes what the unsplit code makes, for every shape; its bytes and operations are those of dumb counting."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlib import execute
from parlib.workloads.convolution import convolution_split, convolve, sample_images
from parlib.workloads.matmul import product_split
from parlib.workloads.splits import grid_of

PRODUCTS, CONVOLUTIONS = ("rows", "columns", "blocks"), ("images", "tiles", "filters")
sides, chunks = st.integers(1, 9), st.integers(1, 12)


def integers(*shape):
    """Whole numbers: their sums are exact in every order, so that equal means equal."""
    return np.random.default_rng(sum(shape)).integers(-9, 10, shape)


def computed(split, backend="serial", workers=1):
    return execute(split.plan(), workers, backend).result


def times_computed(split):
    """How many parts each number of the result belongs to."""
    count = np.zeros(split.shape, int)
    for part in split.parts:
        count[part.where] += 1
    return count


# ---- Products -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", PRODUCTS)
@given(n=sides, k=sides, m=sides, chunks=chunks)
@settings(deadline=None, max_examples=60)
def test_a_product_in_parts_is_the_product(how, n, k, m, chunks):
    left, right = integers(n, k), integers(k, m)
    split = product_split(left, right, chunks, how)
    assert (times_computed(split) == 1).all()
    assert np.array_equal(computed(split), left @ right)
    assert split.operations == 2 * n * k * m
    assert split.returned == (left @ right).nbytes
    assert 1 <= len(split.parts) <= chunks


@pytest.mark.parametrize("how", PRODUCTS)
@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_a_product_of_floats_is_equal_within_rounding_on_every_crew(how, backend):
    left, right = np.random.default_rng(0).random((2, 150, 150))
    result = computed(product_split(left, right, 4, how), backend, 2)
    assert np.allclose(result, left @ right, rtol=1e-13)


@given(n=sides, k=sides, m=sides, chunks=chunks)
@settings(deadline=None, max_examples=40)
def test_strips_are_sent_once_and_the_other_matrix_to_all(n, k, m, chunks):
    left, right = integers(n, k), integers(k, m)
    assert product_split(left, right, chunks, "rows").sent == left.nbytes + min(chunks, n) * right.nbytes
    assert product_split(left, right, chunks, "columns").sent == min(chunks, m) * left.nbytes + right.nbytes


def test_blocks_are_sent_less_than_strips():
    left, right = np.ones((2, 64, 64))
    by_rows, by_columns, by_blocks = (product_split(left, right, 16, how) for how in PRODUCTS)
    assert by_blocks.sent == 16 * 2 * 16 * 64 * 8 < by_rows.sent == by_columns.sent
    assert by_blocks.parts[0].intensity > by_rows.parts[0].intensity


def test_a_part_that_is_lost_is_seen():
    left, right = integers(4, 4), integers(4, 4)
    plan = product_split(left, right, 4, "blocks").plan()
    values = {task.name: task.fn(*(plan.inputs[need] for need in task.needs)) for task in plan.tasks}
    values.popitem()
    assert not np.array_equal(plan.finish(values), left @ right)


@pytest.mark.parametrize("how", PRODUCTS)
def test_a_product_without_rows_has_none(how):
    assert computed(product_split(np.ones((0, 3)), np.ones((3, 2)), 3, how)).shape == (0, 2)


def test_inputs_shared_by_several_parts_are_sent_under_one_name():
    plan = product_split(integers(4, 4), integers(4, 4), 4, "blocks").plan()
    assert sorted(plan.inputs) == ["left[0:2, :]", "left[2:4, :]", "right[:, 0:2]", "right[:, 2:4]"]


@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        ((3, 4), (5, 2), r"left has shape \(3, 4\) and right \(5, 2\).* columns \(4\).* rows \(5\)"),
        ((3,), (3, 2), r"two matrices: left has shape \(3,\)"),
    ],
)
def test_matrices_that_do_not_match_are_named(left, right, words):
    with pytest.raises(ValueError, match=words):
        product_split(np.ones(left), np.ones(right), 2)


# ---- Convolutions ---------------------------------------------------------------------------------------------------


@st.composite
def batches(draw):
    """Images and filters that fit on them."""
    n, height, width, colors, filters = (draw(st.integers(1, 6)) for _ in range(5))
    k, across = draw(st.integers(1, height)), draw(st.integers(1, width))
    return integers(n, height, width, colors), integers(k, across, colors, filters)


@pytest.mark.parametrize("how", CONVOLUTIONS)
@given(batch=batches(), chunks=chunks)
@settings(deadline=None, max_examples=60)
def test_a_convolution_in_parts_is_the_convolution(how, batch, chunks):
    images, kernel = batch
    split = convolution_split(images, kernel, chunks, how)
    whole = np.stack([convolve(image, kernel) for image in images])
    assert (times_computed(split) == 1).all()
    assert np.array_equal(computed(split), whole)
    assert split.operations == 2 * whole.size * np.prod(kernel.shape[:3])
    assert split.returned == whole.nbytes
    assert 1 <= len(split.parts) <= chunks


@given(batch=batches(), chunks=chunks)
@settings(deadline=None, max_examples=40)
def test_images_and_filters_are_sent_whole_and_tiles_with_their_halo(batch, chunks):
    images, kernel = batch
    by_images, by_tiles, by_filters = (convolution_split(images, kernel, chunks, how) for how in CONVOLUTIONS)
    assert by_images.sent == images.nbytes + len(by_images.parts) * kernel.nbytes
    assert by_filters.sent == len(by_filters.parts) * images.nbytes + kernel.nbytes
    tiles = [
        (part.where[1].stop - part.where[1].start, part.where[2].stop - part.where[2].start) for part in by_tiles.parts
    ]
    places = sum((high + kernel.shape[0] - 1) * (wide + kernel.shape[1] - 1) for high, wide in tiles)
    one_place = images[:, 0, 0].nbytes
    assert by_tiles.sent == places * one_place + len(tiles) * kernel.nbytes


def test_without_its_halo_a_tile_is_wrong():
    images, kernel = integers(1, 6, 6, 1), integers(3, 3, 1, 1)
    part = convolution_split(images, kernel, 4, "tiles").parts[0]
    bare = np.pad(images[:, : part.where[1].stop, : part.where[2].stop], ((0, 0), (0, 2), (0, 2), (0, 0)))
    assert not np.array_equal(convolve(bare, kernel), convolve(images, kernel)[part.where])


@pytest.mark.parametrize("how", CONVOLUTIONS)
@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_photographs_in_parts_agree_with_scipy(how, backend):
    from scipy.signal import correlate

    photograph = np.stack([image[::8, ::8] for image in sample_images()]).astype(float)
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 4))
    oracle = np.stack(
        [[correlate(image, kernel[..., f], "valid")[:, :, 0] for f in range(4)] for image in photograph]
    ).transpose(0, 2, 3, 1)
    assert np.allclose(computed(convolution_split(photograph, kernel, 3, how), backend, 2), oracle)


@pytest.mark.parametrize(
    ("images", "kernel", "words"),
    [
        ((2, 5, 5, 3), (3, 3, 1, 4), "the images have 3 colors, and the filters want 1"),
        ((2, 5, 5, 1), (6, 3, 1, 4), "no more than the images"),
        ((5, 5, 1), (3, 3, 1, 4), r"the images have shape \(5, 5, 1\)"),
    ],
)
def test_filters_that_do_not_fit_are_named(images, kernel, words):
    with pytest.raises(ValueError, match=words):
        convolution_split(np.ones(images), np.ones(kernel), 2)


@pytest.mark.parametrize("split", [product_split, convolution_split])
def test_an_unknown_cut_gets_a_guess(split):
    shape = (3, 3) if split is product_split else (3, 3, 3, 3)
    with pytest.raises(ValueError, match="cannot be cut by 'tile"):
        split(np.ones(shape), np.ones(shape), 2, "tileses")


# ---- Blocks ---------------------------------------------------------------------------------------------------------


@given(rows=sides, columns=sides, chunks=chunks)
def test_a_grid_covers_each_place_once_and_has_no_more_blocks_than_asked_for(rows, columns, chunks):
    count = np.zeros((rows, columns), int)
    blocks = grid_of(rows, columns, chunks)
    for block in blocks:
        count[block] += 1
    assert (count == 1).all()
    assert len(blocks) <= chunks


def test_blocks_are_as_square_as_they_can_be():
    assert len({block[0].start for block in grid_of(100, 100, 16)}) == 4
    assert len({block[0].start for block in grid_of(10, 1000, 4)}) == 1


def test_splits_and_parts_tell_their_story():
    split = product_split(np.ones((4, 2)), np.ones((2, 6)), 2)
    assert repr(split) == "<Split: times in 2 parts, 256 bytes sent, 192 returned, 96 operations>"
    assert repr(split.parts[1]) == "<Part: [2:4, :], 128 bytes sent, 48 operations>"

"""Loaders feed the trainer: the same weights whoever loads, no more batches ahead than fit, and bad files are named."""

import numpy as np
import pytest

from parlib import Simulated
from parlib.workloads.loading import Load, decode, feed, feeding_plan, trainer_first, vary, waiting, write_photographs
from parlib.workloads.network import convolutional

NETWORK = convolutional(side=32, colors=3, filters=8, classes=2)
COSTS = Simulated({"load": 2.0, "train": 1.0})


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    return write_photographs(tmp_path_factory.mktemp("photographs"), 12)


@pytest.fixture
def with_bad(photographs, tmp_path):
    """Files of which two are no images: one is cut short, and one was never an image."""
    cut, text = tmp_path / "temple-cut.jpg", tmp_path / "flower-text.jpg"
    cut.write_bytes(photographs[0].read_bytes()[:900])
    text.write_text("a flower")
    return [*photographs[:4], cut, text]


# ---- Files ----------------------------------------------------------------------------------------------------------


def test_files_hold_the_photographs_and_are_named_for_them(photographs):
    assert [path.name for path in photographs[:2]] == ["temple-0000.jpg", "flower-0001.jpg"]
    assert decode(photographs[0]).shape == (224, 224, 3)
    batch = Load()(photographs)
    assert batch.labels.tolist() == [0, 1] * 6
    assert batch.images.shape == (12, 32, 32, 3)
    assert 0 <= batch.images.min() < batch.images.max() <= 1


def test_a_file_is_varied_anew_in_every_batch_and_the_same_for_the_same_seed(photographs):
    first, again, other = (Load()(photographs, number).images for number in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, Load(seed=1)(photographs).images)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 40, 3), (33, 2, 3)])
def test_images_of_any_shape_can_be_varied(shape):
    assert vary(np.zeros(shape, np.uint8), np.random.default_rng(0)).shape == (32, 32, 3)


# ---- Training from files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
@pytest.mark.parametrize("loaders", [0, 1, 3])
def test_the_weights_do_not_depend_on_who_loads(photographs, loaders, backend):
    more = {"batch": 4, "epochs": 2}
    alone = feed(NETWORK, photographs, loaders=0, backend="serial", **more).result
    fed = feed(NETWORK, photographs, loaders=loaders, backend=backend, **more).result
    assert np.array_equal(fed.weights, alone.weights)
    assert fed.losses == alone.losses
    assert len(fed.losses) == 6


def test_temples_and_flowers_are_told_apart(photographs):
    more = {"batch": 4, "epochs": 25}
    learned = feed(NETWORK, photographs, loaders=1, **more).result
    seen = Load(seed=5)(photographs)
    assert NETWORK.accuracy(learned.weights, seen.images, seen.labels) >= 0.9


def test_loading_overlaps_with_training(photographs):
    alone = feed(NETWORK, photographs, loaders=0, backend=COSTS, batch=1)
    one = feed(NETWORK, photographs, loaders=1, backend=COSTS, batch=1)
    two = feed(NETWORK, photographs, loaders=2, backend=COSTS, batch=1)
    assert alone.elapsed == 12 * (2 + 1)
    assert one.elapsed == 12 * 2 + 1
    assert two.elapsed == 2 + 12 * 1
    assert waiting(alone) == pytest.approx(2 / 3)
    assert waiting(alone) > waiting(one) > waiting(two)


@pytest.mark.parametrize("buffer", [0, 1, 3, None])
def test_no_more_batches_wait_than_the_buffer_holds(photographs, buffer):
    slow = Simulated({"load": 1.0, "train": 5.0})
    run = feed(NETWORK, photographs, loaders=2, backend=slow, batch=1, buffer=buffer)
    loaded = {span.task: span.finished for span in run.trace.spans if span.kind == "load"}
    taken = {span.task: span.started for span in run.trace.spans if span.kind == "train"}
    ahead = max(
        sum(done <= moment for done in loaded.values()) - sum(start <= moment for start in taken.values())
        for moment in loaded.values()
    )
    assert ahead <= (12 if buffer is None else buffer + 1)
    assert (ahead > 4) == (buffer is None)


def test_the_trainer_only_trains_where_there_are_loaders():
    plan = feeding_plan(NETWORK, ["a.jpg"] * 8, batch=2)
    kinds = {name.split("[")[0] for name, slot in trainer_first(plan, 3, None).worker.items() if slot == 0}
    assert kinds == {"train"}
    assert set(trainer_first(plan, 1, None).worker.values()) == {0}


def test_no_files_change_nothing():
    learned = feed(NETWORK, [], loaders=2).result
    assert np.array_equal(learned.weights, NETWORK.start())
    assert learned.losses == ()


# ---- Bad files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_a_file_that_is_no_image_is_named_and_stops_the_training(with_bad, backend):
    with pytest.raises(ValueError, match=r"(temple-cut|flower-text)\.jpg cannot be decoded.*on_bad='skip'") as stopped:
        feed(NETWORK, with_bad, batch=3, backend=backend)
    assert stopped.value.run.failed.startswith("load[")


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_it_is_skipped_where_that_is_asked_for_and_the_rest_is_not_lost(with_bad, backend):
    learned = feed(NETWORK, with_bad, batch=3, backend=backend, load=Load(on_bad="skip")).result
    assert sorted(learned.skipped) == sorted(map(str, with_bad[4:]))
    assert len(learned.losses) == 2


def test_a_batch_of_bad_files_only_changes_nothing(with_bad):
    learned = feed(NETWORK, with_bad[4:], batch=2, load=Load(on_bad="skip")).result
    assert len(learned.skipped) == 2
    assert np.array_equal(learned.weights, NETWORK.start())


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.jpg cannot be decoded"):
        Load()([tmp_path / "nowhere.jpg"])


@pytest.mark.parametrize(
    ("more", "words"),
    [({"batch": 0}, "batch must be"), ({"buffer": -1}, "buffer"), ({"loaders": -1}, "loaders must be")],
)
def test_what_makes_no_sense_is_refused(more, words):
    with pytest.raises(ValueError, match=words):
        feed(NETWORK, ["a.jpg"], **more)


def test_an_unknown_wish_gets_a_guess():
    with pytest.raises(ValueError, match="on_bad must be 'stop' or 'skip', not 'skipp'; did you mean 'skip'"):
        Load(on_bad="skipp")

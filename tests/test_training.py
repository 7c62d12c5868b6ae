"""Training by many workers is training by one; who waits for whom changes the clock, and staleness the steps."""

import warnings

import numpy as np
import pytest

from parlib import Simulated, all_reduce
from parlib.workloads.digits import digits
from parlib.workloads.network import Descent, average, classifier, convolutional
from parlib.workloads.training import Shard, batches, slope_of, train
from parlib.workloads.updates import as_they_come, in_step

FEW = digits().images[:120], digits().labels[:120]
SMALL = classifier(hidden=(8,))


def trained(**more):
    return train(SMALL, *FEW, **{"epochs": 3, "batch": 30} | more)


# ---- Learning -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [classifier(), convolutional()], ids=["classifier", "convolutional"])
def test_digits_are_learned(network):
    training = train(network, digits().images, digits().labels, epochs=20, workers=2)
    assert network.accuracy(training.weights, digits().test_images, digits().test_labels) >= 0.95


def test_labels_that_mean_nothing_are_not_learned():
    shuffled = np.random.default_rng(0).permutation(digits().labels)
    network = classifier()
    training = train(network, digits().images, shuffled, epochs=5)
    assert network.accuracy(training.weights, digits().test_images, digits().test_labels) < 0.3


# ---- Many workers are one -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["serial", "threads", "processes", "simulated"])
@pytest.mark.parametrize("workers", [1, 2, 4, 7])
def test_the_average_of_workers_is_the_slope_of_the_batch(workers, backend):
    shard, places = Shard(SMALL, SMALL.start(), *FEW), np.arange(41)
    run = slope_of(shard, places, workers=workers, backend=backend)
    whole = SMALL.slope(shard.weights, FEW[0][:41], FEW[1][:41])
    assert run.result.examples == 41
    assert np.abs(run.result.gradient - whole.gradient).max() < 1e-10


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_the_curve_of_the_loss_is_the_same_for_any_number_of_workers(backend):
    one = trained()
    for workers in (2, 4):
        many = trained(workers=workers, backend=backend)
        assert many.losses == pytest.approx(one.losses, abs=1e-10)
        assert np.abs(many.weights - one.weights).max() < 1e-10


def test_a_batch_in_parts_gives_the_same_curve():
    assert trained(accumulate=3).losses == pytest.approx(trained().losses, abs=1e-10)


def test_another_batch_size_gives_another_curve():
    assert trained(batch=20).losses[:6] != pytest.approx(trained(batch=40).losses[:6], abs=1e-3)


def test_the_same_seed_trains_the_same_and_another_does_not():
    assert np.array_equal(trained(seed=1).weights, trained(seed=1).weights)
    assert not np.array_equal(trained(seed=1).weights, trained(seed=2).weights)


def test_the_order_of_shards_does_not_matter_beyond_rounding():
    shard = Shard(SMALL, SMALL.start(), *FEW)
    slopes = [shard(places) for places in np.array_split(np.arange(100), 7)]
    assert np.abs(average(slopes).gradient - average(slopes[::-1]).gradient).max() < 1e-14


@pytest.mark.parametrize("algorithm", ["ring", "naive"])
@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_workers_that_send_each_other_their_slopes_agree_on_the_average(algorithm, backend):
    shard = Shard(SMALL, SMALL.start(), *FEW)
    slopes = [shard(places) for places in np.array_split(np.arange(100), 4)]
    parts = [slope.gradient * slope.examples / 100 for slope in slopes]
    for rank in all_reduce(parts, algorithm=algorithm, backend=backend, workers=2).result:
        assert np.abs(rank - average(slopes).gradient).max() < 1e-14


def test_every_image_comes_once_in_an_epoch():
    two = list(batches(10, batch=4, epochs=2))
    assert [len(places) for places in two] == [4, 4, 2, 4, 4, 2]
    assert sorted(np.concatenate(two[:3])) == sorted(np.concatenate(two[3:])) == list(range(10))
    assert not np.array_equal(two[0], two[3])


def test_a_training_tells_its_story():
    assert repr(trained()).startswith("<Training: 12 steps by 1 worker, loss 2.")
    assert len(trained(workers=3).traces[0].spans) == 3


# ---- Bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_what_is_no_number_stops_training_and_is_named(value, backend):
    images = FEW[0].copy()
    images[77, 3, 5] = value
    with pytest.raises(ValueError, match=rf"image 77 holds {value} at \[3, 5, 0\]") as stopped:
        train(SMALL, images, FEW[1], batch=30, workers=2, backend=backend)
    step = next(number for number, places in enumerate(batches(120, 30, 1)) if 77 in places)
    assert f"in step {step}, epoch 0" in stopped.value.__notes__


def test_a_rate_too_large_is_told_from_bad_data():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numbers that grow beyond all bounds between the steps
        with pytest.raises(FloatingPointError, match="take a smaller rate"):
            trained(descent=Descent(rate=1e200), epochs=20)


def test_a_batch_smaller_than_the_workers_leaves_some_idle_and_says_so():
    with pytest.warns(RuntimeWarning, match="a batch of 2 is smaller .* 3 of 5 shards of every step are empty"):
        few = trained(batch=2, workers=5, epochs=1)
    assert few.losses == pytest.approx(trained(batch=2, epochs=1).losses, abs=1e-10)
    assert len(few.traces[0].spans) == 2


@pytest.mark.parametrize(
    ("images", "labels", "more", "words"),
    [
        (*(FEW[0], FEW[1][:-1]), {}, "120 images and 119 labels"),
        (*(FEW[0][:0], FEW[1][:0]), {}, "no images to learn from"),
        (*FEW, {"batch": 0}, "batch must be at least 1"),
        (*FEW, {"accumulate": 0}, "accumulate must be at least 1"),
    ],
)
def test_what_cannot_be_trained_with_is_named(images, labels, more, words):
    with pytest.raises(ValueError, match=words):
        train(SMALL, images, labels, **more)


# ---- In step, or as they come ---------------------------------------------------------------------------------------


def test_in_step_all_wait_for_the_slowest():
    updates = in_step(SMALL, *FEW, speeds=[1, 1, 1, 0.25], slopes=12)
    assert updates.trace.elapsed == 3 * 4
    assert updates.staleness == [0] * 12


def test_as_they_come_nobody_waits():
    updates = as_they_come(SMALL, *FEW, speeds=[1, 1, 1, 0.25], slopes=12)
    assert updates.trace.elapsed == 4
    assert updates.moments == sorted(updates.moments)
    assert max(updates.staleness) > 1


def test_the_slope_of_a_straggler_is_the_most_out_of_date():
    updates = as_they_come(SMALL, *FEW, speeds=[1, 1, 0.1], slopes=24)
    stale = {span.worker: age for span, age in zip(updates.trace.spans, updates.staleness)}
    assert stale[2] == max(updates.staleness) == 20


def test_one_worker_is_never_stale_and_the_two_ways_are_one():
    alone, other = (way(SMALL, *FEW, speeds=[2.0], slopes=9) for way in (as_they_come, in_step))
    assert alone.staleness == [0] * 9
    assert np.array_equal(alone.weights, other.weights)
    assert alone.moments == other.moments


def test_workers_of_equal_speed_are_stale_by_all_the_others():
    updates = as_they_come(SMALL, *FEW, speeds=[1] * 5, slopes=50)
    assert updates.staleness[5:] == [4] * 45


def test_steps_in_step_are_those_of_one_worker_with_the_whole_batch():
    network, descent = SMALL, Descent(momentum=0.0)
    many = in_step(network, *FEW, speeds=[1, 3], slopes=8, batch=15)
    one = train(network, *FEW, batch=30, epochs=1, descent=descent)
    assert np.abs(many.weights - one.weights).max() < 1e-12


def test_both_ways_learn():
    for way in (in_step, as_they_come):
        updates = way(classifier(), digits().images, digits().labels, speeds=[1, 1, 1, 0.25], slopes=400)
        assert classifier().accuracy(updates.weights, digits().test_images, digits().test_labels) > 0.9


def test_stale_steps_that_are_long_lose_their_way():
    """A slope as old as many long steps is no slope of these weights."""
    descent = Descent(rate=0.5, momentum=0.0)
    more = {"slopes": 120, "descent": descent, "batch": 20}
    fresh = as_they_come(SMALL, *FEW, speeds=[1], **more)
    stale = as_they_come(SMALL, *FEW, speeds=[1] * 40, **more)
    assert np.mean(fresh.losses[-20:]) < np.mean(stale.losses[-20:])


def test_updates_tell_their_story():
    told = repr(in_step(SMALL, *FEW, speeds=[1, 0.5], slopes=4))
    assert told == "<Updates: 4 slopes from 2 simulated workers, 4.00 s, 0.0 updates stale on average>"


@pytest.mark.parametrize("way", [in_step, as_they_come])
@pytest.mark.parametrize(("speeds", "slopes"), [([], 3), ([0], 3), ([1, -1], 3), ([1], 0)])
def test_workers_that_never_arrive_are_refused(way, speeds, slopes):
    with pytest.raises(ValueError, match=r"speeds|slopes"):
        way(SMALL, *FEW, speeds=speeds, slopes=slopes)


def test_a_step_runs_on_a_simulated_machine_too():
    shard = Shard(SMALL, SMALL.start(), *FEW)
    run = slope_of(shard, np.arange(64), workers=4, backend=Simulated(0.5))
    assert run.elapsed == 0.5

"""A network's slope is right: against finite differences, against PyTorch's autograd, and layer by layer."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlib.workloads.digits import digits
from parlib.workloads.network import (
    Dense,
    Descent,
    Filters,
    Flat,
    Largest,
    Network,
    Positive,
    Slope,
    average,
    classifier,
    convolutional,
    cross_entropy,
)

REFERENCE = json.loads((Path(__file__).parent / "reference_gradients.json").read_text(encoding="utf-8"))
NETWORKS = {"classifier": classifier(hidden=(5,)), "convolutional": convolutional(filters=2)}
every = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def by_differences(function, at, width=1e-6):
    """The slope of a function of many numbers, each moved a little up and down: slow, and hard to get wrong."""
    slope = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[place] += width
        down[place] -= width
        slope[place] = (function(up) - function(down)) / (2 * width)
    return slope


# ---- Layers ---------------------------------------------------------------------------------------------------------

LAYERS = [
    (Dense(3, 4), (5, 3)),
    (Dense(1, 1), (1, 1)),
    (Positive(), (4, 6)),
    (Flat(), (2, 2, 3, 2)),
    (Filters(3, 2, 4), (2, 5, 4, 2)),
    (Filters(1, 1, 1), (1, 1, 1, 1)),
    (Largest(), (2, 4, 6, 3)),
    (Largest(), (1, 5, 3, 2)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=str)
def test_backward_is_the_slope_of_forward(layer, shape):
    numbers = np.random.default_rng(0)
    x, weights = numbers.normal(size=shape), [numbers.normal(size=shape) for shape in layer.shapes]
    pull = numbers.normal(size=layer.forward(x, weights).shape)  # a loss of which ∂loss/∂y is `pull`
    blame, faults = layer.backward(pull, x, weights)

    def with_weight(number, value):
        return [value if other == number else weight for other, weight in enumerate(weights)]

    assert np.allclose(blame, by_differences(lambda x: (layer.forward(x, weights) * pull).sum(), x), atol=1e-6)
    for number, weight in enumerate(weights):
        told = by_differences(lambda v, n=number: (layer.forward(x, with_weight(n, v)) * pull).sum(), weight)
        assert np.allclose(faults[number], told, atol=1e-6)


def test_the_surprise_has_the_slope_it_says():
    scores, labels = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 2, 2, 1])
    told = by_differences(lambda scores: cross_entropy(scores, labels)[0], scores)
    assert np.allclose(cross_entropy(scores, labels)[1], told, atol=1e-8)


def test_large_scores_do_not_overflow():
    loss, slope = cross_entropy(np.array([[1e4, -1e4]]), np.array([1]))
    assert loss == 2e4
    assert slope.tolist() == [[1, -1]]


# ---- Networks -------------------------------------------------------------------------------------------------------


@every
def test_the_slope_of_a_network_agrees_with_finite_differences(network):
    data, numbers = digits(), np.random.default_rng(1)
    weights = numbers.normal(0, 0.3, network.size)  # at the start, ReLU sees zeros, where a slope is not defined
    images, labels = data.images[:4], data.labels[:4]
    told = by_differences(lambda weights: network.slope(weights, images, labels).loss, weights)
    assert np.allclose(network.slope(weights, images, labels).gradient, told, atol=1e-7)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_slope_of_a_network_agrees_with_pytorch(name):
    told = {key: np.array(value) for key, value in REFERENCE[name].items()}
    slope = NETWORKS[name].slope(told["weights"], told["images"], told["labels"])
    assert slope.loss == pytest.approx(float(told["loss"]), abs=1e-12)
    assert np.abs(slope.gradient - told["gradient"]).max() < 1e-12


@pytest.mark.parametrize("name", NETWORKS)
def test_a_slope_that_is_wrong_would_disagree_with_pytorch(name):
    told = {key: np.array(value) for key, value in REFERENCE[name].items()}
    slope = NETWORKS[name].slope(told["weights"] * 1.001, told["images"], told["labels"])
    assert np.abs(slope.gradient - told["gradient"]).max() > 1e-5


@every
@given(cuts=st.lists(st.integers(1, 29), min_size=0, max_size=5), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=25)
def test_the_average_of_shards_is_the_slope_of_the_batch(network, cuts, seed):
    data, weights = digits(), network.start(seed)
    shards = np.split(np.arange(30), sorted(set(cuts)))
    together = average(network.slope(weights, data.images[s], data.labels[s]) for s in shards)
    whole = network.slope(weights, data.images[:30], data.labels[:30])
    assert together.examples == 30
    assert together.loss == pytest.approx(whole.loss, abs=1e-10)
    assert np.abs(together.gradient - whole.gradient).max() < 1e-10


def test_an_average_that_forgets_the_sizes_of_shards_is_wrong():
    data, network = digits(), classifier()
    weights = network.start()
    shards = [network.slope(weights, data.images[s], data.labels[s]) for s in (slice(0, 3), slice(3, 30))]
    forgetful = average(Slope(slope.loss, slope.gradient, 1) for slope in shards)
    whole = network.slope(weights, data.images[:30], data.labels[:30])
    assert np.abs(forgetful.gradient - whole.gradient).max() > 1e-3


@every
def test_weights_are_cut_into_views_and_begin_the_same_for_the_same_seed(network):
    weights = network.start(3)
    assert np.array_equal(weights, network.start(3))
    assert not np.array_equal(weights, network.start(4))
    pieces = [piece for layer in network.cut(weights) for piece in layer]
    assert sum(piece.size for piece in pieces) == network.size == len(weights)
    assert all(np.shares_memory(piece, weights) for piece in pieces)


def test_weights_of_another_network_are_refused():
    with pytest.raises(ValueError, match=r"4810 weights in one row, not an array of shape \(810,\)"):
        classifier().scores(convolutional().start(), digits().images)


def test_a_network_of_no_layers_says_what_it_sees():
    assert Network(()).scores(np.zeros(0), np.eye(2)).tolist() == [[1, 0], [0, 1]]


# ---- Steps and data -------------------------------------------------------------------------------------------------


def test_momentum_keeps_a_part_of_the_step_before():
    descend, weights, speed = Descent(rate=1.0, momentum=0.5), np.zeros(1), np.zeros(1)
    for expected in (-1.0, -2.5, -4.25):
        weights, speed = descend(weights, speed, np.ones(1))
        assert weights[0] == expected


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": float("nan")}, {"momentum": 1}, {"momentum": -0.1}])
def test_a_step_that_goes_nowhere_or_never_ends_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Descent(**wrong)


def test_digits_are_those_of_scikit_learn_and_none_is_in_both_parts():
    from sklearn.datasets import load_digits

    data, everything = digits(), load_digits().data
    found = np.concatenate([data.images, data.test_images]).reshape(-1, 64) * 16
    assert np.array_equal(found[np.lexsort(found.T)], everything[np.lexsort(everything.T)])
    with pytest.raises(ValueError, match="read-only"):
        data.images[0] = 0

"""The laws agree with the numbers of their papers, with each other, and with brute force."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlib import laws, simulate
from parlib.laws import (
    amdahl,
    brent,
    dispatch_limit,
    expected_maximum,
    fit,
    flow_shop_makespan,
    graham_bound,
    gustafson,
    johnson,
    karp_flatt,
    longest_first_bound,
    pipeline_bubble,
    pipeline_time,
    point_to_point,
    ring_all_reduce,
    straggler_probability,
    tree_all_reduce,
    usl,
    usl_peak,
)

workers_ = st.integers(1, 10_000)
fractions = st.floats(0, 1)
seconds = st.floats(0, 1e3)
job_tables = st.integers(1, 4).flatmap(
    lambda stages: st.lists(st.lists(st.integers(0, 9), min_size=stages, max_size=stages), min_size=1, max_size=6)
)
two_stage_tables = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6)


def same(value, expected, tolerance=1e-12):
    return value == pytest.approx(expected, rel=tolerance, abs=tolerance)


# ---- Speedup --------------------------------------------------------------------------------------------------------


def test_amdahl_with_five_percent_serial_never_reaches_twenty():
    assert same(amdahl(20, 0.05), 10.256410256410257)
    assert 19.9 < amdahl(100_000, 0.05) < 20


def test_gustafson_gives_the_numbers_of_his_paper():
    # 1024 workers, serial fractions 0.4 to 0.8 percent: scaled speedups 1016 to 1020 (Gustafson, 1988).
    assert gustafson(1024, 0.004) == pytest.approx(1020, abs=0.5)
    assert gustafson(1024, 0.008) == pytest.approx(1016, abs=0.5)


def test_one_coordinator_keeps_as_many_workers_busy_as_tasks_are_long():
    assert dispatch_limit(1.0, 0.25) == 4.0
    assert dispatch_limit([1.0, 2.0], 0.0).tolist() == [math.inf, math.inf]
    assert 1000 / simulate([1.0] * 1000, 100, dispatch=0.25).elapsed == pytest.approx(4, rel=0.01)


@given(workers_, fractions)
def test_amdahl_and_gustafson_stay_between_one_and_the_number_of_workers(p, s):
    assert 1 - 1e-9 <= amdahl(p, s) <= gustafson(p, s) + 1e-9 <= p * (1 + 1e-9) + 1e-9


@given(workers_, fractions)
def test_amdahl_and_gustafson_are_one_law_seen_from_two_ends(p, s):
    # The serial share of the *parallel* run, seen from the serial run, is s / (s + (1 - s) p).
    assert same(gustafson(p, s), amdahl(p, s / (s + (1 - s) * p)), 1e-9)


@given(st.integers(2, 10_000), fractions)
def test_karp_flatt_undoes_amdahl(p, s):
    assert same(karp_flatt(amdahl(p, s), p), s, 1e-9)


def test_karp_flatt_of_a_superlinear_speedup_is_negative():
    assert karp_flatt(4.4, 4) < 0


def test_karp_flatt_at_one_worker_is_refused():
    with pytest.raises(ValueError, match="at least 2 workers"):
        karp_flatt(1.0, 1)
    with pytest.raises(ValueError, match="at least 2 workers"):
        karp_flatt([1.0, 1.9], [1, 2])


@given(workers_, fractions)
def test_usl_without_coherency_is_amdahl(p, s):
    assert same(usl(p, s, 0), amdahl(p, s), 1e-9)


def test_usl_peaks_where_usl_peak_says():
    p = np.arange(1, 200)
    assert abs(p[np.argmax(usl(p, 0.02, 0.001))] - usl_peak(0.02, 0.001)) < 1


@pytest.mark.parametrize("contention", [0, 0.5, 1])
def test_usl_without_coherency_has_no_peak(contention):
    assert usl_peak(contention, 0) == math.inf


def test_usl_peak_takes_arrays_with_and_without_coherency():
    np.testing.assert_allclose(usl_peak([0, 0, 0.75], [0, 0.01, 0.01]), [np.inf, 10, 5])


# ---- Bounds ---------------------------------------------------------------------------------------------------------


def test_brent_bounds_touch_for_a_chain_and_for_one_worker():
    assert brent(work=10, depth=10, workers=4) == (10, 10)
    assert brent(work=10, depth=3, workers=1) == (10, 10)


@given(st.floats(0, 1e6), fractions, workers_)
def test_brent_bounds_are_at_most_a_factor_two_apart(work, share, p):
    low, high = brent(work, work * share, p)
    assert low <= high * (1 + 1e-12)
    assert high <= 2 * low * (1 + 1e-12)


def test_brent_refuses_a_path_longer_than_the_work_but_not_a_rounding_error():
    with pytest.raises(ValueError, match="depth must not exceed work"):
        brent(work=1, depth=2, workers=2)
    assert same(brent(work=0.6, depth=0.1 + 0.2 + 0.3, workers=2)[1], 0.6)


def test_grahams_bounds_for_one_and_two_and_very_many_workers():
    assert [graham_bound(1), graham_bound(2), graham_bound(4)] == [1, 1.5, 1.75]
    assert same(longest_first_bound([1, 2, 3]).tolist(), [1, 7 / 6, 11 / 9])


def list_schedule(times, workers):
    """Each task, in order, to the worker that is free first."""
    free = [0.0] * workers
    for seconds_ in times:
        free[free.index(min(free))] += seconds_
    return max(free)


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 3))
def test_no_list_schedule_breaks_grahams_bounds(times, p):
    best = min(
        max(sum(t for t, w in zip(times, choice) if w == worker) for worker in range(p))
        for choice in itertools.product(range(p), repeat=len(times))
    )
    assert list_schedule(times, p) <= graham_bound(p) * best + 1e-9
    assert list_schedule(sorted(times, reverse=True), p) <= longest_first_bound(p) * best + 1e-9


def test_grahams_bounds_are_reached_by_his_own_examples():
    # m (m - 1) tasks of 1 and then one of m (1966); two each of 2m - 1 ... m + 1 and three of m (1969).
    m = 4
    assert list_schedule([1] * (m * (m - 1)) + [m], m) == graham_bound(m) * m
    longest_first = [t for t in range(2 * m - 1, m, -1) for _ in (1, 2)] + [m] * 3
    assert same(list_schedule(longest_first, m), longest_first_bound(m) * 3 * m)


# ---- Communication --------------------------------------------------------------------------------------------------


def test_a_message_without_bytes_costs_its_latency():
    assert point_to_point(0, 0.25, 1e9) == 0.25
    assert point_to_point(1e9, 0.25, math.inf) == 0.25


def test_one_worker_agrees_with_itself_for_free():
    assert ring_all_reduce(1e9, 1, 0.5, 1e9) == tree_all_reduce(1e9, 1, 0.5, 1e9) == 0


@given(st.integers(2, 1000), st.floats(0, 1e9))
def test_a_ring_sends_almost_twice_the_bytes_however_many_workers(p, size):
    assert same(ring_all_reduce(size, p, 0, 1e9), 2 * (p - 1) / p * size / 1e9)
    assert ring_all_reduce(size, p, 0, 1e9) <= 2 * size / 1e9


@given(workers_)
def test_a_tree_has_as_many_levels_as_doublings(p):
    levels = next(level for level in itertools.count() if 2**level >= p)
    assert tree_all_reduce(0, p, 1.0, 1e9) == 2 * levels


@given(st.integers(1, 50))
def test_tree_levels_are_exact_at_and_beside_powers_of_two(exponent):
    p = 2**exponent
    assert tree_all_reduce(0, [p, p + 1], 0.5, 1).tolist() == [exponent, exponent + 1]


def test_rings_win_for_large_arrays_and_trees_for_small_ones():
    assert ring_all_reduce(1e9, 64, 1e-5, 1e9) < tree_all_reduce(1e9, 64, 1e-5, 1e9)
    assert ring_all_reduce(100, 64, 1e-5, 1e9) > tree_all_reduce(100, 64, 1e-5, 1e9)


# ---- Pipelines ------------------------------------------------------------------------------------------------------


def flow_shop_by_recurrence(times, order):
    """When each stage is free again, one job and one stage at a time."""
    free = [0.0] * len(times[0])
    for job in order:
        ready = 0.0
        for stage, cost in enumerate(times[job]):
            ready = free[stage] = max(ready, free[stage]) + cost
    return free[-1]


@given(job_tables, st.randoms(use_true_random=False))
def test_flow_shop_makespan_is_the_recurrence_of_its_definition(times, random):
    order = random.sample(range(len(times)), len(times))
    assert flow_shop_makespan(times, order) == flow_shop_by_recurrence(times, order)


@settings(deadline=None)
@given(two_stage_tables)
def test_no_order_of_two_stage_jobs_beats_johnsons(times):
    order, makespan = johnson(times)
    assert makespan == flow_shop_by_recurrence(times, order)
    assert makespan == min(flow_shop_by_recurrence(times, o) for o in itertools.permutations(range(len(times))))


def test_johnson_orders_quick_starters_first_and_quick_finishers_last():
    assert johnson([(3, 6), (7, 2), (4, 7), (5, 3), (7, 4)]) == ([0, 2, 4, 3, 1], 28)


def test_no_jobs_take_no_time():
    assert johnson([]) == ([], 0)
    assert flow_shop_makespan([], []) == 0
    assert pipeline_time([1, 2], 0) == 0


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(0, 9))
def test_pipeline_time_is_the_flow_shop_of_equal_items(costs, items):
    assert pipeline_time(costs, items) == flow_shop_makespan([costs] * items, range(items))


@given(st.integers(1, 50), st.integers(1, 50))
def test_pipeline_bubble_is_the_idle_share_of_the_total(stages, microbatches):
    total = pipeline_time([1] * stages, microbatches)
    assert same(pipeline_bubble(stages, microbatches), 1 - microbatches / total)


# ---- Chance ---------------------------------------------------------------------------------------------------------


def test_one_in_a_hundred_becomes_two_in_three_with_a_hundred_workers():
    assert straggler_probability(0.01, 100) == pytest.approx(0.63, abs=0.005)  # Dean and Barroso, 2013


@given(st.floats(0, 1), st.integers(1, 1000))
def test_straggler_probability_is_one_minus_nobody_late(p, workers):
    assert straggler_probability(p, workers) == pytest.approx(1 - (1 - p) ** workers, abs=1e-12)


def test_straggler_probability_keeps_tiny_chances():
    assert same(straggler_probability(1e-20, 1000), 1e-17)


def test_expected_maximum_is_the_mean_times_a_harmonic_number():
    for p in (1, 2, 10, 1000, 1001, 5000):
        assert same(expected_maximum(p, 2.0), 2 * math.fsum(1 / k for k in range(1, p + 1)))
    assert expected_maximum(10**12, 1.0) == pytest.approx(math.log(10**12) + 0.5772156649015329)


def test_expected_maximum_agrees_with_drawing_lots():
    drawn = np.random.default_rng(1).exponential(3.0, size=(20_000, 8)).max(axis=1).mean()
    assert expected_maximum(8, 3.0) == pytest.approx(drawn, rel=0.02)


# ---- Fitting --------------------------------------------------------------------------------------------------------

MANY = np.array([1, 2, 3, 4, 6, 8, 12, 16])


@settings(deadline=None)
@given(st.floats(0.001, 0.9), st.sampled_from([amdahl, gustafson]))
def test_fit_finds_the_serial_fraction_that_made_the_points(s, law):
    found = fit(law, MANY, law(MANY, s))
    assert found.parameters["serial_fraction"] == pytest.approx(s, abs=1e-6)
    assert found.residual < 1e-6


@settings(deadline=None)
@given(st.floats(0, 0.5), st.floats(0, 0.05))
def test_fit_finds_contention_and_coherency_that_made_the_points(sigma, kappa):
    found = fit("usl", MANY, usl(MANY, sigma, kappa))
    assert found.parameters == pytest.approx({"contention": sigma, "coherency": kappa}, abs=1e-6)


def test_fit_is_the_smallest_squared_distance_of_a_fine_grid():
    gains = amdahl(MANY, 0.1) + np.array([0.1, -0.1, 0.2, -0.1, 0.1, -0.2, 0.1, 0.1])
    grid = np.linspace(0, 0.3, 3001)
    distances = [np.sum((gains - amdahl(MANY, s)) ** 2) for s in grid]
    found = fit("amdahl", MANY, gains)
    assert found.parameters["serial_fraction"] == pytest.approx(grid[np.argmin(distances)], abs=1e-4)
    assert found.residual == pytest.approx(np.sqrt(min(distances) / len(MANY)), rel=1e-4)


def test_fit_takes_repeated_measurements_and_a_law_by_function_or_name():
    workers, gains = [1, 2, 2, 4, 4], [1, 1.8, 1.9, 3.0, 3.2]
    assert fit("amdahl", workers, gains) == fit(amdahl, workers, gains)


def test_errors_shrink_as_points_are_added_and_tell_the_true_spread():
    random = np.random.default_rng(7)

    def noisy(repeats):
        workers = np.tile(MANY, repeats)
        return fit("amdahl", workers, amdahl(workers, 0.1) + random.normal(0, 0.05, len(workers)))

    fits = [noisy(1) for _ in range(200)]
    spread = np.std([f.parameters["serial_fraction"] for f in fits])
    assert np.mean([f.errors["serial_fraction"] for f in fits]) == pytest.approx(spread, rel=0.2)
    assert noisy(16).errors["serial_fraction"] < 0.5 * spread


def test_a_superlinear_speedup_gives_a_parameter_below_zero_and_still_draws_its_curve():
    found = fit(amdahl, [1, 2, 4], [1, 2.2, 4.9])
    assert repr(found).endswith(", superlinear: more than n times as fast on n workers>")
    assert not fit(amdahl, [1, 2, 4], [1, 1.9, 3.5]).superlinear
    assert found.parameters["serial_fraction"] < 0
    assert found.speedup(4) == pytest.approx(4.9, abs=0.1)
    assert found.speedup([1, 2]).shape == (2,)


def test_as_many_points_as_parameters_fit_exactly_and_say_nothing_of_errors():
    found = fit("usl", [2, 4], [1.8, 3.0])
    assert found.speedup([2, 4]) == pytest.approx([1.8, 3.0])
    assert all(math.isnan(error) for error in found.errors.values())


@pytest.mark.parametrize(("law", "needed"), [("amdahl", 1), ("gustafson", 1), ("usl", 2)])
def test_fewer_points_than_parameters_are_refused_and_the_number_needed_is_told(law, needed):
    with pytest.raises(ValueError, match=f"fitting {law} needs speedups at {needed} or more different"):
        fit(law, [1, 1, *[2] * (needed - 1)], [1, 1, *[2] * (needed - 1)])


def test_fit_tells_its_story():
    found = fit("usl", MANY, usl(MANY, 0.05, 0.001) + 0.01 * (-1) ** MANY)
    assert repr(found) == "<Fit: usl, contention 0.0494 ± 0.0004, coherency 0.00103 ± 3e-05, residual 0.0069>"


def test_fit_knows_three_laws():
    with pytest.raises(ValueError, match="fit knows amdahl, gustafson, usl, not 'brent'"):
        fit(brent, [1, 2], [1, 2])
    with pytest.raises(ValueError, match="lists of one length"):
        fit("usl", [1, 2, 3], [1, 2])


# ---- Numbers in, numbers out ----------------------------------------------------------------------------------------

EVERY_LAW = {
    "amdahl": (4, 0.1),
    "gustafson": (4, 0.1),
    "usl": (4, 0.1, 0.01),
    "usl_peak": (0.1, 0.01),
    "karp_flatt": (3.0, 4),
    "graham_bound": (4,),
    "longest_first_bound": (4,),
    "point_to_point": (10, 1.0, 10.0),
    "ring_all_reduce": (10, 4, 1.0, 10.0),
    "tree_all_reduce": (10, 4, 1.0, 10.0),
    "pipeline_bubble": (4, 8),
    "straggler_probability": (0.1, 4),
    "expected_maximum": (4, 1.0),
}


@pytest.mark.parametrize("name", EVERY_LAW)
def test_numbers_give_a_float_and_arrays_an_array_of_the_same_numbers(name):
    law, arguments = getattr(laws, name), EVERY_LAW[name]
    single = law(*arguments)
    assert type(single) is float
    assert type(law(*map(np.float64, arguments))) is float
    many = law(*(np.full((2, 3), argument) for argument in arguments))
    assert many.shape == (2, 3)
    assert (many == single).all()
    assert law(*([argument] for argument in arguments)).shape == (1,)


@pytest.mark.parametrize("name", EVERY_LAW)
@pytest.mark.parametrize("bad", [math.nan, -1, -math.inf], ids=str)
def test_numbers_without_meaning_are_refused_and_named(name, bad):
    for position in range(len(EVERY_LAW[name])):
        arguments = list(EVERY_LAW[name])
        arguments[position] = bad
        with pytest.raises(ValueError, match=r"must (be|not)"):
            getattr(laws, name)(*arguments)


@pytest.mark.parametrize("name", EVERY_LAW)
@pytest.mark.parametrize("bad", ["four", None, True, [1, "a"]], ids=str)
def test_what_is_no_number_is_a_type_error(name, bad):
    for position in range(len(EVERY_LAW[name])):
        arguments = list(EVERY_LAW[name])
        arguments[position] = bad
        with pytest.raises(TypeError, match="must be a number"):
            getattr(laws, name)(*arguments)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: amdahl(0, 0.1), "workers must be at least 1"),
        (lambda: amdahl(4, 1.5), "serial_fraction must be between 0 and 1, got 1.5"),
        (lambda: point_to_point(1, 1, 0), "bandwidth must be greater than 0"),
        (lambda: expected_maximum(2.5, 1), "workers must be a whole number"),
        (lambda: pipeline_time([], 3), "stage_costs must be a list of one or more"),
        (lambda: pipeline_time(5, 3), "stage_costs must be a list of one or more"),
        (lambda: johnson([1, 2, 3]), "one row per job and 2 columns"),
        (lambda: johnson([[1, 2, 3]]), "one row per job and 2 columns"),
        (lambda: flow_shop_makespan([[1, 2], [3, 4]], [0, 0]), "order must name each of the 2 jobs once"),
        (lambda: flow_shop_makespan([[1, 2], [3, 4]], [0]), "order must name each of the 2 jobs once"),
    ],
)
def test_wrong_values_are_told_in_one_sentence(call, told):
    with pytest.raises(ValueError, match=told):
        call()

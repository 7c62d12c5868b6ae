"""A calibrated machine is a simulated one with this machine's own costs, and says how far off it is."""

import math
import time

import numpy as np
import pytest

from parlib import Plan, Simulated, Task, calibrate, data_parallel, execute
from parlib.timing import Calibrated, Comparison, calibration
from parlib.workloads import bakery


def made_up(**costs):
    settings = {"cold_start": 0.3, "crowding": {1: 1.0, 2: 1.2, 4: 1.6}, "copying": 0.0} | costs
    return Calibrated("processes", **settings)


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_a_calibrated_machine_has_a_cost_for_everything(backend):
    kitchen = calibrate(backend)
    assert isinstance(kitchen, Simulated)
    for cost in (kitchen.startup, kitchen.dispatch, kitchen.overhead, kitchen.latency, kitchen.copying):
        assert 0 <= cost < 10
    assert kitchen.cold_start > 0
    assert kitchen.bandwidth > 0
    assert kitchen.crowding[1] == 1.0
    assert math.isfinite(kitchen.error)
    assert f"{kitchen.error:.0%} off" in repr(kitchen)
    assert repr(kitchen).startswith(f"<Calibrated: {backend}, ")


def test_it_runs_what_it_is_given_and_says_that_its_costs_were_measured():
    run = data_parallel(abs, [-1, -2], workers=2, backend=made_up())
    assert run.result == [1, 2]
    assert run.source == "simulated from a measured cost"


def test_only_computing_takes_longer_in_a_crowd():
    def seconds(fn, workers):
        plan = Plan([Task(f"t{n}", fn) for n in range(workers)])
        return execute(plan, workers, made_up(crowding={1: 1.0, 2: 11.0})).elapsed

    assert seconds(lambda: time.sleep(0.05), 2) < 0.1
    assert seconds(lambda: sum(range(400_000)), 2) > 5 * seconds(lambda: sum(range(400_000)), 1)


def test_between_the_counts_that_were_measured_it_takes_the_middle():
    assert [made_up().crowded(workers) for workers in (1, 2, 3, 4, 1000)] == pytest.approx([1.0, 1.2, 1.4, 1.6, 1.6])


def test_inputs_must_be_copied_first():
    flour = np.ones(1000)
    plan = Plan([Task("take", None, ["flour"], cost=1.0)], {"flour": flour})
    assert execute(plan, 1, made_up(copying=1e-3)).elapsed == pytest.approx(1.0 + 8.0)


def test_a_comparison_tells_both_and_how_far_they_are_apart():
    assert repr(Comparison("bread", 10, 2, 1.1, 1.0)) == (
        "<bread of size 10 on 2 workers: predicted 1.1 s, measured 1 s, 10% off>"
    )
    found = made_up().compare(bakery.waiting, 2, size=8, repeats=1)
    assert found.predicted > 0
    assert found.measured > 0
    assert found.error == abs(found.predicted / found.measured - 1)


def test_every_way_is_measured_in_turn_and_the_first_round_does_not_count():
    order = []

    def way(name, seconds):
        def run():
            order.append(name)
            return 100.0 if order.count(name) == 1 else seconds

        return run

    assert calibration._interleaved([way("a", 1.0), way("b", 2.0)], 3) == [1.0, 2.0]
    assert order == ["a", "b"] * 4


@pytest.mark.parametrize("backend", ["serial", "simulated", "prosesses", None])
def test_only_workers_of_this_machine_can_be_calibrated(backend):
    with pytest.raises(ValueError, match="calibrate measures 'processes' or 'threads'"):
        calibrate(backend)

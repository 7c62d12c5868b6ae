"""Who suits which task: a table that is measured, told, imagined further, and handed to a plan as its costs."""

import numpy as np
import pytest

from parlib import CostTable, Plan, PlanError, Simulated, Task, cost_table, earliest_finish, execute, greedy, optimum
from parlib.workloads.dishes import dishes

TABLE = CostTable({"train": {"CPU": (4.0, 4.0, 9.0), "GPU": (1.0,)}, "load": {"CPU": (2.0,)}})


def test_every_cell_is_measured_in_turns_after_a_warm_up():
    calls = []
    a, b = {"x": lambda: calls.append("ax"), "y": lambda: calls.append("ay")}, {"x": lambda: calls.append("bx")}
    table = cost_table({"a": a, "b": b}, repeats=3)
    assert calls == ["ax", "ay", "bx"] * 4
    assert [len(seconds) for row in table.raw.values() for seconds in row.values()] == [3, 3, 3]
    assert (table.tasks, table.kinds) == (("a", "b"), ("x", "y"))


def test_the_table_tells_medians_and_quartiles_and_what_nobody_can_do():
    head, train, load, end = repr(TABLE).splitlines()
    assert head.split() == ["CPU", "GPU"]
    assert " ".join(train.split()) == "train 4 s [4 – 6.5] 1 s [1 – 1]"
    assert " ".join(load.split()) == "load 2 s [2 – 2] –"
    assert end == "(measured here: medians and quartiles)"
    assert TABLE["train"] == {"CPU": 4.0, "GPU": 1.0}
    assert len(head) == len(train) == len(load)


def test_a_plan_gets_the_costs_of_its_crew():
    tasks = [Task("load[0]", None, kind="load"), Task("train", None, {"load[0]": 100})]
    plan = CostTable({"load": {"CPU": (2.0,), "GPU": (8.0,)}, "train": {"CPU": (4.0,), "GPU": (1.0,)}}).on(
        Plan(tasks), ["CPU", "GPU"]
    )
    assert [task.cost for task in plan.tasks] == [(2.0, 8.0), (4.0, 1.0)]
    near, far = Simulated(bandwidth=100), Simulated(bandwidth=10)
    assert [execute(plan, 2, near, order=order).elapsed for order in (greedy, earliest_finish)] == [4.0, 4.0]
    assert execute(plan, 2, far, order=greedy).elapsed == 13.0  # the way to the accelerator costs more than it saves
    assert execute(plan, 2, far, order=earliest_finish).elapsed == 6.0
    assert execute(plan, 2, Simulated(), order=optimum).elapsed == 3.0


def test_a_worker_that_nobody_has_is_imagined_and_said_to_be():
    more = TABLE.imagine("accelerator", "CPU", {"train": 8})
    assert more["train"]["accelerator"] == 0.5
    assert "accelerator" not in more["load"]
    assert repr(more).endswith("(measured here: medians and quartiles; accelerator: imagined)")
    assert TABLE.imagine("twice", "CPU", 2)["load"] == {"CPU": 2.0, "twice": 1.0}


@pytest.mark.parametrize(
    ("use", "error", "words"),
    [
        (lambda: cost_table({}), ValueError, "at least one task"),
        (lambda: cost_table([abs]), TypeError, "{task: {kind of worker: function}}"),
        (lambda: cost_table({"a": abs}), TypeError, "{task: {kind of worker: function}}"),
        (lambda: cost_table({"a": {"x": 3}}), TypeError, "'a' by 'x' must be a function without parameters, not 3"),
        (lambda: TABLE["trian"], KeyError, "did you mean 'train'"),
        (lambda: TABLE.row("load", ["GPU"]), PlanError, "no cost of 'load' for worker 'GPU'"),
        (lambda: TABLE.on(Plan([Task("bake", None)]), ["CPU"]), PlanError, "no line for task 'bake'"),
        (lambda: TABLE.imagine("slow", "CPU", 0), ValueError, "times must be more than 0"),
    ],
)
def test_what_makes_no_sense_is_refused(use, error, words):
    with pytest.raises(error) as caught:
        use()
    assert words in str(caught.value)


def test_all_chefs_make_the_same_dish():
    for task, kinds in dishes(side=9, images=3, texts=2).items():
        first, *others = (np.asarray(fn()) for fn in kinds.values())
        for other in others:
            assert np.allclose(first, other, rtol=1e-3, atol=1e-3), task

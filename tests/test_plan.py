"""A plan is checked once, at birth; what it says about itself agrees with brute force."""

import dataclasses
import functools
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from references import plans

from parlib import Plan, PlanError, Stage, Task
from parlib.plan import check_count, check_seconds, counted, did_you_mean, name_of


def chain(*names):
    """Each task needs the one before it."""
    return [Task(name, abs, needs=names[max(0, place - 1) : place]) for place, name in enumerate(names)]


# ---- Tasks and stages -----------------------------------------------------------------------------------------------


def test_a_task_a_stage_and_a_plan_tell_their_stories():
    assert repr(Task("plate", print, needs=("sauce", "meat"))) == "<Task: plate(sauce, meat)>"
    assert repr(Task("flour", int)) == "<Task: flour()>"
    assert repr(Stage(len)) == "<Stage: len, 1 worker>"
    assert repr(Stage(len, workers=2)) == "<Stage: len, 2 workers>"
    assert repr(Plan(chain("flour", "dough", "bread"))) == "<Plan: 3 tasks, 2 edges>"
    assert repr(Plan(chain("flour", "dough"))) == "<Plan: 2 tasks, 1 edge>"
    assert repr(Plan([])) == "<Plan: 0 tasks, 0 edges>"


@pytest.mark.parametrize("thing", [Task("dough", abs), Stage(abs)])
def test_tasks_and_stages_never_change(thing):
    for field in dataclasses.fields(thing):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, field.name, None)


def test_changing_the_list_of_needs_later_does_not_change_the_task():
    needs, costs = ["flour"], [1.0, 2.0]
    task = Task("dough", abs, needs, cost=costs)
    needs.append("water")
    costs.clear()
    assert list(task.needs) == ["flour"]
    assert list(task.cost) == [1.0, 2.0]


def test_needs_and_costs_may_come_from_any_iterable():
    task = Task("dough", abs, (name for name in ["flour", "water"]), after=iter(["oven"]), cost=np.array([1.0, 2.0]))
    assert repr(task) == "<Task: dough(flour, water)>"
    assert list(task.after) == ["oven"]
    assert list(task.cost) == [1.0, 2.0]


def test_needs_may_map_names_to_sizes():
    task = Task("dough", abs, {"flour": 1_000, "water": 0})
    assert list(task.needs) == ["flour", "water"]
    assert task.needs["flour"] == 1_000


@pytest.mark.parametrize("size", [-1, math.nan, "big", None])
def test_a_size_that_is_no_number_of_bytes_is_refused(size):
    with pytest.raises((TypeError, ValueError), match="'flour'"):
        Task("dough", abs, {"flour": size})


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"name": ""}, TypeError, "name"),
        ({"name": 3}, TypeError, "name"),
        ({"fn": "abs"}, TypeError, "'dough' needs a function to call, not 'abs'"),
        ({"needs": "flour"}, TypeError, "not 'flour': write ['flour']"),
        ({"needs": 5}, TypeError, "'dough'"),
        ({"needs": [5]}, TypeError, "'dough' needs names of tasks or inputs, not 5"),
        ({"after": "flour"}, TypeError, "not 'flour': write ['flour']"),
        (
            {"release": -1},
            PlanError,
            "the release of task 'dough' must be a finite number of seconds, 0 or more, not -1",
        ),
        ({"release": "noon"}, TypeError, "the release of task 'dough' must be a number of seconds, not 'noon'"),
        ({"cost": -0.5}, PlanError, "the cost of task 'dough' must be a finite number of seconds, 0 or more, not -0.5"),
        ({"cost": math.nan}, PlanError, "not nan"),
        ({"cost": math.inf}, PlanError, "not inf"),
        ({"cost": [1.0, math.nan]}, PlanError, "not nan"),
        ({"cost": []}, PlanError, "cost of task 'dough'"),
        ({"cost": "much"}, TypeError, "cost of task 'dough'"),
        ({"cost": True}, TypeError, "cost of task 'dough'"),
    ],
)
def test_a_bad_task_is_refused_at_birth_in_one_sentence(arguments, error, says):
    with pytest.raises(error) as caught:
        Task(**{"name": "dough", "fn": abs} | arguments)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("workers", "error"), [(0, ValueError), (-1, ValueError), (2.5, TypeError), (True, TypeError)])
def test_a_stage_needs_a_function_and_at_least_one_worker(workers, error):
    with pytest.raises(error, match="workers of a stage must be"):
        Stage(abs, workers=workers)
    with pytest.raises(TypeError, match="a stage needs a function to call, not 'abs'"):
        Stage("abs")


# ---- Mistakes in a plan are found before anything runs --------------------------------------------------------------


@pytest.mark.parametrize(
    ("tasks", "inputs", "says"),
    [
        (chain("a", "a"), {}, "two tasks are named 'a': give each task a name of its own"),
        ([Task("dough", abs, ["fluor"])], {"flour": 1}, "needs 'fluor', which nobody makes; did you mean 'flour'?"),
        ([Task("dough", abs, ["oven"])], {"flour": 1}, "needs 'oven', which nobody makes; known are 'dough', 'flour'"),
        ([Task("dough", abs, after=["flour"])], {"flour": 1}, "task 'dough' needs 'flour', which nobody makes"),
        ([Task("dough", abs)], {"dough": 1}, "'dough' is both an input and a task: rename one of them"),
        ([Task("egg", abs, ["hen"]), Task("hen", abs, ["egg"])], {}, "'egg' needs 'hen' needs 'egg'"),
        ([Task("ouroboros", abs, ["ouroboros"])], {}, "'ouroboros' needs 'ouroboros'"),
        ([Task("egg", abs, after=["hen"]), Task("hen", abs, ["egg"])], {}, "circle"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_carried_out_is_refused(tasks, inputs, says):
    with pytest.raises(PlanError) as caught:
        Plan(tasks, inputs)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_circle_is_told_in_the_direction_of_needing():
    needs = {"a": "b", "b": "c", "c": "a"}
    with pytest.raises(PlanError) as caught:
        Plan([Task(name, abs, [need]) for name, need in needs.items()])
    names = str(caught.value).split(": ")[1].replace("'", "").split(" needs ")
    assert names[0] == names[-1]
    assert all(needs[one] == other for one, other in itertools.pairwise(names))


def test_a_plan_is_made_of_tasks_and_nothing_else():
    with pytest.raises(TypeError, match="a plan is made of Task objects, not 'dough'"):
        Plan(["dough"])


def test_what_is_kept_must_be_there():
    with pytest.raises(PlanError, match=r"'doug', .* did you mean 'dough'"):
        Plan([Task("dough", abs)], keep=["doug"])


# ---- What a plan says about itself ----------------------------------------------------------------------------------


def test_the_graph_tells_for_each_task_which_tasks_it_waits_for():
    tasks = [Task("flour", abs), Task("dough", abs, ["flour", "salt", "flour"], after=["oven"]), Task("oven", abs)]
    assert Plan(tasks, {"salt": 1}).graph == {"flour": (), "dough": ("flour", "oven"), "oven": ()}


def test_a_plan_knows_its_work_its_depth_and_its_critical_path():
    plan = Plan([Task("a", abs, cost=2), Task("b", abs, ["a"], cost=3), Task("c", abs, ["a"], cost=1), Task("d", abs)])
    assert plan.work == 7  # a task without a cost counts as 1
    assert plan.depth == 5
    assert plan.critical_path == ("a", "b")
    assert (Plan([]).work, Plan([]).depth, Plan([]).critical_path) == (0, 0, ())


def test_a_cost_for_each_worker_counts_with_its_mean():
    assert Plan([Task("a", abs, cost=[2, 4])]).work == 3


@given(plans())
def test_the_depth_is_the_longest_of_all_chains(plan):
    costs = {task.name: task.cost for task in plan.tasks}

    def chains(name):
        yield from ([*before, name] for need in plan.graph[name] for before in chains(need))
        yield [name]

    lengths = [sum(costs[name] for name in path) for start in plan.graph for path in chains(start)]
    assert plan.depth == max(lengths, default=0)
    assert sum(costs[name] for name in plan.critical_path) == plan.depth
    assert all(one in plan.graph[other] for one, other in itertools.pairwise(plan.critical_path))
    assert plan.depth <= plan.work


@given(plans())
def test_whatever_the_order_of_listing_a_random_plan_is_accepted(plan):
    assert len(plan) == len(plan.tasks) == len(plan.graph)


# ---- Two plans at once ----------------------------------------------------------------------------------------------


def test_two_plans_at_once_have_the_tasks_and_inputs_of_both():
    flour, water = {"flour": 1}, {"water": 2}
    both = Plan([Task("dough", abs, ["flour"])], flour) | Plan([Task("tea", abs, ["water"])], water)
    assert [task.name for task in both.tasks] == ["dough", "tea"]
    assert both.inputs == flour | water


def test_two_plans_at_once_may_share_an_input_but_no_name():
    flour = [1, 2]
    one, other = (
        Plan([Task("a", abs, ["flour"])], {"flour": flour}),
        Plan([Task("b", abs, ["flour"])], {"flour": flour}),
    )
    assert (one | other).inputs == {"flour": flour}
    with pytest.raises(PlanError, match="both plans have a task named 'a'"):
        one | one
    with pytest.raises(PlanError, match="both plans have an input named 'flour', with different values"):
        one | Plan([Task("b", abs, ["flour"])], {"flour": [3]})
    with pytest.raises(PlanError, match="both an input and a task"):
        one | Plan([Task("flour", abs)])
    with pytest.raises(TypeError):
        one | 3


def test_joining_plans_leaves_them_as_they_were():
    one, other = Plan([Task("a", abs)]), Plan([Task("b", abs)])
    one | other
    assert [len(one), len(other)] == [1, 1]


# ---- The words of all sentences -------------------------------------------------------------------------------------


def test_numbers_agree_with_their_nouns():
    assert [counted(n, "task") for n in (0, 1, 2)] == ["0 tasks", "1 task", "2 tasks"]
    assert counted(2, "process") == "2 processes"
    assert counted(1, "process") == "1 process"


def test_a_function_is_called_by_its_name_however_wrapped():
    class Oven:
        def __call__(self):
            pass

    assert name_of(abs) == "abs"
    assert name_of(functools.partial(abs)) == "abs"
    assert name_of(functools.partial(functools.partial(Oven()))) == "Oven"
    assert name_of(Oven) == name_of(Oven()) == "Oven"
    assert name_of([].append) == "append"


def test_an_unknown_name_gets_a_guess_or_the_list_of_what_is_known():
    assert did_you_mean("fluor", ["flour", "salt"]) == "; did you mean 'flour'?"
    assert did_you_mean("oven", ["flour", "salt"]) == "; known are 'flour', 'salt'"
    assert did_you_mean("oven", map(str, range(100))).endswith("'7', …")
    assert did_you_mean("oven", []) == "; nothing is known here"


@pytest.mark.parametrize("number", [1, 7, np.int32(7), np.uint8(7)])
def test_whole_numbers_from_one_are_counts(number):
    assert check_count("chunks", number) == number
    assert type(check_count("chunks", number)) is int


@pytest.mark.parametrize(
    ("number", "error"),
    [(0, ValueError), (-1, ValueError), (np.int64(0), ValueError), (2.5, TypeError), (2.0, TypeError),
     ("four", TypeError), (True, TypeError), (np.bool_(True), TypeError), (None, TypeError), ([4], TypeError)],
)  # fmt: skip
def test_everything_else_is_no_count(number, error):
    with pytest.raises(error, match=r"^chunks must be (at least 1|a whole number of at least 1), not"):
        check_count("chunks", number)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_seconds_are_finite_and_not_negative(seconds):
    if seconds >= 0 and not math.isinf(seconds):
        assert check_seconds("a cost", seconds) == seconds
    else:
        with pytest.raises(PlanError, match="a cost must be a finite number of seconds"):
            check_seconds("a cost", seconds)

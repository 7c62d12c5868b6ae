"""An order decides between ready tasks; the best of them agrees with brute force, and none beats it."""

import itertools
import random
from functools import cache
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from references import plans, spans_of

from parlib import (
    Plan,
    PlanError,
    Schedule,
    Simulated,
    Task,
    brent,
    by_assignment,
    earliest_finish,
    execute,
    graham_bound,
    greedy,
    in_turn,
    longest_first_bound,
    longest_path_first,
    optimum,
)

tiny = plans(most=4, release=st.integers(0, 3))
crews = st.integers(1, 3)
ORDERS = [in_turn, longest_path_first, greedy, earliest_finish, optimum]


def seconds(plan, workers, order, machine=None):
    return execute(plan, workers, machine or Simulated(), order=order).elapsed


def bag(*costs):
    """Independent tasks a, b, c … of these costs, in seconds."""
    return Plan([Task(chr(97 + place), None, cost=cost) for place, cost in enumerate(costs)])


def brute_force(plan, workers, machine=None):
    """The shortest run of all: every order of the tasks, dealt to the workers in every way, replayed by the loop."""
    names = list(plan.position)
    best = float("inf")
    for order in itertools.permutations(range(len(names))):
        rank = dict(zip(names, order))
        for slots in itertools.product(range(workers), repeat=len(names)):
            schedule = Schedule(rank, dict(zip(names, slots)))
            best = min(best, seconds(plan, workers, lambda *_, schedule=schedule: schedule, machine))
    return best


# ---- The best -------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(tiny, st.integers(1, 2))
def test_the_optimum_is_as_fast_as_the_best_of_all_schedules(plan, workers):
    assert seconds(plan, workers, optimum) == brute_force(plan, workers)


@settings(max_examples=60, deadline=None)
@given(tiny, st.integers(1, 2), st.integers(1, 9))
def test_the_optimum_is_as_fast_as_the_best_of_all_schedules_where_values_take_time_to_move(plan, workers, latency):
    machine = Simulated(latency=latency / 2)
    assert seconds(plan, workers, optimum, machine) == brute_force(plan, workers, machine)


def test_the_optimum_takes_no_way_that_does_not_pay():
    """Two workers would each do one of the dishes; where the way takes longer than the dish, one does both."""
    dishes = [Task(name, None, ["wash"], cost=2) for name in ("left", "right")]
    plan = Plan([Task("wash", None, cost=1), *dishes])
    assert [seconds(plan, 2, optimum, Simulated(latency=way)) for way in (0.0, 1.0, 3.0)] == [3, 4, 5]


def second_by_second(plan, workers):
    """The shortest run of all, by a search without schedules: each second, start whom you like, or none."""
    left = {task.name: int(task.cost) for task in plan.tasks}

    @cache
    def to_the_end(done, running):
        if len(done) == len(left):
            return 0
        taken = {name for name, _ in running}
        ready = [n for n in left if n not in done and n not in taken and done.issuperset(plan.graph[n])]
        crews = [crew for size in range(workers - len(running) + 1) for crew in itertools.combinations(ready, size)]
        best = float("inf")
        for crew in crews:
            after = [(name, more - 1) for name, more in (*running, *((name, left[name]) for name in crew))]
            if after:
                still = tuple(sorted((name, more) for name, more in after if more))
                best = min(best, 1 + to_the_end(done | {name for name, more in after if not more}, still))
        return best

    return to_the_end(frozenset(), ())


@settings(max_examples=25, deadline=None)
@given(plans(most=8, cost=st.integers(1, 3)), st.integers(1, 3))
def test_up_to_eight_tasks_no_order_beats_a_search_second_by_second_and_the_optimum_meets_it(plan, workers):
    best = second_by_second(plan, workers)
    assert seconds(plan, workers, optimum) == best
    assert all(seconds(plan, workers, order) >= best for order in ORDERS)


# ---- Random graphs --------------------------------------------------------------------------------------------------


def ordered_graph(tasks, chance, seed):
    """Every task waits for each one before it with the same chance, and takes 1 to 10 s (Erdős and Rényi, 1959)."""
    dice = random.Random(seed)
    waits = [[f"t{first}" for first in range(task) if dice.random() < chance] for task in range(tasks)]
    return Plan([Task(f"t{n}", None, after=waits[n], cost=dice.randint(1, 10)) for n in range(tasks)], keep=())


@pytest.mark.parametrize("workers", [2, 4, 8])
@pytest.mark.parametrize("chance", [0.05, 0.1, 0.2])
def test_critical_path_first_stays_close_to_what_no_schedule_can_beat(chance, workers):
    ratios = []
    for seed in range(40):
        plan = ordered_graph(50, chance, seed)
        low, high = brent(plan.work, plan.depth, workers)
        for order in (in_turn, longest_path_first):
            assert low <= seconds(plan, workers, order) <= high
        ratios.append(seconds(plan, workers, longest_path_first) / low)
    assert mean(ratios) <= 1.03


# ---- Where a task is finished first ---------------------------------------------------------------------------------


def published_example():
    """Ten tasks, three unequal workers, and what each value weighs (Topcuoglu, Hariri and Wu, 2002, figure 2)."""
    costs = [(14, 16, 9), (13, 19, 18), (11, 13, 19), (13, 8, 17), (12, 13, 10)]
    costs += [(13, 16, 9), (7, 15, 11), (5, 11, 14), (18, 12, 20), (21, 7, 16)]
    edges = {2: {1: 18}, 3: {1: 12}, 4: {1: 9}, 5: {1: 11}, 6: {1: 14}, 7: {3: 23}, 8: {2: 19, 4: 27, 6: 15}}
    edges |= {9: {2: 16, 4: 23, 5: 13}, 10: {7: 17, 8: 11, 9: 13}}
    needs = {task: {f"n{need}": size for need, size in edges.get(task, {}).items()} for task in range(1, 11)}
    return Plan([Task(f"n{task}", None, needs[task], cost=costs[task - 1]) for task in needs])


def test_the_published_example_takes_eighty():
    plan, machine = published_example(), Simulated(bandwidth=1.0)
    run = execute(plan, 3, machine, order=earliest_finish)
    assert run.elapsed == 80
    starts = {span.task: (span.worker + 1, span.started) for span in run.trace.spans}
    published = {"n1": (3, 0), "n4": (2, 18), "n3": (3, 9), "n2": (1, 27), "n6": (2, 26), "n10": (2, 73)}
    assert {task: starts[task] for task in published} == published


def test_on_the_published_example_it_beats_the_orders_that_do_not_look_ahead():
    plan, machine = published_example(), Simulated(bandwidth=1.0)
    assert all(seconds(plan, 3, order, machine) > 80 for order in (in_turn, longest_path_first, greedy))


def test_a_value_too_heavy_to_move_keeps_its_readers_where_it_was_made():
    plan = Plan([Task("a", None, cost=1), *(Task(f"b{n}", None, {"a": 100}, cost=1) for n in range(3))])
    near, far = Simulated(bandwidth=10.0), Simulated(bandwidth=1000.0)
    assert set(earliest_finish(plan, 3, near).worker.values()) == {0}
    assert set(earliest_finish(plan, 3, far).worker.values()) == {0, 1, 2}


def test_a_short_task_fills_a_gap_that_is_long_enough():
    costs = {"a": (2, 9), "b": (9, 3), "c": (2, 9), "d": (1, 9)}
    needs = {"b": {"a": 1}, "c": {"b": 1}}
    plan = Plan([Task(name, None, needs.get(name, {}), cost=row) for name, row in costs.items()])
    run = execute(plan, 2, Simulated(bandwidth=1.0), order=earliest_finish)
    assert run.elapsed == 2 + 1 + 3 + 1 + 2  # d, the least urgent, is done on worker 0 while that waits for b
    assert {span.worker for span in run.trace.spans if span.task == "d"} == {0}


@settings(max_examples=20, deadline=None)
@given(plans(most=4, cost=st.tuples(st.integers(1, 5), st.integers(1, 5))))
def test_the_optimum_knows_that_workers_differ(plan):
    assert seconds(plan, 2, optimum) == brute_force(plan, 2)


@settings(max_examples=20, deadline=None)
@given(plans(most=4))
def test_the_optimum_knows_speeds_and_overhead(plan):
    machine = Simulated(speeds=[2, 0.5], overhead=1)
    assert seconds(plan, 2, optimum, machine) == brute_force(plan, 2, machine)


@settings(max_examples=60, deadline=None)
@given(plans(most=6, release=st.integers(0, 3)), crews)
def test_no_order_beats_the_optimum_and_none_is_worse_than_grahams_bound(plan, workers):
    best = seconds(plan, workers, optimum)
    for order in ORDERS:
        taken = seconds(plan, workers, order)
        assert best <= taken
        if order not in (greedy, earliest_finish) and not any(task.release for task in plan.tasks):
            assert taken <= graham_bound(workers) * best + 1e-9


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), max_size=7), crews)
def test_longest_first_on_a_bag_of_tasks_keeps_its_bound(costs, workers):
    plan = bag(*costs)
    assert (
        seconds(plan, workers, longest_path_first)
        <= longest_first_bound(workers) * seconds(plan, workers, optimum) + 1e-9
    )


def test_a_schedule_found_is_a_schedule_kept():
    """What `optimum` and `greedy` plan is what then happens."""
    plan = bag(3, 3, 2, 2, 2)
    assert seconds(plan, 2, optimum) == 6
    assert seconds(plan, 2, in_turn) == 7


def test_too_many_tasks_for_trying_everything_are_refused():
    assert seconds(bag(*[1] * 10), 3, optimum) == 4
    with pytest.raises(PlanError, match="11 tasks have too many: use at most 10, or another order"):
        seconds(bag(*[1] * 11), 3, optimum)


def test_an_empty_plan_has_a_best_schedule_too():
    assert all(seconds(Plan([]), 2, order) == 0 for order in ORDERS)


# ---- The others -----------------------------------------------------------------------------------------------------


def test_longest_path_first_takes_the_longest_task_of_a_bag_first():
    spans = execute(bag(1, 3, 2), 1, Simulated(), order=longest_path_first).trace.spans
    assert [span.task for span in spans] == ["b", "c", "a"]


@given(plans())
def test_longest_path_first_ranks_by_the_longest_way_to_the_end(plan):
    costs = {task.name: task.cost for task in plan.tasks}
    readers = {name: [other for other in plan.graph if name in plan.graph[other]] for name in plan.graph}

    def way(name):
        return costs[name] + max(map(way, readers[name]), default=0)

    rank = longest_path_first(plan, 2, Simulated()).rank
    assert {name: -number for name, number in rank.items()} == {name: way(name) for name in plan.graph}


def test_longest_path_first_knows_the_costs_of_the_machine():
    plan = Plan([Task("a", None), Task("b", None)])
    assert longest_path_first(plan, 1, Simulated({"a": 1, "b": 5})).rank == {"a": -1, "b": -5}
    assert longest_path_first(plan, 2, Simulated(4, speeds=[1, 2])).rank == {"a": -3, "b": -3}  # mean of 4 and 2


def test_greedy_gives_each_task_in_turn_to_the_worker_that_finishes_it_first():
    plan = Plan([Task("a", None, cost=[4, 1]), Task("b", None, cost=[4, 2]), Task("c", None, cost=[4, 2])])
    assert spans_of(execute(plan, 2, Simulated(), order=greedy)) == {"a": (1, 0, 1), "b": (1, 1, 3), "c": (0, 0, 4)}


@given(plans(release=st.integers(0, 4)), crews)
def test_greedy_gives_every_task_to_the_worker_that_would_finish_it_first(plan, workers):
    chosen, free, ends = greedy(plan, workers, Simulated()), [0] * workers, {}
    tasks = {task.name: task for task in plan.tasks}
    for name in chosen.rank:
        task = tasks[name]
        ready = max([task.release, *(ends[need] for need in plan.graph[name])])
        finish = [max(free[slot], ready) + task.cost for slot in range(workers)]
        assert finish[chosen.worker[name]] == min(finish)
        ends[name] = free[chosen.worker[name]] = min(finish)


def test_an_assignment_is_kept_even_while_others_are_idle():
    run = execute(bag(2, 2, 1), 2, Simulated(), order=by_assignment({"a": 1, "b": 1}))
    assert spans_of(run) == {"a": (1, 0, 2), "b": (1, 2, 4), "c": (0, 0, 1)}


@given(plans(), st.data())
def test_an_assignment_is_kept_on_every_plan(plan, data):
    where = {name: data.draw(st.integers(0, 2)) for name in plan.position}
    spans = spans_of(execute(plan, 3, Simulated(), order=by_assignment(where)))
    assert {name: slot for name, (slot, _, _) in spans.items()} == where


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_an_assignment_is_kept_on_real_workers(backend):
    plan = Plan([Task(f"t{number}", abs, ["x"]) for number in range(6)], {"x": -1})
    where = {f"t{number}": number % 3 % 2 for number in range(6)}
    assert {
        name: slot for name, (slot, _, _) in spans_of(execute(plan, 2, backend, order=by_assignment(where))).items()
    } == where


def test_an_assignment_of_an_unknown_task_is_refused():
    with pytest.raises(PlanError, match=r"the assignment names 'aa', which is no task of the plan; did you mean 'a'\?"):
        seconds(bag(1), 1, by_assignment({"aa": 0}))
    with pytest.raises(ValueError, match="task 'a' is meant for worker 3, but the workers are 0 to 1"):
        seconds(bag(1), 2, by_assignment({"a": 3}))
    with pytest.raises(ValueError, match="task 'a' is meant for worker -1, but the workers are 0 to 1"):
        seconds(bag(1), 2, by_assignment({"a": -1}))


def test_an_assignment_may_name_kinds_and_a_tasks_own_name_comes_first():
    plan = Plan([Task(f"see[{n}]", None, kind="see", cost=1.0) for n in range(3)] + [Task("read", None, cost=1.0)])
    run = execute(plan, 3, Simulated(), order=by_assignment({"see": 2, "see[1]": 1}))
    assert {span.task: span.worker for span in run.trace.spans} == {"see[0]": 2, "see[1]": 1, "see[2]": 2, "read": 0}


@pytest.mark.parametrize("order", [longest_path_first, greedy, optimum])
@pytest.mark.parametrize("backend", ["threads", Simulated()])
def test_too_few_costs_for_the_workers_are_refused_whatever_the_order(order, backend):
    with pytest.raises(PlanError, match="task 'a' has costs for 1 worker, but there are 2"):
        execute(Plan([Task("a", abs, ["x"], cost=[1.0])], {"x": 1}), 2, backend, order=order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("backend", ["serial", "threads"])
def test_every_order_works_where_nobody_knows_the_costs(order, backend):
    plan = Plan([Task("a", abs, ["x"]), Task("b", abs, ["a"])], {"x": -1})
    assert execute(plan, 2, backend, order=order).result == {"a": 1, "b": 1}

"""Three twins: each paradigm is its plan, run by the one loop; names, items and mistakes are what they say."""

import array
import collections
import functools
import inspect
import time
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parlib import (
    PlanError,
    Simulated,
    Stage,
    data_parallel,
    data_plan,
    execute,
    pipeline_parallel,
    pipeline_plan,
    share,
    split,
    task_parallel,
    task_plan,
)

PAIRS = [(data_parallel, data_plan), (task_parallel, task_plan), (pipeline_parallel, pipeline_plan)]
lists = st.lists(st.integers(-99, 99), max_size=30)
arrays = st.builds(
    lambda rows, columns: np.arange(rows * columns).reshape(rows, columns), st.integers(0, 9), st.integers(0, 3)
)


# ---- Twins ----------------------------------------------------------------------------------------------------------


def test_the_three_paradigms_have_the_same_signature_but_for_what_they_differ_in():
    common = ["workers", "backend", "on_error"]
    kinds = [[name for name in inspect.signature(paradigm).parameters if name in common] for paradigm, _ in PAIRS]
    defaults = [[inspect.signature(paradigm).parameters[name].default for name in common] for paradigm, _ in PAIRS]
    assert kinds == [common] * 3
    assert defaults == [[None, "threads", "stop"]] * 3


def test_each_paradigm_is_its_plan_run_by_the_loop():
    def double(x):
        return 2 * x

    machine = Simulated(cost=1.0)
    for run, plan in [
        (data_parallel(double, [1, 2, 3], workers=2, backend=machine), data_plan(double, [1, 2, 3], chunks=2)),
        (task_parallel(double, inputs={"x": 4}, workers=2, backend=machine), task_plan(double, inputs={"x": 4})),
        (pipeline_parallel(double, abs, data=[-1], workers=2, backend=machine), pipeline_plan(double, abs, data=[-1])),
    ]:
        same = execute(plan, 2, machine)
        assert (run.result, repr(run), repr(run.plan)) == (same.result, repr(same), repr(plan))
        assert list(run.trace.spans) == list(same.trace.spans)


@pytest.mark.parametrize("paradigm", [paradigm for paradigm, _ in PAIRS])
def test_every_parameter_is_typed(paradigm):
    assert all(
        parameter.annotation is not parameter.empty for parameter in inspect.signature(paradigm).parameters.values()
    )


def test_elapsed_counts_from_the_call_and_with_it_what_the_data_take_to_come():
    def slowly():
        for item in range(3):
            time.sleep(0.02)
            yield item

    for run in (data_parallel(abs, slowly(), workers=1), pipeline_parallel(abs, data=slowly())):
        assert run.elapsed > run.trace.submitted[0] >= 0.06


# ---- Data: what is an item ------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(lists, st.integers(1, 9), st.integers(1, 40))
def test_data_parallel_is_a_list_comprehension(data, workers, chunks):
    assert data_parallel(abs, data, workers=workers, chunks=chunks).result == [abs(item) for item in data]


@settings(deadline=None)
@given(arrays, st.integers(1, 9))
def test_an_item_of_an_array_lies_along_axis_zero(data, workers):
    assert [row.tolist() for row in data_parallel(np.copy, data, workers=workers).result] == data.tolist()


def test_an_item_of_a_flat_array_is_a_numpy_number():
    assert data_parallel(type, np.array([1.5, 2.5]), workers=2).result == [np.float64, np.float64]


def test_without_combine_the_result_is_a_list_also_for_arrays():
    assert type(data_parallel(np.sqrt, np.ones(4), workers=2).result) is list


@pytest.mark.parametrize(
    "data",
    [
        (1, 2, 3), range(1, 4), collections.deque([1, 2, 3]), collections.UserList([1, 2, 3]), np.array([1, 2, 3]),
        iter([1, 2, 3]), (item for item in [1, 2, 3]), map(abs, [1, -2, 3]), {1: 0, 2: 0, 3: 0}.keys(),
        array.array("i", [1, 2, 3]), memoryview(b"\x01\x02\x03"), share([1, 2, 3]),
    ],
    ids=lambda data: type(data).__name__,
)  # fmt: skip
def test_anything_with_items_in_order_is_data(data):
    assert data_parallel(int, data, workers=2).result == [1, 2, 3]


@pytest.mark.parametrize("base", [collections.abc.Sequence, object])
def test_a_sequence_of_somebodys_own_is_data_too(base):
    class Dozen(base):
        def __len__(self):
            return 12

        def __getitem__(self, place):
            if not 0 <= place < 12:
                raise IndexError
            return place * place

    assert data_parallel(int, Dozen(), workers=5).result == [place * place for place in range(12)]
    assert split(Dozen(), 5)[4] == [100, 121]


@pytest.mark.parametrize(
    ("data", "way_out"),
    [("rye", "list(data)"), (b"rye", "list(data)"), (bytearray(b"rye"), "list(data)"), ({1, 2}, "sorted(data)"),
     (frozenset([1]), "sorted(data)"), ({1: 2}, "list(data.items())"),
     (types.MappingProxyType({}), "list(data.items())")],
)  # fmt: skip
@pytest.mark.parametrize(
    "use",
    [
        lambda data: data_parallel(abs, data),
        lambda data: pipeline_parallel(abs, data=data),
        lambda data: split(data, 2),
    ],
    ids=["data_parallel", "pipeline_parallel", "split"],
)
def test_text_mappings_and_sets_are_refused_with_the_way_out(use, data, way_out):
    with pytest.raises(TypeError) as caught:
        use(data)
    assert f"a {type(data).__name__} could mean several things: pass {way_out} if you mean that" in str(caught.value)


@pytest.mark.parametrize(("data", "says"), [(5, "not 5"), (None, "not None"), (np.array(5), r"pass \[data\]")])
def test_what_has_no_items_is_refused(data, says):
    with pytest.raises(TypeError, match=says):
        data_parallel(abs, data)


# ---- Data: chunks ---------------------------------------------------------------------------------------------------


def test_tasks_are_named_for_the_function_and_the_items():
    plan = data_plan(abs, range(5), chunks=2)
    assert [(task.name, task.kind, task.items) for task in plan.tasks] == [
        ("abs[0:3]", "abs", range(3)),
        ("abs[3:5]", "abs", range(3, 5)),
    ]
    assert plan.graph == {"abs[0:3]": (), "abs[3:5]": ()}


@given(st.integers(0, 50), st.integers(1, 60))
def test_there_are_as_many_chunks_as_asked_but_never_more_than_items_and_they_differ_by_at_most_one(items, chunks):
    sizes = [len(task.items) for task in data_plan(abs, range(items), chunks=chunks).tasks]
    assert len(sizes) == min(items, chunks)
    assert sum(sizes) == items
    assert not sizes or max(sizes) - min(sizes) <= 1


def test_by_default_there_is_one_chunk_per_worker():
    assert len(data_parallel(abs, range(10), workers=3, backend="serial").plan) == 3
    assert len(data_parallel(abs, range(10), workers=3).plan) == 3
    assert len(data_parallel(abs, range(2), workers=3).plan) == 2


def test_more_chunks_than_workers_is_dynamic_distribution():
    costs = [8, 1, 1, 1, 1, 1, 1, 1, 1]
    few = data_parallel(abs, range(9), workers=2, backend=Simulated(costs))
    many = data_parallel(abs, range(9), workers=2, chunks=9, backend=Simulated(costs))
    assert [few.elapsed, many.elapsed] == [12, 8]


@pytest.mark.parametrize(
    ("chunks", "error"), [(0, ValueError), (-1, ValueError), (2.5, TypeError), ("four", TypeError), (True, TypeError)]
)
def test_chunks_are_a_whole_number_of_at_least_one(chunks, error):
    with pytest.raises(error, match="chunks must be"):
        data_parallel(abs, [1], chunks=chunks)
    with pytest.raises(error, match="chunks must be"):
        data_plan(abs, [], chunks=chunks)


@pytest.mark.parametrize("backend", ["serial", "threads", "processes", Simulated(cost=1.0)])
def test_no_items_is_no_error(backend):
    run = data_parallel(abs, [], workers=3, backend=backend)
    assert (run.result, len(run.trace), len(run.plan)) == ([], 0, 0)
    run = pipeline_parallel(abs, abs, data=[], backend=backend)
    assert (run.result, len(run.trace)) == ([], 0)


# ---- Data: combine --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [[], [3], list(range(10))])
def test_combine_is_called_once_with_all_results_in_order(data):
    calls = []
    run = data_parallel(abs, data, workers=3, combine=lambda results: calls.append(results) or "combined")
    assert run.result == "combined"
    assert calls == [data]


def test_a_combine_that_fails_says_so_after_the_work():
    with pytest.raises(ZeroDivisionError) as caught:
        data_parallel(abs, [1, 2], workers=2, combine=lambda results: 1 / 0)
    assert len(caught.value.run.trace) == 2


def test_functions_must_be_functions():
    with pytest.raises(TypeError, match="data_parallel needs a function to apply to each item, not 3"):
        data_parallel(3, [1])
    with pytest.raises(TypeError, match="combine must be a function of the list of results, not 3"):
        data_parallel(abs, [1], combine=3)
    with pytest.raises(TypeError, match="task_parallel needs functions, not 3: write the name without calling it"):
        task_parallel(abs, 3)
    with pytest.raises(TypeError, match="a stage needs a function to call, not 3"):
        pipeline_parallel(abs, 3, data=[1])


def test_a_function_that_raises_stop_iteration_does_not_lose_items():
    def stop(item):
        raise StopIteration

    with pytest.raises(RuntimeError, match="stop raised StopIteration; return a value instead"):
        data_parallel(stop, [1, 2], workers=1)
    gaps = data_parallel(stop, [1, 2], workers=1, on_error="skip").result
    assert [gap.item for gap in gaps] == [0, 1]


# ---- Split ----------------------------------------------------------------------------------------------------------


@given(lists, st.integers(1, 12), st.sampled_from(["block", "cyclic"]))
def test_split_gives_exactly_that_many_shards_whose_sizes_differ_by_at_most_one(data, parts, how):
    shards = split(data, parts, how=how)
    sizes = list(map(len, shards))
    assert len(shards) == parts
    assert max(sizes) - min(sizes) <= 1
    assert sorted(item for shard in shards for item in shard) == sorted(data)


@given(lists, st.integers(1, 12))
def test_blocks_are_neighbors_and_cycles_are_dealt_like_cards(data, parts):
    assert [item for shard in split(data, parts) for item in shard] == data
    assert split(data, parts, how="cyclic") == [data[start::parts] for start in range(parts)]


@pytest.mark.parametrize("how", ["block", "cyclic"])
def test_shards_of_arrays_are_views(how):
    data = np.arange(12).reshape(6, 2)
    shards = split(data, 4, how=how)
    assert all(np.shares_memory(shard, data) for shard in shards)
    assert all(shard.shape[1:] == (2,) for shard in split(data, 9, how=how))


def test_whole_shards_are_passed_as_items():
    assert data_parallel(sum, split([1, 2, 3, 4, 5], 2), workers=2).result == [6, 9]


@pytest.mark.parametrize(
    ("parts", "error"), [(0, ValueError), (-1, ValueError), (2.5, TypeError), ("four", TypeError), (True, TypeError)]
)
def test_parts_are_a_whole_number_of_at_least_one(parts, error):
    with pytest.raises(error, match="parts must be"):
        split([1], parts)


def test_how_is_block_or_cyclic():
    with pytest.raises(ValueError, match="how must be 'block' or 'cyclic', not 'cylic'"):
        split([1], 1, how="cylic")


# ---- Tasks ----------------------------------------------------------------------------------------------------------


def test_parameters_are_joined_by_name():
    def sauce(tomatoes, salt=1):
        return f"{tomatoes} tomatoes, {salt} salt"

    def plate(pasta, sauce):
        return [pasta, sauce]

    def pasta():
        return "pasta"

    run = task_parallel(plate, sauce, pasta, inputs={"tomatoes": 6}, workers=2)
    assert run.result == {"plate": ["pasta", "6 tomatoes, 1 salt"], "sauce": "6 tomatoes, 1 salt", "pasta": "pasta"}
    assert list(run.result) == ["plate", "sauce", "pasta"]  # in the order of the call
    assert [task.kind for task in run.plan.tasks] == ["plate", "sauce", "pasta"]


def test_a_parameter_is_an_input_else_a_task_else_its_default():
    def soup(salt="no salt", pepper="no pepper", water="no water"):
        return salt, pepper, water

    def pepper():
        return "pepper of a task"

    run = task_parallel(soup, pepper, inputs={"salt": "salt of an input"})
    assert run.result["soup"] == ("salt of an input", "pepper of a task", "no water")


def test_a_default_in_between_is_kept():
    def soup(salt="no salt", *, pepper="no pepper", water):
        return salt, pepper, water

    assert task_parallel(soup, inputs={"water": "water"}).result["soup"] == ("no salt", "no pepper", "water")


def test_positional_only_parameters_are_joined_too():
    def soup(salt="no salt", water="no water", /):
        return salt, water

    assert task_parallel(soup, inputs={"water": "water"}).result["soup"] == ("no salt", "water")
    assert task_parallel(soup, inputs={"salt": "salt"}).result["soup"] == ("salt", "no water")


def test_any_number_of_further_parameters_stays_empty():
    def soup(water, *more, **named):
        return water, more, named

    assert task_parallel(soup, inputs={"water": 1, "more": 2, "named": 3}).result["soup"] == (1, (), {})


def test_a_parameter_that_nobody_makes_is_a_mistake_with_a_guess():
    def plate(suace):
        pass

    def sauce():
        pass

    with pytest.raises(
        PlanError, match=r"'plate' needs 'suace', which is neither an input nor a task; did you mean 'sauce'\?"
    ):
        task_parallel(plate, sauce)


def test_a_name_that_is_both_input_and_task_is_refused():
    def sauce():
        pass

    with pytest.raises(PlanError, match="'sauce' is both an input and a task: rename one of them"):
        task_parallel(sauce, inputs={"sauce": 1})


def test_a_function_that_wants_itself_is_refused():
    def dough(dough):
        pass

    with pytest.raises(PlanError, match="'dough' needs 'dough', which is neither an input nor a task"):
        task_parallel(dough)


def test_two_functions_that_want_each_other_are_refused():
    def hen(egg):
        pass

    def egg(hen):
        pass

    with pytest.raises(PlanError, match="circle"):
        task_parallel(hen, egg)


def test_the_same_function_twice_is_numbered():
    def roll():
        return 4

    run = task_parallel(roll, roll, roll)
    assert run.result == {"roll": 4, "roll#2": 4, "roll#3": 4}
    assert [task.kind for task in run.plan.tasks] == ["roll"] * 3


def test_partial_functions_and_objects_are_named_for_what_is_inside():
    def bake(minutes, degrees):
        return minutes, degrees

    class Oven:
        def __call__(self, bake):
            return bake

    run = task_parallel(functools.partial(bake, degrees=200), Oven(), inputs={"minutes": 30})
    assert run.result == {"bake": (30, 200), "Oven": (30, 200)}


def test_a_function_that_hides_its_parameters_is_refused():
    with pytest.raises(PlanError, match="'int' does not tell its parameters, so its needs are unknown: wrap it"):
        task_parallel(int)


def test_no_functions_make_an_empty_result():
    assert task_parallel().result == {}


def test_inputs_are_a_mapping_of_names():
    for inputs in ([1, 2], {1: 2}, "flour"):
        with pytest.raises(TypeError, match=r"inputs must map names to values, as in {'flour': 2}, not"):
            task_parallel(inputs=inputs)


# ---- Pipelines ------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(lists, st.lists(st.integers(1, 3), min_size=1, max_size=4), st.none() | st.integers(0, 3))
def test_a_pipeline_is_nested_function_calls(data, hands, buffer):
    def plus(item):
        return item + 1

    stages = [Stage(abs if number % 2 else plus, workers=count) for number, count in enumerate(hands)]

    def through(item):
        for stage in stages:
            item = stage.fn(item)
        return item

    run = pipeline_parallel(*stages, data=data, buffer=buffer)
    assert run.result == [through(item) for item in data]


def test_a_station_is_named_for_its_function_and_its_item():
    plan = pipeline_plan(str.strip, str.title, str.strip, data=["a", "b"])
    assert [task.name for task in plan.tasks][:3] == ["strip[0]", "title[0]", "strip#2[0]"]
    assert [(task.kind, task.item) for task in plan.tasks][-1] == ("strip#2", 1)


def test_item_i_at_stage_s_waits_for_stage_s_minus_one_and_for_item_i_minus_k():
    plan = pipeline_plan(Stage(str.strip, workers=2), str.title, data=["abcd"] * 4)
    assert plan.graph["strip[1]"] == ()
    assert plan.graph["strip[3]"] == ("strip[1]",)
    assert set(plan.graph["title[3]"]) == {"strip[3]", "title[2]"}


@pytest.mark.parametrize("buffer", [0, 1, 2])
@pytest.mark.parametrize("hands", [1, 2, 3])
def test_a_buffer_adds_one_edge_back_pressure(buffer, hands):
    free = pipeline_plan(str.strip, Stage(str.title, workers=hands), data=["a"] * 9)
    held = pipeline_plan(str.strip, Stage(str.title, workers=hands), data=["a"] * 9, buffer=buffer)
    for item in range(9):
        added = set(held.graph[f"strip[{item}]"]) - set(free.graph[f"strip[{item}]"])
        wanted = {f"title[{item - buffer - hands}]"} if item >= buffer + hands else set()
        assert added == wanted
        assert held.graph[f"title[{item}]"] == free.graph[f"title[{item}]"]


def test_a_pipeline_wants_a_worker_for_each_pair_of_hands():
    assert pipeline_parallel(abs, Stage(abs, workers=3), abs, data=[1]).workers == 5
    assert pipeline_parallel(abs, Stage(abs, workers=3), abs, data=[1], workers=2).workers == 2


def test_a_pipeline_beside_a_plan_without_opinion_takes_what_the_backend_has():
    both = pipeline_plan(abs, abs, data=[1]) | task_plan(lambda: 3)
    assert both.workers is None


@pytest.mark.parametrize(
    ("buffer", "error"),
    [(-1, ValueError), (1.5, TypeError), (0.0, TypeError), ("one", TypeError), (True, TypeError), (False, TypeError)],
)
def test_a_buffer_is_a_whole_number_of_places_or_none(buffer, error):
    with pytest.raises(error, match=r"buffer .* must be"):
        pipeline_parallel(abs, abs, data=[1], buffer=buffer)
    assert pipeline_parallel(abs, abs, data=[1], buffer=np.int64(0)).result == [1]


def test_a_pipeline_needs_a_stage():
    with pytest.raises(PlanError, match="pipeline_parallel needs at least one stage: give it one function or more"):
        pipeline_parallel(data=[1])


def test_rows_of_an_array_go_down_a_pipeline():
    data = np.arange(6.0).reshape(3, 2)
    assert [row.tolist() for row in pipeline_parallel(np.sqrt, np.square, data=data).result] == [
        pytest.approx(row.tolist()) for row in data
    ]

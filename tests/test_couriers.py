"""Whatever can travel arrives as it was; whatever cannot is refused before anything has run, or fails its own task."""

import asyncio
import dataclasses
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import cloudpickle
import numpy as np
import pytest

from parlib import Plan, PlanError, Task, couriers, data_parallel, data_plan, execute, pipeline_parallel, task_parallel
from parlib.couriers import portable
from parlib.sharing import Memory
from parlib.trace import describe

SOMEWHERE_ELSE = "processes"


class Burnt(Exception):
    """An ordinary exception of somebody's own."""


class TwoWords(Exception):
    """Its constructor wants other arguments than an exception keeps: plain pickle fails on it."""

    def __init__(self, first, *, second):
        super().__init__(f"{first} {second}")
        self.first = first


class HoldsALock(Exception):
    """Part of it cannot travel at all."""

    def __init__(self):
        super().__init__("holds a lock")
        self.lock = threading.Lock()


class Speechless(Exception):
    """It fails at telling what failed."""

    def __str__(self):
        raise RuntimeError("no words")


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    """It takes no attributes, not even a note."""

    code: int


ERRORS = [
    Burnt("toast"), TwoWords("very", second="burnt"), HoldsALock(), Speechless(), Frozen(3), SystemExit(3),
    KeyError("salt"), UnicodeDecodeError("ascii", b"\xff", 0, 1, "no"), FileNotFoundError(2, "no such file", "recipe"),
    ExceptionGroup("both", [Burnt("a"), ValueError("b")]), asyncio.CancelledError(), GeneratorExit(),
]  # fmt: skip


class Fails:
    """A function that raises one of these exceptions for one item."""

    def __init__(self, which):
        self.which = which

    def __call__(self, item):
        if item == 2:
            raise ERRORS[self.which]
        return item


# ---- Exceptions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_exception_travels_with_its_type_its_words_and_its_story(error):
    try:
        raise error
    except BaseException as raised:
        arrived = pickle.loads(cloudpickle.dumps(portable(raised)))
    assert type(arrived) is type(error)
    assert describe(arrived) == describe(error)
    assert "Traceback" in arrived.__notes__[0]
    assert "raise error" in arrived.__notes__[0]


def test_without_a_parcel_an_odd_constructor_would_not_survive():
    alone = "import pickle, test_couriers; pickle.loads(pickle.dumps(test_couriers.TwoWords('very', second='burnt')))"
    python = subprocess.run([sys.executable, "-c", alone], cwd=Path(__file__).parent, capture_output=True, text=True)
    assert "TypeError" in python.stderr  # in a Python of its own, as Dask teaches pickle to make any exception


def test_what_an_exception_knows_travels_too():
    arrived = pickle.loads(cloudpickle.dumps(portable(TwoWords("very", second="burnt"))))
    assert arrived.first == "very"


def test_an_exception_whose_very_type_cannot_travel_arrives_as_a_runtime_error():
    class Stuck(Exception):
        lock = threading.Lock()

    arrived = pickle.loads(cloudpickle.dumps(portable(Stuck("in the oven"))))
    assert type(arrived) is RuntimeError
    assert str(arrived) == "Stuck: in the oven"


@pytest.mark.parametrize("backend", ["serial", "threads", SOMEWHERE_ELSE])
@pytest.mark.parametrize("which", range(len(ERRORS)), ids=lambda which: type(ERRORS[which]).__name__)
def test_a_task_fails_with_its_own_exception_wherever_it_ran(which, backend):
    plan = Plan([Task("cook", Fails(which), ["egg"], item=7)], {"egg": 2})
    with pytest.raises(type(ERRORS[which])) as caught:
        execute(plan, workers=1, backend=backend)
    assert type(caught.value) is type(ERRORS[which])
    assert caught.value.__notes__[-1] == "in task 'cook', item 7, worker 0"
    assert caught.value.run.failed == "cook"


@pytest.mark.parametrize("backend", ["threads", SOMEWHERE_ELSE])
def test_a_class_made_inside_a_function_can_be_caught_by_its_name(backend):
    class Local(Exception):
        pass

    def fail(item):
        raise Local(item)

    with pytest.raises(Local, match=r"^1"):
        data_parallel(fail, [1], workers=1, backend=backend)


@pytest.mark.parametrize("which", range(len(ERRORS)), ids=lambda which: type(ERRORS[which]).__name__)
@pytest.mark.parametrize("backend", ["threads", SOMEWHERE_ELSE])
def test_the_note_names_the_item_however_hard_the_exception_is_to_send(which, backend):
    with pytest.raises(type(ERRORS[which])) as caught:
        data_parallel(Fails(which), [0, 1, 2, 3], workers=2, chunks=2, backend=backend)
    assert caught.value.__notes__[-1].startswith("in task 'Fails[2:4]', item 2, worker ")


# ---- What cannot travel ---------------------------------------------------------------------------------------------


def started(folder):
    """A function that leaves a trace of having been started."""

    def start(item):
        (folder / str(item)).touch()
        return item

    return start


def test_a_function_that_cannot_be_sent_is_refused_before_anything_ran(tmp_path):
    lock = threading.Lock()
    start = started(tmp_path)

    def locked(first):
        with lock:
            return first

    with pytest.raises(PlanError) as caught:
        task_parallel(first_of(start), locked, workers=1, backend=SOMEWHERE_ELSE)
    message = str(caught.value)
    assert "the function of task 'locked' cannot be sent to another process: cannot pickle" in message  # what and why
    assert "open it inside the function" in message  # what to do
    assert "backend='threads'" in message
    assert list(tmp_path.iterdir()) == []


def first_of(start):
    def first():
        return start("first")

    return first


def test_the_same_function_is_fine_on_threads(tmp_path):
    lock = threading.Lock()

    def locked(first):
        with lock:
            return first

    assert task_parallel(first_of(started(tmp_path)), locked, workers=1).result["locked"] == "first"
    assert [file.name for file in tmp_path.iterdir()] == ["first"]


def test_an_input_that_cannot_be_sent_is_refused_before_anything_ran(tmp_path):
    with pytest.raises(PlanError, match=r"input 'items of start.*' cannot be sent to another process: cannot pickle"):
        data_parallel(started(tmp_path), [1, 2, threading.Lock()], workers=1, chunks=3, backend=SOMEWHERE_ELSE)
    assert list(tmp_path.iterdir()) == []


def test_a_refused_plan_holds_on_to_no_memory_even_while_its_exception_lives():
    before = Memory.alive
    lock = threading.Lock()
    with pytest.raises(PlanError) as caught:
        data_parallel(lambda row: lock, np.ones((100, 1000)), workers=2, backend=SOMEWHERE_ELSE)
    assert caught.value is not None
    assert Memory.alive == before


def test_a_later_value_that_cannot_travel_fails_its_own_task():
    def generator():
        return (item for item in [1, 2])

    def plain():
        return 3

    with pytest.raises(TypeError, match=r"its result cannot be sent back .*: return plain data or arrays") as caught:
        task_parallel(generator, plain, workers=1, backend=SOMEWHERE_ELSE)
    assert caught.value.run.failed == "generator"
    run = task_parallel(generator, plain, workers=1, backend=SOMEWHERE_ELSE, on_error="skip")
    assert run.result["plain"] == 3
    assert run.result["generator"].task == "generator"


def test_a_chunk_whose_results_cannot_travel_leaves_a_gap_for_each_item():
    run = data_parallel(odd_ones_stay, [0, 1, 2, 3], workers=1, chunks=4, backend=SOMEWHERE_ELSE, on_error="skip")
    assert [run.result[0], run.result[2]] == [0, 2]
    run = data_parallel(odd_ones_stay, [0, 1, 2, 3], workers=1, chunks=1, backend=SOMEWHERE_ELSE, on_error="skip")
    assert [(gap.task, gap.item) for gap in run.result] == [("odd_ones_stay[0:4]", item) for item in range(4)]


def odd_ones_stay(item):
    return (one for one in [item]) if item % 2 else item


def test_a_value_that_cannot_go_on_to_the_next_worker_fails_the_task_that_wanted_it():
    class Oneway:
        """Comes back from its worker, and then cannot leave again."""

        def __reduce__(self):
            return Stuck, ()

    def make():
        return Oneway()

    def use(make):
        return make

    with pytest.raises(PlanError, match="the value of 'make' cannot be sent to another process"):
        task_parallel(make, use, workers=1, backend=SOMEWHERE_ELSE)


class Stuck:
    def __reduce__(self):
        raise TypeError("it sticks to the pan")


# ---- What travels, and how ------------------------------------------------------------------------------------------


def test_arrays_are_never_pickled_on_their_way_to_worker_processes():
    data = np.arange(100_000.0).reshape(10, -1)
    sizes = [len(packed) for packed in packed_inputs(data)]
    assert max(sizes) < 1_000 < data.nbytes


def packed_inputs(data):
    courier = couriers.SharedMemory()
    courier.load(data_plan(np.sum, data, chunks=2))
    return courier.inputs.values()


def test_arrays_held_by_the_function_are_not_pickled_either():
    table = np.arange(100_000.0)
    courier = couriers.SharedMemory()
    courier.load(Plan([Task("look", lambda: table[3])]))
    assert max(map(len, courier.functions.values())) < 2_000
    assert courier.shared_bytes == table.nbytes


def test_an_array_held_by_the_function_and_the_data_is_copied_once():
    table = np.ones((10, 10_000))
    run = data_parallel(lambda row: row + table[0, 0], table, workers=2, backend=SOMEWHERE_ELSE)
    assert run.shared_bytes == table.nbytes
    assert run.shared_seconds > 0


def test_a_function_used_by_many_tasks_is_packed_once():
    courier = couriers.SharedMemory()
    courier.load(data_plan(abs, range(100), chunks=50))
    assert len(courier.functions) == 1


def test_values_between_tasks_travel_too_large_and_small():
    def many():
        return np.arange(200_000.0)

    def few(many):
        return many[:3].copy()

    def total(many, few):
        return float(many.sum() + few.sum())

    run = task_parallel(many, few, total, workers=2, backend=SOMEWHERE_ELSE)
    assert run.result["total"] == np.arange(200_000.0).sum() + 3
    assert np.array_equal(run.result["many"], np.arange(200_000.0))


def test_values_between_tasks_are_not_pickled_either():
    courier, task = couriers.SharedMemory(), Task("use", len, ["made", "input"])
    made, given = np.ones(100_000), np.ones(100_000)
    courier.load(Plan([Task("made", lambda: made), task], {"input": given}))
    _perform, _fn, packed, *_ = courier.call(task, 0, [made[::-1], given])
    assert max(map(len, packed)) < 1_000
    assert courier.shared_bytes == 2 * made.nbytes  # the function's own, and the input


def test_arrays_go_down_a_pipeline_of_processes():
    images = [np.full((100, 200), number, dtype=np.float32) for number in range(4)]
    result = pipeline_parallel(np.sqrt, np.cumsum, data=images, backend=SOMEWHERE_ELSE).result
    assert all(np.array_equal(one, np.cumsum(np.sqrt(image))) for one, image in zip(result, images))


def test_a_worker_notes_its_task_while_it_is_on_it():
    courier = couriers.SharedMemoryNoted(workers=2)
    board = courier.board.handle
    courier.load(plan := Plan([Task("first", abs), Task("look", lambda: noted(board))]))
    report = courier.open(couriers.perform_noted(*courier.call(plan.tasks[1], 1, [])[1:]), 1)
    assert report.value == [[0, 0], [1, os.getpid()]]  # in slot 1: task number 1, by this process
    assert [process for _, process in noted(board)] == [0, 0]  # nobody is on anything
    assert courier.were_on({os.getpid()}) == []


def noted(board):
    with couriers.opened(board) as file:
        os.lseek(file, 0, os.SEEK_SET)
        return np.frombuffer(os.read(file, 32), np.int64).reshape(2, 2).tolist()


def test_what_a_notebook_defines_travels_both_ways():
    """Functions, classes and exceptions of `__main__`, which no worker could import."""
    program = """
from parlib import data_parallel

class Burnt(Exception):
    def __init__(self, dish, *, minutes):
        super().__init__(f"{dish.name} after {minutes} minutes")
        self.dish = dish

class Dish:
    def __init__(self, name):
        self.name = name

def cook(dish):
    if dish.name == "toast":
        raise Burnt(dish, minutes=9)
    return Dish("fried " + dish.name)

if __name__ == "__main__":
    kitchen = {"workers": 1, "backend": "processes"}
    result = data_parallel(cook, [Dish("egg")], **kitchen).result
    print(type(result[0]) is Dish, result[0].name)
    try:
        data_parallel(cook, [Dish("toast")], **kitchen)
    except Burnt as error:
        print(type(error.dish) is Dish, error)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (told.stdout, told.stderr) == ("True fried egg\nTrue toast after 9 minutes\n", "")

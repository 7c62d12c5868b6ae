"""Arrays do not travel: whatever their shape and strides, both sides look at the same memory, and nobody else's."""

import gc
import os
import subprocess
import sys
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from parlib import close, data_parallel, share, sharing, task_parallel
from parlib.sharing import LARGE, MANY, Memory, Shelf, pack, pack_result, unpack, unpack_result

RECIPE = np.dtype([("grams", "<i4"), ("name", "<U3")])
CODES = "?", "u1", "<i8", "f2", "<f4", ">f8", "<c16", "<U3", "S2", "<M8[s]", "<m8[D]", RECIPE
dtypes = st.sampled_from([np.dtype(code) for code in CODES])


@st.composite
def arrays(draw):
    """Arrays of any rank, size and type; sliced, turned around, transposed, in C or Fortran order, broadcast."""
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
    dtype = draw(dtypes)
    raw = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 2, size=(*shape, dtype.itemsize), dtype=np.uint8)
    array = np.ndarray(shape, dtype, raw.tobytes()).copy(order=draw(st.sampled_from("CF")))
    if draw(st.booleans()):
        array = array[draw(hnp.basic_indices(shape, allow_ellipsis=False))]
    if draw(st.booleans()) and isinstance(array, np.ndarray):
        array = array.transpose(draw(st.permutations(range(array.ndim))))
    if draw(st.booleans()):
        array = np.broadcast_to(array, (draw(st.integers(1, 3)), *np.shape(array)))
    return np.asarray(array)


def same(one, other):
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def there(value, shelf=None):
    """What a worker would find; the shelf stands until it has looked."""
    shelf = shelf or Shelf()
    return unpack(pack(value, shelf))


@pytest.fixture(params=["anonymous", "file"])
def maker(request, monkeypatch, tmp_path):
    """Both ways to make memory: that of Linux, and that of all other systems."""
    if request.param == "anonymous" and Memory.make is sharing._temporary_file:
        pytest.skip("this system has no anonymous memory that others can open")
    if request.param == "file":
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(Memory, "make", staticmethod(sharing._temporary_file))
    before = Memory.alive
    yield request.param
    gc.collect()
    sharing._tidy()
    assert Memory.alive == before
    assert list(tmp_path.glob("parlib-*")) == []


# ---- There ----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(arrays())
def test_every_array_arrives_as_it_was(array):
    assert same(there(array), array)


@settings(deadline=None)
@given(st.lists(arrays(), min_size=1, max_size=3), st.integers(0, 2))
def test_arrays_arrive_inside_of_other_things(some, kind):
    value = [some, tuple(some), {"name": some}][kind]
    arrived = there(value)
    assert type(arrived) is type(value)
    inner = arrived["name"] if kind == 2 else arrived
    assert all(same(one, other) for one, other in zip(inner, some))


def test_the_bytes_of_an_array_are_not_pickled(maker):
    array = np.ones(1_000_000)
    shelf = Shelf()
    assert len(pack(array, shelf)) < 1_000
    assert shelf.bytes == array.nbytes
    assert shelf.seconds > 0


def test_without_a_shelf_they_would_be(monkeypatch):
    monkeypatch.setattr(sharing, "travels", lambda array: False)
    assert len(pack(np.ones(1_000_000), Shelf())) > 8_000_000


def test_the_views_of_one_array_are_copied_once(maker):
    array = np.arange(100_000.0)
    shelf = Shelf()
    shelf.put_whole([array[:50_000], array[50_000:], array[::2]])
    views = [array[:50_000], array[::-1], array[10:20], array.reshape(100, -1)]
    arrived = [there(view, shelf) for view in views]
    assert all(same(one, view) for one, view in zip(arrived, views))
    assert shelf.bytes == array.nbytes


def test_of_a_large_array_only_the_stretch_in_use_is_copied(maker):
    shelf = Shelf()
    array = np.arange(1_000_000.0)
    shelf.put_whole([array[1000:1100]])
    assert same(there(array[1000:1100], shelf), array[1000:1100])
    assert shelf.bytes == 800


def test_a_sparse_view_costs_its_own_bytes_not_those_in_between():
    shelf = Shelf()
    array = np.arange(1_000_000.0)
    assert same(there(array[::1000], shelf), array[::1000])
    assert shelf.bytes == 8_000


def test_what_the_shelf_below_holds_is_not_copied_again(maker):
    array = np.arange(100_000.0)
    below = Shelf()
    below.put_whole([array])
    above = Shelf(below)
    assert same(there(array[5:], above), array[5:])
    assert above.bytes == 0


def test_a_new_array_at_an_old_address_is_not_mistaken_for_it():
    shelf = Shelf()
    for number in range(50):
        array = np.full(1000, float(number))
        assert there(array, shelf)[0] == number
        del array


def test_arrays_of_objects_and_arrays_of_other_classes_are_pickled_as_they_are():
    for array in (np.array([1, "two", None]), np.ma.masked_array([1, 2], [True, False])):
        arrived = there(array)
        assert type(arrived) is type(array)
        assert arrived.tolist() == array.tolist()


# ---- Nobody else's --------------------------------------------------------------------------------------------------


def scribble(row):
    row[:] = -1
    return float(row.sum())


def test_a_worker_may_scribble_on_its_inputs_and_nobody_else_sees_it(maker):
    data = np.ones((4, 1000))
    for array in (data, share(data)):
        assert data_parallel(scribble, array, workers=2, chunks=4, backend="processes").result == [-1000.0] * 4
        assert (array == 1).all()
        assert data_parallel(np.sum, array, workers=2, chunks=4, backend="processes").result == [1000.0] * 4


def test_on_threads_they_would_see_it():
    data = np.ones((4, 10))
    data_parallel(scribble, data, workers=2)
    assert (data == -1).all()


def test_two_tasks_that_read_one_value_do_not_see_each_others_scribbles(maker):
    def values():
        return np.ones(50_000)

    def first(values):
        return scribble(values)

    def second(values, first):
        return values.sum()

    run = task_parallel(values, first, second, workers=1, backend="processes")
    assert (run.result["first"], run.result["second"]) == (-50_000.0, 50_000.0)
    assert (run.result["values"] == 1).all()


# ---- And back -------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(arrays())
def test_every_answer_comes_back_as_it_was(array):
    outbox = Memory()
    assert same(unpack_result(*pack_result(array, outbox.handle), outbox), array)


def turns():
    square = np.arange(40_000.0).reshape(200, 200)
    views = [square, square.T, square[:, ::2], square[::-1], np.broadcast_to(square[0], (200, 200))]
    return [*views, *(square.astype(code) for code in (">f8", "M8[s]", "U9")), [square, square[0:0], square[0, 0]]]


@pytest.mark.parametrize("number", range(len(turns())))
def test_a_large_answer_comes_back_through_shared_memory_and_is_not_pickled(number, maker):
    value, outbox = turns()[number], Memory()
    packed, parts, large = pack_result(value, outbox.handle)
    assert large
    assert len(packed) < 1_000
    arrived = unpack_result(packed, parts, large, outbox)
    one, other = (arrived[0], value[0]) if isinstance(value, list) else (arrived, value)
    assert same(one, other)
    assert sharing.segment_of(one).home is outbox
    one.flat[0] = one.flat[1]  # it is the learner's own, and may be written to
    del arrived, one


def test_a_small_answer_comes_back_in_the_message(maker):
    outbox = Memory()
    _, _, large = pack_result(np.ones(LARGE // 8 - 1), outbox.handle)
    assert not large
    assert os.fstat(outbox.fd).st_size == 0


def test_answers_outlive_the_run_and_the_workers(maker):
    data = np.arange(400_000.0).reshape(4, -1)
    result = data_parallel(np.sqrt, data, workers=2, backend="processes").result
    close()
    assert all(np.array_equal(row, np.sqrt(wanted)) for row, wanted in zip(result, data))


def test_an_answer_given_to_the_next_run_is_not_copied_again(maker):
    data = np.ones((2, 100_000))
    first = data_parallel(np.sqrt, data, workers=2, chunks=2, backend="processes")
    again = data_parallel(np.sum, first.result, workers=2, chunks=2, backend="processes")
    assert first.shared_bytes == data.nbytes
    assert again.shared_bytes == 0
    assert again.result == [100_000.0] * 2


def test_very_many_large_answers_do_not_use_up_the_file_handles():
    before = Memory.alive
    result = data_parallel(large_row, range(MANY + 100), workers=2, chunks=MANY + 100, backend="processes").result
    assert Memory.alive - before <= MANY + 10
    assert all((row == number).all() for number, row in enumerate(result))


def large_row(number):
    return np.full(LARGE // 8, float(number))


# ---- share ----------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(arrays())
def test_a_shared_array_is_equal_to_the_original(array):
    assert same(share(array), array)


def test_a_shared_array_is_paid_for_once(maker):
    array = share(np.arange(400_000.0).reshape(4, -1))
    for _ in range(2):
        run = data_parallel(np.sum, array, workers=2, backend="processes")
        assert run.shared_bytes == 0
        assert run.result == array.sum(axis=1).tolist()
    assert data_parallel(np.sum, array[::2, 3:], workers=2, backend="processes").shared_bytes == 0
    assert data_parallel(np.sum, array.copy(), workers=2, backend="processes").shared_bytes == array.nbytes


@settings(deadline=None)
@given(arrays())
def test_no_view_of_a_shared_array_is_copied(array):
    shared, shelf = share(array), Shelf()
    for view in (shared, shared.T, shared[..., None], shared.reshape(-1)[::-1]):
        assert same(there(view, shelf), view)
    assert shelf.bytes == 0


def test_memory_is_freed_with_the_last_view_of_a_shared_array(maker):
    before = Memory.alive
    array = share(np.ones(10))
    view = array[3:5]
    assert Memory.alive == before + 1
    del array
    assert Memory.alive == before + 1
    assert view.tolist() == [1.0, 1.0]
    del view
    assert Memory.alive == before


def test_lists_can_be_shared_and_objects_cannot():
    assert share([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert share(3.0).shape == ()
    assert share([]).tolist() == []
    with pytest.raises(TypeError, match="share needs an array of numbers: an array of Python objects holds"):
        share(np.array([1, None]))


# ---- Files, where memory needs a name -------------------------------------------------------------------------------


@pytest.fixture
def files(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Memory, "make", staticmethod(sharing._temporary_file))
    return lambda: sorted(path.name for path in tmp_path.glob("parlib-*"))


def test_a_file_lasts_as_long_as_its_memory(files):
    array = share(np.ones(10))
    assert len(files()) == 1
    assert files()[0].startswith(f"parlib-{os.getpid()}-")
    del array
    assert files() == []


def test_a_file_that_the_system_would_not_remove_is_removed_later(files, monkeypatch):
    array = share(np.ones(10))
    with monkeypatch.context() as windows:
        windows.setattr(os, "unlink", refuse)
        del array
        assert len(files()) == 1
    share(np.ones(10))
    assert files() == []


def refuse(path):
    raise PermissionError(path)


def test_files_of_processes_that_were_killed_are_swept_away_at_the_next_use(files, tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f"parlib-{gone.pid}-abc").touch()
    (tmp_path / f"parlib-{os.getppid()}-abc").touch()  # of a process that lives
    (tmp_path / "parlib-notes").touch()
    share(np.ones(10))
    assert files() == [f"parlib-{os.getppid()}-abc", "parlib-notes"]


def test_memory_grows_as_it_is_written(maker):
    memory = Memory()
    sharing.write_at(memory.fd, 100, b"bread")
    assert bytes(memory.map())[98:] == b"\0\0bread"


def test_no_warning_is_left_for_the_end_of_the_program():
    program = "import numpy as np, parlib; kept = parlib.share(np.ones(10)); print(kept.sum())"
    told = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True)
    assert (told.stdout.strip(), told.stderr) == ("10.0", "")

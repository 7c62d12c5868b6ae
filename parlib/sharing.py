"""How do arrays travel between processes? They do not: both sides look at the same memory.

    parent                                worker
    array ──copy once──► memory ◄──map── view of the array        (input)
    view  ◄────map────── memory ◄─write─ result                   (result, when large)

On Linux the memory is anonymous and vanishes with the last process that holds it, so there
is nothing that could be left behind; on other systems it is a temporary file. The parent
owns all of it, that of results too; a worker only borrows. A worker maps its inputs
copy-on-write: it may scribble on them and nobody else sees it, just as if it had received
a copy.

A `Packer` is a pickler that puts arrays on a `Shelf` of shared memory and turns the rest
into bytes. This file does not know what a task or a run is.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import os
import pickle
import re
import tempfile
import time
import weakref
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any, NamedTuple

import cloudpickle
import numpy as np
from numpy.lib.array_utils import byte_bounds

__all__ = ["share"]

LARGE = 100_000
"""Bytes of arrays in a result from which on it returns through shared memory. Below, the
pipe that carries the answer anyway is as fast."""

MANY = 200
"""Pieces of memory a process holds before further results are copied out of theirs: each
takes two file handles, and many systems allow a process only 1,024."""

ALIGNMENT = 64  # bytes: a cache line, so that no two arrays share one

_serial = count(1)


class Handle(NamedTuple):
    """How another process finds memory. `serial` tells apart two that reuse one path."""

    path: str
    serial: tuple[int, int]


def _anonymous() -> tuple[int, str, None]:
    """Linux: memory without a name. Others open it through the file handle of its maker."""
    fd = os.memfd_create("parlib")
    return fd, f"/proc/{os.getpid()}/fd/{fd}", None


def _temporary_file() -> tuple[int, str, str]:
    """Elsewhere: a file in the system's folder for temporary files, removed with the last reference."""
    _sweep()
    fd, path = tempfile.mkstemp(prefix=f"parlib-{os.getpid()}-")
    return fd, path, path


class Memory:
    """Memory that other processes can find by its handle; it grows as it is written.

    Freed when the last reference to it, and to every `Segment` mapped from it, is gone.
    """

    make = staticmethod(
        _anonymous if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd") else _temporary_file
    )
    alive = 0  # pieces in this process

    def __init__(self) -> None:
        self.fd, path, remove = Memory.make()
        self.handle = Handle(path, (os.getpid(), next(_serial)))
        Memory.alive += 1
        weakref.finalize(self, Memory._free, self.fd, remove)

    def map(self) -> Segment:
        """All of it, as memory that this process reads and writes."""
        segment = Segment(self.fd, 0, access=mmap.ACCESS_WRITE)
        segment.home = self
        return segment

    @staticmethod
    def _free(fd: int, remove: str | None) -> None:
        Memory.alive -= 1
        os.close(fd)
        if remove is not None:
            _litter.add(remove)
            _tidy()


class Segment(mmap.mmap):
    """Mapped memory that remembers its home, so that a view of it can be sent as a handle."""

    home: Memory | None = None  # None where this process only borrows

    @property
    def address(self) -> int:
        """Where it starts in this process, in bytes."""
        return np.frombuffer(self, np.uint8).__array_interface__["data"][0]


def share(array: Any) -> np.ndarray:
    """A copy of `array` in shared memory, which worker processes see without any further copy.

    Pay once here instead of at every call. The memory is freed with the last reference.
    Raises TypeError for arrays of Python objects, which have no bytes of their own.

    >>> share([[1.0, 2.0], [3.0, 4.0]]).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    array = np.asarray(array)
    if array.dtype.hasobject:
        raise TypeError("share needs an array of numbers: an array of Python objects holds only their addresses")
    if not array.nbytes:
        return array.copy()
    memory = Memory()
    write_at(memory.fd, 0, _bytes_of(np.ascontiguousarray(array)))
    return np.ndarray(array.shape, array.dtype, memory.map())


class Shelf:
    """Arrays laid out in shared memory, each stretch only once, for one run or one message.

    A stretch is found by the array that owns its bytes, of which all others are views.
    What `below` holds already is not copied again. `bytes` and `seconds` are the bill.
    """

    def __init__(self, below: Shelf | None = None) -> None:
        self.below, self.memory, self.end = below, None, 0
        self.bytes, self.seconds = 0, 0.0
        self._stretches: dict[int, list[tuple[int, int, int]]] = {}  # by owner: from, to, offset in memory
        self._owners: list[np.ndarray] = []  # kept, so that no id stands for two arrays

    memory: Memory | None

    def put_whole(self, arrays: Iterable[np.ndarray]) -> None:
        """Copy, for each owner, the one stretch that covers all these views of it."""
        stretches: dict[int, tuple[np.ndarray, int, int]] = {}
        for array in arrays:
            if travels(array) and segment_of(array) is None and _is_dense(array):
                owner, (low, high) = _owner(array), byte_bounds(array)
                _, first, last = stretches.get(id(owner), (owner, low, high))
                stretches[id(owner)] = owner, min(first, low), max(last, high)
        for owner, low, high in stretches.values():
            self._copy(owner, low, high)

    def place(self, array: np.ndarray) -> tuple[Handle, int]:
        """Where other processes find `array`: a handle, and the offset of its first item in bytes."""
        start = address(array)
        segment = segment_of(array)
        if segment is not None and segment.home is not None:
            return segment.home.handle, start - segment.address
        owner, (low, high) = _owner(array), byte_bounds(array)
        memory, offset = self._find(id(owner), low, high) or self._copy(owner, low, high)
        return memory.handle, offset + start - low

    def keep(self, values: Any) -> None:
        """Hold on to these for as long as the shelf stands: a handle does not keep memory alive."""
        self._owners.append(values)

    def clear(self) -> None:
        """Let go of everything, even where an exception still remembers this shelf."""
        self.memory, self._stretches, self._owners = None, {}, []

    def _find(self, owner: int, low: int, high: int) -> tuple[Memory, int] | None:
        for first, last, offset in self._stretches.get(owner, ()):
            if first <= low and high <= last and self.memory is not None:
                return self.memory, offset + low - first
        return self.below._find(owner, low, high) if self.below else None

    def _copy(self, owner: np.ndarray, low: int, high: int) -> tuple[Memory, int]:
        begun = time.perf_counter()
        self.memory = self.memory or Memory()
        offset = self.end + (low - self.end) % ALIGNMENT  # as far from a cache line as the original
        first = low - byte_bounds(owner)[0]
        write_at(self.memory.fd, offset, _bytes_of(owner)[first : first + high - low])
        self.end = offset + high - low
        self._stretches.setdefault(id(owner), []).append((low, high, offset))
        self._owners.append(owner)
        self.bytes += high - low
        self.seconds += time.perf_counter() - begun
        return self.memory, offset


class Packer(cloudpickle.Pickler):
    """Turns a value into bytes; its arrays stay on the shelf."""

    def __init__(self, file: io.BytesIO, shelf: Shelf) -> None:
        super().__init__(file, protocol=5)
        self._shelf = shelf

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, np.ndarray) and travels(value):
            if segment_of(value) is None and not _is_dense(value):
                value = value.copy()
            handle, offset = self._shelf.place(value)
            return _view, (handle, offset, value.shape, value.dtype, value.strides)
        return super().reducer_override(value)


def pack(value: Any, shelf: Shelf) -> bytes:
    """`value` as bytes for another process on this machine, its arrays on the shelf."""
    file = io.BytesIO()
    Packer(file, shelf).dump(value)
    return file.getvalue()


def unpack(packed: bytes) -> Any:
    """In a worker: the value behind `pack`; its arrays are private, copy-on-write views."""
    try:
        return pickle.loads(packed)
    finally:
        _borrowed.clear()


class ResultPacker(cloudpickle.Pickler):
    """Turns an answer into bytes; of its arrays, whatever their strides, it hands out the buffers."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, np.ndarray) and travels(value):
            whole = value if value.flags.forc else value.copy()
            return _array, (pickle.PickleBuffer(_bytes_of(whole).data), whole.shape, whole.dtype, whole.strides)
        return super().reducer_override(value)


def _array(buffer: Any, shape: tuple[int, ...], dtype: np.dtype, strides: tuple[int, ...]) -> np.ndarray:
    return np.ndarray(shape, dtype, buffer, 0, strides)


def pack_result(value: Any, outbox: Handle) -> tuple[bytes, list[Any], bool]:
    """In a worker: an answer as bytes and buffers; large buffers go into the parent's `outbox`."""
    buffers: list[pickle.PickleBuffer] = []
    file = io.BytesIO()
    ResultPacker(file, protocol=5, buffer_callback=buffers.append).dump(value)
    raws = [buffer.raw() for buffer in buffers]
    if sum(raw.nbytes for raw in raws) < LARGE:
        return file.getvalue(), [bytearray(raw) for raw in raws], False
    places, end = [], 0
    with opened(outbox) as fd:
        for raw in raws:
            write_at(fd, end, raw)
            places.append((end, raw.nbytes))
            end += raw.nbytes + -raw.nbytes % ALIGNMENT
    return file.getvalue(), places, True


def unpack_result(packed: bytes, parts: list[Any], large: bool, outbox: Memory) -> Any:
    """The value behind `pack_result`; large arrays are views of the outbox, and keep it alive."""
    if large:
        view = memoryview(outbox.map())
        parts = [view[start : start + size] for start, size in parts]
        if Memory.alive > MANY:
            parts = [bytearray(part) for part in parts]
    return pickle.loads(packed, buffers=parts)


def write_at(fd: int, offset: int, data: Any) -> None:
    """Write a contiguous buffer into a file at `offset` (faster than storing through a fresh map)."""
    rest = memoryview(data).cast("B")
    os.lseek(fd, offset, os.SEEK_SET)
    while rest:
        rest = rest[os.write(fd, rest) :]


def address(array: np.ndarray) -> int:
    """Where the first item of `array` lies in this process, in bytes."""
    return array.__array_interface__["data"][0]


def travels(array: Any) -> bool:
    """Whether an array has bytes that can be shared (subclasses and Python objects are pickled)."""
    return type(array) in (np.ndarray, np.memmap) and array.nbytes > 0 and not array.dtype.hasobject


def segment_of(array: np.ndarray) -> Segment | None:
    """The segment that an array is a view of, if it is."""
    base: Any = _owner(array).base
    while isinstance(base, memoryview):
        base = base.obj
    return base if isinstance(base, Segment) else None


def _owner(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _is_dense(array: np.ndarray) -> bool:
    """Whether it fills at least half of the stretch it lies in, so that copying the stretch is fair."""
    owner, (low, high) = _owner(array), byte_bounds(array)
    first, last = byte_bounds(owner)
    return owner.flags.forc and first <= low and high <= last and high - low <= 2 * array.nbytes


def _bytes_of(owner: np.ndarray) -> np.ndarray:
    """The bytes of a contiguous array, in the order in which they lie in memory."""
    return owner.ravel(order="K").view(np.uint8)


_borrowed: dict[Handle, Segment] = {}  # in a worker, while one message is unpacked


def _view(handle: Handle, offset: int, shape: tuple[int, ...], dtype: np.dtype, strides: tuple[int, ...]) -> np.ndarray:
    segment = _borrowed.get(handle)
    if segment is None:
        with opened(handle) as fd:
            segment = _borrowed[handle] = Segment(fd, 0, access=mmap.ACCESS_COPY)
    return np.ndarray(shape, dtype, segment, offset, strides)


@contextlib.contextmanager
def opened(handle: Handle) -> Iterator[int]:
    fd = os.open(handle.path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        yield fd
    finally:
        os.close(fd)


_litter: set[str] = set()  # files that a system would not remove while a worker still mapped them


def _tidy() -> None:
    for path in list(_litter):
        with contextlib.suppress(PermissionError):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            _litter.discard(path)


def _sweep() -> None:
    """Remove the files of processes that were killed before they could do it themselves."""
    import psutil

    for name in os.listdir(tempfile.gettempdir()):
        owner = re.match(r"parlib-(\d+)-", name)
        if owner and not psutil.pid_exists(int(owner[1])):
            _litter.add(os.path.join(tempfile.gettempdir(), name))
    _tidy()

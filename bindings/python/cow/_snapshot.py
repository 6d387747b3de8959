"""Snapshots: immutable moments of regions."""

from __future__ import annotations

import ctypes
import datetime
import os
import sys
import weakref
from typing import Any, Iterator, NamedTuple

from . import _library
from ._buffers import array_interface, read_only_view
from ._library import call, library, made


class PageRange(NamedTuple):
    """`page_count` pages from `first_page` on."""

    first_page: int
    page_count: int


class _Handle:
    """A handle of the C API's, given up when the last object goes that has it.

    Not at the interpreter's exit: memory goes with the process, and whatever refers to it then may
    still be looked at.
    """

    def __init__(self, value: int) -> None:
        self.value = value
        self._end = weakref.finalize(self, library.cow_snapshot_destroy, value)
        self._end.atexit = False


class Snapshot:
    """The bytes of a region at one moment. It may outlive the region.

    `view` is a read-only memoryview of them, `snapshot[10:20]` a part of it, and
    `numpy.asarray(snapshot)` or `numpy.frombuffer(snapshot.view, dtype)` an array that cannot be
    written to; they keep the snapshot's memory for as long as they live, also when the snapshot
    was closed. From Python 3.12 on it is a read-only buffer itself. A context manager: leaving it
    closes the snapshot.

    Thread safe, but for `close`.
    """

    def __init__(self, handle: int, can_grow: bool) -> None:
        """Of libcow's own: snapshots are made by `Region.snapshot`."""
        self._owner: _Handle | None = _Handle(handle)
        self._can_grow = can_grow  # regions that are made of it

    @property
    def _handle(self) -> int:
        if self._owner is None:
            raise ValueError("the snapshot was closed")
        return self._owner.value

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._owner is None

    def close(self) -> None:
        """Gives the snapshot up. Views of it stay valid, and keep its memory until they go."""
        self._owner = None

    def __enter__(self) -> Snapshot:
        _ = self._handle
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __len__(self) -> int:
        return int(library.cow_snapshot_size(self._handle))

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self)

    @property
    def page_bytes(self) -> int:
        """Bytes in one page, the unit of `diff`."""
        return int(library.cow_snapshot_page_bytes(self._handle))

    @property
    def view(self) -> memoryview:
        """The bytes, read-only. The first time they are mapped; nothing is copied."""
        address = made("cow_snapshot_bytes", self._handle)
        return read_only_view(address, len(self), self._owner)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return array_interface(self.view)

    if sys.version_info >= (3, 12):  # before, a buffer of Python's own class would be writable
        def __buffer__(self, flags: int) -> memoryview:
            return self.view

    def __getitem__(self, at: Any) -> Any:
        return self.view[at]

    def __iter__(self) -> Iterator[int]:
        return iter(self.view)

    def __bytes__(self) -> bytes:
        return bytes(self.view)

    @property
    def label(self) -> str:
        """A name for people."""
        return _library.text_of("cow_snapshot_label", self._handle)

    @label.setter
    def label(self, label: str) -> None:
        call("cow_snapshot_set_label", self._handle, _library.name_bytes(label))

    @property
    def taken_at(self) -> datetime.datetime:
        """By the system's clock, in UTC."""
        ns = _library.nanoseconds_of("cow_snapshot_taken_at", self._handle)
        begin = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return begin + datetime.timedelta(microseconds=ns // 1000)

    @property
    def reclaimable_bytes(self) -> int:
        """Memory that closing it would give back now, if nothing else refers to it."""
        count = ctypes.c_size_t()
        call("cow_snapshot_reclaimable_bytes", self._handle, ctypes.byref(count))
        return count.value

    def estimate_drop(self) -> int:
        """What giving the last handle up would take now, in nanoseconds."""
        return _library.nanoseconds_of("cow_snapshot_estimate_drop", self._handle)

    def save(self, path: str | bytes | os.PathLike[str], *, base: Snapshot | None = None) -> None:
        """A complete image, or with `base` the pages alone that differ from that. It replaces the
        file when all of it is on the disk. `Region.load` reads it."""
        where = _library.path_bytes(path)
        if base is None:
            call("cow_snapshot_save", self._handle, where, None)
        else:
            call("cow_snapshot_save_delta", self._handle, handle_of(base), where, None)

    def __repr__(self) -> str:
        if self._owner is None:
            return "<cow.Snapshot, closed>"
        return f"<cow.Snapshot of {len(self)} bytes{' ' + repr(self.label) if self.label else ''}>"

    def __copy__(self) -> Snapshot:
        """Another handle of the same snapshot."""
        return Snapshot(made("cow_snapshot_copy", self._handle), self._can_grow)

    def __deepcopy__(self, memo: object) -> Snapshot:
        return self.__copy__()

    def __reduce__(self) -> Any:
        raise TypeError("a snapshot cannot be pickled: its memory is this process's; publish() it "
                        "and attach() in the other process")


def handle_of(snapshot: Snapshot) -> int:
    """Of what a program gave as a snapshot."""
    if not isinstance(snapshot, Snapshot):
        raise TypeError(f"a cow.Snapshot is needed, and this is {type(snapshot).__name__}")
    return snapshot._handle


def diff(before: Snapshot, after: Snapshot) -> list[PageRange]:
    """The pages that a store may have changed between two snapshots of a family."""
    found = _library.ranges_of("cow_diff", handle_of(before), handle_of(after))
    return [PageRange(*one) for one in found]

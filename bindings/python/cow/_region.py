"""Regions: memory that can be cloned."""

from __future__ import annotations

import ctypes
import functools
import os
import weakref
from typing import TYPE_CHECKING, Any, Iterable, Iterator, NamedTuple, cast

from . import _library
from ._backup import Backup, BackupEstimate, estimate_backup, start_backup
from ._buffers import Byte, array_at, array_interface, bytes_of
from ._front import keep_handler_in_front
from ._lease import Lease
from ._library import call, descriptor_of, library, made, path_bytes, size_of
from ._options import Mechanism, Options, struct_of
from ._snapshot import PageRange, Snapshot, handle_of


class RegionStats(NamedTuple):
    """What a region is made of and what it has done: cow::RegionStats."""

    page_bytes: int
    pages: int
    pages_zero: int
    pages_shared: int
    pages_private: int
    pages_writable: int
    pages_leased: int
    faults: int
    pages_copied: int
    pages_upgraded: int
    pages_zero_filled: int
    pages_compared: int
    pages_restored: int
    mappings: int
    bytes_metadata: int
    mechanism: Mechanism


class SnapshotNode(NamedTuple):
    """A living snapshot of a family, and where its parent is in the same list."""

    snapshot: Snapshot
    parent: int | None


class CostEstimate(NamedTuple):
    """What a snapshot and a clone would take now: cow::CostEstimate."""

    snapshot_ns: int
    clone_ns: int


if TYPE_CHECKING:
    _Buffer = ctypes.c_ubyte  # what checkers take for a buffer
else:
    _Buffer = object


class Region(_Buffer):
    """Memory that can be cloned for almost nothing.

    A writable buffer: `region.view`, `memoryview(region)`, `numpy.frombuffer(region.view, dtype)`
    show the same bytes, and an array keeps the region's memory for as long as it lives, whatever
    becomes of the name `region`. `region[10:20] = b"0123456789"` stores.

    `Region(size)` has `size` zeros. `clone`, `snapshot` and `restore` copy nothing; the first store
    to a page that is shared copies that page. A context manager: leaving it calls `close`.
    `copy.copy` and `copy.deepcopy` are `clone`.

    A region that may `grow` is a buffer through `view` alone, as a buffer has one size.

    Threads may store while others take snapshots and clones; `restore` wants to be alone.
    """

    # An instance's class has an array of ctypes besides this one: it is what has the buffer. Not
    # that of a region that may grow, whose views are arrays of their own.
    _open: bool
    _can_grow: bool
    _address_of_handle: int
    _views: weakref.WeakValueDictionary[int, Any]

    def __new__(cls, size: int, options: Options | None = None) -> Region:
        struct = struct_of(options)
        handle = made("cow_region_create", size_of(size, "size"), ctypes.byref(struct))
        kind: Any = next(one for one in cls.__mro__ if not issubclass(one, ctypes.Array))
        return owner_of(handle, struct.most_bytes != 0, kind)

    def __init__(self, size: int, options: Options | None = None) -> None:
        """`size` bytes, all of them zero."""

    @staticmethod
    def open(path: str | bytes | os.PathLike[str] | int, options: Options | None = None) -> Region:
        """The bytes of a file, by its path or a descriptor. It is read as pages are touched and
        never written."""
        struct = ctypes.byref(struct_of(options))
        if isinstance(path, (str, bytes, os.PathLike)):
            return owner_of(made("cow_region_open", path_bytes(path), struct))
        return owner_of(made("cow_region_open_fd", descriptor_of(path, "path"), struct))

    @staticmethod
    def from_bytes(source: Any, options: Options | None = None) -> Region:
        """A copy of whatever has a buffer, in the order of its indices."""
        flat = bytes_of(source)
        if flat.nbytes == 0:
            raise ValueError("the buffer is empty; a region has a byte at least")
        region = Region(flat.nbytes, options)
        region.view[:] = flat
        return region

    @staticmethod
    def from_snapshot(snapshot: Snapshot) -> Region:
        """A writable clone of the past."""
        return owner_of(made("cow_region_from_snapshot", handle_of(snapshot)), snapshot._can_grow)

    @staticmethod
    def load(*paths: str | bytes | os.PathLike[str], mapped: bool = False,
             options: Options | None = None) -> Region:
        """A complete image and the deltas that follow it, in the order in which they were saved.
        With `mapped` pages of the first one are read when they are touched."""
        names = (ctypes.c_char_p * len(paths))(*[path_bytes(path) for path in paths])
        region = struct_of(options)
        chosen = _library.LoadOptions(region=ctypes.pointer(region), mode=int(bool(mapped)))
        return owner_of(made("cow_region_load", names, len(paths), ctypes.byref(chosen)))

    @property
    def _handle(self) -> int:
        if not self._open:
            raise ValueError("the region was closed")
        return self._address_of_handle

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._open

    def close(self) -> None:
        """Gives the memory back. Arrays of the region stay valid to look at, and show zeros; their
        addresses go with the last of them. May be called again."""
        if not self._open:
            return
        self.discard(0, self.size)
        self._open = False

    def __enter__(self) -> Region:
        _ = self._handle
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Bytes."""
        return int(library.cow_region_size(self._handle))

    @property
    def page_bytes(self) -> int:
        """Bytes protected and copied as one page."""
        return int(library.cow_region_page_bytes(self._handle))

    @property
    def view(self) -> memoryview:
        """The bytes, to read and to write."""
        handle = self._handle
        if not self._can_grow:
            return memoryview(cast(Any, self))
        array = array_at(library.cow_region_data(handle), self.size, self)
        self._views[id(array)] = array
        return memoryview(array)

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return array_interface(self.view)

    @property
    def _as_parameter_(self) -> Any:
        # For functions of C that take unsigned char*: of the elements ctypes would not believe it.
        return ctypes.pointer(ctypes.c_ubyte.from_buffer(self.view))

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, at: Any) -> Any:
        return self.view[at]

    def __setitem__(self, at: Any, value: Any) -> None:
        self.view[at] = value

    def __iter__(self) -> Iterator[int]:
        return iter(self.view)

    def __bytes__(self) -> bytes:
        return bytes(self.view)

    # Two regions with the same bytes are two regions.
    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def clone(self, *, eager: bool = False) -> Region:
        """Another region with these bytes. With `eager` all of them are copied now."""
        return owner_of(made("cow_region_clone", self._handle, int(bool(eager))), self._can_grow)

    def __copy__(self) -> Region:
        return self.clone()

    def __deepcopy__(self, memo: object) -> Region:
        return self.clone()

    def snapshot(self, label: str | None = None, *, quiescent: bool = False) -> Snapshot:
        """The bytes of this moment, of which nothing is copied. With `quiescent` the caller
        promises that no thread stores meanwhile: cheaper in a loop."""
        handle = made("cow_region_snapshot", self._handle, int(bool(quiescent)))
        snapshot = Snapshot(handle, self._can_grow)
        if label is not None:
            snapshot.label = label
        return snapshot

    def restore(self, snapshot: Snapshot) -> None:
        """Makes the bytes those of `snapshot`, at the same address: arrays show them, too. The
        size of a region that has grown becomes that of the snapshot; with views of it left that
        would reach beyond its end, BufferError."""
        to = handle_of(snapshot)
        if self._can_grow:
            self._check_views(snapshot.size)
        call("cow_region_restore", self._handle, to)

    def _check_views(self, size: int) -> None:
        longer = [array for array in self._views.values() if len(array) > size]
        if longer:
            raise BufferError(f"the region would have {size} bytes, and {len(longer)} of its views "
                              "and arrays go beyond that; let go of them, and restore again")

    def grow(self, new_size: int) -> None:
        """Makes the region longer, at the same address, up to `Options.most_bytes`. The new bytes
        are zeros. Views and arrays keep the length that they have."""
        call("cow_region_grow", self._handle, size_of(new_size, "new_size"))

    def apply(self, ranges: Iterable[tuple[int, int]], snapshot: Snapshot) -> None:
        """Makes the pages of `ranges`, as `diff` names them, those of `snapshot`; others stay."""
        chosen = _library.array_of(ranges)
        call("cow_region_apply", self._handle, chosen, len(chosen), handle_of(snapshot))

    def changed_since(self, snapshot: Snapshot) -> list[PageRange]:
        """As `diff` of `snapshot` and now, without taking a snapshot."""
        found = _library.ranges_of("cow_region_changed_since", self._handle, handle_of(snapshot))
        return [PageRange(*one) for one in found]

    def discard(self, offset: int, length: int) -> None:
        """Whole pages of the range show zeros again, and their memory is given back."""
        call("cow_region_discard", self._handle, size_of(offset, "offset"),
             size_of(length, "length"))

    def lease(self, offset: int = 0, length: int | None = None) -> Lease:
        """A range that the kernel may write to, for calls that would fail with EFAULT otherwise:
        `with region.lease(0, 4096) as view: os.readv(descriptor, [view])`."""
        size = self.size
        begin = size_of(offset, "offset")
        count = size_of(max(size - begin, 0) if length is None else length, "length")
        handle = made("cow_region_write_lease", self._handle, begin, count)
        return Lease(handle, self.view[begin:begin + count])

    def snapshots(self) -> list[SnapshotNode]:
        """The living snapshots of the family as a tree, parents before children."""
        history = made("cow_region_history", self._handle)
        try:
            return [_node_at(history, i, self._can_grow)
                    for i in range(library.cow_history_size(history))]
        finally:
            library.cow_history_destroy(history)

    def backup(self, target: str | bytes | os.PathLike[str] | int, *,
               most_extra_bytes: int | None = None,
               longest_stall_ms: int | None = None) -> Backup:
        """Saves the bytes of this moment to a path, or streams them to a descriptor, while the
        program goes on: see `Backup`. `most_extra_bytes` limits the memory it may take, which only
        regions with Mechanism.HANDLER can keep; a destination that takes nothing for
        `longest_stall_ms` (10,000) fails."""
        return start_backup(self._handle, target, most_extra_bytes, longest_stall_ms)

    def estimate_backup(self, *, most_extra_bytes: int | None = None) -> BackupEstimate:
        """What `backup` would take now."""
        return estimate_backup(self._handle, most_extra_bytes)

    def estimate(self) -> CostEstimate:
        """What a snapshot and a clone would take now."""
        struct = _library.CostEstimate()
        call("cow_region_estimate", self._handle, ctypes.byref(struct))
        return CostEstimate(struct.snapshot_ns, struct.clone_ns)

    def estimate_restore(self, snapshot: Snapshot) -> int:
        """What `restore(snapshot)` would take now, in nanoseconds."""
        return _library.nanoseconds_of("cow_region_estimate_restore", self._handle,
                                       handle_of(snapshot))

    def describe(self) -> str:
        """Runs of pages, in lines for people."""
        return _library.text_of("cow_region_describe", self._handle)

    def stats(self) -> RegionStats:
        """Counters of this region."""
        struct = _library.RegionStats()
        call("cow_region_get_stats", self._handle, ctypes.byref(struct))
        values = [getattr(struct, name) for name in RegionStats._fields[:-1]]
        return RegionStats._make([*values, Mechanism(struct.mechanism)])

    def __repr__(self) -> str:
        return f"<cow.Region of {self.size} bytes>" if self._open else "<cow.Region, closed>"

    def __reduce__(self) -> Any:
        raise TypeError("a region cannot be pickled: its memory is this process's; publish() a "
                        "snapshot and attach() in the other process")


def _node_at(history: int, index: int, can_grow: bool) -> SnapshotNode:
    snapshot = ctypes.c_void_p()
    parent = ctypes.c_ssize_t()
    call("cow_history_at", history, index, ctypes.byref(snapshot), ctypes.byref(parent))
    assert snapshot.value is not None
    return SnapshotNode(Snapshot(snapshot.value, can_grow),
                        parent.value if parent.value >= 0 else None)


def owner_of(handle: int, can_grow: bool = False, kind: type[Region] = Region) -> Region:
    """The region of a handle, which is given up when the last array of it has gone."""
    region: Any
    if can_grow:
        region = object.__new__(kind)
        region._views = weakref.WeakValueDictionary()
    else:
        size = int(library.cow_region_size(handle))
        region = _class_for(kind, size).from_address(library.cow_region_data(handle))
    region._open = True
    region._can_grow = can_grow
    region._address_of_handle = handle
    # Not at the interpreter's exit: see _snapshot._Handle.
    weakref.finalize(region, library.cow_region_destroy, handle).atexit = False
    keep_handler_in_front()
    return cast(Region, region)


@functools.lru_cache(maxsize=256)
def _class_for(kind: Any, size: int) -> Any:
    array: Any = Byte * size
    return type(array)(kind.__name__, (kind, array), {"__module__": kind.__module__})


def attach(template: str | int, options: Options | None = None) -> Region:
    """A region with the bytes of a template, by its name or a descriptor: it shares the template's
    frames until it stores to them."""
    struct = ctypes.byref(struct_of(options))
    if isinstance(template, str):
        return owner_of(made("cow_attach", _library.name_bytes(template), struct))
    return owner_of(made("cow_attach_fd", descriptor_of(template, "name"), struct))

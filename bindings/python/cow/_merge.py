"""Bringing two lines of history together."""

from __future__ import annotations

import ctypes
import errno
from typing import Any, Callable, NamedTuple

from . import _library
from ._buffers import bytes_of
from ._library import library, size_of
from ._region import Region, owner_of
from ._snapshot import PageRange, Snapshot, handle_of


class MergeConflict(NamedTuple):
    """A stretch of bytes that both sides changed, in different ways: cow::MergeConflict."""

    offset: int    #: of the first byte, in the region
    base: bytes    #: as they were in the common ancestor
    ours: bytes    #: as our side has them
    theirs: bytes  #: as the other side has them


class MergeResult(NamedTuple):
    """What became of a merge: cow::MergeResult."""

    region: Region              #: a new one, with the changes of both sides
    conflicts: list[PageRange]  #: pages that both sides changed, in different ways
    pages_from_ours: int        #: pages that only ours changed, or both in the same way
    pages_from_theirs: int      #: pages that only theirs changed
    stretches_resolved: int     #: calls of the resolver


Resolver = Callable[[MergeConflict], Any]


def _as_callback(resolver: Resolver, raised: list[BaseException]) -> Any:
    def decide(_context: object, pointer: Any) -> int:
        try:
            conflict = pointer.contents
            length = conflict.length
            parts = [ctypes.string_at(part, length)
                     for part in (conflict.base, conflict.ours, conflict.theirs)]
            chosen = bytes_of(resolver(MergeConflict(conflict.offset, *parts)))
            if chosen.nbytes != length:
                raise ValueError(f"the resolver returned {chosen.nbytes} bytes for a conflict of "
                                 f"{length}; return as many")
            ctypes.memmove(conflict.result, chosen.tobytes(), length)
        except BaseException as error:  # no exception may cross C: merge() raises it
            raised.append(error)
            return errno.ECANCELED
        return 0

    return _library.MergeResolver(decide)


def merge(base: Snapshot, ours: Snapshot, theirs: Snapshot, resolver: Resolver | None = None, *,
          unit_bytes: int = 1) -> MergeResult:
    """A new region with the changes of both sides since `base`, their common ancestor. A page that
    one side changed is that side's, and shared with it.

    Pages that both changed show ours, unless there is a resolver: it is called for each stretch of
    units of `unit_bytes` that both changed in different ways, by this thread, and returns the bytes
    that are to be there (`conflict.ours`, say). What it raises ends the merge.
    """
    options = _library.MergeOptions(unit_bytes=size_of(unit_bytes, "unit_bytes"))
    if options.unit_bytes == 0:
        raise ValueError("unit_bytes is 0; it must be a power of two up to the bytes of a page")
    raised: list[BaseException] = []
    callback = None if resolver is None else _as_callback(resolver, raised)
    if callback is not None:
        options.resolver = callback
    report = _library.MergeReport()
    handle = ctypes.c_void_p()
    error = library.cow_merge(*map(handle_of, (base, ours, theirs)), ctypes.byref(options),
                              ctypes.byref(handle), ctypes.byref(report))
    if raised:
        raise raised[0]
    if error != 0:
        raise _library.failure(error)
    assert handle.value is not None
    region = owner_of(handle.value, ours._can_grow)
    try:
        conflicts = [PageRange(report.conflicts[i].first_page, report.conflicts[i].page_count)
                     for i in range(report.conflict_count)]
    finally:
        library.cow_free(report.conflicts)
    return MergeResult(region, conflicts, report.pages_from_ours, report.pages_from_theirs,
                       report.stretches_resolved)

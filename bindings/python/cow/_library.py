"""The C API of libcow, called through ctypes: the library, its functions, and its errors.

`call(name, ...)` calls a function that returns an errno value and raises what it reports, with the
library's sentence: OSError with that errno, ValueError for misuse (EINVAL), MemoryError (ENOMEM).
"""

from __future__ import annotations

import ctypes
import errno
import operator
import os
from ctypes import POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_ssize_t, c_uint
from ctypes import c_uint64, c_void_p
from typing import Any, Iterable, Sequence

# What the package was written for: a library with this number or a larger one has all of it.
_ABI_VERSION = 1
_SONAME = "libcow.so.0.1"


class Counted(Structure):
    """A struct that begins with its size, as all that may grow do."""

    def __init__(self, **values: Any) -> None:
        super().__init__(struct_bytes=ctypes.sizeof(self), **values)


class RegionOptions(Counted):
    _fields_ = [("struct_bytes", c_size_t), ("granule_bytes", c_size_t),
                ("max_window_pages", c_size_t), ("most_bytes", c_size_t), ("mechanism", c_int),
                ("reserve_frames", c_int), ("huge_pages", c_int), ("keep_out_of_cores", c_int)]


class PageRange(Structure):
    _fields_ = [("first_page", c_size_t), ("page_count", c_size_t)]


class LoadOptions(Counted):
    _fields_ = [("struct_bytes", c_size_t), ("region", POINTER(RegionOptions)), ("mode", c_int),
                ("reserved", c_int)]


class PublishOptions(Counted):
    _fields_ = [("struct_bytes", c_size_t), ("mode", c_uint), ("leave_zeros_holes", c_int)]


class BackupProgress(Counted):
    _fields_ = [("struct_bytes", c_size_t), ("pages_done", c_uint64), ("pages_total", c_uint64),
                ("bytes_written", c_uint64), ("extra_bytes", c_size_t)]


BackupFunction = ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(BackupProgress))


class BackupOptions(Counted):
    _fields_ = [("struct_bytes", c_size_t), ("most_extra_bytes", c_size_t),
                ("longest_stall_ms", c_int64), ("progress", BackupFunction), ("context", c_void_p)]


class BackupReport(Counted):
    _fields_ = [("struct_bytes", c_size_t), ("pages", c_uint64), ("bytes_written", c_uint64),
                ("duration_ns", c_int64), ("cut_ns", c_int64), ("waits", c_uint64),
                ("waits_p50_ns", c_int64), ("waits_p99_ns", c_int64), ("waits_max_ns", c_int64),
                ("waits_total_ns", c_int64), ("peak_extra_bytes", c_size_t)]


class BackupEstimate(Counted):
    _fields_ = [("struct_bytes", c_size_t), ("pages", c_uint64), ("bytes_at_most", c_uint64),
                ("least_extra_bytes", c_size_t), ("most_extra_bytes", c_size_t),
                ("cut_ns", c_int64), ("duration_ns", c_int64)]


class CostEstimate(Counted):
    _fields_ = [("struct_bytes", c_size_t), ("snapshot_ns", c_int64), ("clone_ns", c_int64)]


class MergeConflict(Counted):
    _fields_ = [("struct_bytes", c_size_t), ("offset", c_size_t), ("length", c_size_t),
                ("base", c_void_p), ("ours", c_void_p), ("theirs", c_void_p),
                ("result", c_void_p)]


MergeResolver = ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(MergeConflict))


class MergeOptions(Counted):
    _fields_ = [("struct_bytes", c_size_t), ("unit_bytes", c_size_t), ("resolver", MergeResolver),
                ("context", c_void_p)]


class MergeReport(Counted):
    _fields_ = [("struct_bytes", c_size_t), ("conflicts", POINTER(PageRange)),
                ("conflict_count", c_size_t), ("pages_from_ours", c_size_t),
                ("pages_from_theirs", c_size_t), ("stretches_resolved", c_size_t)]


class RegionStats(Counted):
    _fields_ = [("struct_bytes", c_size_t), ("page_bytes", c_size_t), ("pages", c_size_t),
                ("pages_zero", c_size_t), ("pages_shared", c_size_t), ("pages_private", c_size_t),
                ("pages_writable", c_size_t), ("pages_leased", c_size_t), ("faults", c_uint64),
                ("pages_copied", c_uint64), ("pages_upgraded", c_uint64),
                ("pages_zero_filled", c_uint64), ("pages_compared", c_uint64),
                ("pages_restored", c_uint64), ("mappings", c_size_t), ("bytes_metadata", c_size_t),
                ("mechanism", c_int), ("reserved", c_int)]


class ProcessStats(Counted):
    _fields_ = [("struct_bytes", c_size_t), ("regions", c_size_t), ("families", c_size_t),
                ("bytes_in_use", c_size_t), ("frames_in_use", c_size_t),
                ("bytes_recycled", c_size_t), ("frames_recycled", c_size_t),
                ("bytes_inherited", c_size_t), ("bytes_metadata", c_size_t),
                ("mappings_in_use", c_size_t), ("mapping_budget", c_size_t), ("faults", c_uint64)]


# Functions that return an errno value.
_CALLS: dict[str, Sequence[Any]] = {
    "cow_region_create": (c_size_t, POINTER(RegionOptions), POINTER(c_void_p)),
    "cow_region_open": (c_char_p, POINTER(RegionOptions), POINTER(c_void_p)),
    "cow_region_open_fd": (c_int, POINTER(RegionOptions), POINTER(c_void_p)),
    "cow_region_from_bytes": (c_void_p, c_size_t, POINTER(RegionOptions), POINTER(c_void_p)),
    "cow_region_from_snapshot": (c_void_p, POINTER(c_void_p)),
    "cow_region_clone": (c_void_p, c_int, POINTER(c_void_p)),
    "cow_region_snapshot": (c_void_p, c_int, POINTER(c_void_p)),
    "cow_region_restore": (c_void_p, c_void_p),
    "cow_region_changed_since": (c_void_p, c_void_p, POINTER(POINTER(PageRange)),
                                 POINTER(c_size_t)),
    "cow_region_apply": (c_void_p, POINTER(PageRange), c_size_t, c_void_p),
    "cow_region_discard": (c_void_p, c_size_t, c_size_t),
    "cow_region_grow": (c_void_p, c_size_t),
    "cow_region_describe": (c_void_p, POINTER(c_void_p)),
    "cow_region_estimate": (c_void_p, POINTER(CostEstimate)),
    "cow_region_estimate_restore": (c_void_p, c_void_p, POINTER(c_int64)),
    "cow_region_estimate_backup": (c_void_p, POINTER(BackupOptions), POINTER(BackupEstimate)),
    "cow_region_history": (c_void_p, POINTER(c_void_p)),
    "cow_history_at": (c_void_p, c_size_t, POINTER(c_void_p), POINTER(c_ssize_t)),
    "cow_region_write_lease": (c_void_p, c_size_t, c_size_t, POINTER(c_void_p)),
    "cow_write_lease": (c_void_p, c_size_t, POINTER(c_void_p)),
    "cow_snapshot_copy": (c_void_p, POINTER(c_void_p)),
    "cow_snapshot_bytes": (c_void_p, POINTER(c_void_p)),
    "cow_snapshot_reclaimable_bytes": (c_void_p, POINTER(c_size_t)),
    "cow_snapshot_estimate_drop": (c_void_p, POINTER(c_int64)),
    "cow_snapshot_set_label": (c_void_p, c_char_p),
    "cow_snapshot_label": (c_void_p, POINTER(c_void_p)),
    "cow_snapshot_taken_at": (c_void_p, POINTER(c_int64)),
    "cow_diff": (c_void_p, c_void_p, POINTER(POINTER(PageRange)), POINTER(c_size_t)),
    "cow_merge": (c_void_p, c_void_p, c_void_p, POINTER(MergeOptions), POINTER(c_void_p),
                  POINTER(MergeReport)),
    "cow_snapshot_save": (c_void_p, c_char_p, c_void_p),
    "cow_snapshot_save_delta": (c_void_p, c_void_p, c_char_p, c_void_p),
    "cow_region_load": (POINTER(c_char_p), c_size_t, POINTER(LoadOptions), POINTER(c_void_p)),
    "cow_region_backup": (c_void_p, c_char_p, POINTER(BackupOptions), POINTER(c_void_p)),
    "cow_region_backup_fd": (c_void_p, c_int, POINTER(BackupOptions), POINTER(c_void_p)),
    "cow_backup_wait": (c_void_p, POINTER(BackupReport)),
    "cow_backup_get_progress": (c_void_p, POINTER(BackupProgress)),
    "cow_publish": (c_char_p, c_void_p, POINTER(PublishOptions)),
    "cow_publish_fd": (c_void_p, POINTER(c_int)),
    "cow_attach": (c_char_p, POINTER(RegionOptions), POINTER(c_void_p)),
    "cow_attach_fd": (c_int, POINTER(RegionOptions), POINTER(c_void_p)),
    "cow_unpublish": (c_char_p,),
    "cow_region_get_stats": (c_void_p, POINTER(RegionStats)),
    "cow_process_get_stats": (POINTER(ProcessStats),),
}

# All others: what they return, and what they take.
_OTHERS: dict[str, tuple[Any, Sequence[Any]]] = {
    "cow_abi_version": (c_int, ()),
    "cow_version": (c_int, ()),
    "cow_build_info": (c_char_p, ()),
    "cow_last_error": (c_char_p, ()),
    "cow_free": (None, (c_void_p,)),
    "cow_region_destroy": (None, (c_void_p,)),
    "cow_region_data": (c_void_p, (c_void_p,)),
    "cow_region_size": (c_size_t, (c_void_p,)),
    "cow_region_page_bytes": (c_size_t, (c_void_p,)),
    "cow_history_size": (c_size_t, (c_void_p,)),
    "cow_history_destroy": (None, (c_void_p,)),
    "cow_lease_destroy": (None, (c_void_p,)),
    "cow_snapshot_destroy": (None, (c_void_p,)),
    "cow_snapshot_size": (c_size_t, (c_void_p,)),
    "cow_snapshot_page_bytes": (c_size_t, (c_void_p,)),
    "cow_backup_done": (c_int, (c_void_p,)),
    "cow_backup_cancel": (None, (c_void_p,)),
    "cow_backup_destroy": (None, (c_void_p,)),
    "cow_trim": (c_size_t, ()),
    "cow_reinstall_handler": (c_int, ()),
    "cow_owns_sigsegv": (c_int, ()),
}


def _find() -> ctypes.CDLL:
    name = os.environ.get("COW_LIBRARY") or _SONAME
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise ImportError(f"libcow cannot be loaded: {error}; install it, or give its path in the "
                          "variable COW_LIBRARY") from error


def _prepared() -> ctypes.CDLL:
    library = _find()
    try:
        for name, arguments in _CALLS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = c_int, arguments
        for name, (result, arguments) in _OTHERS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError as error:
        raise ImportError(f"this libcow is too old for this package: {error}") from error
    found = library.cow_abi_version()
    if found < _ABI_VERSION:
        raise ImportError(f"libcow has version {found} of its binary interface, and this package "
                          f"needs {_ABI_VERSION}: install a newer libcow")
    return library


library = _prepared()


def failure(error: int) -> Exception:
    """What the last call of this thread reported, which ended with `error`."""
    sentence = library.cow_last_error().decode(errors="replace")
    if error == errno.EINVAL:
        return ValueError(sentence)
    if error == errno.ENOMEM:
        return MemoryError(sentence)
    return OSError(error, sentence)


def call(name: str, *arguments: Any) -> None:
    error = getattr(library, name)(*arguments)
    if error != 0:
        raise failure(error)


def made(name: str, *arguments: Any) -> int:
    """Calls what gives its result, a handle, through a last pointer."""
    handle = c_void_p()
    call(name, *arguments, ctypes.byref(handle))
    assert handle.value is not None
    return handle.value


def nanoseconds_of(name: str, *arguments: Any) -> int:
    """Calls what gives a time through a last pointer."""
    result = c_int64()
    call(name, *arguments, ctypes.byref(result))
    return result.value


def text_of(name: str, *arguments: Any) -> str:
    """Calls what gives a string through a last pointer, which is for cow_free()."""
    text = made(name, *arguments)
    try:
        return ctypes.string_at(text).decode(errors="replace")
    finally:
        library.cow_free(text)


def array_of(ranges: Iterable[tuple[int, int]]) -> ctypes.Array[PageRange]:
    """Page ranges as C has them."""
    chosen = [PageRange(size_of(first, "first_page"), size_of(count, "page_count"))
              for first, count in ranges]
    return (PageRange * len(chosen))(*chosen)


def integer_of(value: Any, what: str, least: int, most: int, range_in_words: str) -> int:
    """An integer as C has it: ctypes would cut off what is too large, and wrap signs. A bool is
    none: who gives one has mixed up arguments."""
    if isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", "") == "b":
        raise TypeError(f"{what} is {value}; it must be an integer")
    number = operator.index(value)
    if not least <= number <= most:
        raise ValueError(f"{what} is {number}; it must be {range_in_words}")
    return number


def size_of(value: Any, what: str) -> int:
    """A number of bytes or pages."""
    return integer_of(value, what, 0, (1 << (8 * ctypes.sizeof(c_size_t))) - 1,
                      "from 0 to what fits an address")


def descriptor_of(value: Any, otherwise: str) -> int:
    """A descriptor, where `otherwise` ("path") could stand as well."""
    if not hasattr(value, "__index__"):
        raise TypeError(f"a {otherwise} or a descriptor is needed, and this is "
                        f"{type(value).__name__}")
    return integer_of(value, "the descriptor", 0, (1 << (8 * ctypes.sizeof(c_int) - 1)) - 1,
                      "what the kernel gave, from 0 to 2147483647")


def ranges_of(name: str, *arguments: Any) -> list[tuple[int, int]]:
    """Calls what gives an array of page ranges: (first page, count) of each."""
    ranges = POINTER(PageRange)()
    count = c_size_t()
    call(name, *arguments, ctypes.byref(ranges), ctypes.byref(count))
    try:
        return [(ranges[i].first_page, ranges[i].page_count) for i in range(count.value)]
    finally:
        library.cow_free(ranges)


def path_bytes(path: str | bytes | os.PathLike[str]) -> bytes:
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise ValueError(f"a path has a zero byte in it: {path!r}")
    return encoded


def name_bytes(name: str) -> bytes:
    if not isinstance(name, str):
        raise TypeError(f"a name or label is a str, and this is {type(name).__name__}")
    encoded = name.encode()
    if b"\0" in encoded:
        raise ValueError(f"a name has a zero byte in it: {name!r}")
    return encoded

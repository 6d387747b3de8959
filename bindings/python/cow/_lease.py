"""Leases: ranges that the kernel may write to."""

from __future__ import annotations

import ctypes
import weakref
from typing import Any

from ._buffers import range_of
from ._library import call, library


class Lease:
    """A range that the kernel may write to: `os.readv`, `file.readinto`, `socket.recv_into`. A
    context manager, which gives `view`."""

    def __init__(self, handle: int | None, view: memoryview) -> None:
        """Of libcow's own: leases are made by `Region.lease` and `cow.lease`."""
        self._end = weakref.finalize(self, library.cow_lease_destroy, handle)
        self._end.atexit = False
        #: The bytes of the range.
        self.view = view

    def close(self) -> None:
        """Ends the lease. May be called again."""
        self._end()

    def __enter__(self) -> memoryview:
        return self.view

    def __exit__(self, *exception: object) -> None:
        self.close()


def lease(buffer: Any) -> Lease:
    """A lease of the memory that `buffer` shows, in whatever region that lies: for code that is
    given an array, `with cow.lease(array) as view: file.readinto(view)`. Where it lies in none
    there is nothing to do, and the lease is empty. `buffer` must be writable and one range of
    memory, be it in C's order or in Fortran's; its view is of those bytes."""
    view = range_of(buffer)
    if view.readonly:
        raise ValueError("the buffer is read-only; a lease is for what the kernel is to write to")
    if view.nbytes == 0:
        return Lease(None, view)
    handle = ctypes.c_void_p()
    address = ctypes.addressof(ctypes.c_char.from_buffer(view))
    call("cow_write_lease", address, view.nbytes, ctypes.byref(handle))
    return Lease(handle.value, view)

"""Buffers: what views of regions and snapshots are made of, and those that programs give."""

from __future__ import annotations

import ctypes
import functools
import pickle
import re
from typing import Any


_NAMES_OF_FIELDS = re.compile(":[^:]*:")


class Byte(ctypes.Union):
    """An element of the arrays. Of an array of plain bytes ctypes says the format "<B", which
    memoryview cannot index; of one of unions it says "B", as PEP 3118 has no word for them."""

    _fields_ = [("value", ctypes.c_ubyte)]


class _Bytes:
    """What keeps a view's memory: ctypes arrays may have attributes in a class of their own."""


class _ReadOnlyBytes(_Bytes):
    """Bytes in pages that are mapped to be read: to store there would end the process."""

    def __setitem__(self, at: Any, value: Any) -> None:
        raise TypeError("the bytes of a snapshot cannot be changed")


@functools.lru_cache(maxsize=256)
def _class_for(size: int, kind: type) -> Any:
    """Kept: a class takes longer than its array."""
    return type(kind.__name__, (kind, Byte * size), {})


def array_at(address: int, size: int, owner: object) -> Any:
    """An array of ctypes of the `size` bytes there, which keeps `owner`."""
    array = _class_for(size, _Bytes).from_address(address)
    array.owner = owner
    return array


def read_only_view(address: int, size: int, owner: object) -> memoryview:
    """A view of bytes that nobody may store to. Its `obj` is a read-only view, too: a buffer of
    ctypes is always writable, and would be at hand there."""
    array = _class_for(size, _ReadOnlyBytes).from_address(address)
    array.owner = owner
    return memoryview(pickle.PickleBuffer(memoryview(array).toreadonly()))


def array_interface(view: memoryview) -> dict[str, Any]:
    """What numpy asks of an object without a buffer. The array keeps `view`, and not the object."""
    return {"version": 3, "shape": view.shape, "typestr": "|u1", "data": view}


def _shown(source: Any) -> memoryview:
    """The buffer of what a program gave, of any format and layout."""
    own = getattr(source, "view", None)  # a region that may grow and a snapshot have it there
    if isinstance(own, memoryview):
        return own
    try:
        view = memoryview(source)
    except ValueError:  # there are types of numpy's that are in no buffer: datetime64
        kind = getattr(source, "dtype", None)
        if kind is None:
            raise
        view = memoryview(source.view(f"V{kind.itemsize}"))
    if "O" in _NAMES_OF_FIELDS.sub("", view.format):
        raise TypeError("the buffer has Python objects in it, whose bytes are addresses of this "
                        "moment; give one of numbers")
    return view


def bytes_of(source: Any) -> memoryview:
    """The bytes of what has a buffer, in the order of its indices; copied where they are not."""
    view = _shown(source)
    return pickle.PickleBuffer(view).raw() if view.c_contiguous else memoryview(view.tobytes())


def range_of(source: Any) -> memoryview:
    """The memory of what has a buffer, as it lies there: ValueError where it is not one range."""
    view = _shown(source)
    if not view.contiguous:
        raise ValueError(f"the buffer is not contiguous (shape {view.shape}, strides "
                         f"{view.strides}); give the whole that it is a part of, or each of its "
                         "rows")
    return pickle.PickleBuffer(view).raw()

"""Templates, and what libcow holds in this process."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from . import _library
from ._library import call, integer_of, library
from ._snapshot import Snapshot, handle_of


class ProcessStats(NamedTuple):
    """Everything libcow holds in this process: cow::ProcessStats."""

    regions: int
    families: int
    bytes_in_use: int
    frames_in_use: int
    bytes_recycled: int
    frames_recycled: int
    bytes_inherited: int
    bytes_metadata: int
    mappings_in_use: int
    mapping_budget: int
    faults: int


def process_stats() -> ProcessStats:
    """Counters of this process."""
    struct = _library.ProcessStats()
    call("cow_process_get_stats", ctypes.byref(struct))
    return ProcessStats(*[getattr(struct, name) for name in ProcessStats._fields])


def publish(name: str, snapshot: Snapshot, *, mode: int = 0o600) -> None:
    """Makes `snapshot` the template `name` of this machine, from which other processes start with
    `attach(name)`. `mode` says who may read it."""
    bits = integer_of(mode, "mode", 1, 0o777, "permission bits: 0o600, 0o640 or 0o644")
    options = _library.PublishOptions(mode=bits)
    call("cow_publish", _library.name_bytes(name), handle_of(snapshot), ctypes.byref(options))


def publish_descriptor(snapshot: Snapshot) -> int:
    """A descriptor of a template without a name: pass it on, `attach` it there, close it."""
    descriptor = ctypes.c_int(-1)
    call("cow_publish_fd", handle_of(snapshot), ctypes.byref(descriptor))
    return descriptor.value


def unpublish(name: str) -> None:
    """Takes the name away; who has attached the template keeps it."""
    call("cow_unpublish", _library.name_bytes(name))


def trim() -> int:
    """Gives memory back that is kept for stores to come. Returns how many bytes."""
    return int(library.cow_trim())


def reinstall_handler() -> None:
    """Puts libcow's SIGSEGV action in front again, after `faulthandler.enable()` say. Only regions
    with Mechanism.HANDLER need it."""
    call("cow_reinstall_handler")


def version() -> str:
    """Of the library, not of this package."""
    number = int(library.cow_version())
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def build_info() -> dict[str, str]:
    """What the library is made of: its version, commit, compiler and so on, each by its name."""
    lines = library.cow_build_info().decode().splitlines()
    return dict(line.split(": ", 1) for line in lines)

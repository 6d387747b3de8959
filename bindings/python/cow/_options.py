"""The options of regions."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass

from . import _library
from ._library import size_of


class Mechanism(enum.IntEnum):
    """Who copies a page that is stored to."""

    DEFAULT = 0    #: what the variable COW_MECHANISM says, or AUTOMATIC
    HANDLER = 1    #: libcow, in a handler of SIGSEGV
    KERNEL = 2     #: the kernel; an OSError where it cannot
    AUTOMATIC = 3  #: the kernel where it can be had (Linux 6.7), otherwise the handler


@dataclass(frozen=True)
class Options:
    """Choices made when a region is made; they hold for all of its family."""

    mechanism: Mechanism = Mechanism.DEFAULT
    granule_bytes: int = 0           #: bytes protected and copied as one page; 0: the host's page
    max_window_pages: int = 0        #: the most pages that one fault may take along; 0: 64
    most_bytes: int = 0              #: up to where Region.grow may go; 0: it cannot grow
    reserve_frames: bool = False     #: no store may ever fail for want of memory
    huge_pages: bool = False         #: the kernel may use huge pages
    keep_out_of_cores: bool = False  #: the bytes are left out of core dumps


def struct_of(options: Options | None) -> _library.RegionOptions:
    chosen = Options() if options is None else options
    if not isinstance(chosen, Options):
        raise TypeError(f"cow.Options is needed, and this is {type(chosen).__name__}")
    mechanism = Mechanism(chosen.mechanism)
    if mechanism == Mechanism.DEFAULT and not os.environ.get("COW_MECHANISM"):
        mechanism = Mechanism.AUTOMATIC
    return _library.RegionOptions(
        mechanism=mechanism,
        granule_bytes=size_of(chosen.granule_bytes, "granule_bytes"),
        max_window_pages=size_of(chosen.max_window_pages, "max_window_pages"),
        most_bytes=size_of(chosen.most_bytes, "most_bytes"),
        reserve_frames=bool(chosen.reserve_frames),
        huge_pages=bool(chosen.huge_pages),
        keep_out_of_cores=bool(chosen.keep_out_of_cores))

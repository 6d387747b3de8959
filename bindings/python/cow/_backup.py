"""Backups: the bytes of one moment, saved while the program goes on storing."""

from __future__ import annotations

import ctypes
import os
import time
import weakref
from typing import Callable, NamedTuple

from . import _library
from ._library import call, descriptor_of, integer_of, library, path_bytes, size_of

_FIRST_PAUSE_SECONDS = 0.0005
_LONGEST_PAUSE_SECONDS = 0.02


class BackupProgress(NamedTuple):
    """How far a backup is."""

    pages_done: int
    pages_total: int
    bytes_written: int
    extra_bytes: int


class BackupReport(NamedTuple):
    """What a backup did; times are nanoseconds, waits are those of stores because of the limit."""

    pages: int
    bytes_written: int
    duration_ns: int
    cut_ns: int
    waits: int
    waits_p50_ns: int
    waits_p99_ns: int
    waits_max_ns: int
    waits_total_ns: int
    peak_extra_bytes: int


class BackupEstimate(NamedTuple):
    """What a backup would take if it began now: cow::BackupEstimate. Times are nanoseconds."""

    pages: int
    bytes_at_most: int
    least_extra_bytes: int
    most_extra_bytes: int
    cut_ns: int
    duration_ns: int


class Backup:
    """A backup that goes on, or has ended. Keep it: to let go of it cancels it and waits for its
    end. A context manager: leaving it waits, or cancels it when an exception leaves it.

    Nothing of Python runs on its thread: a store that waits for its page to be saved, as it does
    under a limit, holds the interpreter's lock.
    """

    def __init__(self, handle: int) -> None:
        """Of libcow's own: backups are begun by `Region.backup`."""
        self._handle = handle
        weakref.finalize(self, library.cow_backup_destroy, handle)

    def wait(self, progress: Callable[[BackupProgress], object] | None = None) -> BackupReport:
        """Waits for the end, and raises what made the backup fail. `progress` is called every now
        and then meanwhile, by this thread. What it raises cancels the backup, and so does a signal
        whose handler raises, as Ctrl-C's does."""
        # Python runs signal handlers between its own steps: not within a call that waits.
        pause = _FIRST_PAUSE_SECONDS
        try:
            while not self.done:
                if progress is not None:
                    progress(self.progress())
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            if progress is not None:
                progress(self.progress())
        except BaseException:
            self.cancel()
            raise
        report = _library.BackupReport()
        call("cow_backup_wait", self._handle, ctypes.byref(report))
        return BackupReport(*[getattr(report, name) for name in BackupReport._fields])

    def __enter__(self) -> Backup:
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        if kind is None:
            self.wait()
        else:
            self.cancel()

    @property
    def done(self) -> bool:
        """Whether `wait` would return, or raise, at once."""
        return bool(library.cow_backup_done(self._handle))

    def progress(self) -> BackupProgress:
        """How far it is now."""
        struct = _library.BackupProgress()
        call("cow_backup_get_progress", self._handle, ctypes.byref(struct))
        return BackupProgress(*[getattr(struct, name) for name in BackupProgress._fields])

    def cancel(self) -> None:
        """Asks it to end; `wait` then raises an OSError with ECANCELED."""
        library.cow_backup_cancel(self._handle)


def _options_of(most_extra_bytes: int | None,
                longest_stall_ms: int | None) -> _library.BackupOptions:
    options = _library.BackupOptions()
    if most_extra_bytes is not None:
        options.most_extra_bytes = size_of(most_extra_bytes, "most_extra_bytes")
        if options.most_extra_bytes == 0:
            raise ValueError("most_extra_bytes is 0; give None for no limit")
    if longest_stall_ms is not None:
        options.longest_stall_ms = integer_of(
            longest_stall_ms, "longest_stall_ms", 1, (1 << 63) - 1,
            "a number of milliseconds, or None for 10,000 of them")
    return options


def start_backup(region: int, target: str | bytes | os.PathLike[str] | int,
                 most_extra_bytes: int | None, longest_stall_ms: int | None) -> Backup:
    chosen = ctypes.byref(_options_of(most_extra_bytes, longest_stall_ms))
    if isinstance(target, (str, bytes, os.PathLike)):
        where = path_bytes(target)
        return Backup(_library.made("cow_region_backup", region, where, chosen))
    descriptor = descriptor_of(target, "path")
    return Backup(_library.made("cow_region_backup_fd", region, descriptor, chosen))


def estimate_backup(region: int, most_extra_bytes: int | None) -> BackupEstimate:
    struct = _library.BackupEstimate()
    call("cow_region_estimate_backup", region, ctypes.byref(_options_of(most_extra_bytes, None)),
         ctypes.byref(struct))
    return BackupEstimate(*[getattr(struct, name) for name in BackupEstimate._fields])

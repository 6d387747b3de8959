"""A program with type hints, which mypy --strict accepts: see tests/scripts/python_test.py."""

import copy
import os
from pathlib import Path

import cow


def use_all(folder: Path, descriptor: int) -> int:
    options = cow.Options(mechanism=cow.Mechanism.HANDLER, most_bytes=1 << 20)
    region = cow.Region(1 << 16, options)
    fixed = cow.Region(100)
    view: memoryview = region.view
    also: memoryview = memoryview(fixed)
    copied: bytes = bytes(fixed)
    region[1:3] = b"ab"
    past: cow.Snapshot = region.snapshot("a label")
    older: memoryview = past[1:3]
    first: int = past[0] + region[0]
    with region.lease(0, 10) as part, cow.lease(view[10:20]) as other:
        os.readv(descriptor, [part, other])
    pages: list[int] = [found.first_page for found in region.changed_since(past)]
    with region.backup(folder / "image", most_extra_bytes=1 << 20) as backup:
        written: int = backup.wait(lambda progress: print(progress.pages_done)).bytes_written
    merged = cow.merge(past, past, past, lambda conflict: conflict.ours)
    merged.region.apply(cow.diff(past, past), past)
    clone: cow.Region = copy.deepcopy(fixed)
    parents: list[int | None] = [node.parent for node in region.snapshots()]
    return (len(clone) + len(also) + len(copied) + len(pages) + len(parents) + len(older) +
            written + first + region.estimate().clone_ns)

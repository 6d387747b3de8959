"""Memory that can be cloned for almost nothing: libcow for Python.

>>> import cow
>>> region = cow.Region(1 << 20)
>>> region[0:5] = b"hello"
>>> past = region.snapshot()          # copies nothing
>>> region[0:5] = b"HELLO"            # copies one page
>>> bytes(past.view[0:5])
b'hello'
>>> region.restore(past)
>>> bytes(region[0:5])
b'hello'
"""

from ._backup import Backup, BackupEstimate, BackupProgress, BackupReport
from ._lease import Lease, lease
from ._merge import MergeConflict, MergeResult, merge
from ._options import Mechanism, Options
from ._process import (ProcessStats, build_info, process_stats, publish, publish_descriptor,
                       reinstall_handler, trim, unpublish, version)
from ._region import CostEstimate, Region, RegionStats, SnapshotNode, attach
from ._snapshot import PageRange, Snapshot, diff

__all__ = ["Backup", "BackupEstimate", "BackupProgress", "BackupReport", "CostEstimate", "Lease",
           "Mechanism", "MergeConflict", "MergeResult", "Options", "PageRange", "ProcessStats",
           "Region", "RegionStats", "Snapshot", "SnapshotNode", "attach", "build_info", "diff",
           "lease", "merge", "process_stats", "publish", "publish_descriptor", "reinstall_handler",
           "trim", "unpublish", "version"]

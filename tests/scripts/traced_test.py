#!/usr/bin/env python3
"""Runs a program that knows nothing of traces (tests/traced/main.cpp) with COW_TRACE set, and reads
what it wrote, by the words of docs/trace-format.md alone.

usage: traced_test.py [<an emulator>] <the program>
"""
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HEADER = struct.Struct("<8sIIIIQQQQII64s256s32s")
EVENT = struct.Struct("<QQIIHHIIIQQQQQQQQIIIIQQ")
KINDS = {2: "region_made", 3: "region_gone", 4: "snapshot_made", 5: "snapshot_gone", 6: "fault"}
COMMAND = []


def run(*arguments, **environment):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COW_")}
    return subprocess.run([*COMMAND, *arguments], env={**kept, **environment}, timeout=60,
                          capture_output=True, text=True, check=False)


class TraceFile:
    def __init__(self, path):
        data = Path(path).read_bytes()
        (self.magic, self.version, header_bytes, event_bytes, _, self.capacity, self.claimed, _, _,
         self.pid, _, _, program, _) = HEADER.unpack_from(data)
        self.program = program.split(b"\0")[0].decode()
        self.events = [EVENT.unpack_from(data, header_bytes + i * event_bytes)
                       for i in range(min(self.claimed, self.capacity))]

    def count(self, kind):
        return sum(KINDS.get(event[4]) == kind for event in self.events)


class Traced(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def check_silent(self, result):
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))

    def test_writes_what_happened(self):
        self.check_silent(run(COW_TRACE=str(self.folder / "t"), COW_MECHANISM="handler"))
        trace = TraceFile(self.folder / "t")
        self.assertEqual((trace.magic, trace.version), (b"cowtrace", 1))
        self.assertEqual(Path(trace.program).name, Path(COMMAND[-1]).name)
        self.assertEqual([event[0] for event in trace.events],
                         list(range(1, trace.claimed + 1)))
        self.assertEqual(trace.count("region_made"), 2)
        self.assertEqual(trace.count("region_gone"), 2)
        self.assertEqual(trace.count("snapshot_made"), 1)
        self.assertEqual(trace.count("snapshot_gone"), 1)
        self.assertGreater(trace.count("fault"), 1)

    def test_has_room_for_so_many_events(self):
        self.check_silent(run(COW_TRACE=str(self.folder / "t"), COW_TRACE_EVENTS="3"))
        trace = TraceFile(self.folder / "t")
        self.assertEqual(trace.capacity, 3)
        self.assertGreater(trace.claimed, 3)

    def test_names_the_process(self):
        self.check_silent(run(COW_TRACE=str(self.folder / "t.%p.%%")))
        [file] = self.folder.iterdir()
        self.assertEqual(file.name, f"t.{TraceFile(file).pid}.%")

    def test_is_off_without_a_name(self):
        self.check_silent(run(COW_TRACE=""))
        self.check_silent(run())
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_no_region_is_made_where_it_cannot_be_written(self):
        file = str(self.folder / "none" / "t")
        result = run(COW_TRACE=file)
        self.assertEqual((result.returncode, result.stderr), (3, ""))
        self.assertIn("COW_TRACE", result.stdout)
        self.assertIn(file, result.stdout)

    def test_a_number_that_is_none_is_refused(self):
        for number in ("0", "many", "12x", "-1"):
            result = run(COW_TRACE=str(self.folder / "t"), COW_TRACE_EVENTS=number)
            self.assertEqual(result.returncode, 3, number)
            self.assertIn("COW_TRACE_EVENTS is '" + number + "'", result.stdout)

    def faults_in_order(self, windows):
        self.check_silent(run("in-order", COW_TRACE=str(self.folder / "t"),
                              COW_MECHANISM="handler", COW_TRACE_WINDOWS=windows))
        return TraceFile(self.folder / "t").count("fault")

    def test_each_copied_page_has_a_fault_where_windows_are_off(self):
        pages = (1 << 20) // os.sysconf("SC_PAGE_SIZE")
        self.assertGreaterEqual(self.faults_in_order("off"), pages)
        self.assertEqual(self.faults_in_order("on"), self.faults_in_order(""))
        if pages >= 64:
            self.assertLess(self.faults_in_order("on"), pages)

    def test_windows_are_on_or_off(self):
        result = run(COW_TRACE=str(self.folder / "t"), COW_TRACE_WINDOWS="no")
        self.assertEqual(result.returncode, 3)
        self.assertIn("COW_TRACE_WINDOWS is 'no'", result.stdout)
        self.check_silent(run(COW_TRACE_WINDOWS="no"))

    def test_a_program_that_traces_itself_is_told(self):
        own = str(self.folder / "own")
        self.check_silent(run("itself", own))
        self.assertGreater(TraceFile(own).claimed, 3)
        result = run("itself", own, COW_TRACE=str(self.folder / "t"))
        self.assertEqual(result.returncode, 3)
        self.assertIn("one at a time", result.stdout)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    COMMAND = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])

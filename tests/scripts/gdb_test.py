#!/usr/bin/env python3
"""Runs tests/debugger/subject.cpp under gdb, in the ways docs/embedding.md tells people to.

usage: gdb_test.py <the subject, compiled>
Ends with 77, after saying why, where there is no gdb or it may not trace.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SUBJECT = ""
COMMANDS = "source " + str(Path(__file__).resolve().parents[2] / "docs/gdb/cow.py")
LET_IT_BE = "handle SIGSEGV nostop noprint pass"
ONLY_FOREIGN = ["catch signal SIGSEGV", "condition $bpnum $_siginfo.si_code != 2"]
PAGES = 32


def gdb(*commands, program=None):
    program = program or [SUBJECT]
    words = ["gdb", "-nx", "-batch"]
    for command in ("set debuginfod enabled off", "set confirm off", *commands):
        words += ["-ex", command]
    environment = {key: value for key, value in os.environ.items() if key != "DEBUGINFOD_URLS"}
    result = subprocess.run([*words, *program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=600,
                            env=environment, check=False)
    return result.stdout


def look_into_core(*expressions, program=None):
    """What gdb prints of them in a core that it has written in compare_both."""
    with tempfile.TemporaryDirectory() as folder:
        core = Path(folder, "core")
        gdb(LET_IT_BE, "break subject.cpp:compare_both", "run", f"generate-core-file {core}",
            program=program)
        return gdb("frame function compare_both", *(f"print/d {word}" for word in expressions),
                   program=[SUBJECT, str(core)])


def printed(output):
    """The values that `print/d` gave."""
    return [int(value) for value in re.findall(r"^\$\d+ = (\d+)$", output, re.M)]


class Gdb(unittest.TestCase):
    def test_without_a_word_gdb_stops_at_the_first_fault(self):
        output = gdb("run")
        self.assertIn("Program received signal SIGSEGV", output)
        self.assertNotIn("done", output)

    def test_with_the_handle_line_the_program_runs_to_its_end(self):
        output = gdb(LET_IT_BE, "run")
        self.assertIn(f"{PAGES} faults", output)
        self.assertIn("done", output)
        self.assertIn("exited normally", output)
        self.assertNotIn("SIGSEGV", output)

    def test_stepping_over_a_store_that_faults_goes_to_the_next_line(self):
        output = gdb(LET_IT_BE, "break subject.cpp:overwrite", "run", "next", "next", "next",
                     "print/d page", "print/d bytes[0]", "print/d bytes[page_bytes]")
        self.assertEqual(printed(output), [1, 2, 1], output)

    def test_a_watchpoint_in_a_region_stops_after_the_store(self):
        output = gdb(LET_IT_BE, "break subject.cpp:overwrite", "run", "watch bytes[3 * page_bytes]",
                     "continue", "print/d page", "print/d bytes[3 * page_bytes]")
        self.assertIn("Old value", output)
        self.assertEqual(printed(output), [3, 2], output)

    def test_gdb_reads_every_page_and_stores_only_to_private_ones(self):
        output = gdb(LET_IT_BE, "break subject.cpp:compare_both", "run",
                     "print/d shared[0]", "print/d own[0]",
                     "set var own[0] = 7", "set var shared[0] = 9", "print/d shared[0]",
                     "continue")
        self.assertEqual(printed(output), [1, 2, 1], output)
        self.assertIn("Cannot access memory", output)
        self.assertIn("\n1 7\n", output)
        self.assertIn("exited normally", output)

    def test_gdb_stores_to_a_page_that_the_program_has_stored_to_first(self):
        output = gdb(LET_IT_BE, "break subject.cpp:compare_both", "run",
                     "call (void*)memset((void*)shared, 1, 1)", "set var shared[0] = 9",
                     "print/d shared[0]", "print/d view[0]", "continue")
        self.assertEqual(printed(output)[-2:], [9, 1], output)
        self.assertIn("\n9 2\n", output)
        self.assertIn("exited normally", output)

    def test_a_core_holds_the_bytes_of_regions(self):
        output = look_into_core("shared[0]", "own[0]", "view[0]")
        self.assertEqual(printed(output), [1, 2, 1], output)

    def test_a_core_holds_nothing_of_what_is_kept_out(self):
        secret = ["--args", SUBJECT, "secret"]
        output = look_into_core("shared[0]", "own[0]", "view[0]", program=secret)
        self.assertEqual(printed(output), [], output)
        self.assertEqual(output.count("Cannot access memory"), 3, output)

    def test_cow_describe_prints_what_a_region_is_made_of(self):
        output = gdb(LET_IT_BE, COMMANDS, "break subject.cpp:compare_both", "run", "up",
                     "cow-describe original", "cow-describe *&clone", "continue")
        self.assertEqual(len(re.findall(r"^\d+ pages of \d+ bytes: ", output, re.M)), 2, output)
        self.assertIn(f" {PAGES} faults\n", output)
        # The clone stored to its first pages; it shares those behind them.
        self.assertRegex(output, rf"(?m)^\w+-\w+ rw-p +{PAGES} home at \w+, references 1$")
        self.assertRegex(output, r"(?m)^\w+-\w+ r--c +\d+ relative at \w+, references \d$")
        self.assertIn("exited normally", output)

    def test_cow_describe_says_why_it_prints_nothing(self):
        output = gdb(LET_IT_BE, COMMANDS, "break cow::Region::clone", "run", "cow-describe *this",
                     "up", "cow-describe", "cow-describe nowhere")
        self.assertIn("this thread is inside libcow", output)
        self.assertIn("cow-describe takes a region", output)
        self.assertNotIn("pages of", output)
        self.assertNotIn("Python", output)

    def test_gdb_can_stop_at_faults_that_are_not_libcow_s_alone(self):
        output = gdb(LET_IT_BE, *ONLY_FOREIGN, "run crash", "backtrace", "print/d nowhere")
        self.assertIn("Catchpoint 1 (signal SIGSEGV)", output)
        self.assertIn(f"{PAGES} faults", output)
        self.assertRegex(output, r"#0 .*main")
        self.assertEqual(printed(output), [0], output)

    def test_a_fault_of_the_program_s_own_still_ends_it(self):
        output = gdb(LET_IT_BE, "run crash")
        self.assertIn("Program terminated with signal SIGSEGV", output)


def main():
    global SUBJECT
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    SUBJECT = sys.argv.pop()
    if shutil.which("gdb") is None:
        print("skipped because gdb is not installed")
        sys.exit(77)
    if "exited with code 03" not in gdb("run", program=["--args", "/bin/sh", "-c", "exit 3"]):
        print("skipped because gdb cannot trace a program here")
        sys.exit(77)
    unittest.main(verbosity=2)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Programs that know nothing of regions and let the kernel write to one: with libcow-reads all that
they read arrives, and without it each of the same things goes wrong.

reads_test.py <emulator, its words separated by ';'> <probe> <control> [<malloc with> <malloc>]

The probe and the control are one program with libcow-reads and without (tests/reads/probe.hpp). The
others are a malloc in a region, the same two ways, for an interpreter that is not ours.
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs/embedding.md"
INTERPRETER = ROOT / "tests/reads/interpreter.py"
# What qemu does not have, or does not let a program do to itself.
NOT_EMULATED = {"process_vm_readv", "mincore"}
EMULATOR = []
PROGRAMS = []


def lines_of(program):
    """{case: "ok" or what went wrong}"""
    result = subprocess.run([*EMULATOR, program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, check=False, timeout=300)
    cases = {}
    for line in result.stdout.splitlines():
        verdict, rest = line.split(" ", 1)
        name, _, why = rest.partition(": ")
        cases[name] = "ok" if verdict == "ok" else why
    if result.returncode not in (0, 1):
        raise AssertionError(f"{program}: {result.returncode}\n{result.stdout}{result.stderr}")
    return cases


def names_in(program):
    text = subprocess.run(["nm", "--defined-only", "--extern-only", "--format=posix", program],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    return {line.split()[0].split("@")[0] for line in text.splitlines()}


def documented():
    """The names in the guide's list of functions."""
    text = GUIDE.read_text(encoding="utf-8")
    found = re.search(r"^```text covered\n(.*?)^```", text, re.M | re.S)
    return set(re.findall(r"\w+", found.group(1)))


class Reads(unittest.TestCase):

    def test_with_libcow_reads_whatever_is_read_into_a_region_arrives(self):
        cases = lines_of(PROGRAMS[0])
        self.assertGreater(len(cases), 50)
        excused = NOT_EMULATED if EMULATOR else set()
        wrong = {case: why for case, why in cases.items() if why != "ok" and case not in excused}
        self.assertEqual(wrong, {})

    def test_without_libcow_reads_each_of_the_same_things_goes_wrong(self):
        with_it, without = lines_of(PROGRAMS[0]), lines_of(PROGRAMS[1])
        self.assertEqual(with_it.keys(), without.keys())
        fine = [case for case, why in without.items() if why == "ok"]
        if EMULATOR:  # which makes some calls on memory of its own, and copies by plain stores
            self.assertLess(len(fine), len(without) / 2, fine)
        else:
            self.assertEqual(fine, [])

    def test_the_guide_lists_the_functions_that_are_covered(self):
        if EMULATOR:
            self.skipTest("the names are those of another machine")
        added = names_in(PROGRAMS[0]) - names_in(PROGRAMS[1])
        ours = {name for name in added if not re.match(r"_Z|cow_reads_|DW\.ref", name)}
        self.assertGreater(len(ours), 100)
        self.assertEqual(ours, documented())

    def interpret(self, module):
        with tempfile.TemporaryDirectory() as folder:
            return subprocess.run(
                [sys.executable, "-B", INTERPRETER, Path(folder, "input")], check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                timeout=300, env={**os.environ, "LD_PRELOAD": module, "PYTHONMALLOC": "malloc"})

    def test_an_unmodified_python_reads_into_a_heap_in_a_region(self):
        if len(PROGRAMS) < 4:
            self.skipTest("the interpreter is this machine's")
        result = self.interpret(PROGRAMS[2])
        self.assertEqual((result.stdout, result.stderr), ("failures: {}\n", ""))
        self.assertEqual(result.returncode, 0)

    def test_without_libcow_reads_it_does_not(self):
        if len(PROGRAMS) < 4:
            self.skipTest("the interpreter is this machine's")
        result = self.interpret(PROGRAMS[3])
        self.assertNotEqual(result.returncode, 0)
        # Its own source may be what it reads short: wherever the heap's pages happen to be shared.
        self.assertRegex(result.stdout + result.stderr,
                         r"Bad address|failures: {'|(Syntax|Indentation|Tab|UnicodeDecode)Error")


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    EMULATOR = [word for word in sys.argv[1].split(";") if word]
    PROGRAMS = sys.argv[2:]
    unittest.main(argv=sys.argv[:1], verbosity=2)

#!/usr/bin/env python3
"""Grades the lab (docs/lab): its solution, its skeleton, and typical mistakes.

usage: lab_test.py <compiler> [emulator] | --self-test

The solution is green in every test and makes the fewest copies. The skeleton is the solution
without what is marked YOUR TURN, and red in every test that needs it. Each mistake is a small
change of the solution, and is red in the tests that are about it; what else it breaks is its own
affair.
"""
import difflib
import os
import re
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "docs/lab"
FLAGS = ["-std=c++20", "-O1", "-g", "-pthread", "-Wall", "-Wextra", "-Wconversion", "-Wshadow",
         "-Werror", f"-I{LAB}"]
LINE = re.compile(r"^(green|red) +(\d+)  (.*)$")
ROW = re.compile(r"^(.{28})  +(\d+) +(\d+) +(\d+) +(\d+)$")

# By the first words of their claims.
GIVEN = {"a new space shows", "a clone shows", "a fault that is not"}
ONCE, WHOLE, BOTH = "a store to a clone copies", "the copy has all bytes", "both sides may store"
LAST_OF_TWO, LAST_OF_ALL = "once one side", "when the others are gone"
TREE, RANDOM, READER = "clones of clones", "random stores", "a thread that loads"
THREADS, FORK, LEFT = "threads that store", "fork:", "nothing is left"
FOREIGN = "a fault that is not"

COPY = "  if (shared->references[entry.frame] == 1) {"
FIRST = "  if (entry.writable) return true;  // another thread was first\n"
SHOW = "    show(address, 1, copy, PROT_READ | PROT_WRITE);\n"
NO_LOCK = ("  const Guard guard;\n  Entry& entry", "  Entry& entry")
EACH = "    for (Entry& entry : space->table) {\n      ++shared"
NO_FORK = ("  for (Space* space : spaces) {\n" + EACH,
           "  for (Space* space : std::vector<Space*>{}) {\n" + EACH)
ALWAYS_COPIES = (COPY, "  if (false) {")
# What README.md says to do, step by step: (changes, all tests that are red still).
STEPS = [
    ([ALWAYS_COPIES, NO_LOCK, (FIRST, ""), NO_FORK], {LAST_OF_TWO, LAST_OF_ALL, THREADS, FORK}),
    ([NO_LOCK, (FIRST, ""), NO_FORK], {THREADS, FORK}),
    ([NO_FORK], {FORK}),
]
# name: (changes, tests that are red, what a sentence of these says)
MISTAKES = {
    "copies all pages of the space": (
        [(SHOW, SHOW + "    for (Entry& other : space.table) {\n"
                       "      if (&other == &entry || other.writable) continue;\n"
                       "      const auto i =\n"
                       "          static_cast<std::size_t>(&other - space.table.data());\n"
                       "      const Frame more = allocate(1);\n"
                       "      if (::pwrite(frame_file, space.begin + i * page, page,\n"
                       "                   static_cast<off_t>(more * page)) < 0) die(\"pwrite\");\n"
                       "      show(space.begin + i * page, 1, more, PROT_READ);\n"
                       "      drop(other.frame);\n"
                       "      other.frame = more;\n"
                       "    }\n")],
        {ONCE, TREE}, "16 pages of the clone show frames of their own"),
    "copies every time, the sole owner's page as well": (
        [ALWAYS_COPIES], {LAST_OF_TWO, LAST_OF_ALL}, "although nobody else shows"),
    "copies and keeps the old frame's reference": (
        [("    drop(entry.frame);\n", "")], {LAST_OF_TWO, LEFT}, "although nobody else shows"),
    "forgets to count in clone()": (
        [("  for (Entry& entry : from->table) {\n    ++shared->references[entry.frame];\n",
          "  for (Entry& entry : from->table) {\n")],
        {BOTH, RANDOM}, "after a store to the original, has changed"),
    "takes everybody for the sole owner": (
        [(COPY, COPY.replace("== 1", ">= 1"))], {ONCE, BOTH, TREE}, "has changed"),
    "copies, and then shows the old frame": (
        [(SHOW, SHOW.replace("copy", "entry.frame"))], {ONCE, BOTH}, "has changed"),
    "copies, and then shows the frame beside it": (
        [(SHOW, SHOW.replace("copy", "copy + 1"))], {WHOLE, BOTH}, "has changed"),
    "copies half of the page": (
        [("::pwrite(frame_file, address, page,", "::pwrite(frame_file, address, page / 2,"),
         ("        static_cast<ssize_t>(page)) {", "        static_cast<ssize_t>(page / 2)) {")],
        {WHOLE, RANDOM}, "has changed"),
    "has no lock in resolve()": ([NO_LOCK], {THREADS}, "threads stored to"),
    "does not look whether another thread was first": (
        [(FIRST, ""), (COPY, "  if (!entry.writable && shared->references[entry.frame] == 1) {")],
        {THREADS}, "threads stored to"),
    "takes the old mapping away first": (
        [("    if (::pwrite(",
          "    const std::vector<std::byte> bytes(address, address + page);\n"
          "    ::munmap(address, page);\n    if (::pwrite("),
         ("frame_file, address, page,", "frame_file, bytes.data(), page,")],
        {READER}, "died of SIGSEGV"),
    "shows the copy first and copies then": (
        [("    if (::pwrite(",
          "    const std::vector<std::byte> bytes(address, address + page);\n" +
          SHOW + "    if (::pwrite("),
         ("frame_file, address, page,", "frame_file, bytes.data(), page,"),
         (SHOW + "    drop", "    drop")],
        {READER}, "saw a byte that nobody stored"),
    "makes the page writable before it copies": (
        [("    const Frame copy = allocate(1);\n",
          "    protect(address, 1, PROT_READ | PROT_WRITE);\n"
          "    const Frame copy = allocate(1);\n")],
        {THREADS}, "was writable before the copy"),
    "does not put errno back": (
        [("  errno = saved_errno;", "  if (saved_errno >= 0) errno = 0;")],
        {ONCE, BOTH}, "changed errno"),
    "does not note the copy in the table": (
        [("    entry.frame = copy;\n", "")], {TREE, RANDOM}, "shows"),
    "leaves the original writable in clone()": (
        [("  protect(from->begin, pages, PROT_READ);\n", "")], {"a clone shows", BOTH},
        "a page that is shared is writable"),
    "does nothing at a fork": ([NO_FORK], {FORK}, ("after fork()", "clone has changed")),
    "thinks of one space only at a fork": (
        [("    protect(space->begin, space->table.size(), PROT_READ);\n",
          "    protect(space->begin, space->table.size(), PROT_READ);\n    break;\n")],
        {FORK}, "the parent's clone has changed"),
    "counts the child twice at a fork": (
        [("      ++shared->references[entry.frame];\n",
          "      shared->references[entry.frame] += 2;\n")],
        {FORK}, "counted too often"),
    "forgets to count at a fork": (
        [("      ++shared->references[entry.frame];\n", "")], {FORK},
        ("after fork()", "clone has changed")),
    "keeps the lock after a fork": (
        [("void after_fork_in_parent() { unlock(); }", "void after_fork_in_parent() {}")],
        {FORK}, "seconds"),
    "gives no references back in destroy()": (
        [("  for (const Entry& entry : space->table) drop(entry.frame);\n", "")],
        {LAST_OF_ALL, LEFT}, "frames still take memory"),
    "keeps the memory of frames that nobody has": (
        [("  if (--shared->references[frame] > 0) return;\n",
          "  if (--shared->references[frame] + 1 > 0) return;\n")],
        {LEFT}, "frames still take memory"),
    "loses the addresses of spaces that end": (
        [("  if (::munmap(space->begin, space->table.size() * page) != 0) die(\"lab: munmap\");\n",
          "")], {LEFT}, "mappings more"),
    "says that it repaired the fault, and did not": (
        [(FIRST, "  if (space.begin != nullptr) return true;\n")], {ONCE, BOTH, THREADS},
        "would for ever"),
    "waits for its own lock": (
        [("  const Guard guard;\n  Entry& entry",
          "  const Guard guard;\n  lock();\n  Entry& entry")],
        {ONCE}, "seconds"),
    "takes every fault for its own": (
        [("    ::signal(SIGSEGV, SIG_DFL);", "    ::_exit(0);")], {FOREIGN},
        "through a null pointer"),
}


class Lab:
    """Compiles and grades."""

    def __init__(self, compiler, emulator, folder):
        self.compiler, self.emulator, self.folder = compiler, emulator, Path(folder)
        sources = sorted((LAB / "grader").glob("*.cpp"))
        with ThreadPoolExecutor() as pool:
            self.objects = list(pool.map(self.compiled, sources))

    def run(self, *command, seconds=60):
        result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                errors="replace", timeout=900, check=False,
                                env={**os.environ, "COW_LAB_SECONDS": str(seconds)})
        return result.returncode, result.stdout

    def compiled(self, source):
        target = self.folder / f"{source.stem}.o"
        code, output = self.run(self.compiler, *FLAGS, "-c", source, "-o", target)
        if code != 0:
            raise AssertionError(output)
        return target

    def graded(self, text, name="file", seconds=60):
        """(exit code, output) of the grader for a file with this text."""
        source = self.folder / f"{name}.cpp"
        source.write_text(text, encoding="utf-8")
        program = self.folder / f"{name}.grade"
        code, output = self.run(self.compiler, self.compiled(source), *self.objects,
                                f"@{LAB}/grader/link_flags", "-o", program)
        if code != 0:
            raise AssertionError(output)
        return self.run(*self.emulator, program, seconds=seconds)


def marks(output):
    """{claim: its sentence, empty if it is green}"""
    found, lines = {}, output.splitlines()
    for number, line in enumerate(lines):
        match = LINE.match(line)
        if match:
            found[match[3]] = lines[number + 1].strip() if match[1] == "red" else ""
    return found


def changed(text, changes):
    for old, new in changes:
        if text.count(old) != 1:
            raise AssertionError(f"{text.count(old)} times in the solution: {old}")
        text = text.replace(old, new)
    return text


def complaints(red, says, output):
    """What of a mistake's marks is not as it should be."""
    found, wrong = marks(output), []
    for start in sorted(red):
        sentences = [why for claim, why in found.items() if claim.startswith(start)]
        if sentences in ([], [""]):
            wrong.append(f"'{start}...' is not red")
    # Several, where it depends on who comes first which of them is said.
    any_of = (says,) if isinstance(says, str) else says
    if not any(words in why for why in found.values() for words in any_of):
        wrong.append(f"no sentence says '{says}'")
    return wrong


class Words(unittest.TestCase):
    OUTPUT = "green  1  a clone\nred   12  fork: both\n          it died\n1 of 2 are green\n"

    def test_marks_have_their_sentences(self):
        self.assertEqual(marks(self.OUTPUT), {"a clone": "", "fork: both": "it died"})

    def test_a_mistake_that_is_not_found_is_a_complaint(self):
        self.assertEqual(complaints({"fork:"}, "died", self.OUTPUT), [])
        self.assertEqual(len(complaints({"a clone", "gone"}, "hung", self.OUTPUT)), 3)


class Grades(unittest.TestCase):
    lab = None

    def setUp(self):
        self.solution = (LAB / "solution/cow.cpp").read_text("utf-8")
        self.skeleton = (LAB / "cow.cpp").read_text("utf-8")

    def test_the_solution_is_green_and_makes_the_fewest_copies(self):
        code, output = self.lab.graded(self.solution)
        self.assertEqual(code, 0, output)
        self.assertEqual([why for why in marks(output).values() if why], [], output)
        rows = list(filter(None, map(ROW.match, output.splitlines())))
        self.assertEqual(len(rows), 4, output)
        for row in rows:
            self.assertEqual(row[2], row[3], output)
            self.assertGreaterEqual(int(row[4]), int(row[5]), output)

    def test_the_skeleton_is_red_in_all_that_needs_what_is_missing(self):
        code, output = self.lab.graded(self.skeleton)
        self.assertEqual(code, 1, output)
        for claim, why in marks(output).items():
            is_given = any(claim.startswith(start) for start in GIVEN)
            self.assertEqual(why == "", is_given, output)
        self.assertEqual(len(GIVEN), sum(why == "" for why in marks(output).values()), output)

    def test_the_skeleton_is_the_solution_without_two_places(self):
        differ = difflib.SequenceMatcher(None, self.skeleton.splitlines(),
                                         self.solution.splitlines(), autojunk=False)
        removed = [line for tag, first, last, *_ in differ.get_opcodes() if tag != "equal"
                   for line in self.skeleton.splitlines()[first:last]]
        code = [line for line in removed if not line.strip().startswith("//")]
        self.assertEqual(code, ["bool resolve(Space& /*space*/, std::size_t /*index*/) "
                                "{ return false; }"])
        self.assertEqual(self.skeleton.count("YOUR TURN"), 3)

    def test_each_step_turns_its_tests_green(self):
        for number, (changes, red) in enumerate(STEPS, 1):
            with self.subTest(step=number):
                _, output = self.lab.graded(changed(self.solution, changes), f"step{number}")
                for claim, why in marks(output).items():
                    is_red = any(claim.startswith(start) for start in red)
                    self.assertEqual(why != "", is_red, output)

    def test_every_mistake_is_red_where_it_is_named(self):
        with ThreadPoolExecutor(2) as pool:
            jobs = {name: pool.submit(self.lab.graded, changed(self.solution, changes),
                                      f"m{number}", 2 if says == "seconds" else 60)
                    for number, (name, (changes, _, says)) in enumerate(MISTAKES.items())}
            for name, (_, red, says) in MISTAKES.items():
                with self.subTest(mistake=name):
                    code, output = jobs[name].result()
                    self.assertEqual((code, complaints(red, says, output)), (1, []), output)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    del sys.argv[1:]
    if not arguments:
        sys.exit(__doc__)
    if arguments == ["--self-test"]:
        del Grades
        unittest.main(verbosity=2)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            Grades.lab = Lab(arguments[0], arguments[1:], scratch)
            unittest.main(verbosity=2)

#!/usr/bin/env python3
"""Runs the program of each chapter of docs/lecture, and compares what it prints with the chapter.

usage: lecture_test.py <folder of the programs> | --self-test

A chapter N is docs/lecture/N-name.md, its program programs/N-name.cpp, and what that prints is the
block that begins with `$ ./run lecture N`. Numbers, of whatever kind, are compared by their places
alone: the programs themselves end with 1 if one that matters is wrong. A program has less than 60
lines. The tests that an exercise names with `./run test -R` are there, one for each alternative.
"""
import re
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LECTURE = ROOT / "docs/lecture"
BLOCK = re.compile(r"^```\n\$ \./run lecture (\d+)\n(.*?)^```$", re.M | re.S)
NUMBER = re.compile(r"\b(?:0x[0-9a-f]+|[0-9a-f]{8,}|\d[\d.,]*)\b")
# The kernel's mechanism is not everywhere, and the program says so in the place of two numbers.
ABSENT = re.compile(r"not here: .*")
FEWER_LINES_THAN = 60
CHOSEN = re.compile(r"\./run test -R '([^']+)'")
TEST_CASE = re.compile(r'^TEST_CASE\(\s*((?:"[^"]*"\s*)+),', re.M)


def shape(output):
    """Lines of words, each number an N."""
    text = NUMBER.sub("N", ABSENT.sub("1 1", output))
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def numbered(pattern):
    return {int(path.name.split("-")[0]): path for path in LECTURE.glob(pattern)}


class Shape(unittest.TestCase):
    def test_numbers_are_places_and_words_are_words(self):
        self.assertEqual(shape("a  0x7f 12.5 ms\n\n7f55d3aaa000-7f55d3aad000 r--c 3\n"),
                         ["a N N ms", "N-N r--c N"])
        self.assertEqual(shape("kernel  not here: no /proc\n"), shape("kernel 1000 0\n"))
        self.assertNotEqual(shape("a stores: copies"), shape("a stores: nothing else"))
        self.assertNotEqual(shape("one\ntwo\n"), shape("one\n"))


class Chapters(unittest.TestCase):
    programs = None

    def test_every_chapter_has_a_program_and_every_program_a_chapter(self):
        chapters, programs = numbered("[0-9]*-*.md"), numbered("programs/[0-9]*-*.cpp")
        self.assertGreaterEqual(len(programs), 6)
        self.assertEqual({number: path.stem for number, path in chapters.items()},
                         {number: path.stem for number, path in programs.items()})
        for path in programs.values():
            self.assertLess(len(path.read_text("utf-8").splitlines()), FEWER_LINES_THAN, path.name)

    def test_an_exercise_chooses_one_test_for_each_alternative(self):
        names = ["".join(re.findall(r'"([^"]*)"', found))
                 for path in (ROOT / "tests").glob("*.cpp")
                 for found in TEST_CASE.findall(path.read_text("utf-8"))]
        chosen = [found for path in numbered("[0-9]*-*.md").values()
                  for found in CHOSEN.findall(path.read_text("utf-8"))]
        self.assertGreaterEqual(len(chosen), 3)
        for alternative in "|".join(chosen).split("|"):
            found = [name for name in names if re.search(alternative, name)]
            self.assertEqual(len(found), 1, f"{alternative}: {found}")

    def test_a_program_prints_what_its_chapter_shows(self):
        for number, path in sorted(numbered("[0-9]*-*.md").items()):
            with self.subTest(chapter=number):
                shown = BLOCK.findall(path.read_text("utf-8"))
                self.assertEqual([int(found) for found, _ in shown], [number])
                result = subprocess.run([str(self.programs / f"cow_lecture_{number}")],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, timeout=120,
                                        check=False)
                self.assertEqual(result.returncode, 0, result.stdout)
                self.assertEqual(shape(result.stdout), shape(shown[0][1]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "--self-test":
        del Chapters
    else:
        Chapters.programs = Path(sys.argv[1])
    del sys.argv[1]
    unittest.main(verbosity=2)

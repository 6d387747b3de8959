#!/usr/bin/env python3
"""Runs bench/regenerate.py and bench/numbers_page.py, which put results into the documents, on
documents that are a pretence and results that nobody measured.

usage: regenerate_test.py <path of cow>
"""
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import made_results as made
from program import COMMAND, main

SCRIPT = Path(__file__).resolve().parents[2] / "bench/regenerate.py"
BENCHMARKS = """# Benchmarks
Words that stay.
<!-- begin environment -->
an older machine
<!-- end environment -->
<!-- begin table share: eager copy; libcow, handler -->
<!-- end table share: eager copy; libcow, handler -->
<!-- begin figures share -->
![old](figures/old.svg)
<!-- end figures share -->
What surprised us.
<!-- begin table nonesuch -->
as it was
<!-- end table nonesuch -->
<!-- begin advice -->
<!-- end advice -->
"""
README = """# libcow
<!-- begin summary -->
old
<!-- end summary -->
The end.
"""


class Regenerate(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "docs").mkdir()
        self.write(BENCHMARKS)
        (self.root / "README.md").write_text(README, encoding="utf-8")
        self.result("a.json", made.everything())

    def write(self, text):
        (self.root / "docs/benchmarks.md").write_text(text, encoding="utf-8")

    def result(self, name, document):
        (self.root / name).write_text(json.dumps(document), encoding="utf-8")

    def run_script(self, *names):
        return subprocess.run([sys.executable, "-B", SCRIPT, COMMAND[-1],
                               *(self.root / name for name in names), "--root", self.root],
                              capture_output=True, text=True, timeout=300, check=False)

    def text(self, name="docs/benchmarks.md"):
        return (self.root / name).read_text(encoding="utf-8")

    def refused(self, run, *words):
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
        for word in words:
            self.assertIn(word, run.stderr)
        self.assertEqual(self.text("README.md"), README)
        self.assertFalse((self.root / "docs/figures").exists())

    def test_what_is_between_markers_is_new_and_the_rest_is_as_it_was(self):
        run = self.run_script("a.json")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        text = self.text()
        for words in ("Words that stay.", "What surprised us.", "as it was", "AMD EPYC; 2 cores",
                      "| eager copy | libcow, handler |", "| 1 % of 64 MiB, random | 20 ms |",
                      "](figures/share-random-64-mib.svg)", "is cheaper than"):
            self.assertIn(words, text)
        self.assertNotIn("an older machine", text)
        self.assertNotIn("fork() |", text)
        self.assertIn("table nonesuch", run.stdout)
        self.assertTrue((self.root / "docs/figures/share-random-64-mib.svg").exists())
        self.assertFalse((self.root / "docs/figures/targets.svg").exists())
        readme = self.text("README.md")
        self.assertIn("| a clone of 64 MiB, 1 % of it written | 1.6 ms | – | 2.4 ms | 20 ms |",
                      readme)
        self.assertIn("The end.", readme)
        before = text, readme
        self.assertEqual(self.run_script("a.json").returncode, 0)
        self.assertEqual((self.text(), self.text("README.md")), before)

    def test_several_results_are_put_together_unless_they_have_the_same(self):
        self.result("shares.json", made.document(made.shares()))
        self.result("targets.json", made.document(made.targets()))
        self.write("<!-- begin table targets -->\n<!-- end table targets -->\n" + BENCHMARKS)
        self.assertEqual(self.run_script("shares.json", "targets.json").returncode, 0)
        self.assertIn("**not met**", self.text())

    def test_the_same_experiment_twice_is_refused(self):
        self.result("b.json", made.document(made.shares()))
        self.refused(self.run_script("a.json", "b.json"), "two of the results have 'share'")
        self.assertEqual(self.text(), BENCHMARKS)

    def test_markers_that_do_not_fit_are_refused(self):
        for text, words in (("<!-- begin advice -->\n", "does not end"),
                            ("<!-- end advice -->\n", "did not begin"),
                            ("<!-- begin a -->\n<!-- begin b -->\n", "begins inside"),
                            ("<!-- begin nonesuch -->\n<!-- end nonesuch -->\n", "no such name"),
                            ("<!-- begin table share: x -->\n<!-- end table share: x -->\n",
                             "no column 'x'")):
            with self.subTest(text=text):
                self.write(text)
                self.refused(self.run_script("a.json"), words)
                self.assertEqual(self.text(), text)

    def test_results_that_are_none_or_mean_nothing_are_refused(self):
        self.result("quick.json", made.document(made.shares(), quick=True))
        self.result("part.json", made.document(made.shares(), complete=False))
        self.result("version.json", made.document(made.shares(), format=9))
        for name, words in (("quick.json", "quick"), ("part.json", "half-way"),
                            ("version.json", "format 9"), ("missing", "does not exist")):
            with self.subTest(name=name):
                self.refused(self.run_script(name), words)
                self.assertEqual(self.text(), BENCHMARKS)


NUMBERS = """# Numbers
<!-- begin machine -->
<!-- end machine -->
Words that stay.
<!-- begin claim one -->
old
<!-- end claim one -->
"""


class NumbersPage(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.page = self.root / "docs/numbers.md"
        self.page.parent.mkdir()
        self.page.write_text(NUMBERS, encoding="utf-8")

    def run_script(self, *lines):
        """With a program that prints these lines for its claim."""
        program = self.root / "claims"
        program.write_text("\n".join(["#!/bin/sh", '[ "$1" = --list ] && exec echo one', *lines]),
                           encoding="utf-8")
        program.chmod(0o755)
        return subprocess.run([sys.executable, "-B", SCRIPT.with_name("numbers_page.py"), program,
                               "--root", self.root],
                              capture_output=True, text=True, timeout=300, check=False)

    def test_what_a_claim_prints_comes_to_its_place_and_the_machine_to_its_own(self):
        run = self.run_script("echo evidence; echo; echo more; echo; echo a machine")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        text = self.page.read_text(encoding="utf-8")
        self.assertIn("```\nevidence\n\nmore\n```\n", text)
        self.assertIn("<!-- begin machine -->\n\na machine.\n", text)
        self.assertIn("Words that stay.", text)
        self.assertNotIn("old", text)

    def test_a_claim_that_does_not_hold_or_has_no_place_changes_nothing(self):
        good = "echo evidence; echo; echo a machine"
        for text, line, words in ((NUMBERS, "echo it does not >&2; exit 1", "it does not"),
                                  (NUMBERS.replace("claim one", "claim two"), good, "no place"),
                                  (NUMBERS + "<!-- begin claim two -->\n<!-- end claim two -->\n",
                                   good, "no such claim")):
            with self.subTest(words=words):
                self.page.write_text(text, encoding="utf-8")
                run = self.run_script(line)
                self.assertEqual(run.returncode, 1)
                self.assertIn(words, run.stderr)
                self.assertEqual(self.page.read_text(encoding="utf-8"), text)


if __name__ == "__main__":
    sys.exit(main("usage: regenerate_test.py <path of cow>"))

#!/usr/bin/env python3
"""The full screen of `cow demo`: keys, sizes, terminals that can little, and how it leaves them.

usage: tool_full_screen_test.py <path of cow>
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from program import COMMAND, main
from virtual_terminal import Session

SIZES = ((24, 80), (40, 160))
KEYS = "space forward"


def demo(*arguments, **more):
    return Session([*COMMAND, "demo", *arguments], **more)


def chapters():
    run = subprocess.run([*COMMAND, "demo", "--list"], capture_output=True, text=True, timeout=60,
                         check=True)
    return [line.split()[0] for line in run.stdout.splitlines()]


def step_of(text):
    return int(re.search(r"step (\d+)", text)[1])


class FullScreen(unittest.TestCase):
    def forward(self, session):
        """One key, and the next step."""
        before = session.screen.lines()[0]
        session.type(" ")
        for _ in range(600):
            session.read(0.1)
            text = session.screen.text()
            if session.screen.lines()[0] != before and "It is happening" not in text:
                break
            if "The end." in text:
                break
        while session.read(0.05):
            pass
        return session.screen.text()

    def test_the_menu_has_every_chapter_and_starts_the_one_that_is_chosen(self):
        for rows, columns in SIZES:
            with self.subTest(rows=rows), demo(rows=rows, columns=columns) as session:
                menu = session.wait_for("Enter starts")
                for name in chapters():
                    self.assertIn(f" {name} ", menu)
                session.type("n\r")
                self.assertIn("A region, A", session.wait_for(KEYS))
                session.type("q")
                self.assertEqual(session.wait_for_end(), 0)

    def test_one_store_goes_through_the_steps_and_back(self):
        for rows, columns in SIZES:
            with self.subTest(rows=rows), \
                 demo("one-store", rows=rows, columns=columns) as session:
                seen = [session.wait_for(KEYS)]
                while "The end." not in seen[-1] and len(seen) < 40:
                    seen.append(self.forward(session))
                for words in ("Before the store", "The instruction that will store",
                              "as the processor reported it", "Allocate a frame",
                              "Copy the content", "Update the mapping", "The instruction again",
                              "After the store"):
                    self.assertTrue(any(words in text for text in seen), words)
                self.assertNotIn("THE PAST", "".join(seen))
                session.type("\x7f")
                past = session.wait_for("THE PAST")
                self.assertEqual(step_of(past), step_of(seen[-1]) - 1)
                self.assertEqual(past.splitlines()[2:5], seen[-2].splitlines()[2:5])
                session.type(" ")
                self.assertNotIn("THE PAST", session.wait_for("The end."))

    def test_it_asks_before_the_store_and_only_then_it_happens(self):
        with demo("one-store") as session:
            session.wait_for(KEYS)
            while "Decide first" not in session.screen.text():
                self.forward(session)
            text = session.screen.text()
            self.assertIn("How many frames", text)
            self.assertNotIn("One more.", text)
            session.type("a")
            self.assertIn("How many frames", session.wait_for("One more."))

    def test_without_questions_it_asks_nothing(self):
        with demo("one-store", "--no-questions") as session:
            seen = [session.wait_for(KEYS)]
            while "The end." not in seen[-1] and len(seen) < 40:
                seen.append(self.forward(session))
            self.assertNotIn("Decide first", "".join(seen))
            self.assertNotIn("the answer", "".join(seen))

    def test_keys_lead_to_other_chapters_the_menu_and_the_help(self):
        with demo("one-store") as session:
            session.wait_for("one-store:")
            session.type("n")
            session.wait_for("parent-first:")
            session.type("p")
            session.wait_for("one-store:")
            session.type("?")
            session.wait_for("any key goes on")
            session.type(" ")
            session.wait_for("one-store:")
            session.type("m")
            session.wait_for("Enter starts")
            session.type("q")
            self.assertEqual(session.wait_for_end(), 0)

    def test_by_itself_it_goes_to_the_end_of_a_chapter_and_ends(self):
        with demo("sole-owner", "--auto", "--pace", "0.05") as session:
            self.assertEqual(session.wait_for_end(120), 0)
            self.assertIn("The end.", session.output)

    def test_it_is_drawn_anew_when_the_size_changes_and_says_so_where_it_is_too_small(self):
        with demo("one-store") as session:
            session.wait_for(KEYS)
            session.resize(40, 160)
            self.assertIn("/proc/self/maps", self.forward(session) + self.forward(session))
            session.resize(10, 60)
            session.wait_for("Too small: 24 rows of 80 columns")
            session.resize(24, 80)
            session.wait_for(KEYS)

    def test_the_terminal_is_as_before_however_it_ends(self):
        endings = {"q": lambda session: session.type("q"),
                   "Ctrl-\\ and q": lambda session: session.type("\x1cq"),
                   "Ctrl-C": lambda session: session.type("\x03"),
                   "SIGTERM": lambda session: os.kill(session.pid, signal.SIGTERM)}
        for name, end in endings.items():
            for arguments in ([], ["one-store"], ["fork"]):
                with self.subTest(end=name, arguments=arguments), demo(*arguments) as session:
                    session.wait_for("q quit")
                    if arguments == ["fork"]:
                        for _ in range(3):
                            self.forward(session)
                    self.assertNotEqual(session.settings(), session.before)
                    end(session)
                    session.wait_for_end()
                    self.assertEqual(session.settings(), session.before)

    def test_without_utf_8_the_lines_are_ascii(self):
        for language, ascii_only in (("C", True), ("C.UTF-8", False)):
            with self.subTest(language=language), demo("one-store", LANG=language) as session:
                session.wait_for(KEYS)
                self.forward(session)
                text = self.forward(session)
                self.assertEqual(text.isascii(), ascii_only)
                self.assertIn("4s--+" if ascii_only else "4s──┐", text)

    def test_no_color_where_none_is_wanted_and_some_where_the_terminal_has_it(self):
        for environment, colored in (({"TERM": "xterm-256color"}, True), ({"TERM": "vt100"}, False),
                                     ({"TERM": "xterm-256color", "NO_COLOR": "1"}, False)):
            with self.subTest(**environment), demo("one-store", **environment) as session:
                while "quit" not in session.output:
                    self.assertTrue(session.read(60))
                while session.read(0.2):
                    pass
                self.assertEqual(bool(re.search(r"\x1b\[(?:\d+;)*(?:3[0-7]|4[0-7])m",
                                                session.output)), colored)

    def test_free_play_clones_stores_and_forks_by_keys(self):
        with demo("free") as session:
            session.wait_for("f fork")
            session.type("c")
            session.wait_for("B = A.clone()")
            session.type("\x1bOB\x1bOC\r")  # down, right, Enter
            self.assertRegex(session.wait_for("A store to page 1 of B"), r"B +0s +> +20\dw")
            session.type("f")
            session.wait_for("a child process")
            self.assertRegex(session.screen.text(), r"(?m)^ B child ")
            session.type("\x7f")
            session.wait_for("THE PAST")
            session.type("q")
            self.assertEqual(session.wait_for_end(), 0)
            self.assertEqual(session.settings(), session.before)

    def test_an_error_comes_after_the_screen_is_gone(self):
        with demo("one-store", "--page", "99") as session:
            self.assertEqual(session.wait_for_end(), 2)
            self.assertEqual(session.settings(), session.before)
            self.assertRegex(session.output, r"cow: there is no page 99[^\x1b]*\r\n$")

    def test_a_json_file_has_the_steps_that_were_seen(self):
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "steps.json"
            with demo("one-store", "--json", str(output)) as session:
                session.wait_for(KEYS)
                self.forward(session)
                session.type("q")
                self.assertEqual(session.wait_for_end(), 0)
            document = json.loads(output.read_text(encoding="utf-8"))
            self.assertEqual([len(chapter["steps"]) for chapter in document["chapters"]], [2])


class TextInstead(unittest.TestCase):
    """Where there is no full screen, a chapter is told as text."""

    def test_a_dumb_terminal_one_that_is_too_small_and_plain_get_text(self):
        for arguments, environment in ((["--plain"], {}), ([], {"TERM": "dumb"}),
                                       ([], {"rows": 20}), ([], {"columns": 70})):
            with self.subTest(arguments=arguments, environment=environment), \
                 demo("sole-owner", "--no-questions", "--auto", *arguments,
                      **environment) as session:
                self.assertEqual(session.wait_for_end(), 0)
                self.assertIn("1. Clone it", re.sub(r"\x1b\[\d*m", "", session.output))
                self.assertNotIn("\x1b[H", session.output)
                self.assertEqual(session.settings(), session.before)

    def test_every_chapter_runs_to_its_end_in_a_pipe(self):
        for name in chapters():
            with self.subTest(chapter=name):
                run = subprocess.run([*COMMAND, "demo", name], stdin=subprocess.DEVNULL,
                                     capture_output=True, text=True, timeout=300, check=False)
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                self.assertTrue(run.stdout.isascii())
                self.assertLessEqual(max(map(len, run.stdout.splitlines())), 80)
                self.assertIn("\n1. ", run.stdout)

    def test_an_unknown_chapter_is_told_what_was_meant(self):
        for name, words in (("one-stor", "did you mean one-store?"), ("quantum", "--list")):
            run = subprocess.run([*COMMAND, "demo", name], stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(run.returncode, 2)
            self.assertEqual(len(run.stderr.splitlines()), 1)
            self.assertIn(words, run.stderr)

    def test_the_lecturers_own_file_and_page(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(bytes(range(256)) * 400)
            file.flush()
            run = subprocess.run([*COMMAND, "demo", "one-store", "--file", file.name, "--page",
                                  "1"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                 timeout=60, check=True)
            self.assertIn("page 1 of B", run.stdout)
            self.assertIn(file.name, run.stdout)


if __name__ == "__main__":
    sys.exit(main(__doc__))

#!/usr/bin/env python3
"""What `cow demo` looks like as text: on terminals of several sizes, and in README.md.

usage: tool_screen_test.py <path of cow> [arguments as for tool_demo_test.py]
"""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

from program import COMMAND, main


class Readme(unittest.TestCase):
    """What README.md shows of the demo."""

    @staticmethod
    def shape(line):
        """The line without what differs from run to run."""
        line = re.sub(r"  [\d.,]+ x faster$", "", re.sub(r"  #*$", "", line))
        line = re.sub(r"\b0x[0-9a-f]+|\b[0-9a-f]{8,}(?:-[0-9a-f]{8,})?\b|\b[\d.,]*\d\b", "N", line)
        line = re.sub(r"\bN (ns|us|ms|s)\b", "N T", re.sub(r"\bN [KMG]iB\b", "N B", line))
        return re.sub(r" +", " ", line.replace("^", "")).strip()

    def test_it_is_what_the_demo_prints(self):
        text = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
        shown = re.search(r"^```\n(2\. Clone it.*?)^```$", text, re.M | re.S)[1].splitlines()
        output = subprocess.run([*COMMAND, "demo"], stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, timeout=600, check=True).stdout
        printed = list(map(self.shape, output.splitlines()))
        if "no record: this system does not pass it on" in output:
            self.skipTest("this system has no error code")
        place = 0
        for line in filter(self.shape, shown):
            if line != "...":
                self.assertIn(self.shape(line), printed[place:])
                place = printed.index(self.shape(line), place) + 1


PROMPT = "-- Enter goes on"
PROMPT_END = ("ends --", "ends --\x1b[0m")


class OnATerminal(unittest.TestCase):
    """The same before a terminal of some size."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.file = Path(cls.folder.name) / "a file"
        cls.file.write_bytes(bytes(range(256)) * 40)

    def show(self, columns, rows, *arguments, keys=None, **environment):
        """(exit code, what the terminal shows); `keys` is what is typed at each prompt."""
        pid, terminal = pty.fork()
        if pid == 0:
            while os.get_terminal_size(0).lines == 0:  # until the parent has said
                time.sleep(0.01)
            os.execvpe(COMMAND[0], [*COMMAND, "demo", "--plain", "--file", str(self.file),
                                    *arguments],
                       {**os.environ, "TERM": "vt100", **environment})
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        shown, answered = "", 0
        while select.select([terminal], [], [], 120)[0]:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            shown += piece.decode(errors="replace")
            if keys is not None and shown.count(PROMPT) > answered and shown.endswith(PROMPT_END):
                answered += 1
                os.write(terminal, keys)
        os.close(terminal)  # who still waits is hung up on
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status), shown.replace("\r\n", "\n")

    def test_it_waits_where_the_terminal_has_too_few_rows_and_each_screen_fits(self):
        for columns, rows in ((80, 24), (60, 20), (40, 15), (132, 50)):
            with self.subTest(columns=columns, rows=rows):
                code, shown = self.show(columns, rows, keys=b"\n", NO_COLOR="1")
                self.assertEqual(code, 0, shown)
                screens = re.split(re.escape(PROMPT) + ".*\n", shown)
                self.assertGreater(len(screens), 1)
                for screen in screens:
                    self.assertLess(len(screen.rstrip("\n").split("\n")), rows)
                    self.assertEqual([line for line in screen.split("\n")
                                      if len(line) > columns and str(self.file) not in line], [])

    def test_it_does_not_wait_where_all_of_it_fits_or_nobody_wants_to(self):
        for rows, arguments in ((200, []), (24, ["--auto"])):
            code, shown = self.show(80, rows, *arguments)
            self.assertEqual(code, 0, shown)
            self.assertNotIn(PROMPT, shown)
            self.assertIn("all as they should be", shown)

    def test_q_ends_it_and_the_end_of_the_input_lets_it_go_on(self):
        code, shown = self.show(80, 24, keys=b"q\n")
        self.assertEqual(code, 0, shown)
        self.assertEqual(shown.count(PROMPT), 1)
        self.assertNotIn("Lazy or eager", shown)
        code, shown = self.show(80, 24, keys=b"\x04")
        self.assertEqual(code, 0, shown)
        self.assertEqual(shown.count(PROMPT), 1)
        self.assertIn("all as they should be", shown)


if __name__ == "__main__":
    sys.exit(main(__doc__))

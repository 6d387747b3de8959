#!/usr/bin/env python3
"""Stops `cow bench` in the middle, as its users and closing terminals do.

usage: tool_bench_stop_test.py <path of cow>
"""
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from program import COMMAND, main
from tool_bench_test import ONE, InFolder, terminal

SMALL = ("--only", ONE, "--mechanisms", "eager,handler")  # what little memory is enough for


def processes_of(session):
    """All that is left of a session, zombies too."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[3]) == session:
            found.append(int(folder.name))
    return found


class Stopped(InFolder):
    def start(self, *arguments):
        """A run at full length, so that there is something to stop."""
        environment = {**os.environ, "TERM": "dumb", "COW_BENCH_QUICK": ""}
        primary, secondary = terminal()
        program = subprocess.Popen([*COMMAND, "bench", *arguments], stdout=subprocess.PIPE,
                                   stderr=secondary, cwd=self.folder, env=environment, text=True,
                                   start_new_session=True)
        os.close(secondary)
        self.addCleanup(os.close, primary)
        self.addCleanup(program.stdout.close)
        return program, primary

    def wait_for(self, primary, pattern):
        """Until the line of progress says it; 0 of the noise and the warming up is over then."""
        seen = b""
        while not re.search(pattern, seen):
            ready, _, _ = select.select([primary], [], [], 120)
            self.assertTrue(ready, seen)
            seen += os.read(primary, 4096)

    def test_what_was_measured_is_kept(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                program, primary = self.start(*SMALL, "--json", "r.json")
                self.wait_for(primary, rb" [3-9]\d %")
                program.send_signal(number)
                output = program.communicate(timeout=120)[0]
                self.assertEqual(program.returncode, 130)
                document = json.loads((self.folder / "r.json").read_text())
                self.assertFalse(document["context"]["cow_bench"]["complete"])
                self.assertGreater(len(document["benchmarks"]), 0)
                for row in document["benchmarks"]:
                    self.assertGreater(len(row["samples"]), 0)
                self.assertIn("stopped half-way", output)
                self.assertIn("median", output)
                self.assertEqual(processes_of(program.pid), [])

    def send_and_wait(self, program, number):
        """Until the signal is no longer pending."""
        program.send_signal(number)
        for _ in range(1200):
            status = Path(f"/proc/{program.pid}/status").read_text()
            pending = re.findall(r"(?m)^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)", status)
            if not any(int(mask, 16) >> (number - 1) & 1 for mask in pending):
                return
            time.sleep(0.1)
        self.fail("it is not taken")

    def test_nothing_measured_leaves_the_file_as_it_was(self):
        (self.folder / "r.json").write_text("dear friend")
        # The sides fill 256 MiB each, and settle for many rounds, before any of them has a turn.
        program, primary = self.start("--full", "--only", "rounds",
                                      "--mechanisms", "handler,fork", "--json", "r.json")
        self.wait_for(primary, rb" left ")
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=120)
        self.assertEqual(program.returncode, 130)
        self.wait_for(primary, rb"'r.json' is as it was")
        self.assertEqual((self.folder / "r.json").read_text(), "dear friend")
        self.assertEqual(self.names(), ["r.json"])

    def test_a_terminal_that_closes_sends_two(self):
        os.mkfifo(self.folder / "pipe")  # to open it waits for a reader: there is time for both
        program, primary = self.start(*SMALL, "--json", "pipe")
        self.wait_for(primary, rb" [3-9]\d %")
        self.send_and_wait(program, signal.SIGHUP)
        self.send_and_wait(program, signal.SIGHUP)
        document = json.loads((self.folder / "pipe").read_text())
        program.communicate(timeout=120)
        self.assertEqual(program.returncode, 130)
        self.assertGreater(len(document["benchmarks"]), 0)

    def test_a_second_one_ends_it_at_once_and_leaves_nothing(self):
        os.mkfifo(self.folder / "pipe")  # as nobody reads it, the first one cannot be its end
        program, primary = self.start(*SMALL, "--json", "pipe")
        self.wait_for(primary, rb" [3-9]\d %")
        self.send_and_wait(program, signal.SIGTERM)
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=120)
        self.assertEqual(program.returncode, -signal.SIGINT)
        for _ in range(100):  # the kernel takes a moment to end the sides
            if not processes_of(program.pid):
                break
            time.sleep(0.1)
        self.assertEqual(processes_of(program.pid), [])
        self.assertEqual(self.names(), ["pipe"])


if __name__ == "__main__":
    sys.exit(main(__doc__))

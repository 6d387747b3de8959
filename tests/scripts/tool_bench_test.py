#!/usr/bin/env python3
"""Runs `cow bench` as its users do, on sizes at which it takes seconds and measures nothing.

usage: tool_bench_test.py <path of cow>
"""
import fcntl
import json
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import call_filter
from program import COMMAND, Refusals, main

ROW_KEYS = {"name", "run_name", "run_type", "repetitions", "repetition_index", "threads",
            "iterations", "experiment", "workload", "mechanism", "parameters", "unit", "sample",
            "status", "reason", "samples"}
ONE = "clone"  # the experiment that most tests take


def quick_environment():
    return {**os.environ, "COW_BENCH_QUICK": "1", "TERM": "dumb"}


def terminal():
    """(our end, the program's end) of a terminal of 80 columns."""
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    return primary, secondary


class InFolder(Refusals):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def cow(self, *arguments, **options):
        options = {"env": quick_environment(), "capture_output": True, **options}
        return subprocess.run([*COMMAND, "bench", *map(str, arguments)], text=True, timeout=600,
                              stdin=subprocess.DEVNULL, cwd=self.folder, check=False, **options)

    def measure(self, name, *arguments):
        run = self.cow("--json", name, *arguments)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads((self.folder / name).read_text()), run

    def names(self):
        return sorted(os.listdir(self.folder))


class Lists(InFolder):
    def test_list_has_experiments_and_mechanisms(self):
        run = self.cow("--list")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertRegex(run.stdout, rf"(?m)^ +{ONE} +\S")
        for mechanism in ("eager", "handler", "fork", "boost-private"):
            self.assertRegex(run.stdout, rf"(?m)^ +{mechanism} +\S")
        lines = run.stdout.splitlines()
        self.assertLessEqual(max(map(len, lines)), 80)
        # Whatever one of the experiments has, with these.
        for mechanism in ("bare-signal", "bare-fault", "bare-remap", "handler-clone", "fork-child",
                          "plain-untouched"):
            self.assertRegex(run.stdout, rf"(?m)^ +{mechanism} +\S.*; in \w+")
        # In one column behind every name, the longest too.
        named = [line for line in lines if re.match(r" {3}\S", line)]
        column = max(re.match(r" {3}\S+", line).end() for line in named) + 1
        for line in named:
            self.assertRegex(line[column - 1:column + 1], r" \S", line)
            self.assertNotIn(" ", line[:column].strip(), line)


class Measuring(InFolder):
    def assert_row_is_valid(self, row):
        self.assertLessEqual(ROW_KEYS - set(row), set(), row)
        self.assertEqual(row["name"], f"{row['experiment']}/{row['workload']}/{row['mechanism']}")
        self.assertIn(row["unit"], ("ns", "bytes", "frames", "mappings", "faults"))
        if row["status"] == "measured":
            self.assertGreater(len(row["samples"]), 0)
            self.assertEqual(row["iterations"], len(row["samples"]))
            self.assertEqual(row["reason"], "")
            ordered = sorted(row["samples"])
            self.assertTrue(ordered[0] <= row["median"] <= ordered[-1])
            self.assertTrue(row["interval"][0] <= row["median"] <= row["interval"][1])
            self.assertEqual("real_time" in row, row["unit"] == "ns")
        else:
            self.assertIn(row["status"], ("skipped", "failed"))
            self.assertNotEqual(row["reason"], "")
            self.assertEqual(row["samples"], [])
            self.assertTrue(row["error_occurred"])
            self.assertEqual({"median", "interval", "percentiles", "real_time"} & set(row), set())
            self.assertLessEqual(set(row.get("against", {})), {"mechanism"})

    def assert_is_valid(self, document):
        own = document["context"]["cow_bench"]
        self.assertEqual(own["format"], 1)
        self.assertEqual(own["program"], "cow bench")
        self.assertEqual(document["context"]["executable"], "cow bench")
        self.assertTrue(own["quick"])
        self.assertGreater(own["duration_s"], 0)
        self.assertEqual(own["libcow"]["version"].count("."), 2)
        self.assertRegex(own["libcow"]["commit"], r"^([0-9a-f]{40}|unknown)$")
        self.assertEqual(len(own["noise"]["samples"]), 100)
        self.assertIn("kernel", own["environment"])
        self.assertIn("order_seed", own)
        self.assertNotIn("null", json.dumps(document))
        for rows in ("benchmarks", "quantities", "unmeasured"):
            for row in document.get(rows, []):
                with self.subTest(row=row["name"]):
                    self.assert_row_is_valid(row)

    def test_everything_runs_and_its_result_is_valid(self):
        document, run = self.measure("r.json")
        self.assertEqual(run.stderr, "")
        self.assertTrue(document["context"]["cow_bench"]["complete"])
        self.assert_is_valid(document)
        listed = re.findall(r"(?m)^   (\S+) ", self.cow("--list").stdout.split("Mechanisms")[0])
        rows = sum((document.get(key, []) for key in ("benchmarks", "quantities", "unmeasured")),
                   [])
        self.assertEqual({row["experiment"] for row in rows}, set(listed) - {"trace"})
        failed = [f"{row['name']}: {row['reason']}" for row in rows if row["status"] == "failed"]
        self.assertEqual(failed, [])
        for row in rows:
            self.assertIn(row["mechanism"][:16], run.stdout)
        wide = [line for line in run.stdout.splitlines() if len(line) > 80]
        self.assertEqual(wide, [])
        self.assertEqual(self.names(), ["r.json"])

    def test_only_what_was_asked_for_is_measured(self):
        document, _ = self.measure("r.json", "--only", ONE, "--mechanisms", "eager,handler",
                                   "--seed", "7")
        own = document["context"]["cow_bench"]
        self.assertEqual({row["experiment"] for row in document["benchmarks"]}, {ONE})
        self.assertEqual({row["mechanism"] for row in document["benchmarks"]},
                         {"eager", "handler"})
        self.assertEqual(own["arguments"], ["--json", "r.json", "--only", ONE, "--mechanisms",
                                            "eager,handler", "--seed", "7"])
        self.assertEqual(own["order_seed"], 7)

    def test_quiet_prints_no_table(self):
        run = self.cow("--only", ONE, "--quiet")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertNotIn("median", run.stdout)

    def test_a_terminal_has_a_line_that_is_redrawn_and_then_gone(self):
        primary, secondary = terminal()
        with subprocess.Popen([*COMMAND, "bench", "--only", ONE], stdout=subprocess.DEVNULL,
                              stderr=secondary, cwd=self.folder,
                              env=quick_environment()) as program:
            os.close(secondary)
            drawn = b""
            while True:
                try:
                    part = os.read(primary, 4096)
                except OSError:
                    break
                if not part:
                    break
                drawn += part
        os.close(primary)
        self.assertEqual(program.returncode, 0)
        self.assertNotIn(b"\n", drawn)
        lines = drawn.decode().split("\r")[1:]
        self.assertRegex(lines[0], r"^\[#*\.*\] +\d+ %  \d+:\d\d left  " + ONE)
        self.assertEqual(lines[-1], "\x1b[K")
        self.assertLessEqual(max(len(line.replace("\x1b[K", "")) for line in lines), 79)


    def test_the_output_gets_the_document_and_the_errors_the_tables(self):
        run = self.cow("--only", ONE, "--json", "-")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assert_is_valid(json.loads(run.stdout))
        self.assertIn("median", run.stderr)
        self.assertEqual(self.names(), [])

    def test_what_the_parent_did_to_signals_does_not_matter(self):
        def spoil():
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        run = self.cow("--only", ONE, "--mechanisms", "eager,fork", "--json", "r.json",
                       preexec_fn=spoil)
        self.assertEqual((run.returncode, run.stderr), (0, ""), run.stdout)
        rows = json.loads((self.folder / "r.json").read_text())["benchmarks"]
        self.assertEqual({row["mechanism"] for row in rows}, {"eager", "fork"})

    def test_rows_that_fail_are_said_with_status_1(self):
        if not call_filter.is_possible():
            self.skipTest("no numbers of this machine's system calls")
        run = self.cow("--only", ONE, "--quiet", "--json", "r.json",
                       preexec_fn=call_filter.installer("poll", "EPERM"))
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        self.assertRegex(run.stderr, r"\d+ rows failed; the first is \S+.*: .*poll")
        rows = json.loads((self.folder / "r.json").read_text())["unmeasured"]
        self.assertIn("failed", {row["status"] for row in rows})


class Checks(InFolder):
    def test_a_result_beside_itself_is_no_slower(self):
        document, _ = self.measure("base.json", "--only", ONE)
        measured = [row["name"] for row in document["benchmarks"]]
        # Times that differ as a run's do, and enough of them to tell a difference: two are not.
        for row in document["benchmarks"]:
            row["samples"] = [sample * scale for scale in (0.1, 10) for sample in row["samples"]
                              ] * 10
        (self.folder / "base.json").write_text(json.dumps(document))
        run = self.cow("--check", "base.json")
        self.assert_ends_without_a_change(run)
        self.assertIn("Beside base.json", run.stdout)
        self.assertIn(f"{len(measured)} rows not changed beyond noise", run.stdout)

    def assert_ends_without_a_change(self, run):
        """This machine may be too noisy, and says so then."""
        words = " ".join(run.stdout.split())
        self.assertRegex(words, r"changes below \d+ % are not seen")
        self.assertEqual((run.returncode, run.stderr),
                         (3 if "too noisy to check" in words else 0, ""), run.stdout)

    def test_a_machine_too_noisy_to_check_is_said_with_status_3(self):
        document, _ = self.measure("base.json", "--only", ONE)
        noise = document["context"]["cow_bench"]["noise"]
        noise["samples"] = [sample * factor for sample in noise["samples"] for factor in (1, 1, 9)]
        (self.folder / "base.json").write_text(json.dumps(document))
        run = self.cow("--check", "base.json", "--quiet")
        self.assertEqual((run.returncode, run.stderr), (3, ""), run.stdout)
        words = " ".join(run.stdout.split())
        self.assertRegex(words, r"changes below \d{3,} % are not seen: .* too noisy to check")

    def test_the_mechanisms_of_the_baseline_are_measured_again_and_no_others(self):
        self.measure("base.json", "--only", ONE, "--mechanisms", "eager,handler")
        run = self.cow("--check", "base.json", "--json", "now.json")
        self.assert_ends_without_a_change(run)
        document = json.loads((self.folder / "now.json").read_text())
        self.assertEqual({row["mechanism"] for row in document["benchmarks"]},
                         {"eager", "handler"})
        run = self.cow("--check", "base.json", "--json", "now.json", "--mechanisms", "eager")
        document = json.loads((self.folder / "now.json").read_text())
        self.assertEqual({row["mechanism"] for row in document["benchmarks"]}, {"eager"})

    def test_what_was_not_chosen_is_not_missing(self):
        document, _ = self.measure("base.json", "--only", ONE + ",share")
        rows = document["benchmarks"] + document["unmeasured"]
        self.assertGreater(len({row["mechanism"] for row in rows}), 1)
        chosen = ("--only", ONE, "--mechanisms", "handler", "--check", "base.json")
        run = self.cow(*chosen)
        self.assert_ends_without_a_change(run)
        self.assertNotIn("missing:", run.stdout)
        again = [row for row in document["benchmarks"]
                 if row["experiment"] == ONE and row["mechanism"] == "handler"]
        self.assertIn(f"{len(again)} rows not changed", run.stdout)
        for row in document["benchmarks"]:  # what was chosen and is gone is missing still
            row["workload"] += ", gone"
            row["name"] = "/".join((row["experiment"], row["workload"], row["mechanism"]))
        first = again[0]
        first["workload"] = first["workload"].removesuffix(", gone")
        first["name"] = "/".join((first["experiment"], first["workload"], first["mechanism"]))
        (self.folder / "base.json").write_text(json.dumps(document))
        self.assertEqual(self.cow(*chosen).stdout.count("missing:"), len(again) - 1)
        self.assert_refused(self.cow("--only", "threads", "--check", "base.json"), 2,
                            "nothing of what was chosen")

    def test_what_became_slower_is_said_with_status_1(self):
        document, _ = self.measure("base.json", "--only", ONE)
        row = document["benchmarks"][0]
        for other in document["benchmarks"]:  # as fast as nothing is, and with enough of samples
            other["samples"] = [sample * 1e-6 for sample in other["samples"]] * 40
        (self.folder / "base.json").write_text(json.dumps(document))
        run = self.cow("--check", "base.json", "--quiet")
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        self.assertIn("slower: " + row["name"], " ".join(run.stdout.split()))

    def test_a_bad_baseline_is_refused_before_anything_is_measured(self):
        document, _ = self.measure("base.json", "--only", ONE)
        text = (self.folder / "base.json").read_text()
        (self.folder / "half.json").write_text(text[:len(text) // 2])
        (self.folder / "empty.json").write_text("")
        (self.folder / "other.json").write_text('{"a": 1}')
        document["context"]["cow_bench"]["format"] = 99
        (self.folder / "later.json").write_text(json.dumps(document))
        document["context"]["cow_bench"].update(format=1, full=True)
        (self.folder / "full.json").write_text(json.dumps(document))
        for name, word in (("gone.json", "No such file"), ("half.json", "truncated"),
                           ("empty.json", "empty"), ("other.json", "no result"),
                           ("later.json", "99"), ("full.json", "--full"), (".", "folder")):
            with self.subTest(baseline=name):
                self.assert_refused(self.cow("--check", name), 2, word)
        for name in ("half.json", "gone.json"):
            self.assert_refused(self.cow("--check", name, "--json", "new.json"), 2)
        self.assertNotIn("new.json", self.names())

    def test_the_baseline_is_not_written_over(self):
        self.measure("base.json", "--only", ONE)
        before = (self.folder / "base.json").read_bytes()
        (self.folder / "other.json").symlink_to("base.json")
        os.link(self.folder / "base.json", self.folder / "third.json")
        for name in ("base.json", "./base.json", "other.json", "third.json"):
            with self.subTest(name=name):
                self.assert_refused(self.cow("--check", "base.json", "--json", name), 2,
                                    "same file")
        self.assertEqual((self.folder / "base.json").read_bytes(), before)

    def test_a_baseline_that_was_stopped_is_said_in_the_end(self):
        document, _ = self.measure("base.json", "--only", ONE)
        document["context"]["cow_bench"]["complete"] = False
        (self.folder / "base.json").write_text(json.dumps(document))
        run = self.cow("--check", "base.json")
        self.assert_ends_without_a_change(run)
        self.assertIn("stopped half-way", " ".join(run.stdout.splitlines()[-3:]))

    def test_a_baseline_that_has_no_end_is_refused(self):
        os.mkfifo(self.folder / "pipe")
        for name in ("/dev/zero", "pipe"):
            self.assert_refused(self.cow("--check", name), 2, "no regular file")
        run = self.cow("--check", "W" * 100_000)
        self.assert_refused(run, 2, "File name too long")
        self.assertLess(len(run.stderr), 1000)

    def test_a_baseline_of_other_sizes_is_refused(self):
        self.measure("base.json", "--only", ONE)
        run = self.cow("--check", "base.json", env={**os.environ, "COW_BENCH_QUICK": ""})
        self.assert_refused(run, 2, "COW_BENCH_QUICK")


class Refused(InFolder):
    def test_unknown_names_are_refused_with_what_was_meant(self):
        self.assert_refused(self.cow("--only", "clnoe"), 2, "clnoe", "did you mean clone?")
        self.assert_refused(self.cow("--only", "zzzzzzzz"), 2, "there is: ", ONE)
        self.assert_refused(self.cow("--mechanisms", "handlr"), 2, "did you mean handler?")
        names = re.findall(r"(?m)^   (\S+) ", self.cow("--list").stdout.split("Mechanisms")[1])
        for name in (name for name in names if "bare" in name or "plain" in name):
            self.assert_refused(self.cow("--only", ONE, "--mechanisms", name), 2,
                                f"no experiment that was chosen has {name}")
        self.assert_refused(self.cow("--lits"), 2, "did you mean --list?")
        self.assert_refused(self.cow("--only", ONE, "--trace", "t"), 2, "trace")
        self.assert_refused(self.cow("--only", "trace"), 2, "needs --trace FILE")
        self.assert_refused(self.cow("--trace", "gone.cowtrace"), 1, "gone.cowtrace")

    def test_what_is_no_seed_is_said(self):
        for seed in ("-1", "99999999999999999999999", "", "1.5", "0x10", "a"):
            with self.subTest(seed=seed):
                self.assert_refused(self.cow("--only", ONE, "--seed", seed), 2, "no seed",
                                    str(2**64 - 1))

    def test_a_file_without_a_name_is_refused_before_the_work(self):
        started = time.monotonic()
        self.assert_refused(self.cow("--only", ONE, "--json", ""), 2, "--json", "names no file")
        self.assertLess(time.monotonic() - started, 60)

    def test_a_file_that_cannot_be_written_is_said_before_the_work(self):
        self.assert_refused(self.cow("--json", "no/such/folder.json"), 1, "no/such/folder.json")
        self.assert_refused(self.cow("--json", "."), 1, "directory")
        if os.geteuid() != 0:
            (self.folder / "shut").touch(0o444)
            self.assert_refused(self.cow("--json", "shut"), 1, "shut")
        self.assertEqual([name for name in self.names() if name != "shut"], [])

    def test_a_full_disk_at_the_end_leaves_the_table(self):
        run = self.cow("--only", ONE, "--json", "/dev/full")
        self.assertEqual(run.returncode, 1)
        self.assertIn("'/dev/full' cannot be written (No space left", run.stderr)
        self.assertIn("median", run.stdout)

    def test_too_small_a_disk_is_said_before_the_work(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        self.assert_refused(self.cow("--only", ONE, "--json", "r.json", preexec_fn=limit), 1,
                            "r.json", "File too large")
        self.assertEqual(self.names(), [])

    def test_a_full_output_is_said_and_the_file_is_there(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            run = self.cow("--only", ONE, "--json", "r.json", capture_output=False, stdout=full,
                           stderr=subprocess.PIPE)
        self.assert_refused(run, 1, "the output cannot be written")
        json.loads((self.folder / "r.json").read_text())


if __name__ == "__main__":
    sys.exit(main(__doc__))

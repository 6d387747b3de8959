#!/usr/bin/env python3
"""Runs `cow trace` and `cow report` as their users do: on programs that use libcow and on others.

usage: tool_trace_test.py <path of cow> <path of cow_traced, a program that uses libcow>
"""
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from program import COMMAND, Refusals, main

HEADER_BYTES = 512
EVENT_BYTES = 136
MISSING = re.compile(r"^ +(lost|cut off|unfinished|unreadable|misfits|in doubt) ", re.MULTILINE)


def traced():
    return COMMAND[1]


class Replay:
    """Replays a trace's JSON page by page, in the plainest way: see docs/trace.md."""

    def __init__(self):
        self.spaces = {}  # (pid, number): [family, [(frame, writable)]]

    def apply(self, event):
        pid, kind = event["pid"], event["kind"]
        if kind in ("region_made", "snapshot_made"):
            pages = [(None, False)] * event["pages"]
            if event["other"] is not None:
                pages = list(self.read_only((pid, event["other"])))
            self.spaces[pid, event["space"]] = [event["family"], pages]
        elif kind in ("region_gone", "snapshot_gone"):
            del self.spaces[pid, event["space"]]
        elif kind == "restored":
            self.spaces[pid, event["space"]][1] = list(self.read_only((pid, event["other"])))
        for number, first, count, file, slot, look in event.get("entries", []):
            pages = self.spaces[pid, number][1]
            for i in range(count):
                pages[first + i] = ((None, False) if look == "zero" else
                                    ((file, slot + i), look == "writable"))
        if kind == "process_forked" and event["other"] is not None:
            for key in [key for key in self.spaces if key[0] == event["other"]]:
                del self.spaces[key]  # of an earlier process with this pid
            for (owner, number), (family, pages) in list(self.spaces.items()):
                if owner == pid:
                    self.spaces[event["other"], number] = [family, list(pages)]

    def read_only(self, key):
        self.spaces[key][1] = [(frame, False) for frame, _ in self.spaces[key][1]]
        return self.spaces[key][1]

    def counts(self, pid, family):
        frames, writable = {}, 0
        for (owner, _), (its_family, pages) in self.spaces.items():
            if (owner, its_family) != (pid, family):
                continue
            for frame, is_writable in pages:
                writable += is_writable
                if frame is not None:
                    frames[frame] = frames.get(frame, 0) + 1
        return {"frames": len(frames), "writable": writable,
                "shared": sum(count > 1 for count in frames.values())}


class InFolder(Refusals):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def cow(self, *arguments, stdin="", timeout=300):
        return subprocess.run([COMMAND[0], *map(str, arguments)], input=stdin, capture_output=True,
                              text=True, errors="replace", timeout=timeout, cwd=self.folder,
                              check=False)

    def names(self):
        return sorted(os.listdir(self.folder))

    def record(self, *command, name="t"):
        run = self.cow("trace", "-o", name, "--", *command)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn(f"is recorded in '{name}'", run.stderr)
        self.assertIsNone(MISSING.search(run.stderr), run.stderr)
        return run

    def json_of(self, name="t"):
        run = self.cow("report", name, "--json", "-")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return json.loads(run.stdout)


class Recording(InFolder):
    def test_a_program_runs_as_without_and_leaves_a_trace(self):
        run = self.record(traced())
        self.assertEqual(run.stdout, "")
        for word in ("events ", "faults ", "copied ", "frames ", "cow report t"):
            self.assertIn(word, run.stderr)
        self.assertEqual(self.names(), ["t"])

    def test_without_a_name_the_trace_has_the_programs(self):
        run = self.cow("trace", "--", traced())
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.names(), [Path(traced()).name + ".cowtrace"])

    def test_who_replays_the_json_counts_what_libcow_counted(self):
        for name, command in (("one", [traced()]),
                              ("store", [COMMAND[0], "demo", "one-store", "--plain"]),
                              ("fork", [COMMAND[0], "demo", "fork", "--plain"]),
                              ("rollback", [COMMAND[0], "demo", "rollback", "--plain"]),
                              ("tree", [COMMAND[0], "demo", "tree", "--plain"])):
            with self.subTest(program=name):
                self.record(*command, name=name)
                document = self.json_of(name)
                self.assertEqual(document["trace"]["misfits"], 0)
                replay, faults = Replay(), 0
                for event in document["events"]:
                    replay.apply(event)
                    faults += event["kind"] == "fault"
                    if "after" in event:
                        self.assertEqual(replay.counts(event["pid"], event["family"]),
                                         event["after"], event)
                if os.environ.get("COW_MECHANISM", "handler") == "handler":
                    self.assertGreater(faults, 0)

    def test_each_page_that_is_copied_has_its_own_fault(self):
        if os.environ.get("COW_MECHANISM", "handler") != "handler":
            self.skipTest("the kernel copies, and no store faults")
        unseen = re.compile(r"^ +unseen +\d+ of \d+ copied pages had no fault", re.MULTILINE)
        run = self.record(traced(), "in-order")
        self.assertIsNone(unseen.search(run.stderr), run.stderr)
        self.assertEqual(self.json_of()["trace"]["warnings"], [])
        run = self.cow("trace", "--windows", "-o", "w", "--", traced(), "in-order")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stderr, unseen)
        [warning] = self.json_of("w")["trace"]["warnings"]
        self.assertRegex(warning, r"^\d+ of \d+ copied pages had no fault of their own: ")

    def test_a_child_process_is_in_the_trace(self):
        self.record(COMMAND[0], "demo", "fork", "--plain")
        self.assertEqual(len(self.json_of()["trace"]["processes"]), 2)

    def test_perfetto_has_a_slice_for_each_fault(self):
        self.record(traced())
        run = self.cow("report", "t", "--perfetto", "p.json")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        events = json.loads((self.folder / "p.json").read_text())["traceEvents"]
        faults = [event for event in events if event["name"] == "fault" and event["ph"] == "X"]
        kinds = [event["kind"] for event in self.json_of()["events"]]
        self.assertEqual(len(faults), kinds.count("fault"))
        self.assertIn("process_name", [event["name"] for event in events])

    def test_the_text_is_ascii_and_fits_80_columns(self):
        self.record(COMMAND[0], "demo", "snapshot", "--plain")
        run = self.cow("report", "t")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertTrue(run.stdout.isascii())
        self.assertLessEqual(max(map(len, run.stdout.splitlines())), 80, run.stdout)
        for word in ("--perfetto", "The dearest faults", "What was copied when"):
            self.assertIn(word, run.stdout)

    def test_events_beyond_the_room_are_counted(self):
        run = self.cow("trace", "-o", "t", "--events", 3, "--", traced())
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertRegex(run.stderr, r"lost +\d+ records at the end: there was room for 3")

    def test_a_name_may_have_anything_in_it_and_the_program_may_change_its_folder(self):
        name = "a %p 100% trace"
        run = self.cow("trace", "-o", name, "--", "sh", "-c", f"cd /; exec {traced()}")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.names(), [name])

    def test_an_earlier_trace_is_replaced_by_a_new_one_and_by_nothing_else(self):
        self.record(traced())
        first = (self.folder / "t").read_bytes()
        for command in (["true"], ["no such program"]):
            self.cow("trace", "-o", "t", "--", *command)
            self.assertEqual((self.folder / "t").read_bytes(), first)
        self.record(traced())
        self.assertNotEqual((self.folder / "t").read_bytes(), first)


class Programs(InFolder):
    def test_input_output_and_exit_code_are_the_programs(self):
        run = self.cow("trace", "--", "sh", "-c", "cat; exit 7", stdin="hello")
        self.assertEqual((run.returncode, run.stdout), (7, "hello"))
        run = self.cow("trace", "--", "printf", "%s,", "--", "-o", "x")
        self.assertEqual(run.stdout, "--,-o,x,")

    def test_a_program_without_libcow_leaves_no_file(self):
        self.assert_refused(self.cow("trace", "--", "true"), 0, "'true' made no trace", "libcow")
        self.assertEqual(self.names(), [])

    def test_what_cannot_be_run_ends_as_in_a_shell(self):
        self.assert_refused(self.cow("trace", "--", "nonesuch"), 127, "no program 'nonesuch'")
        self.assert_refused(self.cow("trace", "--", "./none"), 127, "no program './none'")
        script = self.folder / "script"
        script.write_text("#!/no/such/interpreter\n")
        self.assert_refused(self.cow("trace", "--", "./script"), 126, "cannot be run")
        script.chmod(0o755)
        self.assert_refused(self.cow("trace", "--", "./script"), 127, "interpreter")
        self.assert_refused(self.cow("trace", "--", "."), 126, "cannot be run")
        self.assertEqual(self.names(), ["script"])

    def test_a_signal_is_said_and_becomes_the_exit_code(self):
        run = self.cow("trace", "--", "sh", "-c", "kill -SEGV $$")
        self.assertEqual(run.returncode, 128 + signal.SIGSEGV)
        self.assertIn("cow: signal 11 (Segmentation fault) ended 'sh'\n", run.stderr)

    def test_what_was_recorded_until_a_signal_is_there(self):
        run = self.cow("trace", "-o", "t", "--", "sh", "-c", f"{traced()}; kill -KILL $$")
        self.assertEqual(run.returncode, 128 + signal.SIGKILL)
        self.assertIn("is recorded in 't'", run.stderr)

    def test_a_signal_to_cow_goes_to_the_program(self):
        with subprocess.Popen([COMMAND[0], "trace", "--", "sh", "-c", "echo; exec sleep 600"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              cwd=self.folder) as process:
            process.stdout.readline()  # it runs
            process.terminate()
            self.assertEqual(process.wait(60), 128 + signal.SIGTERM)
            self.assertIn("ended 'sh'", process.stderr.read())

    def test_control_c_ends_the_program_and_cow_reports(self):
        pid, terminal = pty.fork()
        if pid == 0:
            try:
                os.chdir(self.folder)
                os.execv(COMMAND[0], [COMMAND[0], "trace", "-o", "t", "--", "sh", "-c",
                                      f"{traced()}; echo ready; exec sleep 600"])
            finally:
                os._exit(125)  # the tests that follow are the parent's
        output = b""
        try:
            while b"ready" not in output:
                output += os.read(terminal, 4096)
            os.write(terminal, b"\x03")
            while True:
                piece = os.read(terminal, 4096)
                if not piece:
                    break
                output += piece
        except OSError:
            pass  # the end of a terminal's output is an error on Linux
        finally:
            os.close(terminal)
        _, status = os.waitpid(pid, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 128 + signal.SIGINT, output)
        self.assertIn(b"is recorded in 't'", output)


class CommandLine(InFolder):
    def test_help(self):
        for verb in ("trace", "report"):
            run = self.cow(verb, "--help")
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            self.assertIn(f"Usage: cow {verb}", run.stdout)

    def test_a_forgotten_program_or_separator(self):
        self.assert_refused(self.cow("trace"), 2, "cow trace -- PROGRAM")
        self.assert_refused(self.cow("trace", "--"), 2, "cow trace -- PROGRAM")
        self.assert_refused(self.cow("trace", "-o", "x", "ls", "-l"), 2, "cow trace -- ls -l")
        self.assert_refused(self.cow("trace", "--windows", "ls"), 2, "cow trace -- ls")
        self.assert_refused(self.cow("trace", "--windows"), 2, "cow trace -- PROGRAM")
        self.assert_refused(self.cow("trace", "ls", "--", "-l"), 2, "cow trace -- ls")
        self.assert_refused(self.cow("trace", "--evnts", "5", "--", "ls"), 2, "--events")
        self.assert_refused(self.cow("trace", "--events", "0", "--", "ls"), 2, "--events")
        self.assert_refused(self.cow("report"), 2, "FILE")

    def test_where_no_trace_can_be_written_the_program_does_not_run(self):
        (self.folder / "letter").write_text("dear friend")
        (self.folder / "folder").mkdir()
        for name, words in (("letter", "is no trace; it is left alone"),
                            ("/dev/full", "is no trace"),
                            ("folder", "Is a directory"),
                            ("none/t", "No such file or directory"),
                            ("/proc/t", "cannot be written")):
            with self.subTest(name=name):
                run = self.cow("trace", "-o", name, "--", "touch", "ran")
                self.assert_refused(run, 1, name, words, "-o")
        self.assertEqual(self.names(), ["folder", "letter"])
        self.assertEqual((self.folder / "letter").read_text(), "dear friend")

    def test_a_trace_that_the_file_system_has_no_room_for(self):
        events = 4 << 20
        room = os.statvfs(self.folder)
        if room.f_bavail * room.f_frsize > events * EVENT_BYTES:
            self.skipTest("there is room for the largest trace")
        run = self.cow("trace", "--events", events, "--", "touch", "ran")
        self.assert_refused(run, 1, "--events")


class Reports(InFolder):
    def assert_says(self, run):
        """Either a report, or one sentence."""
        if run.returncode == 0:
            self.assertRegex(run.stdout, "events|traceEvents")
            self.assertEqual(run.stderr, "")
        else:
            self.assert_refused(run, 1)

    def test_what_is_no_trace(self):
        (self.folder / "text").write_text("hello")
        (self.folder / "empty").touch()
        (self.folder / "results").write_text('{"program": "cow", "command": "bench"}')
        depth = 100_000
        (self.folder / "deep").write_text('{"program": "cow", "command": "demo", "chapters": ' +
                                          "[" * depth + "]" * depth + "}")
        os.mkfifo(self.folder / "pipe")
        for name, words in (("text", "is not a trace"), ("empty", "is empty"),
                            ("none", "does not exist"), ("pipe", "is not a regular file"),
                            (".", "is a directory"), ("results", "is a result of cow bench"),
                            ("deep", "is not a trace")):
            with self.subTest(name=name):
                self.assert_refused(self.cow("report", name, timeout=20), 1, name, words)

    def test_a_trace_is_not_written_over_by_its_report(self):
        self.record(traced())
        before = (self.folder / "t").read_bytes()
        os.link(self.folder / "t", self.folder / "same")
        for options in (["--json", "t"], ["--perfetto", "same"], ["-o", "./t"],
                        ["--json", "x", "--perfetto", "x"]):
            with self.subTest(options=options):
                self.assert_refused(self.cow("report", "t", *options), 2, "same file")
        self.assertEqual((self.folder / "t").read_bytes(), before)
        self.assertEqual(self.names(), ["same", "t"])

    def test_a_trace_that_is_cut_off_anywhere(self):
        self.record(traced())
        whole = (self.folder / "t").read_bytes()
        for size in (1, 8, 100, HEADER_BYTES, HEADER_BYTES + 1, HEADER_BYTES + EVENT_BYTES * 2,
                     HEADER_BYTES + EVENT_BYTES * 3 - 1):
            (self.folder / "cut").write_bytes(whole[:size])
            for options in ([], ["--json", "-"], ["--perfetto", "-"]):
                with self.subTest(size=size, options=options):
                    self.assert_says(self.cow("report", "cut", *options))

    def test_a_trace_that_is_being_written(self):
        environment = {**os.environ, "COW_TRACE": str(self.folder / "t")}
        with subprocess.Popen([COMMAND[0], "demo", "snapshot", "--plain"], env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as program:
            while not (self.folder / "t").exists() and program.poll() is None:
                time.sleep(0.01)
            reports = 0
            while program.poll() is None:
                self.assert_says(self.cow("report", "t"))
                reports += 1
        self.assertEqual(program.returncode, 0)
        self.assert_says(self.cow("report", "t"))
        self.assertGreater(reports, 0)

    def test_one_trace_an_export(self):
        self.record(traced())
        for option in ("-o", "--json", "--perfetto"):
            self.assert_refused(self.cow("report", "t", "t", option, "x"), 2, "one trace at a time")
        run = self.cow("report", "t", "t")
        self.assertEqual(run.returncode, 0)
        self.assertEqual(run.stdout.count("The dearest faults"), run.stdout.count("t\n=\n"))

    def test_an_export_that_cannot_be_written(self):
        self.record(traced())
        for option in ("--json", "--perfetto"):
            self.assert_refused(self.cow("report", "t", option, "/dev/full"), 1,
                                "No space left", option)
            self.assert_refused(self.cow("report", "t", option, "none/x"), 1, "none/x", option)
        with open("/dev/full", "w", encoding="utf-8") as full:
            run = subprocess.run([COMMAND[0], "report", "t"], stdout=full, stderr=subprocess.PIPE,
                                 text=True, cwd=self.folder, check=False)
        self.assert_refused(run, 1, "No space left")

    def test_what_cow_demo_recorded_is_for_pages_alone(self):
        run = self.cow("demo", "one-store", "--plain", "--json", "chapter.json")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assert_refused(self.cow("report", "chapter.json"), 2, "-o OUT.html")
        self.assert_refused(self.cow("report", "chapter.json", "--perfetto", "x"), 2, "-o OUT.html")


if __name__ == "__main__":
    sys.exit(main("usage: tool_trace_test.py <path of cow> <path of cow_traced>"))

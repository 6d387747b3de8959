#!/usr/bin/env python3
"""Runs the program `cow` as its users do and checks what it says.

usage: tool_demo_test.py <path of cow> [arguments before which `cow` is run, for an emulator:
       tool_demo_test.py qemu-aarch64 -L /usr/aarch64-linux-gnu <path of cow>]
"""
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from program import COMMAND, Refusals, main

FRACTIONS = [0.001, 0.01, 0.1, 1.0]
STEPS = ["page_fault", "allocate", "copy", "map", "return"]


def cow(*arguments, **environment):
    return subprocess.run([*COMMAND, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace", timeout=600,
                          env={**os.environ, **environment}, check=False)


class Demo(unittest.TestCase):
    """One run each for the default file and for a small file."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        folder = Path(cls.folder.name)
        # Not a whole number of pages, whatever their size.
        cls.small = folder / "small.bin"
        cls.small.write_bytes(bytes(i * 7 % 251 for i in range(300_001)))
        cls.runs = {}
        for name, arguments in (("default", []), ("small", ["--file", cls.small])):
            output = folder / f"{name}.json"
            run = cow("demo", *arguments, "--json", output)
            if run.returncode != 0:
                raise AssertionError(f"cow demo {arguments}: {run.returncode}\n"
                                     f"{run.stdout}\n{run.stderr}")
            cls.runs[name] = (run, json.loads(output.read_text(encoding="utf-8")))

    def each(self):
        for name, (run, result) in self.runs.items():
            with self.subTest(file=name):
                yield run, result

    def test_nothing_goes_to_stderr_and_no_escape_sequence_into_a_pipe(self):
        for run, _ in self.each():
            self.assertEqual(run.stderr, "")
            self.assertNotIn("\x1b", run.stdout)

    def test_the_output_is_ascii_and_fits_80_columns(self):
        for run, _ in self.each():
            self.assertTrue(run.stdout.isascii())
            self.assertLessEqual(max(map(len, run.stdout.splitlines())), 80)

    def test_the_steps_are_numbered(self):
        for run, _ in self.each():
            numbers = re.findall(r"^(\d+)\. ", run.stdout, re.MULTILINE)
            self.assertEqual(numbers, [str(i + 1) for i in range(len(numbers))])
            self.assertGreaterEqual(len(numbers), 5)

    def test_the_file_is_the_one_that_was_named_or_a_large_one(self):
        _, default = self.runs["default"]
        self.assertTrue(default["file"]["chosen_by_default"])
        self.assertGreaterEqual(default["file"]["file_bytes"], 1 << 20)
        self.assertEqual(default["file"]["file_bytes"], os.stat(default["file"]["path"]).st_size)
        _, small = self.runs["small"]
        self.assertFalse(small["file"]["chosen_by_default"])
        self.assertEqual(small["file"]["path"], str(self.small))
        self.assertEqual(small["file"]["bytes_used"], 300_001)

    def test_one_store_copied_one_page_of_the_clone_and_left_the_original(self):
        for _, result in self.each():
            store = result["store"]
            self.assertEqual(store["address"], store["fault_address"])
            self.assertEqual(store["pages_copied"], 1)
            self.assertEqual(store["pages_taken"], 1)
            self.assertEqual(store["before"]["state"], "shared")
            self.assertEqual(store["after"]["state"], "private")
            self.assertEqual(store["after"]["value"], store["stored"])
            self.assertNotEqual(store["before"]["value"], store["stored"])
            self.assertEqual(store["original_after"], store["before"]["value"])
            self.assertEqual(store["original_before"], store["before"]["value"])

    def test_the_byte_is_the_one_of_the_file(self):
        for _, result in self.each():
            store = result["store"]
            with open(result["file"]["path"], "rb") as file:
                file.seek(store["page"] * result["page_bytes"] + store["offset_in_page"])
                self.assertEqual(store["before"]["value"], file.read(1)[0])

    def test_the_store_is_in_the_function_that_is_named(self):
        for _, result in self.each():
            self.assertTrue(result["store"]["function"].startswith("store_one_byte + 0x"))

    def test_the_error_code_says_write(self):
        for _, result in self.each():
            code = result["store"]["error_code"]
            if code is None:  # emulators have no record
                self.assertIn("no record", self.runs["default"][0].stdout)
            elif result["architecture"] == "x86-64":
                self.assertEqual(code["fields"]["W"], 1)
                self.assertEqual(code["fields"]["U"], 1)
            elif result["architecture"] == "arm64":
                self.assertEqual(code["fields"]["EC"], 0x24)
                self.assertEqual(code["fields"]["WnR"], 1)

    def test_the_kernel_agrees_about_the_frame_before_and_after(self):
        for run, result in self.each():
            store = result["store"]
            self.assertNotEqual(store["file_offset_before"], store["file_offset_after"])
            for when in ("before", "after"):
                self.assertEqual(store[when]["file_offset"], store[f"file_offset_{when}"])
                line, slash, name = store[when]["maps_line"].partition("/")
                self.assertIn(line.strip() + "\n", run.stdout)
                self.assertIn(f"its file     {slash}{name}\n", run.stdout)
            self.assertEqual(store["before"]["maps_line"].split()[1], "r--s")
            self.assertEqual(store["after"]["maps_line"].split()[1], "rw-s")

    def test_the_steps_of_the_store_add_up(self):
        for _, result in self.each():
            times = result["store"]["times_ns"]
            self.assertEqual(sum(times[step] for step in STEPS), times["total"])
            for step in STEPS:
                self.assertGreater(times[step], 0, step)
            self.assertEqual(times["page_fault"], sum(times["page_fault_parts"].values()))
            self.assertGreaterEqual(result["store"]["repeats"], 10)
            self.assertGreater(result["store"]["median_times_ns"]["total"], 0)

    def test_the_table_has_a_row_for_each_fraction(self):
        for run, result in self.each():
            comparison = result["comparison"]
            self.assertGreaterEqual(comparison["region_bytes"], 64 << 20)
            rows = comparison["rows"]
            self.assertEqual([row["fraction"] for row in rows], FRACTIONS)
            pages = -(-comparison["region_bytes"] // result["page_bytes"])
            for row in rows:
                self.assertAlmostEqual(row["pages_edited"], max(1, pages * row["fraction"]),
                                       delta=1)
                for mode in ("lazy", "eager"):
                    cost = row[mode]
                    self.assertGreater(cost["clone_ns"], 0)
                    self.assertEqual(cost["clone_ns"] + cost["edit_ns"], cost["total_ns"])
                totals = {mode: row[mode]["total_ns"] for mode in ("lazy", "eager")}
                if row["winner"] != "draw":
                    self.assertEqual(row["winner"], min(totals, key=totals.get))
                self.assertAlmostEqual(row["ratio"], max(totals.values()) / min(totals.values()),
                                       places=3)
                self.assertRegex(run.stdout, rf"(?m)^\s*{row['fraction'] * 100:g} % ")

    def test_a_lazy_clone_takes_memory_for_what_was_edited_an_eager_one_for_everything(self):
        for _, result in self.each():
            comparison = result["comparison"]
            for row in comparison["rows"]:
                edited = row["pages_edited"] * result["page_bytes"]
                self.assertGreaterEqual(row["lazy"]["memory_bytes"], edited)
                self.assertGreaterEqual(row["eager"]["memory_bytes"], comparison["region_bytes"])
            self.assertLess(comparison["rows"][0]["lazy"]["memory_bytes"],
                            comparison["region_bytes"] // 10)

    def test_every_byte_of_every_side_was_compared(self):
        for _, result in self.each():
            check = result["check"]
            self.assertTrue(check["passed"])
            self.assertEqual(check["mismatches"], [])
            comparison = result["comparison"]
            sides = 3 * len(comparison["rows"]) * comparison["runs"]
            self.assertEqual(check["bytes_compared"], sides * comparison["region_bytes"] +
                             2 * result["file"]["bytes_used"])


class CommandLine(Refusals):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.one_byte = self.folder / "one byte"
        self.one_byte.write_bytes(b"x")

    def test_version_and_help(self):
        lines = cow("--version").stdout.splitlines()
        self.assertRegex(lines[0], r"^cow \d+\.\d+\.\d+$")
        parts = dict(line.split(": ", 1) for line in lines[1:])
        self.assertEqual(f"cow {parts['version']}", lines[0])
        self.assertLessEqual({"commit", "compiler", "xxHash", "Boost", "CLI11", "fmt", "ncurses"},
                             set(parts))
        for arguments in (["--help"], ["demo", "--help"]):
            run = cow(*arguments)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            self.assertIn("Usage: cow", run.stdout)
        for option in ("--file", "--json", "--page", "--color"):
            self.assertIn(option, cow("demo", "--help").stdout)

    def test_usage_errors_are_2(self):
        for arguments in ([], ["no-such-command"], ["demo", "--no-such-option"], ["demo", "more"],
                          ["demo", "--file"], ["demo", "--page", "x"], ["demo", "--page", "-1"],
                          ["demo", "--size", "0"], ["demo", "--size", "257M"],
                          ["demo", "--size", "12q"], ["demo", "--color", "pink"]):
            with self.subTest(arguments=arguments):
                self.assert_refused(cow(*arguments), 2)

    def test_a_page_past_the_end_is_refused_with_the_range(self):
        run = cow("demo", "--file", self.one_byte, "--page", 1)
        self.assert_refused(run, 2, "page 1", "0 to 0", str(self.one_byte))

    def test_a_region_has_the_size_that_was_asked_for(self):
        for size, size_bytes in (("1", 1), ("10000", 10000), ("1M", 1 << 20)):
            with self.subTest(size=size):
                output = self.folder / "sized.json"
                run = cow("demo", "--file", self.one_byte, "--size", size, "--json", output)
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                result = json.loads(output.read_text())
                self.assertEqual(result["file"]["bytes_used"], size_bytes)
                self.assertEqual(result["comparison"]["region_bytes"], size_bytes)
                run = cow("demo", "one-store", "--size", size, "--json", output)
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                pages = -(-size_bytes // result["page_bytes"])
                steps = json.loads(output.read_text())["chapters"][0]["steps"]
                self.assertEqual(steps[0]["regions"][0]["pages"], pages)

    def test_files_that_cannot_be_read_are_refused_in_one_sentence(self):
        empty = self.folder / "empty"
        empty.touch()
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        for path, words in ((self.folder / "missing", "does not exist"), (empty, "is empty"),
                            (self.folder, "is a directory"), (pipe, "is not a regular file")):
            with self.subTest(path=path):
                self.assert_refused(cow("demo", "--file", path), 1, str(path), words, "--file")

    @unittest.skipIf(os.geteuid() == 0, "root may read every file")
    def test_a_file_without_permission_is_refused(self):
        self.one_byte.chmod(stat.S_IWUSR)
        self.assert_refused(cow("demo", "--file", self.one_byte), 1, "Permission denied")

    def test_a_command_or_option_that_is_not_there_is_told_what_was_meant(self):
        for arguments, words in ((["dmo"], "did you mean demo?"), (["dem"], "did you mean demo?"),
                                 (["demo", "--pages", "3"], "did you mean --page?"),
                                 (["demo", "--page=1", "--flie=x"], "did you mean --file?"),
                                 (["--versoin"], "did you mean --version?")):
            with self.subTest(arguments=arguments):
                self.assert_refused(cow(*arguments), 2, words, "--help")
        for arguments in (["quantum"], ["demo", "--quantum"]):
            with self.subTest(arguments=arguments):
                run = cow(*arguments)
                self.assert_refused(run, 2, "there is no", "quantum")
                self.assertNotIn("mean", run.stderr)

    def refused_json(self, path, **more):
        run = cow("demo", "--file", self.one_byte, "--json", path, **more)
        self.assert_refused(run, 1, str(path), "--json")
        self.assertEqual(run.stdout, "")

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_a_json_file_that_cannot_be_written_is_refused_before_the_work(self):
        before = self.names()
        for path in (self.folder, self.folder / "missing" / "x.json", "/proc/x.json"):
            with self.subTest(path=path):
                self.refused_json(path)
        self.assertEqual(self.names(), before)

    def test_a_json_file_is_left_alone_when_the_work_fails_or_nothing_can_be_written(self):
        output = self.folder / "x.json"
        output.write_text("before")
        self.assertEqual(cow("demo", "--file", "missing", "--json", output).returncode, 1)
        self.assertEqual(output.read_text(), "before")
        run = cow("demo", "--file", self.one_byte, "--json", "/dev/full")
        self.assertEqual(run.returncode, 1)
        self.assertIn("cannot be written (No space left on device)", run.stderr)
        self.assertEqual(self.names(), ["one byte", "x.json"])
        self.assertEqual(cow("demo", "--file", "missing", "--json", self.folder / "new").returncode,
                         1)
        self.assertEqual(self.names(), ["one byte", "x.json"])

    def test_a_json_file_keeps_its_mode_and_its_other_names(self):
        output, link = self.folder / "x.json", self.folder / "link"
        output.write_text("before")
        output.chmod(0o640)
        link.symlink_to(output.name)
        for path in (output, link):
            run = cow("demo", "--file", self.one_byte, "--json", path)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            self.assertEqual(json.loads(output.read_text())["program"], "cow")
            self.assertEqual(stat.S_IMODE(output.stat().st_mode), 0o640)
            output.write_text("before")
        self.assertTrue(link.is_symlink())
        link.unlink()
        os.link(output, link)
        self.assertEqual(cow("demo", "--file", self.one_byte, "--json", link).returncode, 0)
        self.assertEqual(json.loads(output.read_text())["program"], "cow")
        self.assertEqual(self.names(), ["link", "one byte", "x.json"])

    @unittest.skipIf(os.geteuid() == 0, "root may write every file")
    def test_a_json_file_without_permission_is_refused_before_the_work(self):
        output = self.folder / "x.json"
        output.touch(0o400)
        self.refused_json(output)

    def test_a_full_disk_is_reported(self):
        if not Path("/dev/full").exists():
            self.skipTest("no /dev/full")
        with open("/dev/full", "w", encoding="utf-8") as full:
            run = subprocess.run([*COMMAND, "demo", "--file", str(self.one_byte)], stdout=full,
                                 stderr=subprocess.PIPE, text=True, timeout=600, check=False)
        self.assert_refused(run, 1, "No space left")

    def test_color_when_asked_for_and_a_file_of_one_byte(self):
        run = cow("demo", "--file", self.one_byte, "--color", "always", NO_COLOR="1")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("\x1b[", run.stdout)
        self.assertIn("1 byte in 1 page", run.stdout)


if __name__ == "__main__":
    sys.exit(main(__doc__))

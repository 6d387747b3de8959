#!/usr/bin/env python3
"""Runs `cow report` on made-up results, as its users do: text, a page, pictures, Markdown, and what
it refuses. The page's template is a pretence: page_test.py looks at the real one.

usage: tool_report_test.py <path of cow> [arguments before which `cow` is run, for an emulator:
       tool_report_test.py qemu-aarch64 -L /usr/aarch64-linux-gnu <path of cow>]
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from pathlib import Path

import made_results as made
from program import COMMAND, Refusals, main

SVG = "{http://www.w3.org/2000/svg}"
BEFORE, AFTER = "<script>", "</script>"
UNITS = {"ns": 1, "us": 1e3, "\u00b5s": 1e3, "ms": 1e6, "s": 1e9}


class Report(Refusals):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        program = self.folder / "programs"
        (program / "bin").mkdir(parents=True)
        (program / "share/libcow").mkdir(parents=True)
        self.program = program / "bin/cow"
        shutil.copy2(COMMAND[-1], self.program)
        (program / "share/libcow/page.html").write_text(f"{BEFORE}@COW_DATA@{AFTER}")
        self.work = self.folder / "work"
        self.work.mkdir()

    def report(self, *arguments, stdout=subprocess.PIPE):
        return subprocess.run([*COMMAND[:-1], self.program, "report", *map(str, arguments)],
                              stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                              text=True, errors="replace", timeout=300, cwd=self.work, check=False)

    def write(self, name, document):
        (self.work / name).write_text(json.dumps(document), encoding="utf-8")
        return document

    def succeeds(self, *arguments):
        run = self.report(*arguments)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return run.stdout

    def page(self, name):
        text = (self.work / name).read_text(encoding="utf-8")
        self.assertTrue(text.startswith(BEFORE) and text.endswith(AFTER))
        return json.loads(text[len(BEFORE):-len(AFTER)])

    def names(self):
        return sorted(path.name for path in self.work.iterdir())


class Results(Report):
    def setUp(self):
        super().setUp()
        self.document = self.write("a.json", made.everything())

    def medians(self):
        return {row["name"]: row["median"] for row in self.document["benchmarks"]
                if row["status"] == "measured"}

    def test_the_text_is_ascii_fits_80_columns_and_says_what_to_take(self):
        text = self.succeeds("a.json")
        self.assertTrue(text.isascii())
        self.assertLessEqual(max(map(len, text.splitlines())), 80, text)
        words = " ".join(text.split())
        for expected in ("take libcow, handler", "between 10 % and 50 % (about 12.5 %)",
                         "2026-11-29 15:00 UTC",
                         "10 rows skipped of libcow, kernel: This kernel is older than 6.7.",
                         "AMD EPYC; 2 cores; Linux 6.18.1", "libcow 0.9.0 4f1c0a7"):
            self.assertIn(expected, words)

    def test_the_page_has_the_documents_and_every_point_is_a_median_of_them(self):
        self.assertEqual(self.succeeds("a.json", "-o", "a.html"), "")
        page = self.page("a.html")
        self.assertEqual(page["kind"], "results")
        self.assertEqual(page["results"][0]["document"], self.document)
        self.assertEqual((page["changes"], page["missing"]), ([], []))
        self.assertEqual(len(page["advice"]), 4)
        self.assertGreater(len(page["detailed_advice"]), 4)
        titles = [picture["title"] for picture in page["pictures"]]
        self.assertEqual(len(titles), len(set(titles)))
        medians, points = self.medians(), 0
        for picture in page["pictures"]:
            self.assertTrue(picture["id"] and picture["title"] and picture["what"])
            if picture["kind"] != "lines":
                continue
            for series in picture["series"]:
                for point in series["points"]:
                    self.assertEqual(point["y"], medians[point["row"]])
                    points += 1
        measured = [name for name in medians if name.split("/")[0] in
                    ("share", "rounds", "rollback")]
        self.assertEqual(points, len(measured))
        self.assertEqual(len({picture["id"] for picture in page["pictures"]}),
                         len(page["pictures"]))
        shares = next(p for p in page["pictures"] if p["id"].startswith("share-random"))
        mark = next(m for m in shares["marks"] if m["text"].startswith("handler = eager"))
        self.assertAlmostEqual(mark["x"], 12.5)
        rounds = next(p for p in page["pictures"] if p["id"].startswith("rounds"))
        self.assertTrue(rounds["x"]["whole"])
        for picture in page["pictures"]:
            if picture["kind"] == "histogram":
                self.assertTrue(all(series["row"] in medians for series in picture["series"]))
                self.assertEqual(len({tuple(s["edges"]) for s in picture["series"]}), 1)

    def test_figures_are_xml_with_a_marker_for_each_point(self):
        self.assertEqual(self.succeeds("a.json", "--figures", "f", "-o", "a.html"), "")
        pictures = self.page("a.html")["pictures"]
        self.assertEqual(sorted(path.name for path in (self.work / "f").iterdir()),
                         sorted(picture["id"] + ".svg" for picture in pictures))
        for picture in pictures:
            root = xml.etree.ElementTree.parse(self.work / "f" / (picture["id"] + ".svg")).getroot()
            self.assertEqual(root.find(f"{SVG}title").text, picture["title"])
            if picture["kind"] != "lines":
                continue
            drawn = [group for group in root.iter(f"{SVG}g") if group.get("class") == "series"]
            self.assertEqual([len([p for p in group if p.get("class") == "point"])
                              for group in drawn],
                             [len(series["points"]) for series in picture["series"]])
            for element in root.iter(f"{SVG}text"):
                self.assertGreaterEqual(float(element.get("x")), 0)

    def test_the_numbers_of_markdown_are_those_of_the_json(self):
        text = self.succeeds("a.json", "--markdown")
        self.assertIn("AMD EPYC; 2 cores", text.splitlines()[0])
        table = text[text.index("**share**"):text.index("**rounds**")].splitlines()
        head = [cell.strip() for cell in table[2].split("|")[2:-1]]
        self.assertEqual(head, ["eager copy", "libcow, handler", "libcow, kernel", "fork()"])
        medians = self.medians()
        lines = [line for line in table[4:] if line.startswith("|")]
        self.assertEqual(len(lines), 10)
        for line in lines:
            workload, *cells = [cell.strip() for cell in line.split("|")[1:-1]]
            for mechanism, cell in zip(("eager", "handler", "kernel", "fork"), cells):
                if mechanism == "kernel":
                    self.assertEqual(cell, "\u2013")
                    continue
                found = re.fullmatch(r"([\d.,]+) (\S+)(?: \(\S+\))?", cell)
                value = float(found.group(1).replace(",", "")) * UNITS[found.group(2)]
                median = medians[f"share/{workload}/{mechanism}"]
                self.assertLess(abs(value - median), 0.006 * median, line)

    def test_figures_that_were_asked_for_are_said_to_be_met_or_not(self):
        text = self.succeeds("a.json", "--markdown")
        self.assertRegex(text, r"\| lazy clone of 1 GiB \|.*\| 1/334 \| \u2264 1/300 \| met \|")
        self.assertRegex(text, r"\| one write fault.*\| 6\.71 \| \u2264 4\.00 \| \*\*not met\*\*")

    def test_a_trace_beside_results_is_a_heat_map(self):
        environment = {**os.environ, "COW_TRACE": str(self.work / "t")}
        subprocess.run([*COMMAND[:-1], self.program, "demo", "one-store", "--plain"],
                       env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        if not (self.work / "t").exists():
            self.skipTest("no trace was made")
        self.succeeds("a.json", "t", "-o", "a.html", "--figures", "f")
        heat = [p for p in self.page("a.html")["pictures"] if p["kind"] == "heat"]
        self.assertEqual(len(heat), 1)
        self.assertGreater(sum(value for _, _, value in heat[0]["cells"]), 0)
        self.assertTrue(heat[0]["y"]["title"].endswith("downwards"))
        self.assertGreater(heat[0]["y"]["span"], 0)
        self.assertTrue((self.work / "f" / (heat[0]["id"] + ".svg")).exists())
        self.assertIn("recorded", self.succeeds("a.json", "t"))


class Odd(Report):
    """Results whose values and names nobody expected."""

    def figures(self, *rows):
        self.write("a.json", made.document(list(rows)))
        self.succeeds("a.json", "--figures", "f", "-o", "a.html")
        texts = [path.read_text(encoding="utf-8") for path in (self.work / "f").iterdir()]
        self.assertGreater(len(texts), 0)
        for text in texts:
            xml.etree.ElementTree.fromstring(text.encode())
            self.assertNotRegex(text, r'="[^"<>]*\b(nan|inf)\b')
        return texts

    def test_values_of_any_size_are_drawn(self):
        for value in (0, 5e-324, 1e-310, 1e300, 1.7e308):
            for experiment in ("faults", "share", "clone"):
                with self.subTest(value=value, experiment=experiment):
                    histogram = {"edges": [value, value], "counts": [11]}
                    self.figures(made.row(experiment, "w", "eager", [value] * 11,
                                          histogram=histogram, parameters={"share": 0.5}),
                                 made.row(experiment, "w", "handler", [value] * 11,
                                          histogram=histogram, parameters={"share": 0.5}))
                    self.succeeds("a.json")

    def test_names_of_any_length_make_files(self):
        rows = [made.row("faults", "W" * 100_000 + end, "eager", made.around(1000),
                         histogram={"edges": [900, 1100], "counts": [11]}) for end in "ab"]
        self.figures(*rows)
        names = [path.name for path in (self.work / "f").iterdir()]
        self.assertLess(max(map(len, names)), 255)
        pictures = self.page("a.html")["pictures"]
        self.assertEqual(len({picture["title"] for picture in pictures
                              if picture["kind"] == "histogram"}), 2)

    def test_names_turn_no_line_around(self):
        text = "".join(self.figures(made.row("faults", "a\u202eb\u009b1mc", "eager",
                                             made.around(1000))))
        self.assertNotIn("\u202e", text)
        self.assertNotIn("\u009b", text)

    def test_a_mark_of_utf8_is_passed_over_and_a_zero_byte_is_not(self):
        text = json.dumps(made.document(made.shares())).encode()
        (self.work / "marked").write_bytes(b"\xef\xbb\xbf" + text)
        self.assertIn("What to take here", self.succeeds("marked"))
        (self.work / "zero").write_bytes(text + b"\0")
        self.assert_refused(self.report("zero"), 1, "damaged")


class TwoResults(Report):
    def setUp(self):
        super().setUp()
        self.write("a.json", made.document(made.shares()))
        rows = made.shares()
        slower = [row for row in rows if row["mechanism"] == "handler"]
        for index, row in enumerate(rows):
            if row in slower:
                rows[index] = made.row("share", row["workload"], "handler",
                                       [2 * sample for sample in row["samples"]],
                                       parameters=row["parameters"])
        self.slower = {row["name"] for row in slower}
        document = made.document(rows)
        document["context"]["cow_bench"]["environment"]["processor"] = "another one"
        self.write("b.json", document)

    def test_what_changed_is_marked_and_what_did_not_is_not(self):
        self.succeeds("a.json", "b.json", "-o", "ab.html")
        page = self.page("ab.html")
        self.assertEqual([result["label"] for result in page["results"]],
                         ["A: a.json", "B: b.json"])
        changed = {change["name"] for change in page["changes"] if change["difference"] == "more"}
        self.assertEqual(changed, self.slower)
        self.assertEqual({change["difference"] for change in page["changes"]}, {"more", "none"})
        self.assertEqual({series["result"] for series in page["pictures"][0]["series"]}, {0, 1})

    def test_other_environments_are_said_on_top(self):
        words = " ".join(self.succeeds("a.json", "b.json").split())
        self.assertIn("B: b.json was measured elsewhere", words)
        self.assertIn("another one", words)
        self.assertIn("5 rows skipped", words)
        self.assertIn("slower", words)
        self.assertLess(words.index("elsewhere"), words.index("slower"))

    def test_markdown_has_both_and_the_changes(self):
        text = self.succeeds("a.json", "b.json", "--markdown")
        self.assertEqual(text.count("**share**"), 2)
        self.assertEqual(text.count("| slower |"), len(self.slower))


class Refused(Report):
    def setUp(self):
        super().setUp()
        self.document = self.write("a.json", made.document(made.shares()))

    def test_what_is_no_result(self):
        whole = (self.work / "a.json").read_text()
        (self.work / "cut").write_text(whole[:len(whole) // 2])
        other = made.document(made.shares(), format=2)
        self.write("version", other)
        self.write("none", made.document([made.skipped("share", "w", "kernel", "Too old.")]))
        self.write("empty", made.document([]))
        google = made.document(made.shares())
        del google["context"]["cow_bench"]
        self.write("google", google)
        damaged = made.document(made.shares())
        del damaged["benchmarks"][3]["samples"]
        self.write("damaged", damaged)
        no_median = made.document(made.shares())
        del no_median["benchmarks"][0]["median"]
        self.write("no_median", no_median)
        for name, words in (("missing", "does not exist; cow bench --json"),
                            (".", "is a directory"),
                            ("cut", "cut off or damaged"), ("version", "format 2"),
                            ("none", "Too old."), ("empty", "no row"),
                            ("google", "Google Benchmark"), ("damaged", "samples is missing"),
                            ("no_median", "median")):
            for more in ([], ["-o", "x.html"], ["--figures", "x"], ["--markdown"]):
                with self.subTest(name=name, more=more):
                    run = self.report(name, *more)
                    self.assert_refused(run, 1, name, words)
                    self.assertFalse((self.work / "x.html").exists())
                    self.assertFalse((self.work / "x").exists())

    def test_a_result_cut_off_anywhere_is_a_sentence(self):
        whole = (self.work / "a.json").read_bytes()
        for size in range(0, len(whole) - 1, 997):
            (self.work / "cut").write_bytes(whole[:size])
            self.assert_refused(self.report("cut"), 1, "cut")

    def test_where_nothing_can_be_written(self):
        before = self.names()
        (self.work / "file").write_text("dear friend")
        for arguments, words in ((["-o", "/dev/full"], "No space left"),
                                 (["-o", "none/x.html"], "none/x.html"),
                                 (["--figures", "none/x"], "none/x"),
                                 (["--figures", "file"], "file"),
                                 (["--figures", "/proc/x"], "/proc/x")):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.report("a.json", *arguments), 1, words)
        self.assertEqual(self.names(), sorted(before + ["file"]))
        for arguments in ([], ["--markdown"]):
            with open("/dev/full", "w", encoding="utf-8") as full:
                self.assert_refused(self.report("a.json", *arguments, stdout=full), 1,
                                    "No space left")

    def test_names_that_are_no_file_of_a_report(self):
        self.assert_refused(self.report("a.json", "-o", ""), 2, "-o", "names no file")
        self.assert_refused(self.report("a.json", "-o", "-"), 2, "-o", "'-' is the output")
        self.assertEqual(self.names(), ["a.json"])

    def test_pictures_that_are_half_written_go_again(self):
        self.succeeds("a.json", "--figures", "f")
        (name,) = [path.name for path in (self.work / "f").iterdir()]
        self.write("b.json", made.everything())
        (self.work / "g").mkdir()
        (self.work / "g" / name).mkdir()  # a folder where a picture is to be
        (self.work / "g" / "mine").write_text("dear friend")
        self.assert_refused(self.report("b.json", "--figures", "g"), 1, name)
        self.assertEqual(sorted(path.name for path in (self.work / "g").iterdir()),
                         sorted([name, "mine"]))

    def test_a_result_is_not_written_over_by_its_report(self):
        os.link(self.work / "a.json", self.work / "same")
        before = (self.work / "a.json").read_bytes()
        for output in ("a.json", "same", "./a.json"):
            self.assert_refused(self.report("a.json", "-o", output), 2, "same file")
        (self.work / "share-random-64-mib.svg").write_bytes(before)
        self.assert_refused(self.report("share-random-64-mib.svg", "--figures", "."), 2,
                            "same file")
        self.assertEqual((self.work / "a.json").read_bytes(), before)

    def test_options_of_the_other_kind(self):
        for option in ("--json", "--perfetto"):
            self.assert_refused(self.report("a.json", option, "x"), 2, "of a trace alone")
        (self.work / "text").write_text("hello")
        self.assert_refused(self.report("text", "--markdown"), 1, "text", "is not a trace")
        self.assert_refused(self.report("a.json", "text"), 1, "text", "is not a trace")


if __name__ == "__main__":
    sys.exit(main("usage: tool_report_test.py <path of cow>"))

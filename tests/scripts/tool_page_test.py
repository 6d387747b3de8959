#!/usr/bin/env python3
"""Runs `cow demo --html` with a template that is a pretence: what is put into pages, and what is
said where none can be made. The page itself is tested in a browser, by page_test.py.

usage: tool_page_test.py <path of cow> [arguments before which `cow` is run, for an emulator:
       tool_page_test.py qemu-aarch64 -L /usr/aarch64-linux-gnu <path of cow>]
"""
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from program import COMMAND, main

BEFORE, AFTER = "<script>", "</script> and more"


class Page(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.program = self.folder / "bin/cow"
        self.program.parent.mkdir()
        shutil.copy2(COMMAND[-1], self.program)
        self.template = self.folder / "share/libcow/page.html"
        self.template.parent.mkdir(parents=True)
        self.template.write_text(f"{BEFORE}@COW_DATA@{AFTER}", encoding="utf-8")

    def demo(self, *arguments):
        return subprocess.run([*COMMAND[:-1], self.program, "demo", *map(str, arguments)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=600, check=False)

    def data(self, path):
        text = path.read_text(encoding="utf-8")
        self.assertTrue(text.startswith(BEFORE) and text.endswith(AFTER))
        text = text[len(BEFORE):-len(AFTER)]
        self.assertNotIn("<", text)
        return json.loads(text)

    def refused(self, run, status, *words):
        self.assertEqual((run.returncode, run.stdout), (status, ""))
        self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
        for word in words:
            self.assertIn(word, run.stderr)

    def test_a_page_has_what_json_has(self):
        page, output = self.folder / "x.html", self.folder / "x.json"
        run = self.demo("sole-owner", "--html", page, "--json", output)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertIn("The sole owner", run.stdout)
        data = self.data(page)
        self.assertEqual(data, json.loads(output.read_text(encoding="utf-8")))
        self.assertEqual([chapter["chapter"] for chapter in data["chapters"]], ["sole-owner"])
        self.assertGreater(len(data["chapters"][0]["steps"]), 5)

    def test_a_folder_has_a_page_of_every_chapter_and_one_that_leads_to_them(self):
        listed = [line.split()[0] for line in self.demo("--list").stdout.splitlines()]
        listed.remove("free")
        pages = self.folder / "new/pages"
        run = self.demo("--html", f"{pages}/")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(sorted(path.name for path in pages.iterdir()),
                         sorted([f"{name}.html" for name in listed] + ["index.html"]))
        contents = self.data(pages / "index.html")
        self.assertEqual([page["file"] for page in contents["pages"]],
                         [f"{name}.html" for name in listed])
        for name in listed:
            data = self.data(pages / f"{name}.html")
            self.assertEqual([chapter["chapter"] for chapter in data["chapters"]], [name])
            self.assertTrue(data["chapters"][0]["steps"])
            self.assertEqual(data["contents"], "index.html")
            self.assertIn(f"{name}.html", run.stdout)

    def test_a_folder_that_is_there_needs_no_slash(self):
        pages = self.folder / "pages"
        pages.mkdir()
        run = self.demo("wrong-count", "--html", pages)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(sorted(path.name for path in pages.iterdir()),
                         ["index.html", "wrong-count.html"])

    def test_without_a_template_it_is_said_how_to_build_one_and_nothing_runs(self):
        self.template.unlink()
        for arguments in (["one-store", "--html", self.folder / "x.html"],
                          ["--html", f"{self.folder}/pages/"]):
            run = self.demo(*arguments)
            self.refused(run, 1, str(self.template), "./run demo --html", "--target page")
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["bin", "share"])

    def test_a_template_that_is_none_is_refused(self):
        self.template.write_text("nothing", encoding="utf-8")
        self.refused(self.demo("one-store", "--html", self.folder / "x.html"), 1, "no template")

    def test_a_page_that_cannot_be_written_is_refused_before_the_work(self):
        for path in (self.folder / "missing/x.html", "/proc/x.html"):
            self.refused(self.demo("one-store", "--html", path), 1, str(path), "--html")
        self.refused(self.demo("--html", "/proc/pages/"), 1, "/proc/pages", "--html")

    def test_a_page_without_a_chapter_has_all_of_them(self):
        listed = [line.split()[0] for line in self.demo("--list").stdout.splitlines()]
        listed.remove("free")
        page = self.folder / "x.html"
        run = self.demo("--html", page)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual([chapter["chapter"] for chapter in self.data(page)["chapters"]], listed)

    def test_a_folder_of_pages_has_no_one_recording(self):
        run = self.demo("--html", f"{self.folder}/pages/", "--json", self.folder / "x.json")
        self.refused(run, 2, "--json")
        self.assertFalse((self.folder / "pages").exists())


if __name__ == "__main__":
    sys.exit(main(__doc__))

#!/usr/bin/env python3
"""Reads a result as other people's tools do: Google Benchmark's tools/compare.py, and the adapter
`cpp_google` of bencher.dev. What they ask for, and how, is written here as they do it.

usage: result_file_test.py PROGRAM [ARGUMENT...]

The program is run with --json FILE, in its short form, and has to measure something.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = []
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def run(*arguments):
    return subprocess.run([*PROGRAM, *arguments], check=False, capture_output=True, text=True,
                          env={**os.environ, "COW_BENCH_QUICK": "1"})


def measure(folder):
    file = Path(folder) / "result.json"
    done = run("--json", str(file))
    if done.returncode != 0:
        raise AssertionError(f"exit status {done.returncode}: {done.stderr}")
    return file


class ResultFile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            cls.text = measure(folder).read_text(encoding="utf-8")
        cls.result = json.loads(cls.text)

    def test_there_is_something_to_read(self):
        self.assertTrue(self.result["benchmarks"])
        self.assertTrue(self.result["context"]["cow_bench"]["complete"])

    def test_compare_py_reads_it(self):
        """tools/gbench/report.py: partition_benchmarks, get_difference_report, calculate_geomean;
        tools/gbench/util.py: load_benchmark_results, sort_benchmark_results."""
        self.assertIn(self.result["context"].get("json_schema_version", 1), (1,))
        entries = sorted(self.result["benchmarks"], key=lambda entry: entry["repetition_index"])
        entries.sort(key=lambda entry: 1 if entry["run_type"] == "aggregate" else 0)
        entries.sort(key=lambda entry: entry.get("per_family_instance_index", -1))
        entries.sort(key=lambda entry: entry.get("family_index", -1))
        names = [entry["name"] for entry in entries]
        self.assertEqual(len(names), len(set(names)), "an entry is one row")
        for name in names:
            partition = [entry for entry in self.result["benchmarks"]
                         if entry["name"] == name and entry["time_unit"] == "ns"]
            self.assertEqual(len(partition), 1)
            for key in ("real_time", "cpu_time"):
                old = new = partition[0][key]
                self.assertGreaterEqual(float(new - old), 0.0)
        for entry in entries:  # the geometric mean asks every entry, whatever its name
            for key in ("real_time", "cpu_time"):
                self.assertGreaterEqual(entry[key] * UNITS[entry.get("time_unit", "s")], 0.0)
            self.assertEqual(entry["run_name"], entry["name"])
            self.assertEqual(entry["run_type"], "iteration")

    def test_bencher_reads_it(self):
        """lib/bencher_adapter/src/adapters/cpp/google.rs: structs Google, Context and Benchmark, of
        which no member may be missing or of another type."""
        self.assertIsInstance(self.result["context"]["caches"], list)
        for entry in self.result["benchmarks"]:
            self.assertIsInstance(entry["name"], str)
            self.assertTrue(0 < len(entry["name"]) <= 1024, entry["name"])
            self.assertIsInstance(entry["real_time"], (int, float))
            self.assertLess(entry["real_time"], 7.9e28)
            self.assertIn(entry["time_unit"], UNITS)

    def test_rows_are_what_the_documents_say(self):
        lists = {"benchmarks": True, "quantities": True, "unmeasured": False}
        places = []
        for name, is_measured in lists.items():
            for row in self.result[name]:
                places.append(row["family_index"])
                self.assertEqual(row["status"] == "measured", is_measured)
                self.assertEqual("median" in row, is_measured)
                self.assertEqual(bool(row["reason"]), not is_measured, row["name"])
                self.assertEqual("real_time" in row, name == "benchmarks")
                parts = (row["experiment"], row["workload"], row["mechanism"])
                self.assertEqual(row["name"], "/".join(parts))
                if is_measured:
                    self.assertEqual(len(row["samples"]), row["iterations"])
                    self.assertLessEqual(row["interval"][0], row["median"])
                    self.assertLessEqual(row["median"], row["interval"][1])
        self.assertEqual(sorted(places), list(range(len(places))))
        self.assertNotIn(":null", self.text.replace(" ", ""))

    def test_what_it_is_compared_with_is_not_written_over(self):
        with tempfile.TemporaryDirectory() as folder:
            base = Path(folder) / "base.json"
            base.write_text(self.text, encoding="utf-8")
            (Path(folder) / "symbolic.json").symlink_to(base)
            os.link(base, Path(folder) / "hard.json")
            for name in ("base.json", "./base.json", "symbolic.json", "hard.json", "gone.json"):
                with self.subTest(name=name):
                    check = base if name != "gone.json" else f"{folder}/gone.json"
                    done = run("--check", str(check), "--json", f"{folder}/{name}")
                    self.assertNotEqual(done.returncode, 0)
                    self.assertIn("same file", " ".join(done.stderr.split()))
                    self.assertEqual(done.stdout, "")
            self.assertEqual(base.read_text(encoding="utf-8"), self.text)
            self.assertFalse((Path(folder) / "gone.json").exists())


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    PROGRAM = sys.argv[1:]
    unittest.main(argv=sys.argv[:1])

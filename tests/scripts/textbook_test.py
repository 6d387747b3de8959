#!/usr/bin/env python3
"""Runs `textbook_bench` in its short form: every claim has a table and a sentence, and counts hold.

usage: textbook_test.py <textbook_bench>

With either mechanism as the environment's choice, where the kernel's is refused, and where children
may not be traced. Nothing is said about times.
"""
import ctypes
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import program

TITLES = {"memory": "Less memory", "creation": "Faster creation", "lazy": "Lazy allocation",
          "copies": "Fewer copies", "overhead": "Fault overhead", "fragmentation": "Fragmentation",
          "complexity": "Complexity", "isolation": "Isolation between sharers"}
VERDICTS = {"holds": "It holds: ", "in part": "It holds in part: ",
            "does not hold": "It does not hold here: "}
ABSENT = "not here"
CALLS = {"x86_64": {"userfaultfd": 323, "ptrace": 101, "memfd_create": 319},
         "aarch64": {"userfaultfd": 282, "ptrace": 117, "memfd_create": 279}}

# <linux/filter.h>, <linux/seccomp.h>, <linux/prctl.h>
LOAD, EQUAL, ANSWER = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7fff0000, 0x00050000 | 1  # with EPERM
NO_NEW_PRIVS, SECCOMP, FILTER_MODE = 38, 22, 2


class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8),
                ("k", ctypes.c_uint32)]


class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("first", ctypes.POINTER(Instruction))]


def refuse(call):
    """What to do before exec: from then on the kernel answers this call with EPERM."""
    number = CALLS[platform.machine()][call]
    code = (Instruction * 4)(Instruction(LOAD, 0, 0, 0), Instruction(EQUAL, 0, 1, number),
                             Instruction(ANSWER, 0, 0, REFUSE), Instruction(ANSWER, 0, 0, ALLOW))
    kept = Filter(4, code)
    libc = ctypes.CDLL(None, use_errno=True)

    def install():
        if (libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                or libc.prctl(SECCOMP, FILTER_MODE, ctypes.byref(kept)) != 0):
            raise OSError(ctypes.get_errno(), "no seccomp")
    return install


class Textbook(unittest.TestCase):
    def run_it(self, *arguments, refused=None, **more):
        if refused and platform.machine() not in CALLS:
            self.skipTest("the numbers of this processor's system calls are not known here")
        environment = {name: value for name, value in os.environ.items()
                       if name != "COW_MECHANISM"}
        return subprocess.run([*program.COMMAND, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300, check=False,
                              preexec_fn=refuse(refused) if refused else None,
                              env={**environment, "COW_BENCH_QUICK": "1", **more})

    def measure(self, *names, **more):
        """(what it prints, its JSON's claims by name); everything succeeded."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "out.json"
            result = self.run_it(*names, "--json", str(path), **more)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            claims = json.loads(path.read_text(encoding="utf-8"))["claims"]
        return result.stdout, {claim["name"]: claim for claim in claims}

    def check_shape(self, text, claims):
        """Each claim that was measured is printed with a table and a sentence."""
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        words = " ".join(text.split())
        for name, claim in claims.items():
            self.assertEqual(claim["title"], TITLES[name])
            self.assertIn(f"{TITLES[name]} ({name}) The claim: {claim['claim']}", words)
            self.assertTrue(claim["reading"].startswith(VERDICTS[claim["verdict"]]), claim)
            self.assertTrue(claim["reading"].endswith("."), claim["reading"])
            self.assertIn(" ".join(claim["reading"].split()), words)
            self.assertTrue(any(table["rows"] for table in claim["tables"]), name)

    @staticmethod
    def rows(claim, table=0):
        return {row["what"].strip(): row for row in claim["tables"][table]["rows"]}

    def check_counts(self, claims, kernel):
        """What is counted is right, whatever the machine does meanwhile."""
        ways = ("handler", "kernel") if kernel else ("handler",)
        for name, claim in claims.items():
            if not kernel:
                self.assertIn(f'"{ABSENT}"', json.dumps(claim["tables"]), name)
            else:
                self.assertNotIn(f'"{ABSENT}"', json.dumps(claim["tables"]), name)

        for what, row in self.rows(claims["memory"]).items():
            for way in ways:
                self.assertGreaterEqual(row[way], row["least"], what)
        for way in ways:
            row = self.rows(claims["memory"])["nothing"]
            self.assertEqual(row[way], row["least"])
            self.assertEqual(row["copies"], 4 * row["least"])

        steps = self.rows(claims["lazy"])
        self.assertEqual(steps["loads from 8 pages far away"]["handler"], 0)
        for way in ways + ("mmap()",):
            self.assertEqual(steps["creation"][way], 0)
            self.assertEqual(steps["stores to 8 pages"][way], 8)

        for what, row in self.rows(claims["copies"]).items():
            exact = {row["no windows"], row["fork()"], *(row[way] for way in ways[1:])}
            self.assertEqual(exact, {row["stored to"]}, what)
            self.assertGreaterEqual(row["handler"], row["stored to"], what)
            self.assertLessEqual(row["handler"], row["eager"], what)

        mappings = self.rows(claims["fragmentation"])
        self.assertEqual({row[way] for row in (mappings["nothing"], mappings["all, in order"])
                          for way in ways + ("no windows",)}, {1})
        pages = self.rows(claims["copies"])["all, in order"]["eager"]  # as many as there
        self.assertEqual(mappings["every second page"]["no windows"], pages)

        leaks = self.rows(claims["isolation"])["leaked"]
        self.assertEqual({leaks[way] for way in ways + ("fork()", "copies")}, {0})
        self.assertGreater(leaks["MAP_SHARED"], 0)

    def check_work(self, claim, kernel):
        """System calls, signals and page faults, as they are counted from outside."""
        if "not counted here" in claim["tables"][0]["title"]:
            self.skipTest(claim["tables"][0]["title"])
        work = self.rows(claim)
        self.assertEqual(work["its first store"]["handler"][1], 1)
        self.assertGreater(work["its first store"]["handler"][0], 0)
        self.assertEqual(work["its first store"]["fork()"], [0, 0, 1])
        if kernel:
            self.assertEqual(work["its first store"]["kernel"], [0, 0, 1])
        for what in ("a clone", "a snapshot of it", "dropping both"):
            self.assertEqual(work[what]["handler"][1], 0, what)
        mappings = self.rows(claim, 1)["mappings"]
        self.assertEqual([mappings[way] for way in ("handler", "fork()", "memcpy")], [3, 1, 1])
        if kernel:
            self.assertEqual(mappings["kernel"], 1)
        for way, counts in work["another store there"].items():
            if way != "what" and counts != ABSENT:
                self.assertEqual(counts, [0, 0, 0], way)

    def test_every_claim_has_its_table_its_sentence_and_its_counts(self):
        text, claims = self.measure()
        self.assertEqual(list(claims), list(TITLES))
        self.check_shape(text, claims)
        lines = self.rows(claims["complexity"], 2)
        self.assertGreater(lines["the whole library"]["lines"],
                           lines["the idea: the lab's solution (docs/lab/solution)"]["lines"])
        kernel = "no kernel mechanism here" not in text
        self.check_counts(claims, kernel)
        self.check_work(claims["complexity"], kernel)

    def test_the_environment_s_choice_of_a_mechanism_changes_nothing(self):
        text, claims = self.measure(COW_MECHANISM="kernel")
        self.check_shape(text, claims)
        self.check_counts(claims, "no kernel mechanism here" not in text)

    def test_where_the_kernel_mechanism_is_refused_it_says_why_and_measures_the_rest(self):
        text, claims = self.measure(refused="userfaultfd", COW_MECHANISM="kernel")
        self.assertIn("- no kernel mechanism here: ", text)
        self.assertEqual(len(re.findall(r"^ +not here: \w", text, re.M)), len(TITLES))
        self.check_shape(text, claims)
        self.check_counts(claims, kernel=False)
        self.check_work(claims["complexity"], kernel=False)
        for name, claim in claims.items():
            self.assertNotIn("(kernel)", claim["reading"], name)

    def test_where_children_may_not_be_traced_it_says_so(self):
        text, claims = self.measure("complexity", refused="ptrace")
        self.check_shape(text, claims)
        self.assertIn("System calls are not counted here: this process may not trace", text)
        self.assertIn("could not be counted here", claims["complexity"]["reading"])

    def test_what_could_not_be_measured_is_said_and_is_a_failure(self):
        result = self.run_it(refused="memfd_create")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertEqual(result.stdout.count("This could not be measured here: "), len(TITLES))
        self.assertNotIn("It holds", result.stdout)

    def test_claims_are_chosen_by_name(self):
        listed = self.run_it("--list")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertEqual([line.split(None, 1) for line in listed.stdout.splitlines()],
                         [[name, title] for name, title in TITLES.items()])
        for arguments in (("copies",), ("--only", "copies")):
            self.assertEqual(list(self.measure(*arguments)[1]), ["copies"])
        for arguments in (("copies", "lazy"), ("--only", "lazy,copies"), ("lazy", "--only=copies")):
            self.assertEqual(list(self.measure(*arguments)[1]), ["lazy", "copies"])

    def test_what_it_does_not_understand_is_answered_by_a_sentence(self):
        for arguments, words in ((("memroy",), "there is no claim 'memroy'; there is: memory"),
                                 (("--only", "x"), "there is no claim 'x'"),
                                 (("--lst",), "--lst"),
                                 (("--json", "/no/such/folder/x"), "cannot write /no/such")):
            result = self.run_it(*arguments)
            self.assertNotEqual(result.returncode, 0, arguments)
            self.assertEqual(result.stdout, "", arguments)
            self.assertIn(words, result.stderr, arguments)


if __name__ == "__main__":
    sys.exit(program.main(__doc__))

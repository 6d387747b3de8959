#!/usr/bin/env python3
"""Runs `cow doctor` where things are missing or forbidden: it says so, and ends with 0 or 1.

usage: tool_doctor_test.py [--preload LIBRARY] [EMULATOR...] <path of cow>

LIBRARY is one that owns SIGSEGV from its start.
"""
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import call_filter
from program import COMMAND, Refusals, main

LEVELS = ["refuses", "limits", "note", "ok"]
NOBODY = 65534
PRELOAD = []
# Calls of libcow; of mmap those alone that the loader does not make.
MAP_SHARED = (3, 1)
FILTERED = [("memfd_create", None), ("ftruncate", None), ("fcntl", None), ("statx", None),
            ("fstat", None), ("lseek", None), ("mmap", MAP_SHARED), ("munmap", None),
            ("mprotect", None), ("madvise", None), ("msync", None), ("mincore", None),
            ("pwrite64", None), ("pwritev", None), ("pread64", None), ("fallocate", None),
            ("futex", None), ("rt_sigaction", None), ("rt_sigreturn", None),
            ("rt_sigprocmask", None), ("nanosleep", None), ("getrandom", None),
            ("sysinfo", None), ("userfaultfd", None), ("ioctl", None)]
# Without these there is no region, whatever else there is.
NEEDED = ["memfd_create", "ftruncate", "fcntl", "mmap", "pwrite64"]


def without_leak_check(environment):
    """LeakSanitizer looks from a child, and with calls that are refused here: it would fail at the
    end of a program that has said all it had to."""
    options = [environment.get("ASAN_OPTIONS", ""), "detect_leaks=0"]
    return {**environment, "ASAN_OPTIONS": ":".join(filter(None, options))}


def is_emulated():
    return len(COMMAND) > 1


def sanitizers():
    run = subprocess.run([*COMMAND, "doctor", "--json", "-"], capture_output=True, text=True,
                         timeout=300)
    return json.loads(run.stdout)["environment"]["build"]["sanitizers"]


class Doctor(Refusals):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def doctor(self, *arguments, command=None, env=None, **how):
        return subprocess.run([*(command or COMMAND), "doctor", *arguments], capture_output=True,
                              text=True, timeout=300,
                              env=without_leak_check(env or os.environ), **how)

    def examined(self, command=None, **how):
        """(exit code, {(level, subject): line}, the document) of a run that ends as it should."""
        run = self.doctor("--json", "-", command=command, **how)
        self.assertIn(run.returncode, (0, 1), run.stderr)
        self.assertEqual(run.stderr, "")
        document = json.loads(run.stdout)
        self.assertEqual(run.returncode == 0, document["can_make_regions"])
        for line in document["lines"]:
            self.assertEqual("remedy" in line, line["level"] != "ok", line)
        return run.returncode, {(line["level"], line["subject"]): line
                                for line in document["lines"]}, document

    def line(self, lines, subject):
        """The line about it that is not ok."""
        for (level, about), line in lines.items():
            if about.startswith(subject) and level != "ok":
                return line
        self.fail(f"no line about {subject}: {sorted(lines)}")

    def need_native(self):
        if is_emulated():
            self.skipTest("an emulator makes the system calls")


class AsItIs(Doctor):
    def test_text_and_document_say_the_same(self):
        code, lines, document = self.examined()
        run = self.doctor()
        self.assertEqual(run.returncode, code, run.stderr)
        self.assertEqual(run.stderr, "")
        self.assertLessEqual(max(map(len, run.stdout.splitlines())), 80)
        headings = [line for line in run.stdout.splitlines() if line in LEVELS]
        self.assertEqual(headings, [level for level in LEVELS
                                    if any(level == key[0] for key in lines)])
        for _, subject in lines:
            self.assertRegex(run.stdout, rf"(?m)^  {re.escape(subject)}(  |$)")
        self.assertIn("environment", document)
        self.assertEqual(document["kind"], "doctor")

    def test_regions_can_be_made_where_the_tests_run(self):
        code, _, document = self.examined()
        self.assertEqual(code, 0, document["why"])
        self.assertIn(document["mechanism"], ("handler", "kernel"))

    def test_nothing_in_the_document_is_null(self):
        self.assertNotIn("null", re.sub(r'"[^"]*"', "", self.doctor("--json", "-").stdout))

    def test_a_file_gets_the_document_and_the_output_the_text(self):
        path = self.folder / "found.json"
        run = self.doctor("--json", str(path))
        self.assertIn("\nok\n", run.stdout)
        self.assertEqual(json.loads(path.read_text())["can_make_regions"], run.returncode == 0)

    def test_a_file_that_cannot_be_written_is_said_before_the_work(self):
        self.assert_refused(self.doctor("--json", str(self.folder / "no" / "file")), 1, "--json")

    def test_a_full_disk_is_said(self):
        with open("/dev/full", "w") as full:
            run = subprocess.run([*COMMAND, "doctor"], stdout=full, stderr=subprocess.PIPE,
                                 text=True, timeout=300)
        self.assertEqual(run.returncode, 1)
        self.assertIn("cannot be written", run.stderr)

    def test_descriptors_that_are_closed_make_no_difference(self):
        code, _, document = self.examined()
        for closed in ((0,), (2,), (0, 2), (0, 1, 2)):
            path = self.folder / "found.json"
            with self.subTest(closed=closed):
                run = subprocess.run(
                    ["sh", "-c", 'exec "$@" ' + " ".join(f"{number}>&-" for number in closed),
                     "sh", *COMMAND, "doctor", "--json", str(path)],
                    capture_output=True, text=True, timeout=300)
                self.assertEqual(run.stderr, "")
                found = json.loads(path.read_text())
                self.assertEqual(found["why"], document["why"])
                self.assertEqual(run.returncode, 1 if 1 in closed else code)

    def test_a_file_that_may_not_be_so_large_is_said_and_goes_again(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        self.need_native()
        self.assert_refused(self.doctor("--json", str(self.folder / "f"), preexec_fn=limit), 1,
                            "File too large")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_children_that_the_parent_ignores_are_waited_for(self):
        self.need_native()
        code, _, document = self.examined(
            preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual(code, 0, document["why"])
        if not call_filter.is_possible():
            return
        install = call_filter.installer("msync", "kill")

        def spoil():
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            install()
        _, lines, _ = self.examined(preexec_fn=spoil)
        self.assertIn("SIGSYS", self.line(lines, "msync")["meaning"])

    def test_a_name_that_is_none_is_refused(self):
        self.assert_refused(self.doctor("--json", ""), 2, "--json", "names no file")

    def test_what_the_environment_asks_for_is_said(self):
        for value in ("handler", "automatic", "magic"):
            _, lines, document = self.examined(env={**os.environ, "COW_MECHANISM": value})
            self.assertIn(f"'{value}'", self.line(lines, "COW_MECHANISM")["meaning"])
            self.assertEqual(document["findings"]["regions"]["asked"], value)


class Limits(Doctor):
    def limited(self, which, value):
        self.need_native()
        if sanitizers() != "none":
            self.skipTest("a sanitizer needs more addresses and files than are left here")
        return self.examined(preexec_fn=lambda: resource.setrlimit(which, (value, value)))

    def test_few_addresses(self):
        _, lines, _ = self.limited(resource.RLIMIT_AS, 1 << 30)
        self.assertIn("1 GiB", self.line(lines, "RLIMIT_AS")["meaning"])
        self.assertIn("ulimit -v", self.line(lines, "a large region")["remedy"])

    def test_no_files_of_any_size(self):
        code, lines, document = self.limited(resource.RLIMIT_FSIZE, 0)
        self.assertEqual(code, 1)
        self.assertIn("ulimit -f", document["why"] + self.line(lines, "RLIMIT_FSIZE")["remedy"])

    def test_few_descriptors(self):
        _, lines, _ = self.limited(resource.RLIMIT_NOFILE, 40)
        self.assertIn("ulimit -n", self.line(lines, "RLIMIT_NOFILE")["remedy"])

    def test_no_children(self):
        self.need_native()
        if os.geteuid() != 0:
            self.skipTest("the limit counts what else this user runs")
        copy = self.copy_for_all()

        def limit():
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        _, lines, _ = self.examined(command=[str(copy)], preexec_fn=limit)
        self.assertIn("EAGAIN", self.line(lines, "fork")["meaning"])

    def copy_for_all(self):
        self.folder.chmod(0o755)
        copy = self.folder / "cow"
        shutil.copy(COMMAND[0], copy)
        copy.chmod(0o755)
        return copy

    def test_an_ordinary_user(self):
        self.need_native()
        if os.geteuid() != 0:
            self.skipTest("this is one already")
        copy = self.copy_for_all()

        def become_nobody():
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        code, _, document = self.examined(command=[str(copy)], preexec_fn=become_nobody)
        self.assertEqual(code, 0, document["why"])
        self.assertEqual(document["findings"]["rules"]["user"], NOBODY)


class Chroot(Doctor):
    def root(self):
        """A folder with the program and its libraries and nothing else."""
        self.need_native()
        if os.geteuid() != 0:
            self.skipTest("only root may change its root")
        files = re.findall(r"(/\S+) \(0x", subprocess.run(
            ["ldd", COMMAND[0]], capture_output=True, text=True, check=True).stdout)
        for file in files:
            target = self.folder / file.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        shutil.copy(COMMAND[0], self.folder / "cow")
        return self.folder

    def examined_in(self, root):
        def enter():
            os.chroot(root)
            os.chdir("/")
        # Without preexec_fn's close of descriptors: that reads /proc.
        return self.examined(command=["/cow"], preexec_fn=enter, close_fds=False)

    def check(self, root):
        code, lines, document = self.examined_in(root)
        self.assertEqual(code, 0, document["why"])
        self.assertEqual(document["mechanism"], "handler")
        self.assertIn("/proc/self/pagemap", document["why"])
        self.assertIn("mount -t proc", self.line(lines, "/proc")["remedy"])
        self.assertIn("shm_open", self.line(lines, "/dev/shm")["remedy"])
        self.assertNotIn("max_map_count", document["findings"]["memory"])

    def test_without_proc(self):
        self.check(self.root())

    def test_with_an_empty_proc(self):
        root = self.root()
        (root / "proc").mkdir()
        self.check(root)


class Filtered(Doctor):
    def need_filters(self):
        self.need_native()
        if not call_filter.is_possible():
            self.skipTest("no numbers of this machine's system calls")
        try:
            subprocess.run(["true"], preexec_fn=call_filter.installer("mincore", "EPERM"))
        except subprocess.SubprocessError:
            self.skipTest("this system lets nobody install a filter of system calls")

    def starts(self, install):
        run = subprocess.run([*COMMAND, "--version"], preexec_fn=install, capture_output=True,
                             env=without_leak_check(os.environ))
        return run.returncode == 0

    def test_each_call_of_libcow_in_turn(self):
        self.need_filters()
        started = set()
        for name, argument in FILTERED:
            for action in call_filter.ACTIONS:
                install = call_filter.installer(name, action, argument)
                if not self.starts(install):
                    continue  # the loader needs it, and there is nobody to say so
                started.add(name)
                with self.subTest(call=name, action=action):
                    self.check(name, action, install)
        self.assertLessEqual({"memfd_create", "userfaultfd", "mmap", "pwrite64", "rt_sigaction",
                              "rt_sigreturn", "fallocate", "statx"}, started)

    def check(self, name, action, install):
        code, lines, document = self.examined(preexec_fn=install)
        line = self.line(lines, "ioctl" if name == "ioctl" else name)
        how = "SIGSYS" if action == "kill" else action
        if name == "rt_sigreturn" and action != "kill":
            how = "SIGSEGV"  # there is nowhere to return to
        self.assertIn(how, line["meaning"])
        self.assertIn(f"allow {name} in the container's profile", line["remedy"])
        if name in NEEDED:
            self.assertEqual(code, 1)
            self.assertEqual(line["level"], "refuses")
            self.assertIn(name, document["why"])
            self.assertIn(how, document["why"])
        if name in ("userfaultfd", "ioctl"):
            self.assertEqual(code, 0)
            self.assertNotEqual(document.get("mechanism"), "kernel")
            self.assertIn(name, document["why"])

    def test_children_that_are_refused(self):
        self.need_filters()
        for action in ("EPERM", "ENOSYS"):
            with self.subTest(action=action):
                _, lines, document = self.examined(
                    preexec_fn=call_filter.installer("clone", action))
                self.assertIn(action, self.line(lines, "fork")["meaning"])
                self.assertFalse(document["findings"]["has_children"])

    def test_calls_around_the_trials_that_kill(self):
        self.need_filters()
        _, _, whole = self.examined()
        for name in ("dup2", "alarm"):
            install = call_filter.installer(name, "kill")
            if not self.starts(install):
                continue
            with self.subTest(call=name):
                code, _, document = self.examined(preexec_fn=install)
                self.assertEqual(code, 0, document["why"])
                self.assertEqual(document["findings"]["regions"]["handler"],
                                 whole["findings"]["regions"]["handler"])

    def test_room_that_cannot_be_taken_is_no_reason_to_refuse(self):
        self.need_filters()
        path = self.folder / "found.json"
        for action in ("EPERM", "ENOSYS"):
            with self.subTest(action=action):
                run = self.doctor("--json", str(path),
                                  preexec_fn=call_filter.installer("fallocate", action))
                self.assertEqual(run.stderr, "")
                self.assertEqual(json.loads(path.read_text())["kind"], "doctor")
                path.unlink()

    def test_facts_that_cannot_be_read(self):
        self.need_filters()
        _, lines, _ = self.examined(preexec_fn=call_filter.installer("prctl", "kill"))
        self.assertIn("rules", self.line(lines, "not known")["meaning"])


class Signals(Doctor):
    def test_a_library_that_owns_the_signals_is_named(self):
        if not PRELOAD:
            self.skipTest("no library to preload was built")
        code, lines, _ = self.examined(env={**os.environ, "LD_PRELOAD": PRELOAD[0]})
        self.assertEqual(code, 0)
        for signal in ("SIGSEGV", "SIGBUS"):
            self.assertIn(Path(PRELOAD[0]).name, self.line(lines, signal)["meaning"])
        self.assertIn("reinstall_handler", self.line(lines, "SIGSEGV")["remedy"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--preload"]:
        PRELOAD.append(sys.argv[2])
        del sys.argv[1:3]
    sys.exit(main(__doc__))

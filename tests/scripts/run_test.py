#!/usr/bin/env python3
"""Runs `./run` in small trees whose compiler is a pretence: what it says while it builds, how it
ends, where it builds, and which tests and checks it runs.

The tools it calls, cmake and ninja among them, are replaced by scripts of a line or two.
"""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = {
    # cmake --preset release -B <build> -D...
    "cmake": """echo "$@" >>"$PWD/../cmake-calls"
mkdir -p "$4"
echo "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" >"$4/CMakeCache.txt"
for word in "${@:5}"; do
  word=${word#-D}
  echo "${word%%=*}:BOOL=${word#*=}" >>"$4/CMakeCache.txt"
done
touch "$4/build.ninja"
""",
    # ninja -C <build> <target>
    "ninja": """echo "$@" >>"$(dirname "$0")/../ninja-calls"
[[ ! -e $2/bin/cow ]] || exit 0
for i in 1 2 3; do echo "[$i/3] Building $i"; sleep "${STEP_SECONDS:-0}"; done
[[ -z ${BREAKS:-} ]] || { echo "an error"; exit 1; }
mkdir -p "$2/bin"
printf '#!/bin/sh\\necho "cow $*"\\n' >"$2/bin/cow"
cp "$(dirname "$0")/tests" "$2/bin/cow_tests"
chmod +x "$2/bin/cow"
""",
    "tests": """echo "$COW_TEST_SCALE $*" >>"${0%/tree/*}/test-calls"
[[ -z ${BAD_TEST:-} || $* != *"$BAD_TEST"* ]] || { echo "a bad test"; exit 1; }
""",
    "ctest": """printf '%s\\n' "$@" >"$(dirname "$0")/../ctest-call" """,
    "clang-format-14": "[[ -z ${BAD_FORMAT:-} ]] || { echo 'a bad format'; exit 1; }",
    # dpkg-query -W -f <format> <package...>
    "dpkg-query": """printf '%s\\n' "${@:4}" >>"$(dirname "$0")/../packages-asked"
for package in "${@:4}"; do echo "$package installed"; done
""",
    "apt-get": "exit 1",
    "nproc": "echo 2",
    "node": 'echo "${NODE_VERSION:-v18.20.4}"',
    "npm": "exit 1",
}
TEST_FILES = [f"{name}_test.cpp" for name in "abcdefghijklmnopqrstu"]
SCRIPTS = ["include_direction", "citations", "tree_conventions"]


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name).resolve()
        self.folder.chmod(0o755)
        self.tree = self.folder / "tree"
        for name in ("run", ".ci/packages", "CMakePresets.json"):
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.tree / name)
        (self.tree / "src/tool").mkdir(parents=True)
        (self.tree / "src/tool/main.cpp").touch()
        for name in ("include", "bench", "docs", "tests/scripts"):
            (self.tree / name).mkdir(parents=True)
        for name in TEST_FILES:
            (self.tree / "tests" / name).touch()
        (self.tree / "tests/CMakeLists.txt").write_text("set(cow_test_folders os mm)\n", "utf-8")
        for name in SCRIPTS:
            (self.tree / f"tests/scripts/{name}.py").write_text(
                f"import os\nassert os.environ.get('BAD_SCRIPT') != '{name}'\n", "utf-8")
        tools = self.folder / "tools"
        tools.mkdir()
        for name, text in TOOLS.items():
            (tools / name).write_text(f"#!/usr/bin/env bash\n{text}\n", encoding="utf-8")
            (tools / name).chmod(0o755)
        # None of what this test itself was told, such as how long to take.
        self.environment = {name: value for name, value in os.environ.items()
                            if name != "CI" and not name.startswith("COW_")}
        self.environment["PATH"] = f"{tools}:{os.environ['PATH']}"

    def run_it(self, program, *arguments, **more):
        return subprocess.run([str(program), *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False, cwd="/",
                              env={**self.environment, **more})

    def assert_demo(self, result):
        self.assertEqual((result.returncode, result.stdout), (0, "cow demo\n"), result.stderr)

    def demo(self, program=None, **more):
        result = self.run_it(program or self.tree / "run", "demo", **more)
        self.assert_demo(result)
        return result.stderr

    def on_a_terminal(self, keys=None, **more):
        """(exit code, what it shows); `keys` is typed when the build has begun."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(self.tree / "run", ["run", "demo"], {**self.environment, **more})
        shown = ""
        while select.select([terminal], [], [], 60)[0]:
            try:
                shown += os.read(terminal, 65536).decode(errors="replace")
            except OSError:
                break
            if keys is not None and "building" in shown:
                os.write(terminal, keys)
                keys = None
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        return os.waitstatus_to_exitcode(status), shown

    def check_ends(self, code, line, **more):
        """What a check says, whose exit code and last line are these."""
        result = self.run_it(self.tree / "run", "check", **more)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertRegex(result.stderr.splitlines()[-1], f"^run: check {line}$")
        return result.stderr

    def test_a_check_runs_the_tests_of_every_file_once_and_short(self):
        self.check_ends(0, r"passed in \d+ s")
        calls = (self.folder / "test-calls").read_text(encoding="utf-8")
        self.assertEqual({line.split()[0] for line in calls.splitlines()}, {"0.02"})
        self.assertEqual(sorted(re.findall(r"\[#(\w+)\]", calls)),
                         [name.removesuffix(".cpp") for name in TEST_FILES])

    def test_a_check_goes_on_after_what_fails_and_says_it_all_in_the_last_line(self):
        told = self.check_ends(1, "failed: tests", BAD_TEST="[#u_test]")
        self.assertIn("a bad test", told)
        self.assertIn("a bad format", self.check_ends(1, "failed: format", BAD_FORMAT="1"))
        for name in SCRIPTS:
            self.check_ends(1, f"failed: {name}", BAD_SCRIPT=name)
        self.check_ends(1, "failed: tests format citations",
                        BAD_TEST="[#a_test]", BAD_FORMAT="1", BAD_SCRIPT="citations")

    def test_a_check_whose_build_fails_runs_no_test_and_looks_at_the_rest(self):
        told = self.check_ends(1, "failed: build citations", BREAKS="1", BAD_SCRIPT="citations")
        self.assertIn("an error", told)
        self.assertFalse((self.folder / "test-calls").exists())

    def test_a_check_without_clang_format_says_so(self):
        path = self.folder / "path"
        path.mkdir()
        for folder in ("/usr/bin", "/bin"):
            for program in Path(folder).iterdir():
                if program.name != "clang-format-14" and not (path / program.name).exists():
                    (path / program.name).symlink_to(program)
        (self.folder / "tools/python3").symlink_to(sys.executable)
        (self.folder / "tools/clang-format-14").unlink()
        self.environment["PATH"] = f"{self.folder / 'tools'}:{path}"
        without = r" \(without the format: there is no clang-format-14\)"
        self.check_ends(0, r"passed in \d+ s" + without)
        self.check_ends(1, "failed: tests" + without, BAD_TEST="[#a_test]")

    def ctest_call(self, *arguments):
        result = self.run_it(self.tree / "run", "test", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return (self.folder / "ctest-call").read_text(encoding="utf-8").splitlines()

    def test_tests_of_folders_are_chosen_by_label_and_other_words_are_for_ctest(self):
        self.assertNotIn("-L", self.ctest_call("-R", "a name"))
        self.assertEqual(self.ctest_call("mm")[-2:], ["-L", "^(mm)$"])
        self.assertEqual(self.ctest_call("src/mm/", "os", "-R", "a name")[-4:],
                         ["-L", "^(mm|os)$", "-R", "a name"])

    def test_a_folder_that_no_test_is_about_is_refused_before_anything_is_built(self):
        result = self.run_it(self.tree / "run", "test", "mn")
        self.assertEqual((result.returncode, result.stderr),
                         (1, "run: no tests of 'mn'; there is: os mm\n"))
        self.assertFalse((self.folder / "cmake-calls").exists())

    def add_lecture(self):
        programs = self.tree / "docs/lecture/programs"
        programs.mkdir(parents=True)
        for name, title in (("1-one", "The first"), ("2-two", "The second")):
            (programs / f"{name}.cpp").touch()
            (programs.parent / f"{name}.md").write_text(f"# {name[0]}. {title}\n", "utf-8")

    def test_the_lecture_lists_its_chapters(self):
        self.add_lecture()
        result = self.run_it(self.tree / "run", "lecture")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.splitlines()[:2], ["1  The first", "2  The second"])

    def test_what_is_no_chapter_and_no_file_is_answered_by_a_sentence(self):
        self.add_lecture()
        (self.tree / "docs/lab/grader").mkdir(parents=True)
        (self.tree / "docs/lab/grader/main.cpp").touch()
        for arguments in (("lecture", "3"), ("lecture", "x"), ("lecture", ""), ("lecture", "*"),
                          ("lecture", "gone.cpp"), ("lecture", "1", "2"), ("lab", "gone"),
                          ("lab", "/"), ("lab", "a", "b")):
            result = self.run_it(self.tree / "run", *arguments)
            self.assertEqual((result.returncode, result.stdout), (1, ""), arguments)
            self.assertRegex(result.stderr, r"^run: [^\n]*\n$", arguments)
        self.assertFalse((self.folder / "cmake-calls").exists())
        self.assertFalse((self.tree / "build/lab").exists())

    def test_a_chapter_is_built_and_run_without_tests(self):
        self.add_lecture()
        (self.folder / "tools/ninja").write_text(
            '#!/usr/bin/env bash\nmkdir -p "$2/bin"\necho "echo ran" >"$2/bin/$3"\n'
            'chmod +x "$2/bin/$3"\n', "utf-8")
        result = self.run_it(self.tree / "run", "lecture", "2")
        self.assertEqual((result.returncode, result.stdout), (0, "ran\n"), result.stderr)
        self.assertTrue((self.tree / "build/release/bin/cow_lecture_2").exists())

    def test_a_second_call_says_nothing_and_builds_nothing(self):
        self.assertIn("building", self.demo())
        self.assertEqual(self.demo(), "")

    def test_the_demo_asks_for_no_tests_and_no_benchmarks(self):
        self.demo()
        calls = (self.folder / "cmake-calls").read_text(encoding="utf-8")
        self.assertIn("-DCOW_BUILD_TESTS=OFF", calls)
        self.assertIn("-DCOW_BUILD_BENCHMARKS=OFF", calls)

    def test_the_demo_wants_the_packages_of_its_own_group_and_no_others(self):
        self.demo()
        asked = self.folder / "packages-asked"
        if not asked.exists():
            self.skipTest("this system is not Debian or Ubuntu: nothing is installed")
        declared = (ROOT / ".ci/packages").read_text(encoding="utf-8")
        self.assertEqual(asked.read_text(encoding="utf-8").split(),
                         re.findall(r"^demo +([\w.+-]+)", declared, re.M))

    def asked_for(self):
        asked = self.folder / "packages-asked"
        return asked.read_text(encoding="utf-8").split() if asked.exists() else []

    def test_a_page_is_built_from_its_template_with_the_node_there_is(self):
        result = self.run_it(self.tree / "run", "demo", "one-store", "--html", "x.html")
        self.assertEqual((result.returncode, result.stdout),
                         (0, "cow demo one-store --html x.html\n"), result.stderr)
        calls = (self.folder / "cmake-calls").read_text(encoding="utf-8")
        self.assertIn(f"-DCOW_NPM={self.folder}/tools/npm", calls)
        calls = (self.folder / "ninja-calls").read_text(encoding="utf-8")
        self.assertRegex(calls, r" cow_tool page\n$")
        self.assertNotIn("nodejs", self.asked_for())

    def test_a_page_wants_node_where_there_is_none_that_will_do_and_the_demo_never(self):
        old = {"NODE_VERSION": "v12.22.5"}
        self.demo(**old)
        self.assertNotIn("nodejs", self.asked_for())
        result = self.run_it(self.tree / "run", "demo", "--html=pages/", **old)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("needs Node 18 or newer", result.stderr)
        if self.asked_for():  # this system is Debian or Ubuntu
            self.assertIn("nodejs", self.asked_for())

    def test_bench_without_a_name_is_the_programs_and_needs_what_the_demo_needs(self):
        (self.tree / "src/tool/bench").mkdir()
        (self.tree / "src/tool/bench/bench_command.cpp").touch()
        (self.tree / "bench/old_bench.cpp").touch()
        for arguments in ([], ["--list"], ["--only", "clone", "--json", "r.json"]):
            result = self.run_it(self.tree / "run", "bench", *arguments)
            self.assertEqual((result.returncode, result.stdout),
                             (0, " ".join(["cow bench", *arguments]) + "\n"), result.stderr)
        calls = (self.folder / "cmake-calls").read_text(encoding="utf-8")
        self.assertIn("-DCOW_BUILD_BENCHMARKS=OFF", calls)
        self.assertNotIn("libbenchmark-dev", self.asked_for())
        result = self.run_it(self.tree / "run", "bench", "nwe")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("no benchmark 'nwe'; there is: all old", result.stderr)

    def test_a_benchmark_by_name_and_all_of_them_are_built_and_run(self):
        (self.tree / "src/tool/bench").mkdir()
        (self.tree / "src/tool/bench/bench_command.cpp").touch()
        for name in ("new", "old"):
            (self.tree / f"bench/{name}_bench.cpp").touch()
        (self.folder / "tools/ninja").write_text(
            '#!/usr/bin/env bash\nmkdir -p "$2/bin"\nfor target in "${@:3}"; do\n'
            '  name=${target/cow_tool/cow}\n'
            '  printf \'#!/bin/sh\\necho "%s $*"\\n\' "$name" >"$2/bin/$name"\n'
            '  chmod +x "$2/bin/$name"\ndone\n', "utf-8")
        result = self.run_it(self.tree / "run", "bench", "old", "--json", "r.json")
        self.assertEqual((result.returncode, result.stdout), (0, "old_bench --json r.json\n"),
                         result.stderr)
        result = self.run_it(self.tree / "run", "bench", "all")
        self.assertEqual((result.returncode, result.stdout),
                         (0, "cow bench\nnew_bench \nold_bench \n"), result.stderr)

    def test_in_a_pipe_it_says_now_and_then_how_far_it_is(self):
        told = [line for line in self.demo().splitlines() if "building" in line]
        self.assertEqual(told, ["run: building, 1 of 3"])

    def test_on_a_terminal_it_says_on_one_line_how_far_it_is(self):
        code, shown = self.on_a_terminal()
        self.assertEqual(code, 0, shown)
        line = next(line for line in shown.split("\n") if "building" in line)
        self.assertEqual(re.findall(r"building, (\d) of 3", line), ["1", "2", "3"])
        self.assertTrue(shown.endswith("cow demo\r\n"), shown)

    def test_ctrl_c_while_it_builds_is_no_failure_of_the_build(self):
        code, shown = self.on_a_terminal(keys=b"\x03", STEP_SECONDS="10")
        self.assertEqual(code, -signal.SIGINT, shown)
        self.assertIn("stopped", shown)
        self.assertNotIn("fail", shown)

    def test_a_signal_that_ends_it_while_it_builds_is_no_failure_either(self):
        process = subprocess.Popen([str(self.tree / "run"), "demo"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   start_new_session=True,
                                   env={**self.environment, "STEP_SECONDS": "2"})
        time.sleep(1)
        os.killpg(process.pid, signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, -signal.SIGTERM, output)
        self.assertNotIn("fail", output)

    def test_a_failure_of_the_build_is_one(self):
        result = self.run_it(self.tree / "run", "demo", BREAKS="1")
        self.assertEqual(result.returncode, 1)
        self.assertIn("an error", result.stderr)
        self.assertIn("failed", result.stderr)

    def test_it_works_through_symbolic_links(self):
        (self.folder / "bin").mkdir()
        (self.folder / "bin/link").symlink_to("../other")
        (self.folder / "other").symlink_to("tree/run")
        self.demo(self.folder / "bin/link")
        self.assertTrue((self.tree / "build/release/bin/cow").exists())

    def test_it_builds_where_it_is_told_to(self):
        self.demo(COW_BUILD_FOLDER=str(self.folder / "elsewhere"))
        self.assertTrue((self.folder / "elsewhere/release/bin/cow").exists())
        self.assertFalse((self.tree / "build").exists())
        self.assertEqual(self.demo(COW_BUILD_FOLDER=str(self.folder / "elsewhere")), "")

    def test_a_tree_that_cannot_be_written_to_says_how_to_build_elsewhere(self):
        command = [str(self.tree / "run"), "demo"]
        if os.geteuid() == 0:
            if not shutil.which("setpriv"):
                self.skipTest("root may write everywhere, and there is no setpriv")
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
        else:
            self.tree.chmod(0o555)
            self.addCleanup(self.tree.chmod, 0o755)
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        elsewhere.chmod(0o777)
        self.folder.chmod(0o777)  # for the pretence's notes

        def call(**more):
            return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=60, check=False, env={**self.environment, **more})

        result = call()
        self.assertEqual(result.returncode, 1)
        self.assertIn("COW_BUILD_FOLDER=", result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assert_demo(call(COW_BUILD_FOLDER=str(elsewhere)))

    def test_a_build_of_another_path_is_left_alone(self):
        self.demo()
        moved = self.folder / "moved"
        self.tree.rename(moved)
        told = self.demo(moved / "run")
        self.assertIn(str(self.tree), told)
        self.assertTrue((moved / "build/release/bin/cow").exists())
        self.assertEqual(len(list(moved.glob("build/release-*/bin/cow"))), 1)
        moved.rename(self.tree)
        self.assertEqual(self.demo(), "")

    def test_the_same_tree_by_another_name_is_used_as_it_is(self):
        self.demo()
        # As a bind mount is: the same folder, and no symbolic link.
        cache = self.tree / "build/release/CMakeCache.txt"
        other = self.folder / "other"
        other.symlink_to(self.tree)
        cache.write_text(cache.read_text(encoding="utf-8").replace(str(self.tree), str(other)),
                         encoding="utf-8")
        self.assertEqual(self.demo(), "")
        self.assertEqual([path.name for path in self.tree.glob("build/release*")], ["release"])


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    unittest.main(verbosity=2)

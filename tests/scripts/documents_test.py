#!/usr/bin/env python3
"""Compiles and runs every C++ example of the documents, as it stands.

usage: documents_test.py <build folder> <compiler> [flags...]

A block that has a main() is a program. Any other is a fragment, put into a function of its own; its
#include lines go to the top. What a fragment needs beforehand stands before its block in a comment
that readers do not see, and what is to be true afterwards in one behind it:

    <!-- before:                          <!-- after:
    cow::Region region = ...              assert(region.size() == 1);
    -->                                   -->
"""
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(?:^<!-- before:\n(?P<before>(?:(?!-->).)*?)-->\n\n?)?"
                   r"^```cpp\n(?P<code>.*?)^```\n"
                   r"(?:\n?^<!-- after:\n(?P<after>(?:(?!-->).)*?)-->\n)?", re.M | re.S)
ANY_CPP = re.compile(r"^ *(?:```|~~~) *(?:cpp|c\+\+|cc|cxx)(?!\w)", re.M | re.I)
HEADERS = ["fcntl.h", "signal.h", "unistd.h", "algorithm", "cassert", "cstddef", "cstdio",
           "cstring", "filesystem", "string", "thread", "vector", "cow/cow.hpp"]


def program_of(block):
    code = block["code"]
    if "int main(" in code:
        return code
    includes = re.findall(r"^#include .*$", code, re.M)
    body = re.sub(r"^#include .*\n", "", code, flags=re.M)
    lines = [*(f"#include <{name}>" for name in HEADERS), *includes, "", "int main() {",
             block["before"] or "", body, block["after"] or "", "  return 0;", "}", ""]
    return "\n".join(lines)


def examples_in(text):
    """(line, program) of each; an error if a block is written so that it is not found."""
    found = [(text.count("\n", 0, match.start("code")), program_of(match))
             for match in BLOCK.finditer(text)]
    if len(found) != len(ANY_CPP.findall(text)):
        raise AssertionError("a block of C++ is not marked by ```cpp at the beginning of a line")
    return found


def run(command, folder):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                            timeout=600, cwd=folder)
    return result.returncode, result.stdout


class Checker:
    def __init__(self, build, compiler):
        self.build, self.compiler = build, compiler

    def complaint(self, name, program):
        """Empty if the program compiles and exits with 0, in a folder of its own."""
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "example.cpp"), Path(folder, "example")
            source.write_text(program, encoding="utf-8")
            step = [*self.compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-Wno-unused",
                    "-I", str(ROOT / "include"), str(source),
                    str(self.build / "src" / "libcow.a"), "-o", str(target)]
            status, output = run(step, folder)
            if status == 0:
                status, output = run([str(target)], folder)
            return "" if status == 0 else f"{name}: {status}\n{output}"


def self_test():
    assert examples_in("x\n```cpp\nint main() {}\n```\n") == [(2, "int main() {}\n")]
    (_, made), = examples_in("<!-- before:\nint a = 1;\n-->\n```cpp\n#include <map>\na = 2;\n```\n"
                             "<!-- after:\nassert(a == 2);\n-->\n")
    assert made.index("#include <map>") < made.index("int a = 1;") < made.index("a = 2;")
    assert made.index("a = 2;") < made.index("assert(a == 2);")
    (_, first), (_, second) = examples_in("```cpp\na();\n```\n\ntext\n\n```cpp\nb();\n```\n")
    assert "b();" not in first and "a();" not in second
    for text in ("``` cpp\nint a;\n```\n", "  ```cpp\n  int a;\n  ```\n", "```c++\nint a;\n```\n"):
        try:
            examples_in(text)
        except AssertionError:
            continue
        raise AssertionError(f"not refused: {text}")
    print("documents_test: finds what it should")
    return 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    checker = Checker(Path(sys.argv[1]).resolve(), sys.argv[2:])
    jobs = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
            for line, program in examples_in(document.read_text("utf-8")):
                jobs.append(pool.submit(checker.complaint, f"{document.relative_to(ROOT)}:{line}",
                                        program))
    complaints = list(filter(None, (job.result() for job in jobs)))
    for complaint in complaints:
        print(complaint)
    print(f"documents_test: {len(jobs)} examples, {len(complaints)} complaints")
    return 1 if complaints or not jobs else 0


if __name__ == "__main__":
    sys.exit(main())

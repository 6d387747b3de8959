#!/usr/bin/env python3
"""Checks what the tree looks like.

The top level holds what is listed here and nothing else. Source files have at most 400 lines and
100 columns. The library does not know the size of a page: no literal 4096 in src and include (a
line that means something else says so: `// not a page size`). No notes about work left undone. A
script can be run. A table in a comment has a row a line: a formatter joins them if one is too long.
Every test has one tag, the folder that it is about, and perhaps [handler] behind it: then it is
about the mechanism that has a fault handler. tests/CMakeLists.txt lists the folders; each is a
folder of src, include/cow or docs, or at the top. No test has a semicolon in its name: CTest's list
would have two tests, which are none.
"""
import argparse
import re
import sys
import tempfile
from pathlib import Path

TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "include", "src", "bench", "tests", "docs",
             "README.md", "HACKING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE", ".clang-format",
             ".clang-tidy", ".gitignore", ".ci", "run", "bindings"}
IGNORED = re.compile(r"(\.git|build.*|cmake-build-.*|\.cache|\.vscode|\.idea)$")

# What npm put there, and what was built in place, which Conan does with a test package.
NOT_OURS = {"__pycache__", "node_modules", "dist", "build"}

SOURCES = {".cpp", ".hpp", ".h", ".c", ".ipp", ".py", ".sh", ".txt", ".cmake", ".in",
           ".ts", ".tsx", ".mjs", ".css", ".html"}
SCRIPTS = {"run", "packages"}
TEST_TOPS = ("src", "include/cow", "docs", ".")
MAX_LINES = 400
MAX_COLUMNS = 100

PAGE_SIZE = re.compile(r"(?<![\w.])(?:4'?096|0x1000|4\s*<<\s*10|1\s*<<\s*12)[uUlLzZ]*(?![\w'.])")
PAGE_SIZE_ESCAPE = "// not a page size"
JOINED_ROWS = re.compile(r"^\s*/// .*\| \|(?! *\|*$)|^\s*/// \| [^|]*$")
STRING = r'"(?:[^"\\]|\\.)*"'
TEST_CASE = re.compile(rf"^[ \t]*(?:TEST_CASE|SCENARIO)\(\s*({STRING}(?:\s*{STRING})*)"
                       rf"(?:\s*,\s*({STRING}))?\s*\)|^[ \t]*(?:[A-Z_]*TEST_CASE|SCENARIO)", re.M)
TEST_FOLDERS = re.compile(r"^set\(cow_test_folders ([\w ]+)\)$", re.M)
# Put together so that this file does not find itself.
UNDONE = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")


def files(root):
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if not IGNORED.match(parts[0]) and NOT_OURS.isdisjoint(parts) and path.is_file():
            yield path


def check_script(label, path):
    if path.read_bytes()[:2] == b"#!" and not path.stat().st_mode & 0o100:
        return [f"{label}: a script that cannot be run: chmod +x"]
    return []


def check_file(label, text):
    errors = []
    lines = text.splitlines()
    if label.suffix in SOURCES and len(lines) > MAX_LINES:
        errors.append(f"{label}: {len(lines)} lines, at most {MAX_LINES} are allowed: split it")
    for number, line in enumerate(lines, 1):
        where = f"{label}:{number}"
        if len(line) > MAX_COLUMNS:
            errors.append(f"{where}: {len(line)} columns, at most {MAX_COLUMNS} are allowed")
        if JOINED_ROWS.search(line):
            errors.append(f"{where}: rows of a table on one line: {line.strip()}")
        if UNDONE.search(line):
            errors.append(f"{where}: a note of work undone: {line.strip()}")
        if (label.parts[0] in ("src", "include") and label.suffix in (".cpp", ".hpp", ".h")
                and PAGE_SIZE.search(line) and PAGE_SIZE_ESCAPE not in line):
            errors.append(f"{where}: a literal page size: {line.strip()}")
    return errors


def check_tags(label, text, folders):
    """Of a file of tests: its test cases' tags."""
    errors = []
    for case in TEST_CASE.finditer(text):
        where = f"{label}:{text.count(chr(10), 0, case.start()) + 1}"
        tag = (case.group(2) or "")[1:-1]
        if ";" in (case.group(1) or ""):
            errors.append(f"{where}: a semicolon in the name of a test")
        folder = re.fullmatch(r"\[(\w+)\](?:\[handler\])?", tag)
        if not folder or folder.group(1) not in folders:
            errors.append(f"{where}: a test without a folder as its one tag: '{tag}'; "
                          f"there is: {' '.join(folders)}")
    return errors


def check_test_folders(root):
    """(errors, the folders that tests may have as their tag)"""
    path = root / "tests/CMakeLists.txt"
    listed = TEST_FOLDERS.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    folders = listed.group(1).split() if listed else []
    missing = [name for name in folders
               if not any((root / top / name).is_dir() for top in TEST_TOPS)]
    errors = [f"tests/CMakeLists.txt: there is no folder {name} for tests" for name in missing]
    return errors, folders


def check(root):
    """(errors, number of files looked at)"""
    errors, count = [], 0
    for entry in sorted(root.iterdir()):
        if entry.name not in TOP_LEVEL and not IGNORED.match(entry.name):
            errors.append(f"{entry.name}: does not belong at the top level")
    found, folders = check_test_folders(root)
    errors += found
    for path in files(root):
        label = path.relative_to(root)
        errors += check_script(label, path)
        if label.suffix in SOURCES or label.name in SCRIPTS:
            count += 1
            text = path.read_text(encoding="utf-8")
            errors += check_file(label, text)
            if label.match("tests/*.cpp"):
                errors += check_tags(label, text, folders)
        elif label.suffix == ".md":
            count += 1
            errors += [e for e in check_file(label, path.read_text(encoding="utf-8"))
                       if "columns" not in e]
    return errors, count


def self_test():
    good = {"README.md": "x" * 200 + "\n", "build/a.cpp": "4096\n",
            "src/page/node_modules/a.ts": "x" * 200, "src/page/dist/a.html": "x" * 200,
            "src/mm/a.cpp": "int a = 40960; int b = 4096;  // not a page size\n",
            "tests/CMakeLists.txt": "set(cow_test_folders mm tests)\n",
            "tests/a.cpp": 'int a = 4096;\nTEST_CASE("a", "[mm]") {\n'
                           'TEST_CASE(\n    "b \\"c\\" "\n    "d",\n    "[tests][handler]") {\n'}
    bad = {
        "top level": {"notes.txt": ""},
        "401 lines": {"src/mm/b.cpp": "\n" * 401},
        "101 columns": {"tests/b.cpp": "x" * 101},
        "102 columns": {"src/page/view/b.tsx": "x" * 102},
        "literal page size: int a = 4096": {"src/mm/b.cpp": "int a = 4096;\n"},
        "literal page size: int a = 0x1000": {"include/cow/b.hpp": "int a = 0x1000u;\n"},
        "cannot be run": {"tests/scripts/a.py": "#!/usr/bin/env python3\n"},
        "rows of a table": {"include/cow/b.hpp": "/// | a | b | | c | d |\n"},
        "b.cpp:1: a semicolon": {"tests/b.cpp": 'TEST_CASE("a "\n "b; c", "[mm]") {}\n'},
        "tag: '[handler]'": {"tests/b.cpp": 'TEST_CASE("a", "[handler]") {}\n'},
        "its one tag: ''": {"tests/b.cpp": 'TEST_CASE("a") {}\n'},
        "tag: '[gone]'; there is: mm tests": {"tests/b.cpp": 'TEST_CASE("a", "[gone]") {}\n'},
        "tag: '[mm][tests]'": {"tests/b.cpp": 'TEST_CASE("a", "[mm][tests]") {}\n'},
        "b.cpp:2: a test without": {"tests/b.cpp": '\nTEMPLATE_TEST_CASE("a", "[mm]", int) {}\n'},
        "no folder os": {"tests/CMakeLists.txt": "set(cow_test_folders mm tests os)\n"},
        "work undone": {"docs/a.md": "TO" + "DO: more\n"},
    }
    for message, extra in [(None, {})] + list(bad.items()):
        with tempfile.TemporaryDirectory() as name:
            for path, text in {**good, **extra}.items():
                target = Path(name, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
            errors, _ = check(Path(name))
            if message is None:
                assert not errors, errors
            else:
                assert len(errors) == 1 and message in errors[0], (message, errors)
    print("tree_conventions: finds what it should")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    errors, count = check(arguments.root)
    for error in errors:
        print(error)
    print(f"tree_conventions: {count} files, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())

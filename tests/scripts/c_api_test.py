#!/usr/bin/env python3
"""Holds the C API against what is written down of it, tests/c/c_api.abi.

usage: c_api_test.py <libcow.a or libcow.so> <C compiler> [--write]

Written down are the functions and callbacks with their types, the constants with their values, and
of each struct its size and where its members lie, as a program in C says (made from the headers, so
that nothing is left out). Who changes a line that is there breaks programs: that takes a new minor
version, and so a new SONAME. Who adds lines raises COW_ABI_VERSION. --write writes it all anew.

The size that a struct had at first, which is all that a program may have of it, is a line, too: of
src/api/c/structs.hpp. Besides: the library defines the functions that the headers declare, no
struct has padding, in which a new member would have no size, each header stands alone in C and C++,
and the C in the documents is what the examples compile.
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import exported_names

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "tests/c/c_api.abi"
HEADERS = [ROOT / "include/cow/cow.h", *sorted((ROOT / "include/cow/c").glob("*.h"))]
DOCUMENTS = [ROOT / "README.md", ROOT / "docs/c-api.md"]
EXAMPLES = ROOT / "docs/examples/c"


def one_line(text):
    return " ".join(text.split())


def source():
    """The headers without comments and lines of the preprocessor."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in HEADERS)
    text = re.sub(r"//.*|/\*.*?\*/", "", text)
    return re.sub(r"^[ \t]*#(?:.*\\\n)*.*$", "", text, flags=re.M)


def declarations(text):
    """(functions and callbacks with their types, structs with their members, constants)"""
    functions = [one_line(found) for found in re.findall(r"\bCOW_API\s+([^;{]+);", text)]
    callbacks = [one_line(found) for found in
                 re.findall(r"\b(typedef [^;{]*\(\*\w+\)[^;]*);", text)]
    structs = {}
    for body, name in re.findall(r"\btypedef struct \w+ \{([^}]*)\} (\w+);", text):
        structs[name] = [(one_line(member), re.search(r"(\w+)$", member.strip()).group(1))
                         for member in body.split(";") if member.strip()]
    constants = [name for body in re.findall(r"\btypedef enum \w+ \{([^}]*)\}", text)
                 for name in re.findall(r"\b(COW_\w+)\b", body)]
    return functions + callbacks, structs, ["COW_ABI_VERSION", *constants]


def program(structs, constants):
    lines = ["#include <cow/cow.h>", "#include <stdio.h>", "int main(void) {"]
    lines += [f'  printf("constant {name} %d\\n", (int){name});' for name in constants]
    for struct, members in structs.items():
        lines.append(f'  printf("struct {struct} %zu\\n", sizeof({struct}));')
        for declared, member in members:
            place = f"offsetof({struct}, {member}), sizeof((({struct}*)0)->{member})"
            lines.append(f'  printf("member {struct} %zu %zu {declared}\\n", {place});')
    return "\n".join([*lines, "  return 0;", "}", ""])


def measured(compiler, structs, constants):
    with tempfile.TemporaryDirectory() as folder:
        made, built = Path(folder, "layout.c"), Path(folder, "layout")
        made.write_text(program(structs, constants), encoding="utf-8")
        subprocess.run([compiler, "-std=c11", "-I", str(ROOT / "include"), str(made), "-o",
                        str(built)], check=True)
        return subprocess.run([str(built)], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.splitlines()


def first_sizes():
    text = (ROOT / "src/api/c/structs.hpp").read_text(encoding="utf-8")
    return [f"first {name} {size}" for name, size in
            re.findall(r"\bkFirstBytes<(\w+)> = (\d+);", text)]


def description(compiler):
    functions, structs, constants = declarations(source())
    return ([f"function {line}" for line in sorted(functions)] + first_sizes() +
            measured(compiler, structs, constants))


def differences(stored, now):
    return ([f"no longer so, which breaks programs: {line}" for line in stored if line not in now] +
            [f"new, and not written down (--write): {line}" for line in now if line not in stored])


def padding(lines):
    """Structs with bytes that are no member's."""
    sizes, covered = {}, {}
    for line in lines:
        words = line.split()
        if words[0] == "struct":
            sizes[words[1]] = int(words[2])
        elif words[0] == "member":
            covered[words[1]] = covered.get(words[1], 0) + int(words[3])
    return [f"{name} has padding: {size} bytes, members {covered[name]}"
            for name, size in sizes.items() if covered[name] != size]


def defined(library):
    dynamic = ["--dynamic"] if ".so" in Path(library).name else ["--extern-only"]
    names = [name for name, _ in exported_names.symbols(library, *dynamic)]
    return {name.split("@")[0] for name in names if name.startswith("cow_")}


def symbol_errors(library, lines):
    declared = {re.search(r"(\w+)\(", line).group(1) for line in lines
                if line.startswith("function ") and "typedef" not in line}
    found = defined(library)
    return ([f"declared and not in {Path(library).name}: {name}"
             for name in sorted(declared - found)] +
            [f"in {Path(library).name} and not declared: {name}"
             for name in sorted(found - declared)])


def header_errors(compilers):
    """Each header stands alone, in C11 and C++11, without a warning, and needs nothing else."""
    errors = []
    for path in HEADERS:
        name = path.relative_to(ROOT / "include")
        for other in re.findall(r'#\s*include\s*[<"]([^>"]*)', path.read_text(encoding="utf-8")):
            if not re.fullmatch(r"cow/c/\w+\.h|cow/(export|version)\.hpp|std(def|int)\.h", other):
                errors.append(f"{name} includes {other}")
        for language, standard, more in (("c", "c11", "-Wstrict-prototypes"),
                                         ("c++", "c++11", "-Wshadow")):
            for compiler in compilers:
                told = subprocess.run(
                    [compiler, "-x", language, f"-std={standard}", more, "-Wall", "-Wextra",
                     "-Wpedantic", "-Wconversion", "-Werror", "-fsyntax-only", "-I",
                     str(ROOT / "include"), "-"], input=f"#include <{name}>\n" * 2,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
                if told.returncode != 0:
                    errors.append(f"{compiler} -std={standard}: {told.stdout}")
    return errors


def null_errors(lines):
    """What takes a pointer and may fail is tried with NULL."""
    tried = (ROOT / "tests/c/hazards_test.c").read_text(encoding="utf-8")
    calls = [re.match(r"function int (\w+)\(.*\*", line) for line in lines]
    names = {call.group(1) for call in calls if call} - {"cow_try_handle_fault", "cow_backup_done"}
    return [f"tests/c/hazards_test.c does not try {name} with NULL" for name in sorted(names)
            if not re.search(rf"FAILS\({name}\([^;]*NULL[^;]*EINVAL", tried)]


def document_errors():
    examples = [path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.c"))]
    errors = []
    for document in filter(Path.is_file, DOCUMENTS):
        for block in re.findall(r"^```c\n(.*?)^```", document.read_text(encoding="utf-8"),
                                re.M | re.S):
            if not any(block in example for example in examples):
                errors.append(f"{document.name}: C that no file of docs/examples/c has:\n{block}")
    return errors


def self_test():
    assert differences(["a"], ["b"]) == ["no longer so, which breaks programs: a",
                                         "new, and not written down (--write): b"]
    assert padding(["struct s 8", "member s 0 4 int a"]) == ["s has padding: 8 bytes, members 4"]
    functions, structs, constants = declarations(
        "COW_API int cow_f(int a,\n  int b);\ntypedef struct x { size_t a; int* b; } x;"
        "typedef enum e { COW_A = 0, } e; typedef int (*cow_g)(void*);")
    assert functions == ["int cow_f(int a, int b)", "typedef int (*cow_g)(void*)"], functions
    assert list(structs) == ["x"] and constants == ["COW_ABI_VERSION", "COW_A"]


def main():
    self_test()
    library, compiler = sys.argv[1:3]
    now = description(compiler)
    if "--write" in sys.argv:
        STORED.write_text("\n".join(now) + "\n", encoding="utf-8")
    stored = STORED.read_text(encoding="utf-8").splitlines()
    errors = (differences(stored, now) + padding(now) + symbol_errors(library, now) +
              header_errors([compiler]) + null_errors(now) + document_errors())
    for error in errors:
        print(error)
    print(f"c_api_test: {len(now)} lines, {len(errors)} errors")
    return 1 if errors or len(now) < 100 else 0


if __name__ == "__main__":
    sys.exit(main())

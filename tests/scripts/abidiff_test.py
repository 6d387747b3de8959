#!/usr/bin/env python3
"""Holds the built library against the stored description of the C API by abidiff of libabigail.

usage: abidiff_test.py <libcow.a or libcow.so, with debug information> <C compiler>

tests/c/c_api.abi is the description. c_api_test.py holds the *headers* against it; this one asks
what the compiler made of the *library*. From the description alone a library is made that has the
same functions and types, and nothing else, and abidiff compares the two. Exit 77: no abidiff here.
"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "tests/c/c_api.abi"
MAP = ROOT / "src/libcow.map"
# Of C++ there is more than of C. (A suppression of variables would take in the members of structs.)
OURS_ALONE = "[suppress_function]\nsymbol_name_not_regexp = ^cow_\ndrop = yes\n"


def source(lines):
    """The description in C: every type as it is written there, every function without a body."""
    handles = sorted(set(re.findall(r"\bcow_\w+(?=\*)", "\n".join(lines))))
    callbacks, functions, structs = [], [], {}
    for line in lines:
        kind, rest = line.split(" ", 1)
        if kind == "function" and rest.startswith("typedef"):
            callbacks.append(f"{rest};")
        elif kind == "function":
            end = "{}" if re.match(r"void cow_", rest) else "{ return 0; }"
            functions.append(f"{rest} {end}")
        elif kind == "member":
            name, _, _, member = rest.split(" ", 3)
            structs.setdefault(name, []).append(f"{member};")
    # abidiff looks at types of the public headers alone, which it knows by the name of the file.
    return "\n".join(["#include <stddef.h>", "#include <stdint.h>", '#line 1 "region.h"',
                      *(f"typedef struct {name} {name};" for name in handles), *callbacks,
                      *(f"struct {name} {{ {' '.join(members)} }};"
                        for name, members in structs.items()), *functions, ""])


def described(lines, compiler, soname, folder, name):
    made, built = Path(folder, f"{name}.c"), Path(folder, f"{name}.so")
    made.write_text(source(lines), encoding="utf-8")
    version = Path(folder, "version.map")
    version.write_text(re.search(r"LIBCOW_C_1\n\{.*?\};", MAP.read_text(encoding="utf-8"),
                                 re.S).group(0).replace("cow_*;", "cow_*; local: *;"),
                       encoding="utf-8")
    subprocess.run([compiler, "-std=c11", "-g", "-fPIC", "-shared", f"-Wl,-soname,{soname}",
                    f"-Wl,--version-script={version}", str(made), "-o", str(built)], check=True)
    return built


def shared(library, compiler, soname, folder):
    """A static library as the shared one that it would be: its names get their versions."""
    if ".so" in library.name:
        return library
    built = Path(folder, "whole.so")
    subprocess.run([compiler, "-shared", f"-Wl,-soname,{soname}", f"-Wl,--version-script={MAP}",
                    "-Wl,--whole-archive", str(library), "-Wl,--no-whole-archive", "-o",
                    str(built)], check=True)
    return built


def differences(stored, built, folder):
    """What abidiff says, empty if nothing."""
    ours = Path(folder, "ours.abignore")
    ours.write_text(OURS_ALONE, encoding="utf-8")
    told = subprocess.run(
        ["abidiff", "--suppressions", str(ours), "--no-added-syms", "--drop-private-types",
         "--headers-dir2", str(ROOT / "include/cow/c"), str(stored), str(built)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return told.stdout if told.returncode != 0 else ""


def main():
    if shutil.which("abidiff") is None:
        print("skipped: there is no abidiff (Debian's abigail-tools)")
        return 77
    library, compiler = Path(sys.argv[1]).resolve(), sys.argv[2]
    lines = STORED.read_text(encoding="utf-8").splitlines()
    version = (ROOT / "include/cow/version.hpp").read_text(encoding="utf-8")
    soname = "libcow.so." + ".".join(
        re.search(rf"define COW_VERSION_{part} (\d+)", version)[1] for part in ("MAJOR", "MINOR"))
    with tempfile.TemporaryDirectory() as folder:
        built = shared(library, compiler, soname, folder)
        stored = described(lines, compiler, soname, folder, "stored")
        found = differences(stored, built, folder)
        # It can fail: a member of another type, which leaves every size as it is, is noticed.
        wrong = [line.replace("uint64_t pages_total", "double pages_total") for line in lines]
        assert wrong != lines
        other = described(wrong, compiler, soname, folder, "other")
        noticed = differences(other, built, folder)
    print(found or "abidiff_test: the library has the C API of tests/c/c_api.abi")
    if "pages_total" not in noticed:
        print("abidiff did not notice a change: has the library debug information?")
        return 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

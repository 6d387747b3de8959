#!/usr/bin/env python3
"""A program that uses libcow without <cow/managed_region.hpp> needs no Boost.

Usage: boost_free_test.py <compiler> [flags...]. Asks the compiler which files each public header
includes. Those of Boost may appear behind cow/managed_region.hpp alone, and do appear there, so
the question can be answered with yes.
"""
import subprocess
import sys
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[2] / "include"
NEEDS_BOOST = {"cow/managed_region.hpp", "cow/managed/segment.hpp", "cow/managed/containers.hpp",
               "cow/managed/resource.hpp", "cow/managed/best_fit.hpp",
               "cow/managed/allocator.hpp", "cow/managed/snapshot.hpp",
               "cow/managed/objects.hpp", "cow/managed/reading.hpp"}


def boost_files(compiler, header):
    """How many files of Boost a program with only this #include depends on."""
    run = subprocess.run([*compiler, "-std=c++20", "-M", "-I", str(INCLUDE), "-x", "c++", "-"],
                         input=f"#include <{header}>\n", capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"boost_free_test: {header} does not compile by itself:\n{run.stderr}")
    return sum("/boost/" in word for word in run.stdout.split())


def main():
    compiler = sys.argv[1:]
    errors = 0
    for path in sorted(INCLUDE.rglob("*.hpp")):
        header = path.relative_to(INCLUDE).as_posix()
        count = boost_files(compiler, header)
        if (count > 0) != (header in NEEDS_BOOST):
            print(f"{header}: includes {count} files of Boost")
            errors += 1
    print(f"boost_free_test: {errors} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Runs a program with regions (tests/debugger/subject.cpp) under Valgrind's Memcheck.

usage: memcheck_test.py <the program>
Ends with 77, after saying why, where there is no Valgrind.
"""
import shutil
import subprocess
import sys


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if shutil.which("valgrind") is None:
        print("skipped because Valgrind is not installed")
        return 77
    # Without it a store that faults half-way through a block is run again with older registers.
    precise = "--vex-iropt-register-updates=allregs-at-mem-access"
    command = ["valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full", precise,
               sys.argv[1]]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=900, check=False)
    print(result.stdout, result.stderr)
    # Every fault was taken and told from a fault of the program's own; Memcheck found no error.
    right = result.stdout.split("\n")[:3] == ["32 faults", "1 2", "done"]
    return 0 if right and result.returncode == 0 and not result.stderr else 1


if __name__ == "__main__":
    sys.exit(main())

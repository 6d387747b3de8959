#!/usr/bin/env python3
"""Puts what the textbook's claims print into docs/numbers.md, as they are shown there.

usage: numbers_page.py PROGRAM [--root FOLDER]

PROGRAM is `textbook_claims`. Between <!-- begin claim NAME --> and <!-- end claim NAME --> comes
what `PROGRAM NAME` prints, and between those of `machine` its last line. Each claim that there is
has to have its place. If one of them does not hold, nothing is written.
"""
import argparse
import subprocess
import sys
from pathlib import Path

from regenerate import Refused, renewed, replace

DOCUMENT = "docs/numbers.md"


def output(program, *arguments):
    run = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Refused(f"{' '.join(map(str, (program, *arguments)))}: {run.stderr.strip()}")
    return run.stdout


def contents(program):
    """Name of a marker -> what belongs between it and its end."""
    found, machines = {}, set()
    for name in output(program, "--list").split():
        evidence, _, machine = output(program, name).rstrip().rpartition("\n\n")
        found[f"claim {name}"] = f"```\n{evidence}\n```"
        machines.add(machine)
    found["machine"] = "\n".join(sorted(machines)) + "."
    return found


def regenerate(program, root):
    path = root / DOCUMENT
    text = path.read_text(encoding="utf-8")
    found = contents(program)
    for name in found:
        if f"<!-- begin {name} -->" not in text.splitlines():
            raise Refused(f"{DOCUMENT} has no place for '{name}'")
    text, left = renewed(DOCUMENT, text, found.get)
    if left:
        raise Refused(f"{left[0]}: there is no such claim")
    replace(path, text.encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    arguments = parser.parse_args()
    try:
        regenerate(arguments.program.resolve(), arguments.root)
    except (Refused, OSError) as error:
        print(f"numbers_page: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

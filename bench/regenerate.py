#!/usr/bin/env python3
"""Puts what was measured into the documents: tables, pictures and the machine, from result files.

usage: regenerate.py COW RESULT.json... [--root FOLDER]

COW is the program `cow`. In docs/benchmarks.md and README.md only what stands between these two
lines is replaced:

    <!-- begin NAME -->
    <!-- end NAME -->

NAME is one of
    environment                  the machine and the build of each result
    advice                       which mechanism to take for what
    summary                      a table of some workloads of every experiment: README's
    table EXPERIMENT             its table
    table EXPERIMENT: A; B       the same with these columns alone, as they are titled
    figures EXPERIMENT           its pictures, which go to docs/figures
What no result has stays as it is, and is said. Words beside the markers stay as they are. If
anything is wrong, nothing is written.
"""
import argparse
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
from pathlib import Path

DOCUMENTS = ("docs/benchmarks.md", "README.md")
FIGURES = "docs/figures"
SVG = "{http://www.w3.org/2000/svg}"
MARKER = re.compile(r"^<!-- (begin|end) (.+?) -->$")
SECTION = re.compile(r"^\*\*([\w-]+)\*\*(?:: .*)?$", re.MULTILINE)

# What README shows: experiment, parameters, what it says. Of several sizes the largest.
SUMMARY = (("clone", {"first_time": False}, "a clone or snapshot of {bytes}, nothing stored since"),
           ("clone", {"first_time": True}, "the first one of {bytes}"),
           ("share", {"share": 0.01, "pattern": "random"}, "a clone of {bytes}, 1 % of it written"),
           ("share", {"share": 1.0, "pattern": "random"}, "a clone of {bytes}, all of it written"),
           ("rounds", {"stores": 100, "same_pages": False},
            "a snapshot of {bytes} and stores to 100 other pages, in rounds"),
           ("rounds", {"stores": 10000, "same_pages": False}, "the same with 10,000 pages"),
           ("rollback", {"stores": 1000, "same_pages": True},
            "the same 1,000 pages of {bytes} stored to and taken back, in rounds"),
           ("rollback", {"stores": 100, "same_pages": False},
            "100 other pages of {bytes} each time, stored to and taken back"))
COLUMNS = (("handler", "libcow, handler"), ("kernel", "libcow, kernel"), ("fork", "`fork()`"),
           ("eager", "eager copy"))


class Refused(Exception):
    """A sentence for the user."""


def report(cow, *arguments):
    run = subprocess.run([cow, "report", *arguments], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Refused(run.stderr.strip().removeprefix("cow: ") or f"{cow} report failed")
    return run.stdout


class Result:
    """A result file and what `cow report` makes of it."""

    def __init__(self, cow, path, folder):
        self.path = path
        markdown = report(cow, path, "--markdown")
        report(cow, path, "--figures", folder)
        self.document = json.loads(Path(path).read_text(encoding="utf-8"))
        own = self.document["context"]["cow_bench"]
        if own["quick"]:
            raise Refused(f"{path}: a quick run, whose figures mean nothing; measure without "
                          "COW_BENCH_QUICK")
        if not own["complete"]:
            raise Refused(f"{path}: the run was stopped half-way; measure to its end")
        self.rows = [row for name in ("benchmarks", "quantities", "unmeasured")
                     for row in self.document.get(name, [])]
        self.environment = markdown.splitlines()[0]
        heads = list(SECTION.finditer(markdown))
        advice = re.compile(r"- .*(, take | no difference seen |is cheaper |is dearer "
                            r"|takes at the median)")
        self.advice = [line for line in markdown[:heads[0].start()].splitlines()
                       if advice.match(line)]
        self.tables = {}
        for head, after in zip(heads, heads[1:] + [None]):
            lines = markdown[head.end():after.start() if after else None].strip().splitlines()
            table = [line for line in lines if line.startswith("|") or not line]
            self.tables[head.group(1)] = "\n".join(table).strip()
        self.figures = sorted(Path(folder).iterdir())

    def figures_of(self, experiment):
        return [path for path in self.figures
                if path.stem == experiment or path.stem.startswith(experiment + "-")]


def chosen_columns(table, titles):
    """The table with its first column and those."""
    lines, kept = [], None
    for line in table.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if kept is None:
            missing = [title for title in titles if title not in cells]
            if missing:
                raise Refused(f"no column '{missing[0]}'; there is: {'; '.join(cells[1:])}")
            kept = [0] + [cells.index(title) for title in titles]
        if line:
            lines.append("| " + " | ".join(cells[i] for i in kept) + " |")
    return "\n".join(lines)


def time_words(ns):
    for limit, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if ns >= limit:
            return f"{ns / limit:.3g} {unit}"
    return f"{ns:.3g} ns"


def bytes_words(size):
    for limit, unit in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= limit and size % limit == 0:
            return f"{size // limit} {unit}"
    return f"{size} bytes"


def summary(results):
    """README's table, or None if no result has any of its rows."""
    rows = [row for result in results for row in result.rows]
    lines = []
    for experiment, wanted, words in SUMMARY:
        found = [row for row in rows if row["experiment"] == experiment and row["unit"] == "ns" and
                 all(row["parameters"].get(key) == value for key, value in wanted.items())]
        if not found:
            continue
        size = max(row["parameters"].get("bytes", 0) for row in found)
        medians = {row["mechanism"]: row for row in found if
                   row["parameters"].get("bytes", 0) == size}
        cells = [time_words(medians[name]["median"])
                 if name in medians and medians[name]["status"] == "measured" else "–"
                 for name, _ in COLUMNS]
        lines.append(f"| {words.format(bytes=bytes_words(size))} | " + " | ".join(cells) + " |")
    if not lines:
        return None
    head = "| | " + " | ".join(title for _, title in COLUMNS) + " |"
    return "\n".join([head, "|---|" + "---:|" * len(COLUMNS)] + lines)


def images(result, experiment, document, root, used):
    """Links to pictures, relative to the document."""
    lines = []
    for path in result.figures_of(experiment):
        title = xml.etree.ElementTree.parse(path).getroot().find(f"{SVG}title").text
        target = root / FIGURES / path.name
        used[target] = path
        words = title.replace("[", "(").replace("]", ")")
        lines.append(f"![{words}]({os.path.relpath(target, (root / document).parent)})")
    return "\n\n".join(lines) or None


def content(name, results, document, root, used):
    """What belongs between the markers of this name; None if no result has it."""
    kind, _, more = name.partition(" ")
    if name == "environment":
        return "\n".join(dict.fromkeys(result.environment for result in results))
    if name == "advice":
        return "\n".join(line for result in results for line in result.advice) or None
    if name == "summary":
        return summary(results)
    experiment, _, columns = more.partition(": ")
    if kind not in ("table", "figures") or not experiment:
        raise Refused(f"{document}: no such name of a marker: {name}")
    for result in results:
        if kind == "figures" and experiment in result.tables:
            return images(result, experiment, document, root, used)
        if kind == "table" and experiment in result.tables:
            table = result.tables[experiment]
            titles = [title.strip() for title in columns.split(";")] if columns else None
            return chosen_columns(table, titles) if titles else table
    return None


def renewed(document, text, content_of):
    """(the text with what `content_of(name)` returns between the markers of each name, names that
    were left as they are: those of which it is None)"""
    lines, left, inside, old = [], [], None, []
    for number, line in enumerate(text.splitlines(), 1):
        found = MARKER.match(line)
        where = f"{document}:{number}"
        if not found:
            (old if inside else lines).append(line)
            continue
        what, name = found.groups()
        if what == "begin":
            if inside:
                raise Refused(f"{where}: '{name}' begins inside '{inside}'")
            lines.append(line)
            inside, old = name, []
            continue
        if name != inside:
            raise Refused(f"{where}: the end of '{name}', which did not begin")
        new = content_of(name)
        if new is None:
            left.append(f"{document}: {name}")
        lines += old if new is None else ["", new, ""]
        lines.append(line)
        inside = None
    if inside:
        raise Refused(f"{document}: '{inside}' begins and does not end")
    return "\n".join(lines) + "\n", left


def replace(path, data):
    """All of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    try:
        beside.write_bytes(data)
        if path.exists():
            beside.chmod(path.stat().st_mode)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def regenerate(cow, paths, root):
    with tempfile.TemporaryDirectory() as folder:
        results = [Result(cow, path, os.path.join(folder, str(i))) for i, path in enumerate(paths)]
        names = [name for result in results for name in result.tables]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise Refused(f"two of the results have '{twice[0]}'; give one of them")
        texts, left, used = {}, [], {}
        for document in DOCUMENTS:
            text = (root / document).read_text(encoding="utf-8")
            texts[document], more = renewed(
                document, text,
                functools.partial(content, results=results, document=document, root=root,
                                  used=used))
            left += more
        for target, path in used.items():
            replace(target, path.read_bytes())
        for document, text in texts.items():
            replace(root / document, text.encode())
    for name in left:
        print(f"left as it was, as no result has it: {name}")
    print(f"{len(used)} pictures in {FIGURES}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cow")
    parser.add_argument("results", nargs="+")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    arguments = parser.parse_args()
    try:
        regenerate(arguments.cow, arguments.results, arguments.root)
    except (Refused, OSError) as error:
        print(f"regenerate: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

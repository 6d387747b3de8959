#!/usr/bin/env python3
"""Checks that #include lines go one way.

Layers, lowest first: base, os, trace, mm, fault, api, measure, tool, demo (folders of src); within
mm: resources, frames, tables, space, watch, fault, control; on top of api: c; on top of measure:
figures, trace, host, mechanisms, experiments, engine; on top of tool: child, trace, report, bench,
doctor; within demo: record, kernel, chapters, view. On top is src/tool/main.cpp, which puts the
program together.
A file includes its own layer and lower ones. include/cow includes nothing of src. Only src/os
includes the headers of the operating system's mappings and signals, and src/demo/kernel, which
shows what the kernel's own calls do, src/measure/host and mechanisms, which measure them, and
src/tool/child, which runs a program and passes signals on to it. No file includes itself, by
whatever way round. The library (base to api) reads no file with a stream: an interruption would
pass for a file that is not there.

src/reads is a library of its own: it includes itself and include/cow, and stands in for functions
of libc, whose headers it needs.
"""
import argparse
import re
import sys
import tempfile
from pathlib import Path

LAYERS = ["base", "os", "trace", "mm/resources", "mm/frames", "mm/tables", "mm/space", "mm/watch",
          "mm/fault", "mm/control", "fault", "api", "api/c", "measure", "measure/figures",
          "measure/trace", "measure/host", "measure/mechanisms", "measure/experiments",
          "measure/engine", "tool", "tool/child", "tool/trace", "tool/report", "tool/bench",
          "tool/doctor", "demo/record", "demo/kernel", "demo/chapters", "demo/view", "demo", "main"]
FOLDERS = {layer.split("/")[0] for layer in LAYERS}
APART = "reads"
SUFFIXES = {".hpp", ".cpp", ".h", ".ipp"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# Headers that only src/os may include, and the part of them that matters for src/tool.
SYSTEM = re.compile(r"(sys/mman\.h|signal\.h|csignal|sys/ioctl\.h|sys/syscall\.h|linux/.*|"
                    r"ucontext\.h|sys/ucontext\.h|sys/signal\.h)$")
SYSTEM_LAYERS = ("os", "demo/kernel", "measure/host", "measure/mechanisms", "tool/child", APART)
STREAM = re.compile(r"fstream$")
TOOL_SYSTEM = re.compile(r"(sys/mman\.h|signal\.h|csignal)$")


def source_files(root):
    for top in ("src", "include"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                yield path


def includes_of(path):
    """(line number, '<' or '"', name) for each #include line."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1), found.group(2)


def resolve(root, path, name):
    """The file of this repository that `name` means in `path`, or None."""
    for folder in (path.parent, root / "include", root / "src"):
        candidate = folder / name
        if candidate.is_file():
            return candidate.resolve()
    return None


def layer_of(root, path):
    """The layer's name, 'include' for public headers, or None."""
    parts = path.relative_to(root).parts
    if parts[0] == "include":
        return "include"
    if parts == ("src", "tool", "main.cpp"):
        return "main"
    if parts[0] == "src" and len(parts) > 2:
        return "/".join(parts[1:-1])
    return None


def check_line(root, path, name, target):
    """Why this #include is wrong, or None."""
    layer = layer_of(root, path)
    if SYSTEM.match(name) and layer not in SYSTEM_LAYERS:
        if layer == "tool" and not TOOL_SYSTEM.match(name):
            return None
        return f"<{name}> is for src/os alone"
    in_library = layer in LAYERS and LAYERS.index(layer) < LAYERS.index("measure")
    if STREAM.match(name) and in_library:
        return f"<{name}> takes an interruption for the end; see os/system_file.hpp"
    if target is None:
        first = name.split("/")[0]
        if first in FOLDERS or first == "cow":
            return f"there is no file {name}"
        return None
    other = layer_of(root, target)
    if layer == "include":
        return None if other == "include" else "a public header may include nothing of src"
    if other == "include":
        return None
    if APART in (layer, other):
        return None if layer == other else f"{APART} includes nothing else of src, nor is included"
    if layer not in LAYERS or other not in LAYERS:
        return f"a folder of src that is no layer ({', '.join(LAYERS)})"
    if LAYERS.index(other) > LAYERS.index(layer):
        return f"{layer} is below {other}"
    return None


def find_cycle(graph):
    """A list of files that include one another in a circle, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for successor in graph.get(node, ()):
            cycle = visit(successor)
            if cycle:
                return cycle
        path.pop()
        done.add(node)
        return None

    for start in graph:
        cycle = visit(start)
        if cycle:
            return cycle
    return None


def boost_from(root, graph, texts, start):
    """The path from `start` to the first Boost header it pulls in, or None."""
    queue, seen = [[start]], {start}
    while queue:
        path = queue.pop(0)
        for name in texts.get(path[-1], ()):
            if name.startswith("boost/"):
                return [str(p.relative_to(root)) for p in path] + [f"<{name}>"]
        for successor in graph.get(path[-1], ()):
            if successor not in seen:
                seen.add(successor)
                queue.append(path + [successor])
    return None


def check(root):
    root = root.resolve()
    errors, graph, names = [], {}, {}
    for path in source_files(root):
        path = path.resolve()
        graph[path], names[path] = [], []
        for number, _, name in includes_of(path):
            target = resolve(root, path, name)
            names[path].append(name)
            if target is not None:
                graph[path].append(target)
            why = check_line(root, path, name, target)
            if why:
                errors.append(f"{path.relative_to(root)}:{number}: #include {name}: {why}")
    cycle = find_cycle(graph)
    if cycle:
        errors.append("a circle of includes: " +
                      " -> ".join(str(p.relative_to(root)) for p in cycle))
    main = (root / "include/cow/cow.hpp").resolve()
    boost = boost_from(root, graph, names, main)
    if boost:
        errors.append("cow/cow.hpp pulls in Boost: " + " -> ".join(boost))
    return errors, len(graph)


def self_test():
    good = {
        "include/cow/cow.hpp": "#include <cow/region.hpp>\n#include <span>\n",
        "include/cow/region.hpp": "#include <cstddef>\n",
        "src/base/a.hpp": "",
        "src/os/m.cpp": '#include "base/a.hpp"\n#include <sys/mman.h>\n',
        "src/tool/t.cpp": "#include <cow/cow.hpp>\n#include <sys/ioctl.h>\n",
        "src/reads/r.cpp": '#include "reads/r.hpp"\n#include <cow/cow.hpp>\n#include <signal.h>\n',
        "src/reads/r.hpp": "",
        "src/demo/kernel/k.hpp": '#include "base/a.hpp"\n#include <sys/mman.h>\n',
        "src/demo/d.hpp": '#include "demo/kernel/k.hpp"\n',
        "src/tool/child/c.hpp": '#include "tool/t.hpp"\n#include <signal.h>\n',
        "src/tool/t.hpp": "",
        "src/tool/trace/v.cpp": '#include "tool/child/c.hpp"\n',
        "src/tool/main.cpp": '#include "demo/d.hpp"\n',
    }
    bad = {
        "below": {"src/base/b.cpp": '#include "os/m.hpp"\n', "src/os/m.hpp": ""},
        "for src/os alone": {"src/mm/space/x.cpp": "#  include <sys/mman.h>\n"},
        "takes an interruption": {"src/api/c/x.cpp": "#include <fstream>\n"},
        "<signal.h> is for src/os": {"src/tool/trace/x.cpp": "#include <signal.h>\n"},
        "tool is below tool/child": {"src/tool/x.cpp": '#include "tool/child/c.hpp"\n'},
        "for src/os": {"src/tool/x.cpp": "#include <csignal>\n"},
        "nothing of src": {"include/cow/x.hpp": '#include "base/a.hpp"\n'},
        "circle": {"src/mm/space/p.hpp": '#include "mm/space/q.hpp"\n',
                   "src/mm/space/q.hpp": '#include "p.hpp"\n'},
        "Boost": {"include/cow/region.hpp": "#include <boost/config.hpp>\n"},
        "reads includes nothing else": {"src/reads/x.cpp": '#include "base/a.hpp"\n'},
        "nor is included": {"src/tool/x.cpp": '#include "reads/r.hpp"\n'},
        "no file": {"src/mm/space/y.cpp": '#include "mm/space/gone.hpp"\n'},
        "mm/tables is below mm/space": {"src/mm/tables/z.cpp": '#include "mm/space/s.hpp"\n',
                                        "src/mm/space/s.hpp": ""},
        "tool is below demo": {"src/tool/x.cpp": '#include "demo/d.hpp"\n'},
        "no layer": {"src/mm/loose.hpp": '#include "base/a.hpp"\n'},
    }
    for message, files in [(None, {})] + list(bad.items()):
        with tempfile.TemporaryDirectory() as name:
            for path, text in {**good, **files}.items():
                target = Path(name, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, encoding="utf-8")
            errors, _ = check(Path(name))
            if message is None:
                assert not errors, errors
            else:
                assert any(message in e for e in errors), (message, errors)
    print("include_direction: finds what it should")
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
    print(f"include_direction: {count} files, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())

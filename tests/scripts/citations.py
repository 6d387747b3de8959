#!/usr/bin/env python3
"""Checks what the documents say about the tree.

`path/file.cpp:name` (in backticks; also Class::name) cites code: the file exists and the last part
of the name is a word in it. `tests/file.cpp "a claim"` cites a test: the file has a test case of
that name. `src/...`, `include/...`, `tests/...`, `bench/...`, `docs/...` with an extension is a
file that exists. Relative links lead to a file, and #anchors to a heading.
"""
import argparse
import re
import sys
import tempfile
import urllib.parse
from pathlib import Path

FENCE = re.compile(r"^\s*(```+|~~~+)")
CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
CITATION = re.compile(r"^([\w./-]+\.\w+|[\w./-]*CMakeLists\.txt|run|\.ci/\w+):([A-Za-z_~][\w:~]*)"
                      r"(?:\(\))?$")
TEST_CITATION = re.compile(r'^(tests/[\w./-]+\.\w+) "(.+)"$')
BARE_PATH = re.compile(r"^(?:src|include|tests|bench|docs)/[\w./-]*\.\w+$")
LINK = re.compile(r"!?\[(?:[^\]\[]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+[\"'][^)]*)?\)")
REFERENCE = re.compile(r"^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$")
HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
HTML_ANCHOR = re.compile(r"<a\s+(?:name|id)=[\"']([^\"']+)[\"']")

# A document that explains code and so has to cite it.
MUST_CITE = "docs/page-fault.md"


def documents(root):
    found = [root / name for name in ("README.md", "HACKING.md", "SECURITY.md")
             if (root / name).is_file()]
    return found + sorted((root / "docs").rglob("*.md"))


def prose_lines(path):
    """(line number, line) outside of fenced code blocks."""
    fence = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        mark = FENCE.match(line)
        if fence is None and mark:
            fence = mark.group(1)
        elif fence is not None:
            if mark and mark.group(1).startswith(fence):
                fence = None
        else:
            yield number, line


def anchors_of(path):
    """The anchors GitHub makes for the headings of a document."""
    anchors, count = set(), {}
    for _, line in prose_lines(path):
        anchors.update(HTML_ANCHOR.findall(line))
        heading = HEADING.match(line)
        if not heading:
            continue
        text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(2))
        text = re.sub(r"<[^>]*>", "", text).replace("`", "").replace("*", "")
        anchor = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        seen = count.get(anchor, 0)
        count[anchor] = seen + 1
        anchors.add(f"{anchor}-{seen}" if seen else anchor)
    return anchors


def check_span(root, span):
    """(whether it is a citation, what is wrong with it or None)."""
    test = TEST_CITATION.match(span)
    if test:
        path = root / test.group(1)
        if not path.is_file():
            return True, f"`{span}`: there is no file {test.group(1)}"
        # A long name is written as several literals.
        text = re.sub(r'"\s*\n\s*"', "", path.read_text(encoding="utf-8"))
        if f'"{test.group(2)}"' not in text:
            return True, f"`{span}`: {test.group(1)} has no test of that name"
        return True, None
    citation = CITATION.match(span)
    if citation:
        name, identifier = citation.groups()
        path = root / name
        if "/" not in name and not path.exists():
            return False, None  # `std.hpp:x` without a folder is not about this tree
        if not path.is_file():
            return True, f"`{span}`: there is no file {name}"
        word = identifier.rstrip(":").split("::")[-1].lstrip("~")
        if not re.search(rf"\b{re.escape(word)}\b", path.read_text(encoding="utf-8")):
            return True, f"`{span}`: '{word}' does not occur in {name}"
        return True, None
    if BARE_PATH.match(span) and not (root / span).exists():
        return False, f"`{span}`: there is no such file"
    return False, None


def check_link(root, document, target):
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//", target):
        return None
    name, _, anchor = target.partition("#")
    name, anchor = urllib.parse.unquote(name), urllib.parse.unquote(anchor)
    path = document
    if name:
        path = root / name.lstrip("/") if name.startswith("/") else document.parent / name
    if not path.exists():
        return f"link to {target}: there is no {name}"
    if anchor and path.suffix == ".md" and anchor not in anchors_of(path):
        return f"link to {target}: {path.name} has no heading for #{anchor}"
    return None


def check(root):
    """(errors, how many citations there are)"""
    root = root.resolve()
    errors, total = [], 0
    for document in documents(root):
        count = 0
        label = document.relative_to(root)
        for number, line in prose_lines(document):
            problems = []
            for span in CODE_SPAN.finditer(line):
                cited, problem = check_span(root, span.group(2).strip())
                count += cited
                problems.append(problem)
            text = CODE_SPAN.sub(lambda m: "x" * len(m.group(0)), line)
            targets = [m.group(1) for m in LINK.finditer(text)]
            reference = REFERENCE.match(text)
            if reference:
                targets.append(reference.group(1))
            problems += [check_link(root, document, target) for target in targets]
            errors += [f"{label}:{number}: {problem}" for problem in problems if problem]
        total += count
        if str(label) == MUST_CITE and count == 0:
            errors.append(f"{label}: cites no code at all (`path/file.cpp:name`)")
    return errors, total


def self_test():
    code = {"src/mm/fault.cpp": "void Space::resolve() {}\n", "docs/other.md": "# A `b`: c d\n",
            "tests/a_test.cpp": 'TEST_CASE(\n    "one "\n    "claim") {}\n'}
    good = ("# Top\n`src/mm/fault.cpp:resolve` `src/mm/fault.cpp:Space::resolve` "
            "`src/mm/fault.cpp` `tests/a_test.cpp \"one claim\"` "
            "[x](other.md#a-b-c-d) [y](#top) [z](https://a.b/c#d)\n"
            "`a.b:c` ```\n~~~\n`src/gone.cpp` [x](gone)\n~~~\n")
    bad = {
        "does not occur": "`src/mm/fault.cpp:resolv`",
        "no test of that name": '`tests/a_test.cpp "one"`',
        "no file src/mm/gone.cpp": "`src/mm/gone.cpp:resolve`",
        "no such file": "`src/mm/gone.cpp`",
        "there is no gone.md": "[x](gone.md)",
        "no heading for #nowhere": "[`x`](other.md#nowhere)",
        "no heading for #none": "[x](#none)",
    }

    def errors_of(text):
        with tempfile.TemporaryDirectory() as name:
            for path, content in {**code, "docs/page-fault.md": text}.items():
                target = Path(name, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(content, encoding="utf-8")
            return check(Path(name))[0]

    assert not errors_of(good), errors_of(good)
    for message, text in bad.items():
        errors = errors_of(good + text + "\n")
        assert len(errors) == 1 and message in errors[0], (message, errors)
    assert "cites no code" in errors_of("# Top\n")[0]
    print("citations: finds what it should")
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
    print(f"citations: {count} citations, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())

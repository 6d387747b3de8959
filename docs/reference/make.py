#!/usr/bin/env python3
"""Makes pages of the public headers, for C++ and C, and of the documents: ./run reference

usage: make.py <folder>, or make.py --header <file>, which Doxygen calls for each header

Doxygen reads the documents as they are but for what it does not know: a heading gets the anchor
that GitHub would give it, links between documents become its own, a link to another file of the
tree is text, and HTML that folds is opened. Afterwards every link of every page is followed; one
that leads nowhere is an error.
"""
import html.parser
import re
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^\s*(```+|~~~+)")
HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
# A link, or a span of code, in which there is none. Both may go on in the next line, not beyond.
LINK = re.compile(r"(!?)\[((?:[^\]\[]|\[[^\]]*\])*)\]\(\s*<?([^)\s>]+)>?\s*\)"
                  r"|(?<!`)(`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)\4(?!`)", re.S)
HTML_LINK = re.compile(r'<a href="([^"]+)">(.*?)</a>')


def documents():
    found = [ROOT / name for name in ("README.md", "HACKING.md", "CHANGELOG.md",
                                     "SECURITY.md")]
    return found + sorted(path for path in (ROOT / "docs").rglob("*.md"))


def page_id(path):
    return "doc_" + re.sub(r"\W", "_", str(path.relative_to(ROOT).with_suffix("")))


def slug(text):
    """What GitHub makes of a heading."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<[^>]*>", "", text).replace("`", "").replace("*", "")
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def anchor_id(path, anchor):
    return f"{page_id(path)}__{re.sub(r'[^A-Za-z0-9]', lambda m: f'_{ord(m[0]):x}_', anchor)}"


def plain(text):
    """A heading's text: Doxygen shows marks in titles as they are."""
    return re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "").replace("*", "")


class Document:
    def __init__(self, path, pages):
        self.path, self.pages, self.slugs = path, pages, {}

    def target(self, link):
        """Doxygen's name of what a link leads to; None if that is no page."""
        name, _, anchor = urllib.parse.unquote(link).partition("#")
        path = (self.path.parent / name).resolve() if name else self.path
        if path not in self.pages:
            return None
        return anchor_id(path, anchor) if anchor else page_id(path)

    def link(self, match):
        image, text, link = match.group(1, 2, 3)
        if link is None or re.match(r"[a-z]+:", link):
            return match[0]
        if image:
            return f"![{text}]({Path(link).name})"
        target = self.target(link)
        return text if target is None else f"[{text}](@ref {target})"

    def heading(self, match):
        marks, text = match.groups()
        name = slug(text)
        seen = self.slugs.get(name, 0)
        self.slugs[name] = seen + 1
        if len(marks) == 1 and len(self.slugs) == 1:
            return f"# {plain(text)} {{#{page_id(self.path)}}}"
        identifier = anchor_id(self.path, f"{name}-{seen}" if seen else name)
        return f"{marks} {plain(text)} {{#{identifier}}}"

    def line(self, line):
        line = HEADING.sub(self.heading, line)
        line = re.sub(r"</?details>", "", line)
        line = HTML_LINK.sub(r"[\2](\1)", line)
        return re.sub(r"<summary>(.*?)</summary>", r"\n**\1**\n", line)

    def prose(self, lines):
        """Lines outside of fences."""
        return LINK.sub(self.link, "\n".join(map(self.line, lines)))

    def text(self):
        """The document for Doxygen."""
        source = re.sub(r"^<!--.*?-->$", "", self.path.read_text(encoding="utf-8"),
                        flags=re.M | re.S)
        done, prose, fence = [], [], None
        for line in source.splitlines():
            mark = FENCE.match(line)
            if fence is None and not mark:
                prose.append(line)
                continue
            if fence is None:
                done.append(self.prose(prose))
                prose, fence = [], mark.group(1)
            elif mark and mark.group(1).startswith(fence):
                fence = None
            done.append(line)
        return "\n".join([*done, self.prose(prose)]) + "\n"


class Page(html.parser.HTMLParser):
    """The anchors and links of a page of HTML."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links = set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.anchors.update(values[name] for name in ("id", "name") if values.get(name))
        self.links.update(values[name] for name in ("href", "src", "data") if values.get(name))


def link_errors(folder):
    """(links that lead nowhere, how many pages and links there are)"""
    pages = {path: Page(path) for path in sorted(folder.glob("*.html"))}
    errors, count = [], 0
    for path, page in pages.items():
        for link in sorted(page.links):
            if re.match(r"(https?|mailto|javascript|data):", link):
                continue
            count += 1
            name, _, anchor = urllib.parse.unquote(link).partition("#")
            target = folder / name if name else path
            if not target.is_file():
                errors.append(f"{path.name}: there is no {name}")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                errors.append(f"{path.name}: {target.name} has no #{anchor}")
    return errors, len(pages), count


def header(path):
    """A header for Doxygen: the documents that its comments name are links, and what cow.hpp has
    for a front page is a page for the headers."""
    text = path.read_text(encoding="utf-8").replace("@mainpage", "@page headers The headers")
    return re.sub(r"\bdocs/[\w-]+\.md\b",
                  lambda found: f'@ref {page_id(ROOT / found[0])} "{found[0]}"', text)


def main():
    if sys.argv[1] == "--header":
        sys.stdout.write(header(Path(sys.argv[2])))
        return 0
    folder = Path(sys.argv[1]).resolve()
    staged = folder.parent / "reference-input"
    for one in (folder, staged):
        shutil.rmtree(one, ignore_errors=True)
        one.mkdir(parents=True)
    pages = {path.resolve() for path in documents()}
    for path in sorted(pages):
        (staged / f"{page_id(path)}.md").write_text(Document(path, pages).text(), encoding="utf-8")
    settings = (f"@INCLUDE = docs/reference/Doxyfile\nINPUT = include/cow {staged}\n"
                f"USE_MDFILE_AS_MAINPAGE = {staged}/doc_README.md\n"
                f"IMAGE_PATH = docs docs/figures\nOUTPUT_DIRECTORY = {folder.parent}\n"
                f"HTML_OUTPUT = {folder.name}\nSTRIP_FROM_PATH = include {staged}\n")
    told = subprocess.run(["doxygen", "-"], input=settings, cwd=ROOT, text=True, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    (staged / "doxygen.log").write_text(told, encoding="utf-8")
    errors, page_count, link_count = link_errors(folder)
    errors += [line for line in told.splitlines()
               if re.search(r"unable to resolve|image file .* is not found|multiple use of", line)]
    for error in errors:
        print(error)
    print(f"reference: {page_count} pages, {link_count} links, {len(errors)} errors: "
          f"{folder}/index.html")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())

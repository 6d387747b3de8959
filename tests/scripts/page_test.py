#!/usr/bin/env python3
"""Tests the page that replays a recorded run: types, the replay by itself, and the pages of all
chapters in headless Chromium.

usage: page_test.py <folder to work in> <npm> <Chromium> <path of cow>

The tests are those of src/page/test. They run in a copy, so that nothing is written to the sources.
"""
import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "src/page"
OURS = shutil.ignore_patterns("node_modules", "dist")


def run(folder, *command, **environment):
    print("+", *command, flush=True)
    subprocess.run(command, cwd=folder, check=True, stdin=subprocess.DEVNULL,
                   env={**os.environ, **environment})


def copy_sources(folder):
    """As they are now; the packages that were fetched into the copy earlier stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for entry in folder.iterdir():
        if entry.name == "node_modules":
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    shutil.copytree(SOURCES, folder, ignore=OURS, dirs_exist_ok=True)


def is_installed(folder):
    """Whether the packages that the copy has are those of the lock file."""
    lock, mark = folder / "package-lock.json", folder / "node_modules/installed-lock.json"
    return mark.is_file() and mark.read_bytes() == lock.read_bytes()


def main():
    folder, npm, chromium, cow = Path(sys.argv[1]).resolve(), *sys.argv[2:]
    copy_sources(folder)
    if not is_installed(folder):
        run(folder, npm, "ci")
        shutil.copy(folder / "package-lock.json", folder / "node_modules/installed-lock.json")
    run(folder, npm, "run", "check")
    run(folder, npm, "run", "build")
    run(folder, npm, "run", "test:unit")
    # `cow` takes the template beside itself, and so that of the build. What is tested is this one.
    template = Path(cow).resolve().parent.parent / "share/libcow/page.html"
    if not template.is_file() or template.read_bytes() != (folder / "dist/page.html").read_bytes():
        print(f"{template} is not what the sources make; build the target 'page' first")
        return 1
    shutil.rmtree(folder / "pages", ignore_errors=True)
    run(folder, cow, "demo", "--html", "pages/")
    run(folder, npm, "run", "test:browser", COW_CHROMIUM=chromium, COW_PAGES=str(folder / "pages"),
        COW_PAGE_TEMPLATE=str(template))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        print(f"failed: {' '.join(map(str, error.cmd))}")
        sys.exit(1)

#!/usr/bin/env python3
"""The Python package with an installed shared library: its tests, also under pytest, its examples,
the lines of its guide and of the README, what it declares of the C API, its type hints and those of
a program that uses it, and that pip installs it. What is not installed here is skipped, in words.

usage: python_test.py <libcow.so>
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "bindings/python"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
# Python 3.12 warns of each fork beside a thread, as libcow's are; the child runs no other code.
STRICT = ("-X", "dev", "-W", "error", "-W", "ignore:This process:DeprecationWarning")
MECHANISMS = ("handler", "automatic")


def run(environment, *command):
    print("$", *(str(word)[:60] for word in command), flush=True)
    subprocess.run(command, check=True, env=environment, timeout=600)


def version_of_library():
    text = (ROOT / "include/cow/version.hpp").read_text(encoding="utf-8")
    return ".".join(re.search(rf"define COW_VERSION_{part} (\d+)", text)[1]
                    for part in ("MAJOR", "MINOR", "PATCH"))


def has_modules(*names):
    missing = [name for name in names if subprocess.run(
        (sys.executable, "-c", f"import {name}"), check=False,
        stderr=subprocess.DEVNULL).returncode != 0]
    for name in missing:
        print(f"skipped what needs {name}, which is not installed")
    return not missing


def under_pytest(environment, python):
    """With pytest's own faulthandler, which is enabled before the tests run, and after conftest.py:
    there a region is made, so the next call has to go in front of it again."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(PACKAGE / "tests", folder, dirs_exist_ok=True)
        Path(folder, "conftest.py").write_text(
            "import cow\noptions = cow.Options(mechanism=cow.Mechanism.HANDLER)\n"
            "early = cow.Region(1 << 16, options)\npast = early.snapshot()\n", encoding="utf-8")
        run(environment, *python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder)


def installed_by_pip(environment):
    """Without a network: what builds it is what is installed here."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        shutil.copytree(PACKAGE, source)  # setuptools leaves its files there
        run(environment, sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps",
            "--no-build-isolation", "--root-user-action=ignore", "--target", target, source)
        files = {str(path.relative_to(target)) for path in (target / "cow").iterdir()
                 if path.suffix != ".pyc" and path.is_file()}
        assert files == {f"cow/{path.name}" for path in (PACKAGE / "cow").iterdir()
                         if path.is_file()}, files
        run({**environment, "PYTHONPATH": str(target)}, sys.executable, "-B", "-c",
            "import cow; assert cow.__file__.startswith(__import__('sys').argv[1]), cow.__file__",
            str(target))


def main():
    library = Path(sys.argv[1]).resolve(strict=True)
    environment = {**os.environ, "COW_LIBRARY": str(library), "PYTHONPATH": str(PACKAGE)}
    python = (sys.executable, "-B")
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == version_of_library(), "pyproject.toml: another version"
    run(environment, *python, ROOT / "tests/scripts/python_declarations.py")
    for tests in sorted((PACKAGE / "tests").glob("test_*.py")):
        run(environment, *python, *STRICT, tests)
    if has_modules("pytest"):
        under_pytest(environment, python)
    if has_modules("pip", "setuptools", "wheel"):
        installed_by_pip(environment)
    blocks = [block for name in ("README.md", "docs/python.md")
              for block in BLOCK.findall((ROOT / name).read_text(encoding="utf-8"))]
    assert len(blocks) >= 2, "no lines of Python in the README or the guide"
    has_numpy = has_modules("numpy")
    for mechanism in MECHANISMS:
        chosen = {**environment, "COW_MECHANISM": mechanism}
        for block in blocks:
            run(chosen, *python, "-c", block)
        for example in sorted((PACKAGE / "examples").glob("*.py")):
            if example.name == "undo.py" and not has_numpy:
                print("skipped: undo.py, as numpy is not installed")
                continue
            run(chosen, *python, example)
    if shutil.which("mypy"):
        run({**environment, "MYPYPATH": str(PACKAGE)}, "mypy", "--strict", "--cache-dir",
            os.devnull, PACKAGE / "cow", PACKAGE / "tests/typed_use.py")
    else:
        print("skipped: the type hints, as mypy is not installed")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Holds what the tree says of its version against include/cow/version.hpp (docs/packages.md).

Looked at: the SONAME's rule in src/CMakeLists.txt, and that name where documents and the Python
package give it; the symbol versions of src/libcow.map and COW_ABI_VERSION; the version of vcpkg's
port, of the Python package, of tests/consumer's requests; and the headings of CHANGELOG.md.
package_test.py reads SONAME and symbols of the library that was built.
"""
import argparse
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READ = ["include/cow/version.hpp", "include/cow/c/base.h", "src/CMakeLists.txt", "src/libcow.map",
        "bindings/python/cow/_library.py", "bindings/python/pyproject.toml", "CHANGELOG.md",
        "src/package/vcpkg/vcpkg.json", "docs/packages.md", "docs/c-api.md", "tests/c/c_api.abi",
        "tests/consumer/CMakeLists.txt"]
SOVERSION = {
    True: "SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})",
    False: "SOVERSION ${PROJECT_VERSION_MAJOR})",
}


def version_of(text):
    return tuple(int(re.search(rf"#define COW_VERSION_{part} (\d+)", text)[1])
                 for part in ("MAJOR", "MINOR", "PATCH"))


def change_log_errors(text, version):
    """One 'Unreleased' at the top, then releases, each below the one before it; and this version
    is the newest of them, or one that is to come."""
    errors = []
    headings = re.findall(r"^## (.*)$", text, re.M)
    released = []
    for index, heading in enumerate(headings):
        match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+) \(\d{4}-\d\d-\d\d\)", heading)
        if match:
            released.append(tuple(map(int, match.groups())))
        elif heading != "Unreleased" or index != 0:
            errors.append(f"CHANGELOG.md: the heading '{heading}' is neither 'Unreleased' at the "
                          "top nor '1.2.3 (2001-02-03)'")
    if released != sorted(set(released), reverse=True):
        errors.append("CHANGELOG.md: the releases are not in order, the newest first")
    if not headings:
        errors.append("CHANGELOG.md has no heading")
    elif headings[0] != "Unreleased":
        if released and released[0] != version:
            errors.append(f"CHANGELOG.md: the newest release is {released[0]}, this is {version}")
    elif released and version < released[0]:
        errors.append(f"CHANGELOG.md: {released[0]} is released, and this is {version}")
    return errors


def errors_in(root):
    text = {name: (root / name).read_text(encoding="utf-8") for name in READ}
    major, minor, patch = version = version_of(text["include/cow/version.hpp"])
    so = f"{major}.{minor}" if major == 0 else f"{major}"
    errors = change_log_errors(text["CHANGELOG.md"], version)

    def need(name, what, found, wanted):
        if found != wanted:
            errors.append(f"{name}: {what} is {found}, and has to be {wanted}")

    rules = re.findall(r"\bSOVERSION [^\n]*", text["src/CMakeLists.txt"])
    need("src/CMakeLists.txt", "the rule of the SONAME", set(rules), {SOVERSION[major == 0]})
    for name in ("bindings/python/cow/_library.py", "docs/packages.md", "docs/c-api.md"):
        named = set(re.findall(r"libcow\.so\.([\d.]*\d)", text[name]))
        if name == "docs/packages.md":
            named -= {"1"} if major == 0 else {"0.1"}  # it tells of the other rule, too
        need(name, "the version behind libcow.so", named, {so})
    nodes = re.findall(r"^LIBCOW_(C_)?([\d.]+)$", text["src/libcow.map"], re.M)
    need("src/libcow.map", "the symbol version of C++", [v for c, v in nodes if not c], [so])
    abi = int(re.search(r"#define COW_ABI_VERSION (\d+)", text["include/cow/c/base.h"])[1])
    of_c = sorted(int(v) for c, v in nodes if c)
    need("src/libcow.map", "the newest symbol version of C", max(of_c, default=None), abi)
    stored = re.search(r"^constant COW_ABI_VERSION (\d+)$", text["tests/c/c_api.abi"], re.M)[1]
    need("tests/c/c_api.abi", "COW_ABI_VERSION", int(stored), abi)
    python = re.search(r"^_ABI_VERSION = (\d+)$", text["bindings/python/cow/_library.py"], re.M)[1]
    if int(python) > abi:
        errors.append(f"the Python package wants COW_ABI_VERSION {python}, and there is {abi}")
    whole = ".".join(map(str, version))
    need("src/package/vcpkg/vcpkg.json", "version",
         json.loads(text["src/package/vcpkg/vcpkg.json"])["version"], whole)
    need("bindings/python/pyproject.toml", "version",
         re.search(r'^version = "(.*)"$', text["bindings/python/pyproject.toml"], re.M)[1], whole)
    need("tests/consumer/CMakeLists.txt", "what find_package asks for",
         re.search(r"find_package\(libcow ([\d.]+)",
                   text["tests/consumer/CMakeLists.txt"])[1], f"{major}.{minor}")
    return errors


def self_test():
    bad = [("include/cow/version.hpp", "MINOR 1", "MINOR 2"),
           ("include/cow/version.hpp", "PATCH 0", "PATCH 1"),
           ("include/cow/c/base.h", "COW_ABI_VERSION 1", "COW_ABI_VERSION 2"),
           ("src/libcow.map", "LIBCOW_0.1", "LIBCOW_0.2"),
           ("src/CMakeLists.txt", ".${PROJECT_VERSION_MINOR})", ")"),
           ("docs/packages.md", "libcow.so.0.1", "libcow.so.0.9"),
           ("bindings/python/cow/_library.py", "libcow.so.0.1", "libcow.so.0"),
           ("src/package/vcpkg/vcpkg.json", '"0.1.0"', '"0.1.1"'),
           ("CHANGELOG.md", "## Unreleased", "## 0.1.0"),
           ("CHANGELOG.md", "## Unreleased", "## 0.3.0 (2020-01-01)"),
           ("CHANGELOG.md", "## Unreleased", "## Unreleased\n## 0.2.0 (2020-01-01)")]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in READ:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
        if version_of((ROOT / READ[0]).read_text(encoding="utf-8")) != (0, 1, 0):
            return  # the changes below are those of 0.1.0
        for name, old, new in bad:
            before = (root / name).read_text(encoding="utf-8")
            assert old in before, (name, old)
            (root / name).write_text(before.replace(old, new), encoding="utf-8")
            assert errors_in(root), f"{name}: {old} became {new}, and all is well"
            (root / name).write_text(before, encoding="utf-8")
        assert not errors_in(root), errors_in(root)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--self-test", action="store_true")
    if parser.parse_args().self_test:
        self_test()
        print("versions_test: finds what it should")
        return 0
    errors = errors_in(ROOT)
    for error in errors:
        print(error)
    print(f"versions_test: {len(READ)} files, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())

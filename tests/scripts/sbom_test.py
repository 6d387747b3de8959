#!/usr/bin/env python3
"""Holds bills of materials against what SPDX 2.3 demands of them, and against the tree.

usage: sbom_test.py <libcow-….spdx.json>...

Of each: the fields that the specification demands and their forms, that every reference leads to
an element, that the files are those of the tree with the sums they have, and the package
verification codes. Where Debian's packages are installed, what their copyright files say. Once
besides: that src/sbom.cmake writes the same bytes for the same SOURCE_DATE_EPOCH, and names no
folder of this machine.
"""
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ID = re.compile(r"SPDXRef-[A-Za-z0-9.-]+$")
CREATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
PURL = re.compile(r"pkg:(generic|github|npm)/[a-z0-9./_-]+(@[\w.+-]+)?(#[\w/]+)?$")
TYPES = {"DESCRIBES", "CONTAINS", "STATIC_LINK", "DYNAMIC_LINK"}
# name: (its licence, Debian's package, how its copyright file says that)
KNOWN = {
    "libcow": ("MIT", None, None),
    "cow": ("MIT", None, None),
    "xxHash": ("BSD-2-Clause", "libxxhash-dev", "BSD-2-clause"),
    "Boost": ("BSL-1.0", "libboost1.74-dev", "BSL-1.0"),
    "CLI11": ("BSD-3-Clause", "libcli11-dev", "BSD-3-clause"),
    "fmt": ("MIT", "libfmt-dev", "Expat with embedded exception"),
    "nlohmann-json": ("MIT", "nlohmann-json3-dev", "Expat"),
    "Capstone": ("BSD-3-Clause", "libcapstone-dev", "BSD-3-clause"),
    "ncurses": ("X11-distribute-modifications-variant", "libncurses-dev", "X11"),
    "preact": ("MIT", None, None),
    "uplot": ("MIT", None, None),
}
PROGRAM = {"CLI11", "fmt", "nlohmann-json"}


def need(errors, element, name, form):
    value = element.get(name)
    if not isinstance(value, str) or not re.fullmatch(form, value):
        errors.append(f"{element.get('SPDXID', 'the document')}: {name} is {value!r}")


def document_errors(document):
    errors = []
    need(errors, document, "spdxVersion", r"SPDX-2\.3")
    need(errors, document, "dataLicense", r"CC0-1\.0")
    need(errors, document, "SPDXID", r"SPDXRef-DOCUMENT")
    need(errors, document, "name", r".+")
    need(errors, document, "documentNamespace", r"https://[^#\s]+")
    info = document.get("creationInfo", {})
    if not CREATED.match(info.get("created", "")):
        errors.append(f"created is {info.get('created')!r}")
    if not all(re.match(r"(Tool|Person|Organization): .", one) for one in info.get("creators", [])):
        errors.append(f"creators are {info.get('creators')!r}")
    return errors


def package_errors(package):
    errors = []
    need(errors, package, "SPDXID", ID.pattern)
    for name in ("name", "versionInfo", "downloadLocation", "licenseConcluded", "licenseDeclared",
                 "copyrightText"):
        need(errors, package, name, r".+")
    licence, debian, words = KNOWN.get(package["name"], (None, None, None))
    if package["licenseConcluded"] != licence or package["licenseDeclared"] != licence:
        errors.append(f"{package['name']}: the licence {package['licenseConcluded']!r} "
                      f"is not the one known here, {licence!r}")
    copyright_file = Path(f"/usr/share/doc/{debian}/copyright")
    if debian and copyright_file.is_file():
        text = copyright_file.read_text(encoding="utf-8", errors="replace")
        if not re.search(rf"^ *License: .*\b{re.escape(words)}", text, re.M):
            errors.append(f"{copyright_file} names no licence {words}")
    purls = [one["referenceLocator"] for one in package.get("externalRefs", [])
             if (one["referenceCategory"], one["referenceType"]) == ("PACKAGE-MANAGER", "purl")]
    if len(purls) != 1 or not PURL.match(purls[0]) or package["versionInfo"] not in purls[0]:
        errors.append(f"{package['name']}: its purl is {purls}")
    if package["filesAnalyzed"] == ("packageVerificationCode" not in package):
        errors.append(f"{package['name']}: a verification code belongs to analysed files")
    return errors


def file_errors(document):
    """The files against the tree, and the packages' codes against the files."""
    errors, sums = [], {}
    for one in document["files"]:
        data = (ROOT / one["fileName"]).read_bytes()
        for checksum in one["checksums"]:
            algorithm = checksum["algorithm"].lower()
            if hashlib.new(algorithm, data).hexdigest() != checksum["checksumValue"]:
                errors.append(f"{one['fileName']}: another {algorithm} than in the tree")
            if algorithm == "sha1":
                sums[one["SPDXID"]] = checksum["checksumValue"]
    for package in document["packages"]:
        if not package["filesAnalyzed"]:
            continue
        own = sorted(sums[edge["relatedSpdxElement"]] for edge in document["relationships"]
                     if edge["spdxElementId"] == package["SPDXID"]
                     and edge["relatedSpdxElement"] in sums)
        code = hashlib.sha1("".join(own).encode()).hexdigest()
        if not own or package["packageVerificationCode"]["packageVerificationCodeValue"] != code:
            errors.append(f"{package['name']}: not the verification code of its {len(own)} files")
    return errors


def edge_errors(document):
    elements = [document, *document["packages"], *document["files"]]
    ids = [one["SPDXID"] for one in elements]
    errors = [f"{one} is there twice" for one in set(ids) if ids.count(one) > 1]
    errors += [f"{one} is no identifier" for one in ids if not ID.match(one)]
    linked = set()
    for edge in document["relationships"]:
        if edge["relationshipType"] not in TYPES:
            errors.append(f"an unknown relationship: {edge}")
        for end in ("spdxElementId", "relatedSpdxElement"):
            if edge[end] not in ids:
                errors.append(f"a relationship leads nowhere: {edge}")
        linked.add(edge["relatedSpdxElement"])
    errors += [f"{one['SPDXID']} is related to nothing" for one in elements[1:]
               if one["SPDXID"] not in linked]
    return errors


def errors_of(document):
    errors = document_errors(document)
    for package in document["packages"]:
        errors += package_errors(package)
    names = {package["name"] for package in document["packages"]}
    wanted = {"libcow", "xxHash", "Boost"} | (PROGRAM if "cow" in names else set())
    errors += [f"{name} is missing" for name in sorted(wanted - names)]
    return errors + edge_errors(document) + file_errors(document)


def written_anew(folder, name, **environment):
    """What src/sbom.cmake writes for a small input."""
    (folder / "commit.hpp").write_text('#define COW_COMMIT "c"\n#define COW_COMMIT_MODIFIED 0\n',
                                       encoding="utf-8")
    (folder / "xxhash.h").write_text("#define XXH_VERSION_MAJOR 0\n#define XXH_VERSION_MINOR 8\n"
                                     "#define XXH_VERSION_RELEASE 1\n", encoding="utf-8")
    (folder / "boost.hpp").write_text('#define BOOST_LIB_VERSION "1_74"\n', encoding="utf-8")
    (folder / "input.cmake").write_text(
        f"set(root {ROOT})\nset(version 1.2.3)\nset(kind static)\n"
        f"set(commit_header {folder}/commit.hpp)\nset(library_files include/cow/cow.hpp LICENSE)\n"
        "set(contents\n  "
        f'"libcow|xxHash|BSD-2-Clause|STATIC_LINK|pkg:github/x/xxhash@v|{folder}/xxhash.h"\n  '
        f'"libcow|Boost|BSL-1.0|STATIC_LINK|pkg:github/x/boost@boost-|{folder}/boost.hpp")\n',
        encoding="utf-8")
    subprocess.run(["cmake", f"-DINPUT={folder}/input.cmake", f"-DOUTPUT={folder}/{name}",
                    "-P", str(ROOT / "src/sbom.cmake")], check=True,
                   env={**os.environ, **environment})
    return (folder / name).read_text(encoding="utf-8")


def self_test():
    """The writer is reproducible; and this script finds what is wrong."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = written_anew(folder, "a.json", SOURCE_DATE_EPOCH="1000000000")
        assert first == written_anew(folder, "b.json", SOURCE_DATE_EPOCH="1000000000")
        assert '"created": "2001-09-09T01:46:40Z"' in first, first
        assert str(ROOT) not in first and name not in first, first
    assert errors_of(json.loads(first)) == [], errors_of(json.loads(first))
    for old, new in (('"SPDX-2.3"', '"SPDX-2.2"'), ('"BSD-2-Clause"', '"GPL-2.0"'),
                     (re.search(r"xxhash@v[\d.]+", first)[0], "xxhash"),
                     ("2001-09-09T", "2001-09-09 "),
                     ('"name": "Boost"', '"name": "Loost"'), ('"STATIC_LINK"', '"LINK"'),
                     ('"checksumValue": "', '"checksumValue": "0'),
                     ('CodeValue": "', 'CodeValue": "0'),
                     ('"relatedSpdxElement": "SPDXRef-Boost"',
                      '"relatedSpdxElement": "SPDXRef-Gone"')):
        assert old in first, old
        assert errors_of(json.loads(first.replace(old, new))), f"{old}: nobody minds {new}"


def main():
    self_test()
    failed = 0
    for path in map(Path, sys.argv[1:]):
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
        errors = errors_of(document)
        if str(ROOT) in text:
            errors.append("it names the folder of the sources")
        for error in errors:
            print(f"{path.name}: {error}")
        print(f"sbom_test: {path.name}: {len(document['packages'])} packages, "
              f"{len(document['files'])} files, {len(errors)} errors")
        failed += len(errors)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""The names that libcow's public headers declare and that its libraries define."""
import re
import subprocess


def headers(include):
    """The public headers in a folder, by the names that programs include them by."""
    return sorted(str(path.relative_to(include)) for path in (include / "cow").rglob("*.hpp"))


def c_headers(include):
    """The same for C."""
    return sorted(str(path.relative_to(include)) for path in (include / "cow").rglob("*.h"))


def declared(include):
    """The classes and functions that the headers declare with COW_API."""
    names = set()
    for header in headers(include) + c_headers(include):
        text = re.sub(r"//.*", "", (include / header).read_text(encoding="utf-8"))
        names.update(re.findall(r"\b(?:class|struct) COW_API (\w+)", text))
        names.update(re.findall(r"^(?!#)[^\n]*\bCOW_API [^;{(]*?(\w+)\(", text, re.M))
    return names


def symbols(path, *options):
    """(mangled name, type letter) of what a library defines and shows, the name with the version
    behind an @ where it has one. Absolute symbols are left out: they are the versions."""
    lines = subprocess.run(["nm", "--defined-only", "--format=posix", *options, str(path)],
                           stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    found = [tuple(line.split()[:2]) for line in lines if len(line.split()) >= 3]
    return [(name, letter) for name, letter in found if letter != "A"]


def plain(mangled):
    """Names of C++ without what is around them."""
    names = subprocess.run(["c++filt"], input="\n".join(mangled), stdout=subprocess.PIPE,
                           text=True, check=True).stdout.split("\n")
    return [re.sub(r"(\[abi:|\().*", "", re.sub(r"^(typeinfo|vtable)( name)? for ", "", name))
            for name in names]  # "[abi:cxx11]" follows what returns a string

#!/usr/bin/env python3
"""Holds what the Python package declares of the C API against what is written down of it.

usage: COW_LIBRARY=<libcow.so> python_declarations.py

ctypes believes what it is told: a member or an argument of another type is no error but another
value. So each struct of bindings/python/cow/_library.py has the members of tests/c/c_api.abi, at
their places, and each function takes and returns what is written there.
"""
import ctypes
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bindings/python"))
from cow import _library  # noqa: E402

PLAIN = {"int": ctypes.c_int, "unsigned": ctypes.c_uint, "size_t": ctypes.c_size_t,
         "int64_t": ctypes.c_int64, "ptrdiff_t": ctypes.c_ssize_t}
STRUCTS = {"cow_" + re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower(): kind
           for name, kind in vars(_library).items()
           if isinstance(kind, type) and issubclass(kind, ctypes.Structure) and
           hasattr(kind, "_fields_")}
SAVE_OPTIONS = "cow_save_options"  # the package always gives NULL


def type_of(written):
    """The type of ctypes for one of C: "const cow_region*", "size_t", "char**"."""
    word, stars = re.fullmatch(r"(\w+)((?:\*)*)", re.sub(r"\bconst\b|\s", "", written)).groups()
    depth = len(stars)
    if word == "char" and depth > 0 and "const" in written:
        kind, depth = ctypes.c_char_p, depth - 1
    elif depth == 0:
        return None if word == "void" else PLAIN[word]
    elif word in STRUCTS or word in PLAIN:
        kind = STRUCTS.get(word) or PLAIN[word]
    else:  # handles, bytes, and text to be freed
        kind, depth = ctypes.c_void_p, depth - 1
    for _ in range(depth):
        kind = ctypes.POINTER(kind)
    return kind


def functions(lines):
    """{name: (result, arguments)} of those that are written down."""
    found = {}
    for line in lines:
        match = re.fullmatch(r"function ([^(]*?)(\w+)\((.*)\)", line)
        if match is None or "typedef" in line:
            continue
        result, name, arguments = match.groups()
        words = [] if arguments == "void" else [
            re.sub(r"\w+$", "", one.strip()) for one in arguments.split(",")]
        found[name] = (result, words)
    return found


def function_errors(written):
    errors = []
    declared = {**{name: (ctypes.c_int, arguments) for name, arguments in _library._CALLS.items()},
                **_library._OTHERS}
    for name, (result, arguments) in declared.items():
        if name not in written:
            errors.append(f"no function of the C API: {name}")
            continue
        wanted = [ctypes.c_void_p if SAVE_OPTIONS in one else type_of(one)
                  for one in written[name][1]]
        if list(arguments) != wanted or result != type_of(written[name][0]):
            errors.append(f"{name}: {result} {list(arguments)}, where the C API has {wanted}")
    return errors


def struct_errors(lines):
    errors = []
    for name, kind in STRUCTS.items():
        wanted = [(int(at), int(size), member.split()[-1]) for at, size, member in
                  re.findall(rf"^member {name} (\d+) (\d+) (.*)$", "\n".join(lines), re.M)]
        fields = [(getattr(kind, field).offset, getattr(kind, field).size, field)
                  for field, *_ in kind._fields_]
        if fields != wanted:
            errors.append(f"{kind.__name__}: {fields}, where {name} is {wanted}")
    return errors


def main():
    lines = (ROOT / "tests/c/c_api.abi").read_text(encoding="utf-8").splitlines()
    assert type_of("const cow_region*") is ctypes.c_void_p
    assert type_of("cow_page_range**") == ctypes.POINTER(ctypes.POINTER(_library.PageRange))
    written = functions(lines)
    errors = function_errors(written) + struct_errors(lines)
    for error in errors:
        print(error)
    print(f"python_declarations: {len(STRUCTS)} structs, {len(_library._CALLS)} calls, "
          f"{len(errors)} errors")
    return 1 if errors or len(STRUCTS) < 10 or len(written) < 60 else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What Boost.Interprocess has and a ManagedRegion has not does not compile, and says what to use.

Usage: managed_refusals_test.py <compiler> [flags...]. Compiles a program for each such call, whose
errors must have the sentence; and the same program without any of them, which must compile.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[2] / "include"

HEADER = "#include <cow/managed_region.hpp>\n"
PROGRAM = """
namespace ipc = boost::interprocess;
struct alignas(64) Line { char content[64]; };
struct alignas(256) Page { char content[256]; };
void program(cow::ManagedRegion& region, const cow::ManagedSnapshot& snapshot) {
  cow::SegmentManager& manager = *region.get_segment_manager();
  cow::ManagedRegion::multiallocation_chain chain;
  std::size_t count = 1;
  Line* line = nullptr;
  (void)snapshot, (void)manager, (void)chain, (void)count, (void)line;
  CALL;
}
"""

NARROW = "a managed region keeps names of char; use a UTF-8 string"
MADE = "use ManagedRegion::create(bytes, max_bytes), or ManagedRegion::open(region)"

# Of each call: what has to be said.
REFUSED = {
    'region.construct<int>(L"n")(1)': NARROW,
    'region.construct_it<int>(L"n", std::nothrow)': NARROW,
    '(void)region.find_or_construct<int>(L"n")': NARROW,
    '(void)region.find<int>(L"n")': NARROW,
    'region.destroy<int>(L"n")': NARROW,
    '(void)manager.construct<int>(L"n")(1)': NARROW,
    '(void)manager.find<int>(L"n")': NARROW,
    'manager.destroy<int>(L"n")': NARROW,
    '(void)snapshot.find<int>(L"n")': NARROW,
    'cow::ManagedRegion made(ipc::create_only, "name", 65536)': MADE,
    "cow::ManagedRegion made(ipc::create_only, line, 65536)": MADE,
    'cow::ManagedRegion made(ipc::open_only, "name")': MADE,
    'cow::ManagedRegion made(ipc::open_read_only, "name")': MADE,
    'cow::ManagedRegion made(ipc::open_or_create, "name", 65536)': MADE,
    'cow::ManagedRegion made(ipc::open_copy_on_write, "name")': MADE,
    'cow::ManagedRegion::grow("name", 65536)': "region.grow(bytes)",
    'cow::ManagedRegion::shrink_to_fit("name")': "use region.shrink_to_fit()",
    "region.flush()": "region.snapshot().snapshot().save(path)",
    "region.construct<Page>(cow::anonymous_instance)()": "allocate_aligned",
    "(void)manager.construct<Page>(cow::anonymous_instance)()": "allocate_aligned",
    "region.allocation_command(ipc::allocate_new, 1, count, line)": "allocate_aligned",
    "auto many = region.get_allocator<Line>(); decltype(many)::multiallocation_chain lines;"
    " many.allocate_individual(3, lines)": "allocate one by one",
}

# The same calls as they are meant to be.
ACCEPTED = """region.construct<int>("n")(1);
  (void)manager.construct<Line>(cow::anonymous_instance)();
  cow::ManagedRegion made = cow::ManagedRegion::create(65536, 1 << 20);
  made.grow(65536);
  made.shrink_to_fit();
  (void)snapshot.find<int>("n")"""


def errors_of(compiler, header, call):
    """What the compiler says to a program with this call; None if it compiles."""
    run = subprocess.run([*compiler, "-std=c++20", "-fsyntax-only", "-I", str(INCLUDE),
                          "-include", str(header), "-x", "c++", "-"],
                         input=PROGRAM.replace("CALL", call), capture_output=True, text=True)
    return run.stderr if run.returncode != 0 else None


def precompiled(compiler, folder):
    """The header, compiled once: the programs are many and short."""
    header = Path(folder) / "managed.hpp"
    header.write_text(HEADER, encoding="utf-8")
    subprocess.run([*compiler, "-std=c++20", "-I", str(INCLUDE), "-x", "c++-header", str(header),
                    "-o", f"{header}.gch"], check=True)
    return header


def main():
    compiler = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        header = precompiled(compiler, folder)
        found = {call: errors_of(compiler, header, call) for call in REFUSED}
        errors = errors_of(compiler, header, ACCEPTED)
    failures = []
    if errors is not None:
        failures.append(f"the program without any of them does not compile:\n{errors}")
    for call, sentence in REFUSED.items():
        if found[call] is None:
            failures.append(f"{call}: compiles")
        elif sentence not in found[call]:
            failures.append(f"{call}: nobody says \"{sentence}\":\n{found[call]}")
    for failure in failures:
        print(failure)
    print(f"managed_refusals_test: {len(REFUSED)} calls, {len(failures)} errors")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""An Ada program that stores to a region and to no address (tests/gnat/main.adb).

GNAT's runtime makes exceptions of the latter, through libcow's handler.

usage: gnat_test.py <the library> <the object of tests/gnat/region.cpp>
Ends with 77, after saying why, where there is no GNAT.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if shutil.which("gnatmake") is None:
        print("skipped because GNAT is not installed")
        return 77
    library, region = (str(pathlib.Path(name).resolve()) for name in sys.argv[1:])
    source = pathlib.Path(__file__).resolve().parent.parent / "gnat" / "main.adb"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["gnatmake", "-q", str(source), "-largs", region, library,
                        "-Wl,-rpath," + str(pathlib.Path(library).parent), "-lstdc++", "-lpthread"],
                       cwd=folder, timeout=300, check=True)
        result = subprocess.run([str(pathlib.Path(folder) / "main")], timeout=60, check=False)
    print("the program ended with", result.returncode)
    return 0 if result.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())

"""Type hints: those of the package, of the examples, and of a program that uses all of it."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import cow

PACKAGE = Path(cow.__file__).resolve().parent
EXAMPLES = PACKAGE.parent / "examples"
HAS_NUMPY = importlib.util.find_spec("numpy") is not None

USES_NUMPY = """
import cow
import numpy as np
from numpy.typing import NDArray

region = cow.Region(1 << 16)
past = region.snapshot()
stored: NDArray[np.uint8] = np.frombuffer(region.view, dtype=np.uint8)
seen: NDArray[np.float64] = np.frombuffer(past.view, dtype=np.float64)
also: NDArray[np.uint8] = np.asarray(region, dtype=np.uint8)
older: NDArray[np.uint8] = np.asarray(past, dtype=np.uint8)
first: int = region[0] + past[0]
part: memoryview = past[0:4]
made = cow.Region.from_bytes(seen)
with cow.lease(stored) as view, open("/dev/zero", "rb", buffering=0) as file:
    file.readinto(view)
    file.readinto(region)
"""


@unittest.skipUnless(importlib.util.find_spec("mypy"), "mypy is not installed")
class Mypy(unittest.TestCase):
    def assert_accepted(self, *paths):
        said = subprocess.run(
            [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, *paths],
            capture_output=True, text=True,
            env={**os.environ, "MYPYPATH": str(PACKAGE.parent)})
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)

    def test_the_hints_of_the_examples_and_of_a_program_that_uses_all_are_right(self):
        examples = [path for path in sorted(EXAMPLES.glob("*.py"))
                    if HAS_NUMPY or path.name != "undo.py"]
        self.assert_accepted(PACKAGE, Path(__file__).parent / "typed_use.py", *examples)

    @unittest.skipUnless(HAS_NUMPY, "numpy is not installed")
    def test_regions_and_snapshots_are_arrays_for_checkers(self):
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "uses_numpy.py")
            program.write_text(USES_NUMPY, encoding="utf-8")
            self.assert_accepted(program)


if __name__ == "__main__":
    unittest.main()

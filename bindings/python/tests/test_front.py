"""libcow's SIGSEGV action and faulthandler's: which of them is in front, and when."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import cow

REGION = """
region = cow.Region(1 << 20, cow.Options(mechanism=cow.Mechanism.HANDLER))
view = region.view
past = region.snapshot()
"""
STORE = "view[0] = view[0] + 1\n"
CRASH = "print(view[0], flush=True)\nctypes.string_at(8)\n"
ON, OFF = "faulthandler.enable()\n", "faulthandler.disable()\n"
PROTECT = "past = region.snapshot()\n"


def run(*parts):
    program = "import atexit, cow, ctypes, faulthandler\n" + "".join(parts)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


class Front(unittest.TestCase):
    def assert_stores(self, *parts):
        said = run(*parts, "print(view[0])")
        self.assertEqual((said.returncode, said.stdout, said.stderr), (0, "1\n", ""), parts)

    def test_a_store_after_disable_copies_its_page(self):
        self.assert_stores(ON, REGION, OFF, STORE)
        self.assert_stores(REGION, ON, OFF, STORE)
        self.assert_stores(ON, OFF, REGION, OFF, STORE)

    def test_a_store_after_enable_copies_its_page(self):
        self.assert_stores(REGION, ON, STORE)
        self.assert_stores(ON, REGION, ON, STORE)
        self.assert_stores(ON, REGION, OFF, ON, STORE)
        self.assert_stores(ON, REGION, OFF, ON, OFF, STORE)

    def test_a_store_copies_its_page_whatever_became_of_the_region_that_was_first(self):
        self.assert_stores(ON, REGION, "other = region.clone()\nview = other.view\ndel region\n",
                           OFF, STORE)
        for made in ("cow.Region(1 << 20, cow.Options(most_bytes=1 << 21))",
                     "cow.Region.from_bytes(bytes(1 << 20), "
                     "cow.Options(mechanism=cow.Mechanism.HANDLER))"):
            self.assert_stores(ON, f"region = {made}\nview = region.view\n", PROTECT, OFF, STORE)

    def test_a_store_at_exit_copies_its_page(self):
        last = "def last():\n    view[0] = 3\n    print(view[0])\natexit.register(last)\n"
        said = run(ON, REGION, last, "atexit.register(faulthandler.disable)")
        self.assertEqual((said.returncode, said.stdout, said.stderr), (0, "3\n", ""))

    def test_a_store_by_c_after_the_end_of_the_interpreter_copies_its_page(self):
        # on_exit() gives the status, 0, as which clock, and a page as where its time goes.
        last = ("libc = ctypes.CDLL(None)\nlibc.on_exit(libc.clock_gettime, "
                "ctypes.c_void_p(ctypes.addressof(region)))\n")
        for parts in ((REGION,), (ON, REGION), (REGION, ON), (ON, REGION, ON), (ON, REGION, OFF),
                      (ON, REGION, "import sys\nsys.stderr = None\n")):
            said = run(*parts, last)
            self.assertEqual((said.returncode, said.stderr), (0, ""), parts)

    def test_a_crash_at_exit_is_reported(self):
        for parts in ((ON, REGION), (REGION, ON)):
            said = run("def crash():\n    ctypes.string_at(8)\natexit.register(crash)\n", *parts)
            self.assertEqual(said.returncode, -11)
            self.assertIn("Segmentation fault", said.stderr)

    def test_turning_reports_on_and_off_a_thousand_times_leaves_stores_and_reports(self):
        said = run(REGION, f"for _ in range(1000):\n    {ON}    {OFF}", ON, STORE, CRASH)
        self.assertEqual((said.returncode, said.stdout), (-11, "1\n"))
        self.assertIn("Segmentation fault", said.stderr)

    def test_a_crash_is_reported_while_faulthandler_is_enabled(self):
        for parts, is_told in (((ON, REGION), True), ((REGION, ON), True),
                               ((ON, REGION, OFF), False), ((REGION, ON, OFF), False),
                               ((REGION, ON, OFF, ON), True), ((ON, REGION, OFF, ON), True),
                               ((REGION, ON, OFF, ON, OFF), False),
                               ((REGION, ON, ON), True), ((ON, REGION, OFF, OFF), False)):
            said = run(*parts, STORE, CRASH)
            self.assertEqual((said.returncode, said.stdout), (-11, "1\n"), parts)
            self.assertEqual("Segmentation fault" in said.stderr, is_told, parts)

    def test_enable_and_disable_take_and_return_what_they_did(self):
        said = run(REGION, """
assert not faulthandler.disable()
with open("/dev/null", "w") as file:
    assert faulthandler.enable(file, all_threads=False) is None
    assert faulthandler.is_enabled() and faulthandler.disable() is True
try:
    faulthandler.enable(file="no file")
except (AttributeError, RuntimeError, ValueError, TypeError):
    pass
else:
    raise AssertionError
assert not faulthandler.is_enabled() and faulthandler.enable.__name__ == "enable"
again = cow.Region(1 << 20, cow.Options(mechanism=cow.Mechanism.HANDLER))
assert not hasattr(faulthandler.enable.__wrapped__, "__wrapped__")
""")
        self.assertEqual((said.returncode, said.stderr), (0, ""))

    def test_faulthandler_is_left_alone_where_no_region_needs_the_handler(self):
        same = ("before = faulthandler.enable, faulthandler.disable\n{}"
                "assert (faulthandler.enable, faulthandler.disable) == before\n")
        self.assertEqual(run(same.format("")).returncode, 0)
        try:
            cow.Region(1, cow.Options(mechanism=cow.Mechanism.KERNEL))
        except OSError:
            self.skipTest("the kernel does not copy here")
        kernel = REGION.replace("HANDLER", "KERNEL")
        said = run(same.format(kernel), ON, OFF, STORE)
        self.assertEqual((said.returncode, said.stderr), (0, ""))

    def test_other_signals_of_faulthandler_stay_as_they_were(self):
        said = run(REGION, """
import signal
faulthandler.register(signal.SIGUSR1)
assert faulthandler.unregister(signal.SIGUSR1)
for refused in (faulthandler.register, faulthandler.unregister):
    try:
        refused(signal.SIGSEGV)
    except RuntimeError:
        continue
    raise AssertionError
""")
        self.assertEqual((said.returncode, said.stderr), (0, ""))


@unittest.skipUnless(importlib.util.find_spec("pytest"), "pytest is not installed")
class Pytest(unittest.TestCase):
    """It enables faulthandler before tests are collected, and disables it at its end."""

    def test_a_store_after_the_last_test_copies_its_page(self):
        text = f"""
import atexit, cow
{REGION}
def test_a_store():
    global past
    view[0] = 1
    past = region.snapshot()

def last():
    view[0] += 1
    print("at exit", view[0], flush=True)

atexit.register(last)
"""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "test_one.py").write_text(text, encoding="utf-8")
            for more in ((), ("-X", "faulthandler")):
                said = subprocess.run(
                    [sys.executable, "-B", *more, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                     folder], capture_output=True, text=True, cwd=folder, env=dict(os.environ))
                self.assertEqual(said.returncode, 0, said.stdout + said.stderr)
                self.assertIn("at exit 2", said.stdout)


if __name__ == "__main__":
    unittest.main()

"""What the tests of a program share: its command, and their end."""
import sys
import unittest

COMMAND = []


class Refusals(unittest.TestCase):
    """Tests of what the program refuses: a sentence on a line, and nothing else there."""

    def assert_refused(self, run, code, *words):
        self.assertEqual(run.returncode, code, run.stderr)
        self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
        self.assertTrue(run.stderr.startswith("cow: "), run.stderr)
        for word in words:
            self.assertIn(word, run.stderr)


def main(usage):
    """Runs the tests of the calling script; the program and what runs it are its arguments."""
    if len(sys.argv) < 2:
        print(usage, file=sys.stderr)
        return 2
    COMMAND.extend(sys.argv[1:])
    result = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2).result
    return 0 if result.wasSuccessful() else 1

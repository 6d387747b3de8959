"""What the tests of a program share: its command, and their end."""
import sys
import unittest

COMMAND = []


def main(usage):
    """Runs the tests of the calling script; the program and what runs it are its arguments."""
    if len(sys.argv) < 2:
        print(usage, file=sys.stderr)
        return 2
    COMMAND.extend(sys.argv[1:])
    result = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2).result
    return 0 if result.wasSuccessful() else 1

"""A program on a terminal: what is typed, and what the screen shows.

The terminal is a vt100, or a dumb one: enough for what ncurses sends to those.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

SEQUENCE = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z@`])|\x1b[()][A-Z0-9]|\x1b[=>78MDEHc]")


class Screen:
    """Rows of characters, as a vt100 would have them."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.top, self.bottom = 0, rows - 1  # of the part that scrolls
        self.pending = ""

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def text(self):
        return "\n".join(self.lines())

    def feed(self, text):
        text = self.pending + text
        self.pending = ""
        place = 0
        while place < len(text):
            character = text[place]
            if character == "\x1b":
                found = SEQUENCE.match(text, place)
                if not found:
                    self.pending = text[place:]
                    return
                self.obey(found)
                place = found.end()
                continue
            self.put(character)
            place += 1

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.down()
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character == "\t":
            self.column = min(self.columns - 1, (self.column // 8 + 1) * 8)
        elif character >= " ":
            if self.column >= self.columns:
                self.column = 0
                self.down()
            self.cells[self.row][self.column] = character
            self.column += 1

    def down(self):
        if self.row == self.bottom:
            del self.cells[self.top]
            self.cells.insert(self.bottom, [" "] * self.columns)
        else:
            self.row = min(self.row + 1, self.rows - 1)

    def up(self):
        if self.row == self.top:
            del self.cells[self.bottom]
            self.cells.insert(self.top, [" "] * self.columns)
        else:
            self.row = max(self.row - 1, 0)

    def obey(self, found):
        if found.group() == "\x1bM":
            self.up()
        elif found.group() == "\x1bD":
            self.down()
        numbers = [int(n or 0) for n in (found.group(2) or "").split(";")]
        first = numbers[0] or 1
        command = found.group(3) or ""  # what selects characters moves nothing
        if command == "H":
            self.row = min(first, self.rows) - 1
            self.column = min((numbers[1] if len(numbers) > 1 else 1) or 1, self.columns) - 1
        elif command == "A":
            self.row = max(0, self.row - first)
        elif command == "B":
            self.row = min(self.rows - 1, self.row + first)
        elif command == "C":
            self.column = min(self.columns - 1, self.column + first)
        elif command == "D":
            self.column = max(0, self.column - first)
        elif command == "r":
            self.top = first - 1
            self.bottom = (numbers[1] if len(numbers) > 1 else self.rows) - 1
            self.row = self.column = 0
        elif command and command in "JK":
            self.erase(command, numbers[0])

    def erase(self, command, how):
        if how == 0:
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
            below = range(self.row + 1, self.rows)
        elif how == 1:
            self.cells[self.row][:self.column + 1] = [" "] * (self.column + 1)
            below = range(self.row)
        else:
            self.cells[self.row] = [" "] * self.columns
            below = range(self.rows)
        if command == "J":
            for row in below:
                self.cells[row] = [" "] * self.columns


class Session:
    """A program that runs on a terminal of its own. Use it in a with statement."""

    def __init__(self, command, rows=24, columns=80, **environment):
        self.screen = Screen(rows, columns)
        self.output = ""
        self.code = None
        variables = {name: value for name, value in os.environ.items()
                     if not name.startswith("LC_") and name not in ("LANG", "NO_COLOR")}
        variables.update({"TERM": "vt100", "LANG": "C.UTF-8", **environment})
        self.terminal, program = pty.openpty()
        self.set_size(rows, columns)
        self.before = termios.tcgetattr(program)
        self.program_side = program  # stays open, so that the settings can be read at the end
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.terminal)
            self.log_in(program)
            os.execvpe(command[0], command, variables)

    @staticmethod
    def log_in(program):
        os.setsid()
        fcntl.ioctl(program, termios.TIOCSCTTY, 0)
        for descriptor in range(3):
            os.dup2(program, descriptor)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.program_side)
        os.close(self.terminal)

    def set_size(self, rows, columns):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        self.screen = Screen(rows, columns)
        self.set_size(rows, columns)  # the kernel tells the program

    def settings(self):
        return termios.tcgetattr(self.program_side)

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def read(self, seconds):
        if select.select([self.terminal], [], [], seconds)[0]:
            piece = os.read(self.terminal, 65536).decode(errors="replace")
            self.output += piece
            self.screen.feed(piece)
            return True
        return False

    def wait_for(self, words, seconds=60):
        """Until the screen shows the words. The screen's text then; an AssertionError if never."""
        end = time.monotonic() + seconds
        while words not in self.screen.text():
            if time.monotonic() > end:
                raise AssertionError(f"no '{words}' on the screen:\n{self.screen.text()}")
            self.read(0.2)
        while self.read(0.1):  # what belongs to it
            pass
        return self.screen.text()

    def wait_for_end(self, seconds=60):
        """The exit code."""
        end = time.monotonic() + seconds
        while self.code is None:
            self.read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise AssertionError(f"it has not ended:\n{self.screen.text()}")
        while self.read(0.05):
            pass
        return self.code

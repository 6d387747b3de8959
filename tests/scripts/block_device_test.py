#!/usr/bin/env python3
"""An ext4 on the disk that docs/examples/block_device.cpp serves, by the clients that others have:
qemu-img, qemu-io and qemu-nbd; looked at by e2fsck and debugfs.

block_device_test.py <the program>

The file system is changed in a file here, by debugfs, and the blocks that differ are written
through the export. What the disk and its snapshots have to be is known from copies of that file.
"""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAM = []
SIZE = 32 << 20
BLOCK = os.sysconf("SC_PAGESIZE")
TOOLS = {"qemu-img": "qemu-utils", "qemu-io": "qemu-utils", "qemu-nbd": "qemu-utils",
         "mkfs.ext4": "e2fsprogs", "e2fsck": "e2fsprogs", "debugfs": "e2fsprogs"}
# Where e2fsprogs is, also for a user whose PATH is without it.
os.environ["PATH"] += os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"


def run(*words, code=0, **options):
    result = subprocess.run([str(word) for word in words], check=False, timeout=100, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if result.returncode != code:
        raise AssertionError(f"{words}: {result.returncode}\n{result.stdout}")
    return result.stdout


class Server:
    """The program as it serves, and its commands."""

    def __init__(self, socket, *arguments):
        self.socket = socket
        self.process = subprocess.Popen([*PROGRAM, "serve", socket, *arguments], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.greeting = self.answer()

    def answer(self):
        lines = []
        while not lines or not re.match(r"ok|error", lines[-1]):
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError(f"the server has ended; it said {lines}")
            lines.append(line.rstrip("\n"))
        return lines

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def do(self, command):
        lines = self.ask(command)
        if not lines[-1].startswith("ok"):
            raise AssertionError(f"{command}: {lines}")
        return lines

    def address(self, name="disk"):
        return f"nbd+unix:///{name}?socket={self.socket}"

    def end(self):
        self.process.communicate("quit\n", timeout=60)
        return self.process.returncode

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=60)


class BlockDevice(unittest.TestCase):

    def setUp(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.servers = 0

    def serve(self, *arguments):
        self.servers += 1
        server = Server(self.folder / f"nbd{self.servers}", *arguments)
        self.addCleanup(lambda: server.process.poll() is None and server.kill())
        return server

    def read(self, server, name="disk"):
        """All bytes of an export, as qemu-img reads it."""
        copy = self.folder / "read"
        run("qemu-img", "convert", "-f", "raw", "-O", "raw", server.address(name), copy)
        return copy.read_bytes()

    def write(self, server, before, after):
        """Writes the blocks in which two images differ; how many there are."""
        commands = []
        part = self.folder / "block"
        part.mkdir(exist_ok=True)
        for at in range(0, len(after), BLOCK):
            block = after[at:at + BLOCK]
            if block != before[at:at + BLOCK]:
                name = part / str(at)
                name.write_bytes(block)
                commands += ["-c", f"write -q -s {name} {at} {len(block)}"]
        run("qemu-io", "-f", "raw", *commands, server.address())
        return len(commands) // 2

    def make_ext4(self):
        image = self.folder / "ext4.img"
        image.write_bytes(b"")
        os.truncate(image, SIZE)
        run("mkfs.ext4", "-q", "-F", "-b", "4096", image)
        return image

    def add_file(self, image, name, content):
        source = self.folder / "source"
        source.write_bytes(content)
        run("debugfs", "-w", "-R", f"write {source} {name}", image)

    def assert_sound(self, content, files):
        """An ext4 that e2fsck finds nothing wrong with, and that has these files."""
        image = self.folder / "checked.img"
        image.write_bytes(content)
        run("e2fsck", "-fn", image)
        for name, expected in files.items():
            run("debugfs", "-R", f"dump {name} {self.folder / 'dumped'}", image)
            self.assertEqual((self.folder / "dumped").read_bytes(), expected)
        listed = run("debugfs", "-R", "ls -p /", image)
        found = set(re.findall(r"^/\d+/\d+/\d+/\d+/([^/]+)/\d*/$", listed, re.M))
        self.assertEqual(found - {".", "..", "lost+found"}, set(files))

    def grow_history(self, server, backups):
        """An ext4 that gets a file at a time: [(label, bytes of the disk, its files)]"""
        image = self.make_ext4()
        run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image, server.address())
        history = []
        files = {}
        for step in range(4):
            if step > 0:
                before = image.read_bytes()
                name = f"file{step}"
                files[name] = os.urandom(100_000 * step)
                self.add_file(image, name, files[name])
                written = self.write(server, before, image.read_bytes())
                # Both ends of a chain of snapshots: which pages differ, and where.
                changed = server.do(f"diff step{step - 1}")
                self.assertEqual(changed[-1], f"ok {written} pages of {BLOCK} bytes")
                self.assertEqual(sum(int(line.split()[0]) for line in changed[:-1]),
                                 written * BLOCK)
            server.do(f"snapshot step{step}")
            server.do(f"backup {backups}")
            history.append((f"step{step}", image.read_bytes(), dict(files)))
        return history

    def test_snapshots_of_an_ext4_are_sound_and_what_it_was(self):
        server = self.serve("--size", str(SIZE))
        history = self.grow_history(server, self.folder / "backups")
        for label, content, files in history:
            self.assertEqual(self.read(server, f"disk@{label}"), content)
            self.assert_sound(content, files)
        self.assertEqual(self.read(server), history[-1][1])
        listed = server.do("list")
        self.assertEqual(listed[-1], "ok 4 snapshots")
        self.assertEqual([line.split()[2] for line in listed[:-1]],
                         [label for label, _, _ in history])
        exports = run("qemu-nbd", "-L", "-k", server.socket)
        self.assertEqual(re.findall(r"export: '(.*)'", exports),
                         ["disk"] + [f"disk@{label}" for label, _, _ in history])
        self.assertEqual(server.end(), 0)
        self.assertFalse(server.socket.exists())

    def test_the_disk_goes_back_to_any_snapshot_and_goes_on_from_there(self):
        server = self.serve("--size", str(SIZE))
        history = self.grow_history(server, self.folder / "backups")
        for label, content, files in (history[1], history[3], history[0], history[2]):
            server.do(f"restore {label}")
            self.assertEqual(self.read(server), content)
            self.assert_sound(self.read(server), files)
        image = self.folder / "other.img"
        image.write_bytes(history[2][1])
        other = os.urandom(300_000)
        self.add_file(image, "other", other)
        self.write(server, history[2][1], image.read_bytes())
        self.assert_sound(self.read(server), {**history[2][2], "other": other})
        for label, content, _ in history:
            self.assertEqual(self.read(server, f"disk@{label}"), content)

    def test_every_backup_is_loaded_as_the_same_bytes(self):
        server = self.serve("--size", str(SIZE))
        history = self.grow_history(server, self.folder / "backups")
        files = sorted((self.folder / "backups").iterdir())
        self.assertEqual([file.suffixes[0] for file in files], [".full"] + 3 * [".delta"])
        self.assertEqual(server.end(), 0)
        for count, (_, content, ext4_files) in enumerate(history, 1):
            loaded = self.serve("--load", *files[:count])
            self.assertEqual(self.read(loaded), content)
            self.assert_sound(self.read(loaded), ext4_files)
            self.assertEqual(loaded.end(), 0)

    def test_what_was_flushed_outlives_the_server(self):
        store = self.folder / "store"
        server = self.serve("--size", str(SIZE), "--store", store)
        image = self.make_ext4()
        # qemu-img flushes at its end.
        run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image, server.address())
        run("qemu-io", "-f", "raw", "-c", "write -q -f -P 7 31M 8k", server.address())
        content = bytearray(image.read_bytes())
        content[31 << 20:(31 << 20) + 8192] = 8192 * b"\7"
        server.kill()
        again = self.serve("--store", store)
        self.assertEqual(self.read(again), bytes(content))

    def test_the_socket_of_a_killed_server_is_taken_over_and_that_of_a_living_one_is_not(self):
        killed = self.serve("--size", "1M")
        killed.kill()
        self.assertTrue(killed.socket.exists())
        living = Server(killed.socket, "--size", "1M")
        self.addCleanup(lambda: living.process.poll() is None and living.kill())
        said = run(*PROGRAM, "serve", living.socket, "--size", "1M", code=1,
                   stdin=subprocess.DEVNULL)
        self.assertIn("another server", said)
        self.assertEqual(self.read(living), bytes(1 << 20))

    def test_a_file_is_the_first_content_and_stays_as_it_is(self):
        image = self.make_ext4()
        content = image.read_bytes()
        server = self.serve("--image", image)
        self.assertEqual(self.read(server), content)
        run("qemu-io", "-f", "raw", "-c", "write -q -P 1 0 1M", server.address())
        self.assertEqual(self.read(server)[:1 << 20], (1 << 20) * b"\1")
        self.assertEqual(image.read_bytes(), content)

    def test_several_clients_at_once(self):
        server = self.serve("--size", str(SIZE))
        parts = 4
        part = SIZE // parts
        clients = [subprocess.Popen(
            ["qemu-io", "-f", "raw", *(word for at in range(0, part, 1 << 20) for word in (
                "-c", f"write -q -P {i + 1} {i * part + at} 1M")), server.address()])
            for i in range(parts)]
        server.do("snapshot meanwhile")
        for client in clients:
            self.assertEqual(client.wait(timeout=100), 0)
        self.assertEqual(self.read(server), b"".join(part * bytes([i + 1]) for i in range(parts)))
        # Each request was of 1 MiB, and is in the snapshot as a whole or not at all.
        meanwhile = self.read(server, "disk@meanwhile")
        for at in range(0, SIZE, 1 << 20):
            written = (1 << 20) * bytes([at // part + 1])
            self.assertIn(meanwhile[at:at + (1 << 20)], (written, bytes(1 << 20)))

    def test_zeros_and_trims_of_qemu(self):
        server = self.serve("--size", str(SIZE))
        run("qemu-io", "-f", "raw", "-d", "unmap", "-c", "write -q -P 1 0 1M",
            "-c", "write -q -z 100 5000", "-c", "write -q -z -u 64k 64k",
            "-c", "discard -q 512k 128k", server.address())
        expected = bytearray((1 << 20) * b"\1")
        for at, length in ((100, 5000), (64 << 10, 64 << 10), (512 << 10, 128 << 10)):
            expected[at:at + length] = bytes(length)
        self.assertEqual(self.read(server)[:1 << 20], bytes(expected))

    def test_a_snapshot_cannot_be_written_and_a_missing_one_not_opened(self):
        server = self.serve("--size", "1M")
        server.do("snapshot a")
        refused = run("qemu-io", "-f", "raw", "-c", "write 0 4k", server.address("disk@a"), code=1)
        self.assertRegex(refused, "(?i)read.only|not permitted|permission denied")
        gone = run("qemu-img", "info", server.address("disk@b"), code=1)
        self.assertIn("disk@b", gone)

    def test_commands_that_cannot_be_obeyed_are_refused_in_words(self):
        server = self.serve("--size", "1M")
        server.do("snapshot a")
        for command, word in (("snapshot a", "already"), ("snapshot a/b", "label"),
                              ("snapshot", "label"), ("restore b", "no snapshot b"),
                              ("drop b", "no snapshot b"), ("diff a b", "no snapshot b"),
                              ("backup", "commands"), ("backup /dev/null/x", "/dev/null/x"),
                              ("backup /tmp b", "no snapshot b"), ("nonsense", "commands")):
            lines = server.ask(command)
            self.assertEqual(len(lines), 1)
            self.assertTrue(lines[0].startswith("error "), lines)
            self.assertIn(word, lines[0])
        server.do("drop a")
        self.assertEqual(server.do("list"), ["ok 0 snapshots"])

    def test_a_server_that_cannot_start_says_why(self):
        socket = self.folder / "taken"
        socket.write_bytes(b"")
        for arguments, word in (
                ([socket, "--size", "1M"], "taken"), ([self.folder / "x"], "usage"),
                ([self.folder / "x", "--size", "1Q"], "K, M or G"),
                ([self.folder / "x", "--image", self.folder / "none"], "none"),
                ([self.folder / "x", "--load", socket], "taken")):
            said = run(*PROGRAM, "serve", *arguments, code=1, stdin=subprocess.DEVNULL)
            self.assertTrue(said.startswith("block_device: "), said)
            self.assertIn(word, said)

    def test_the_kernel_as_a_client(self):
        if not shutil.which("nbd-client") or not Path("/dev/nbd0").exists() or os.geteuid() != 0:
            self.skipTest("needs nbd-client, a kernel with nbd (modprobe nbd) and root")
        server = self.serve("--size", str(SIZE))
        run("nbd-client", "-unix", server.socket, "-N", "disk", "/dev/nbd0")
        try:
            run("mkfs.ext4", "-q", "-F", "/dev/nbd0")
            run("e2fsck", "-fn", "/dev/nbd0")
        finally:
            run("nbd-client", "-d", "/dev/nbd0")
        self.assert_sound(self.read(server), {})


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    missing = sorted({package for tool, package in TOOLS.items() if not shutil.which(tool)})
    if missing:
        print(f"skipped: the clients are of other people: apt-get install {' '.join(missing)}")
        return 77
    PROGRAM.extend(sys.argv[1:])
    result = unittest.main(argv=sys.argv[:1], exit=False, verbosity=2).result
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())

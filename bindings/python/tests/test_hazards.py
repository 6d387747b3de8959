"""What goes wrong around a region: signals, forks, wrong arguments, files read into it."""

import errno
import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import cow

PAGE = os.sysconf("SC_PAGE_SIZE")
HANDLER = cow.Options(mechanism=cow.Mechanism.HANDLER)


class Reads(unittest.TestCase):
    """The kernel does not fault for a read into a protected page."""

    def setUp(self):
        self.region = cow.Region(16 * PAGE, HANDLER)
        self.file = open("/dev/zero", "rb", buffering=0)
        self.addCleanup(self.file.close)
        self.region.view[:] = b"\1" * (16 * PAGE)
        self.past = self.region.snapshot()

    def test_a_read_into_a_protected_page_is_an_error_and_with_a_lease_it_is_not(self):
        with self.assertRaises(OSError) as caught:
            self.file.readinto(self.region.view)
        self.assertEqual(caught.exception.errno, errno.EFAULT)
        with self.region.lease() as view:
            self.assertEqual(self.file.readinto(view), 16 * PAGE)
        self.assertEqual((self.region[0], self.past.view[0]), (0, 1))

    def test_an_array_is_leased_without_the_name_of_its_region(self):
        part = self.region.view[3 * PAGE:5 * PAGE]
        with cow.lease(part) as view:
            self.assertEqual(self.region.stats().pages_leased, 2)
            self.assertEqual(self.file.readinto(view), 2 * PAGE)
        self.assertEqual(self.region.stats().pages_leased, 0)
        self.assertEqual((self.region[3 * PAGE], self.region[5 * PAGE]), (0, 1))

    def test_memory_that_is_in_no_region_needs_no_lease(self):
        with cow.lease(bytearray(b"abc")) as view:
            self.assertEqual(self.file.readinto(view), 3)
        with cow.lease(bytearray()) as view:
            self.assertEqual(len(view), 0)
        for refused in (b"abc", self.past.view):
            with self.assertRaisesRegex(ValueError, "read-only"):
                cow.lease(refused)


class Arguments(unittest.TestCase):
    def test_what_is_no_snapshot_size_or_name_is_a_type_error(self):
        region = cow.Region(PAGE)
        past = region.snapshot()
        for wrong in (lambda: cow.Region("1"), lambda: cow.Region(1.5),
                      lambda: cow.Region(1, {"granule_bytes": 1}), lambda: region.restore(None),
                      lambda: region.restore(past.view), lambda: cow.diff(past, 3),
                      lambda: cow.merge(past, past, None), lambda: region.snapshot(label=5),
                      lambda: cow.publish(b"name", past)):
            with self.assertRaises(TypeError):
                wrong()
        for mode in (-1, 0, 1 << 32):
            with self.assertRaises(ValueError):
                cow.publish("never", past, mode=mode)

    def test_no_integer_is_cut_to_what_c_takes(self):
        region = cow.Region(PAGE)
        past = region.snapshot()

        def whole(**options):
            return cow.Region(PAGE, cow.Options(**options))

        takes_numbers = [
            region.backup, cow.Region.open, cow.attach, cow.Region, region.grow,
            lambda n: region.discard(n, 1), lambda n: region.discard(0, n), region.lease,
            lambda n: region.lease(0, n), lambda n: region.apply([(n, 1)], past),
            lambda n: region.apply([(0, n)], past), lambda n: whole(granule_bytes=n),
            lambda n: whole(max_window_pages=n), lambda n: whole(most_bytes=n),
            lambda n: cow.publish("never", past, mode=n),
            lambda n: cow.merge(past, past, past, unit_bytes=n),
            lambda n: region.backup(os.devnull, most_extra_bytes=n),
            lambda n: region.backup(os.devnull, longest_stall_ms=n),
            lambda n: region.estimate_backup(most_extra_bytes=n)]
        for number, takes in enumerate(takes_numbers):
            for wrong in (-1, -1 << 31, -1 << 63, 1 << 64, 1 << 64 | 1):
                with self.assertRaises(ValueError, msg=(number, wrong)):
                    takes(wrong)
            for wrong in (True, False, 1.0, "1", b"1")[:3 if number < 2 else 5]:
                with self.assertRaises((TypeError, FileNotFoundError), msg=(number, wrong)):
                    takes(wrong)

    def test_a_descriptor_is_what_the_kernel_gives_and_nothing_is_cut_off_it(self):
        region = cow.Region(PAGE)
        for takes in (region.backup, cow.Region.open, cow.attach):
            for wrong in (1 << 31, 1 << 32, 1 << 32 | 1, 1 << 40):
                with self.assertRaisesRegex(ValueError, "descriptor"):
                    takes(wrong)
            for wrong in (None, 1.0, [1], sys.stdout):
                with self.assertRaisesRegex(TypeError, "descriptor"):
                    takes(wrong)
            with self.assertRaisesRegex(OSError, "descriptor"):
                takes((1 << 31) - 1)

    def test_integers_of_other_types_are_taken_for_what_they_are(self):
        class Number:
            def __init__(self, value):
                self.value = value

            def __index__(self):
                return self.value

        region = cow.Region(Number(PAGE))
        region[0] = 5
        with tempfile.TemporaryFile() as file:
            file.write(b"from a file")
            file.flush()
            self.assertEqual(bytes(cow.Region.open(Number(file.fileno())))[:4], b"from")
            region.backup(Number(file.fileno()), longest_stall_ms=Number(1000)).wait()
        name = f"python-index-{os.getpid()}"
        cow.publish(name, region.snapshot(), mode=Number(0o600))
        cow.unpublish(name)
        descriptor = cow.publish_descriptor(region.snapshot())
        self.assertEqual(cow.attach(Number(descriptor))[0], 5)
        os.close(descriptor)

    def test_what_is_true_is_true_and_not_cut_to_32_bits(self):
        region = cow.Region(PAGE, HANDLER)
        region[0] = 5
        eager = region.clone(eager=1 << 32)
        self.assertEqual(eager.stats().pages_shared, 0)
        with tempfile.TemporaryDirectory() as folder:
            region.snapshot(quiescent=1 << 32).save(Path(folder) / "image")
            self.assertEqual(cow.Region.load(Path(folder) / "image", mapped=1 << 32)[0], 5)
            self.assertEqual(cow.Region.load(Path(folder) / "image", mapped="yes")[0], 5)

    def test_nothing_can_be_asked_of_a_closed_snapshot(self):
        region = cow.Region(PAGE)
        past = region.snapshot()
        past.close()
        past.close()
        for asked in (lambda: past.view, lambda: len(past), lambda: past.label,
                      lambda: region.restore(past), lambda: cow.diff(past, past),
                      lambda: cow.merge(past, past, past)):
            with self.assertRaisesRegex(ValueError, "closed"):
                asked()
        self.assertIn("closed", repr(past))


class Waiting(unittest.TestCase):
    """A backup to a pipe that nobody reads goes on until it is cancelled."""

    def setUp(self):
        self.ends = os.pipe()
        self.addCleanup(lambda: [os.close(end) for end in self.ends])
        region = cow.Region(4096 * PAGE, HANDLER)
        for page in range(4096):
            region[page * PAGE] = 1
        self.region = region
        self.backup = region.backup(self.ends[1], longest_stall_ms=600_000)

    def test_a_signal_ends_the_wait_and_the_backup(self):
        class Alarm(Exception):
            pass

        def ring(*_):
            raise Alarm

        before = signal.signal(signal.SIGALRM, ring)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with self.assertRaises(Alarm):
            self.backup.wait()
        with self.assertRaises(OSError) as caught:
            self.backup.wait()
        self.assertEqual(caught.exception.errno, errno.ECANCELED)

    def test_a_child_leaves_the_backup_to_its_parent_and_exits_well(self):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                try:
                    self.backup.wait()
                except ProcessLookupError:
                    self.region[0] = 2
                    self.backup = None
                    gc.collect()
                    status = 0
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertFalse(self.backup.done)

    def test_leaving_a_with_block_by_an_exception_cancels(self):
        with self.assertRaises(KeyError):
            with self.backup:
                raise KeyError
        with self.assertRaises(OSError):
            self.backup.wait()


class Backups(unittest.TestCase):
    def test_leaving_a_with_block_waits_for_the_end(self):
        with tempfile.TemporaryDirectory() as folder:
            region = cow.Region(PAGE)
            region[0] = 3
            with region.backup(Path(folder) / "image") as backup:
                region[0] = 4
            self.assertTrue(backup.done)
            self.assertEqual(cow.Region.load(Path(folder) / "image")[0], 3)
            for wrong in ({"most_extra_bytes": 0}, {"longest_stall_ms": 0},
                          {"longest_stall_ms": -1}, {"longest_stall_ms": 1 << 63}):
                with self.assertRaises(ValueError):
                    region.backup(Path(folder) / "image", **wrong)


class ManyThreads(unittest.TestCase):
    def test_each_thread_has_the_sentence_of_its_own_error(self):
        foreign = []

        def fail(name):
            for i in range(200):
                try:
                    cow.Region.open(f"/no/such/{name}/{i}")
                except FileNotFoundError as error:
                    if f"/no/such/{name}/{i}'" not in str(error):
                        foreign.append(str(error))

        run_threads(fail, range(4))
        self.assertEqual(foreign, [])

    def test_clones_snapshots_and_merges_come_and_go_on_all_of_them(self):
        region = cow.Region(4 * PAGE, HANDLER)

        def work(page):
            for i in range(50):
                clone = region.clone()
                clone[page * PAGE] = 255
                past = clone.snapshot()
                clone.restore(past)
                region[page * PAGE] = i
                self.assertEqual(cow.merge(past, past, past).region[page * PAGE], 255)

        gc.collect()
        before = cow.process_stats().regions
        run_threads(work, range(4))
        gc.collect()
        self.assertEqual(cow.process_stats().regions, before)
        self.assertEqual([region[page * PAGE] for page in range(4)], [49] * 4)


class Documentation(unittest.TestCase):
    def test_all_that_is_public_says_what_it_is(self):
        silent = []
        for name in cow.__all__:
            thing = getattr(cow, name)
            silent += [name] if not thing.__doc__ else []
            for member, value in vars(thing).items() if isinstance(thing, type) else ():
                is_own = callable(value) or isinstance(value, (property, staticmethod))
                if is_own and not member.startswith("_") and not value.__doc__:
                    silent.append(f"{name}.{member}")
        self.assertEqual(silent, [])
        self.assertEqual(sorted(cow.__all__), cow.__all__)


def run_threads(function, arguments):
    threads = [threading.Thread(target=function, args=(one,)) for one in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _next_of(name):
    region = cow.attach(name)
    region[0] += 1
    return region[0]


class Interpreters(unittest.TestCase):
    def test_each_way_to_start_a_process_attaches(self):
        region = cow.Region(PAGE, HANDLER)
        region[0] = 4
        name = f"python-starts-{os.getpid()}"
        cow.publish(name, region.snapshot())
        try:
            for kind in ("fork", "spawn", "forkserver"):
                with multiprocessing.get_context(kind).Pool(1) as pool:
                    self.assertEqual(pool.map(_next_of, [name, name]), [5, 5], kind)
        finally:
            cow.unpublish(name)

    def test_a_second_interpreter_of_the_process(self):
        program = """
import _xxsubinterpreters as interpreters
one = interpreters.create(isolated=False)
interpreters.run_string(one, '''
import cow
region = cow.Region(100)
past = region.snapshot()
region[0] = 6
print(region[0], past.view[0], flush=True)
''')
interpreters.destroy(one)
"""
        said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        if "No module named '_xxsubinterpreters'" in said.stderr:
            self.skipTest("this Python has no _xxsubinterpreters")
        self.assertEqual((said.returncode, said.stdout), (0, "6 0\n"), said.stderr)

    def test_cycles_through_a_region_are_collected(self):
        gc.collect()
        before = cow.process_stats().regions
        for most_bytes in (0, 2 * PAGE):
            region = cow.Region(PAGE, cow.Options(most_bytes=most_bytes))
            region.me, region.bytes_of_me = region, region.view
        del region
        gc.collect()
        self.assertEqual(cow.process_stats().regions, before)


if __name__ == "__main__":
    unittest.main()

"""What the package promises. Runs under unittest and pytest alike; `COW_LIBRARY` names the library.
"""

import ctypes
import errno
import gc
import multiprocessing
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import weakref
from pathlib import Path

import cow

try:
    import numpy
except ImportError:
    numpy = None

PAGE = os.sysconf("SC_PAGE_SIZE")
MECHANISMS = (cow.Mechanism.HANDLER, cow.Mechanism.AUTOMATIC)


def filled(pages=64, **options):
    region = cow.Region(pages * PAGE, cow.Options(**options))
    for page in range(pages):
        region[page * PAGE] = 1 + page % 200
    return region


class Regions(unittest.TestCase):
    def test_a_store_to_a_clone_is_not_seen_by_its_source(self):
        for mechanism in MECHANISMS:
            region = filled(mechanism=mechanism)
            clone = region.clone()
            clone[0] = 77
            self.assertEqual((region[0], clone[0]), (1, 77))
            eager = region.clone(eager=True)
            self.assertEqual(bytes(eager), bytes(region))

    def test_the_first_store_after_a_snapshot_copies_one_page(self):
        region = filled(mechanism=cow.Mechanism.HANDLER, max_window_pages=1)
        past = region.snapshot()
        before = region.stats()
        region[5 * PAGE] = 9
        region[5 * PAGE + 1] = 9
        after = region.stats()
        self.assertEqual(after.faults - before.faults, 1)
        self.assertEqual(after.pages_copied - before.pages_copied, 1)
        self.assertEqual(past.view[5 * PAGE], 6)

    def test_restore_brings_back_and_arrays_show_it(self):
        for mechanism in MECHANISMS:
            region = filled(mechanism=mechanism)
            view = region.view
            past = region.snapshot()
            region[:PAGE] = bytes(PAGE)
            region.restore(past)
            self.assertEqual(view[0], 1)

    def test_a_view_keeps_the_memory_of_a_region_that_has_gone(self):
        region = filled()
        view = region.view
        alive = weakref.ref(region)
        del region
        gc.collect()
        self.assertIsNotNone(alive())
        self.assertEqual(view[PAGE], 2)
        view[PAGE] = 5
        count = cow.process_stats().regions
        del view
        gc.collect()
        self.assertIsNone(alive())
        self.assertEqual(cow.process_stats().regions, count - 1)

    def test_a_closed_region_gives_its_memory_back_and_its_arrays_stay_valid(self):
        with filled(1024) as region:
            view = region.view
            used = cow.process_stats().bytes_in_use
        cow.trim()
        self.assertLess(cow.process_stats().bytes_in_use, used)
        self.assertEqual(bytes(view[:PAGE]), bytes(PAGE))
        with self.assertRaisesRegex(ValueError, "closed"):
            region.snapshot()
        region.close()

    def test_buffers_of_other_programs_are_taken_and_given(self):
        region = cow.Region.from_bytes(bytearray(b"abc" * 5000))
        self.assertEqual(bytes(memoryview(region)), b"abc" * 5000)
        self.assertEqual(len(region), 15000)
        self.assertEqual(bytes(region[0:3]), b"abc")

    def test_what_cannot_be_is_an_exception_with_a_sentence(self):
        with self.assertRaises(ValueError):
            cow.Region(0)
        with self.assertRaises(ValueError):
            cow.Region(-1)
        with self.assertRaises(ValueError):
            cow.Region(1 << 64)
        with self.assertRaisesRegex(TypeError, "granule"):
            cow.Options(granule=5)
        with self.assertRaises(FileNotFoundError):
            cow.Region.open("/nonexistent/file")
        with self.assertRaises(ValueError):
            filled().restore(filled().snapshot())
        with self.assertRaises(TypeError):
            pickle.dumps(filled())
        with self.assertRaises(TypeError):
            pickle.dumps(filled().snapshot())

    def test_what_the_kernel_writes_arrives_under_a_lease(self):
        region = filled(mechanism=cow.Mechanism.HANDLER)
        past = region.snapshot()
        ends = os.pipe()
        try:
            os.write(ends[1], b"from the kernel")
            with region.lease(3 * PAGE, PAGE) as view:
                self.assertEqual(os.readv(ends[0], [view]), 15)
        finally:
            for end in ends:
                os.close(end)
        self.assertEqual(bytes(region[3 * PAGE:3 * PAGE + 15]), b"from the kernel")
        self.assertEqual(past.view[3 * PAGE], 4)

    def test_discard_shows_zeros(self):
        region = filled()
        region.discard(0, 2 * PAGE)
        self.assertEqual((region[0], region[PAGE], region[2 * PAGE]), (0, 0, 3))


class Snapshots(unittest.TestCase):
    def test_a_snapshot_cannot_be_written_to(self):
        past = filled().snapshot()
        with self.assertRaises(TypeError):
            past.view[0] = 1
        self.assertTrue(past.view.readonly)

    def test_a_view_keeps_a_snapshot_that_was_closed_and_whose_region_has_gone(self):
        region = filled()
        with region.snapshot() as past:
            view = past.view
        region[0] = 99
        del region, past
        gc.collect()
        self.assertEqual((view[0], view[PAGE]), (1, 2))

    def test_diff_and_changed_since_name_the_pages(self):
        for mechanism in MECHANISMS:
            region = filled(mechanism=mechanism, max_window_pages=1)
            first = region.snapshot()
            region[7 * PAGE] = 99
            region[8 * PAGE] = 99
            self.assertEqual(region.changed_since(first), [(7, 2)])
            self.assertEqual(cow.diff(first, region.snapshot()), [(7, 2)])

    def test_the_tree_of_snapshots_can_be_walked_and_returned_to(self):
        region = filled()
        root = region.snapshot("root")
        region[0] = 10
        left = region.snapshot("left")
        region.restore(root)
        region[0] = 20
        right = region.snapshot("right")
        nodes = region.snapshots()
        names = {node.snapshot.label: node.parent for node in nodes}
        self.assertEqual(set(names), {"root", "left", "right"})
        for name in ("left", "right"):
            self.assertEqual(nodes[names[name]].snapshot.label, "root")
        for node in nodes:
            region.restore(node.snapshot)
            self.assertEqual(region[0], {"root": 1, "left": 10, "right": 20}[node.snapshot.label])
        self.assertLessEqual(left.taken_at, right.taken_at)

    def test_images_and_deltas_load(self):
        with tempfile.TemporaryDirectory() as folder:
            region = filled()
            first = region.snapshot()
            first.save(Path(folder) / "full")
            region[0] = 200
            region.snapshot().save(Path(folder) / "delta", base=first)
            for mapped in (False, True):
                loaded = cow.Region.load(Path(folder) / "full", Path(folder) / "delta",
                                         mapped=mapped)
                self.assertEqual(bytes(loaded), bytes(region))
            with self.assertRaises(OSError) as caught:
                cow.Region.load(Path(folder) / "delta")
            self.assertTrue(caught.exception.strerror)


class Backups(unittest.TestCase):
    def test_a_backup_is_the_moment_of_its_call(self):
        for mechanism in MECHANISMS:
            with tempfile.TemporaryDirectory() as folder:
                region = filled(2000, mechanism=mechanism)
                before = bytes(region)
                told = []
                backup = region.backup(Path(folder) / "image")
                for page in range(2000):
                    region[page * PAGE] = 255
                report = backup.wait(told.append)
                self.assertTrue(backup.done)
                self.assertEqual(report.pages, 2000)
                self.assertGreater(report.bytes_written, 2000 * PAGE)
                self.assertTrue(told and told[-1].pages_done == told[-1].pages_total)
                self.assertEqual(bytes(cow.Region.load(Path(folder) / "image")), before)

    def test_a_limit_is_kept_while_python_stores(self):
        with tempfile.TemporaryDirectory() as folder:
            region = filled(4000, mechanism=cow.Mechanism.HANDLER)
            before = bytes(region)
            limit = 2 << 20
            backup = region.backup(Path(folder) / "image", most_extra_bytes=limit)
            for page in range(4000):
                region[page * PAGE] = 255
            report = backup.wait(lambda _: None)
            self.assertLessEqual(report.peak_extra_bytes, limit)
            self.assertEqual(bytes(cow.Region.load(Path(folder) / "image")), before)

    def test_what_progress_raises_cancels(self):
        class Stop(Exception):
            pass

        def stop(_):
            raise Stop

        with tempfile.TemporaryDirectory() as folder:
            backup = filled(4000).backup(Path(folder) / "image")
            with self.assertRaises(Stop):
                backup.wait(stop)


class Processes(unittest.TestCase):
    def test_a_template_by_name_and_by_descriptor(self):
        region = filled()
        name = f"python-test-{os.getpid()}"
        cow.publish(name, region.snapshot())
        try:
            program = ("import cow, sys\nregion = cow.attach(sys.argv[1])\n"
                       "assert region[int(sys.argv[2])] == 4\nregion[0] = 9\nprint(region[0])")
            said = subprocess.run([sys.executable, "-c", program, name, str(3 * PAGE)], check=True,
                                  capture_output=True, text=True)
            self.assertEqual(said.stdout, "9\n")
            with self.assertRaises(FileExistsError):
                cow.publish(name, region.snapshot())
        finally:
            cow.unpublish(name)
        descriptor = cow.publish_descriptor(region.snapshot())
        ours, theirs = socket.socketpair()
        with ours, theirs:
            socket.send_fds(ours, [b"x"], [descriptor])
            os.close(descriptor)
            _, received, _, _ = socket.recv_fds(theirs, 1, 1)
        attached = cow.attach(received[0])
        os.close(received[0])
        self.assertEqual(bytes(attached), bytes(region))

    def test_a_forked_child_has_regions_of_its_own(self):
        for mechanism in MECHANISMS:
            region = filled(mechanism=mechanism)
            past = region.snapshot()

            def child(queue):
                region[0] = 50
                region.restore(past)
                region[PAGE] = 60
                queue.put((region[0], region[PAGE]))

            context = multiprocessing.get_context("fork")
            queue = context.SimpleQueue()
            process = context.Process(target=child, args=(queue,))
            process.start()
            self.assertEqual(queue.get(), (1, 60))
            process.join()
            self.assertEqual(process.exitcode, 0)
            self.assertEqual((region[0], region[PAGE]), (1, 2))

    def test_a_spawned_process_attaches(self):
        name = f"python-spawn-{os.getpid()}"
        cow.publish(name, filled().snapshot())
        try:
            context = multiprocessing.get_context("spawn")
            with context.Pool(2) as pool:
                self.assertEqual(pool.map(_read_and_store, [(name, i) for i in range(4)]),
                                 [(1, i) for i in range(4)])
        finally:
            cow.unpublish(name)

    def test_the_interpreter_ends_well_in_any_order(self):
        program = """
import cow, faulthandler
faulthandler.enable()
region = cow.Region(1 << 20, cow.Options(mechanism=cow.Mechanism.{mechanism}))
region[0] = 1
past = region.snapshot()
view, seen, clone = region.view, past.view, region.clone()
backup = region.backup({path!r})
class Last:
    def __del__(self, view=view, seen=seen, clone=clone):
        view[0] = 7
        clone[0] = 8
        assert seen[0] == 1
last = Last()
"""
        for mechanism in ("HANDLER", "AUTOMATIC"):
            with tempfile.TemporaryDirectory() as folder:
                text = program.format(mechanism=mechanism, path=str(Path(folder) / "image"))
                said = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
                self.assertEqual((said.returncode, said.stderr), (0, ""))

    def test_faulthandler_enabled_later_needs_the_handler_in_front_again(self):
        program = ("import cow, faulthandler\n"
                   "region = cow.Region(1 << 20, cow.Options(mechanism=cow.Mechanism.HANDLER))\n"
                   "faulthandler.enable()\ncow.reinstall_handler()\n"
                   "past = region.snapshot()\nregion[0] = 1\nprint(region[0])\n"
                   "import ctypes\nctypes.string_at(8)\n")
        said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        self.assertEqual(said.stdout, "1\n")
        self.assertIn("Segmentation fault", said.stderr)
        self.assertEqual(said.returncode, -11)

    def test_threads_store_while_snapshots_are_taken(self):
        for mechanism in MECHANISMS:
            region = filled(256, mechanism=mechanism)
            stop = threading.Event()

            def store(first):
                value = 0
                while not stop.is_set():
                    value = (value + 1) % 256
                    for page in range(first, 256, 2):
                        region[page * PAGE + 8] = value

            threads = [threading.Thread(target=store, args=(i,)) for i in range(2)]
            for thread in threads:
                thread.start()
            for _ in range(50):
                past = region.snapshot()
                shown = bytes(past.view)
                self.assertEqual(bytes(past.view), shown)
            stop.set()
            for thread in threads:
                thread.join()


def _read_and_store(work):
    name, value = work
    region = cow.attach(name)
    seen = region[0]
    region[0] = value
    return seen, region[0]


@unittest.skipIf(numpy is None, "numpy is not installed")
class Numpy(unittest.TestCase):
    def test_an_array_is_the_region_and_keeps_it(self):
        region = filled()
        array = numpy.frombuffer(region, dtype=numpy.uint8)
        self.assertTrue(array.flags.writeable)
        array[0] = 42
        self.assertEqual(region[0], 42)
        alive = weakref.ref(region)
        del region
        gc.collect()
        self.assertIsNotNone(alive())
        array[1] = 43
        self.assertEqual(int(array[1]), 43)

    def test_a_snapshot_is_a_read_only_array(self):
        region = filled()
        past = numpy.frombuffer(region.snapshot().view, dtype=numpy.uint8)
        region[0] = 42
        self.assertEqual(int(past[0]), 1)
        with self.assertRaises(ValueError):
            past[0] = 1
        with self.assertRaises(ValueError):
            past.setflags(write=True)


class Version(unittest.TestCase):
    def test_build_info_says_what_the_library_is_made_of(self):
        info = cow.build_info()
        self.assertEqual(info["version"], cow.version())
        self.assertLessEqual({"commit", "compiler", "mechanisms"}, set(info))


if __name__ == "__main__":
    unittest.main()

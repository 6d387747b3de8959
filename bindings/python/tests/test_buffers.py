"""Buffers: regions and snapshots as those of others, and those of others as bytes of regions."""

import array
import ctypes
import gc
import hashlib
import os
import sys
import unittest
import weakref

import cow

try:
    import numpy
except ImportError:
    numpy = None

PAGE = os.sysconf("SC_PAGE_SIZE")
MECHANISMS = (cow.Mechanism.HANDLER, cow.Mechanism.AUTOMATIC)


def letters(**options):
    region = cow.Region(2 * PAGE, cow.Options(**options))
    region[0:4] = b"abcd"
    return region


class Regions(unittest.TestCase):
    def test_a_memoryview_of_a_region_can_do_what_one_of_a_bytearray_can(self):
        for mechanism in MECHANISMS:
            region = letters(mechanism=mechanism)
            past = region.snapshot()
            view = memoryview(region)
            self.assertEqual((view.format, view.itemsize, view.shape, view.readonly),
                             ("B", 1, (2 * PAGE,), False))
            self.assertEqual((view[0], view[-1], view[1:3].tolist()), (97, 0, [98, 99]))
            self.assertEqual(view[0:8].cast("H").tolist()[2:], [0, 0])
            self.assertTrue(99 in view[0:4] and view == bytearray(region))
            view[0] = 1
            view[1:3] = b"xy"
            view.cast("Q")[1] = 1 << 56
            self.assertEqual(bytes(region[0:4]) + bytes(region[15:16]), b"\1xyd\1")
            self.assertEqual(bytes(past[0:4]), b"abcd")

    def test_each_kind_of_region_has_views_of_the_same_format(self):
        for region in (letters(), letters(most_bytes=4 * PAGE), letters().clone(),
                       cow.Region.from_snapshot(letters().snapshot())):
            with cow.lease(region.view) as leased, region.lease() as also:
                for view in (region.view, region[0:4], region.snapshot().view, leased, also):
                    self.assertEqual((view.format, view.ndim, view[3]), ("B", 1, ord("d")))

    def test_a_region_is_an_argument_of_functions_of_c(self):
        for pointer in (ctypes.POINTER(ctypes.c_ubyte), ctypes.c_void_p):
            store = ctypes.CDLL(None)["memset"]
            store.argtypes = (pointer, ctypes.c_int, ctypes.c_size_t)
            for region in (letters(), letters(most_bytes=4 * PAGE)):
                past = region.snapshot()
                store(region, 7, 2)
                self.assertEqual(bytes(region[0:3]) + bytes(past[0:1]), b"\7\7ca")

    def test_a_pointer_for_a_function_of_c_keeps_the_region(self):
        for most_bytes in (0, 4 * PAGE):
            region = letters(most_bytes=most_bytes)
            pointer = ctypes.POINTER(ctypes.c_ubyte).from_param(region)
            alive = weakref.ref(region)
            del region
            gc.collect()
            self.assertEqual((alive() is not None, pointer[0]), (True, 97))
            del pointer
            gc.collect()
            self.assertIsNone(alive())

    def test_a_region_is_a_buffer_for_c_and_for_digests(self):
        region = letters()
        self.assertEqual(hashlib.sha256(region).digest(), hashlib.sha256(bytes(region)).digest())
        (ctypes.c_ubyte * 4).from_buffer(region)[0] = 5
        self.assertEqual(region[0], 5)


class Snapshots(unittest.TestCase):
    def setUp(self):
        self.region = letters()
        self.past = self.region.snapshot()
        self.region[0] = 1

    def test_a_snapshot_is_a_sequence_of_its_bytes(self):
        past = self.past
        self.assertEqual((past[0], past[-1], bytes(past[1:3]), len(past)),
                         (97, 0, b"bc", 2 * PAGE))
        self.assertEqual((list(past)[:4], 98 in past, bytes(past) == bytes(past.view)),
                         ([97, 98, 99, 100], True, True))
        with self.assertRaises(IndexError):
            past[2 * PAGE]

    def test_no_way_to_a_snapshot_lets_a_store_through(self):
        view = self.past.view
        for shown in (self.past, view, self.past[0:4], view.obj, memoryview(view.obj),
                      view.obj.obj):
            for at, value in ((0, 1), (slice(0, 1), b"x")):
                with self.assertRaises(TypeError):
                    shown[at] = value
        self.assertTrue(view.readonly and view.obj.readonly)
        with self.assertRaises(TypeError):
            (ctypes.c_ubyte * 4).from_buffer(view)
        self.assertEqual(view[0], 97)

    def test_a_snapshot_is_a_read_only_buffer_from_python_3_12_on(self):
        if sys.version_info < (3, 12):
            with self.assertRaises(TypeError):
                memoryview(self.past)
            return
        view = memoryview(self.past)
        self.past.close()
        gc.collect()
        self.assertEqual((view.readonly, view.format, view[0]), (True, "B", 97))
        for refused in (self.past, self.region.snapshot()):
            with self.assertRaises((BufferError, TypeError, ValueError)):
                (ctypes.c_ubyte * 4).from_buffer(refused)

    def test_a_region_is_made_of_the_bytes_of_a_snapshot_or_of_another_region(self):
        for source in (self.past, self.past.view, letters(), letters(most_bytes=4 * PAGE)):
            self.assertEqual(bytes(cow.Region.from_bytes(source)[0:5]), b"abcd\0")


class Bytes(unittest.TestCase):
    def test_whatever_has_a_buffer_is_copied_in_the_order_of_its_indices(self):
        numbers = array.array("d", [1, 2, 3])
        grid = memoryview(bytes(range(12))).cast("B", (3, 4))
        pairs = (ctypes.c_uint16.__ctype_be__ * 3)(1, 2, 3)
        for source in (numbers, grid, memoryview(numbers)[::-1], memoryview(b"abcdef")[::2],
                       pairs, (ctypes.c_char_p * 2)(), bytearray(b"x")):
            self.assertEqual(bytes(cow.Region.from_bytes(source)), memoryview(source).tobytes())

    def test_an_empty_buffer_makes_no_region_and_an_empty_lease(self):
        for empty in (bytearray(), array.array("d"), memoryview(bytearray(3))[3:]):
            with self.assertRaisesRegex(ValueError, "empty"):
                cow.Region.from_bytes(empty)
            with cow.lease(empty) as view:
                self.assertEqual(view.nbytes, 0)

    def test_what_has_no_buffer_is_a_type_error(self):
        for source in ("text", [1, 2], 5, None):
            with self.assertRaises(TypeError):
                cow.Region.from_bytes(source)
            with self.assertRaises(TypeError):
                cow.lease(source)

    def test_a_lease_is_of_one_range(self):
        region = letters(mechanism=cow.Mechanism.HANDLER)
        past = region.snapshot()
        with cow.lease(region) as view:
            self.assertEqual((view.nbytes, region.stats().pages_leased), (2 * PAGE, 2))
        for part in (region.view[::2], region.view[::-1]):
            with self.assertRaisesRegex(ValueError, "not contiguous"):
                cow.lease(part)
        self.assertEqual((region.stats().pages_leased, past[0]), (0, 97))

    def test_a_region_that_may_grow_is_leased_by_its_name(self):
        region = letters(most_bytes=4 * PAGE)
        past = region.snapshot()
        with cow.lease(region) as view:
            self.assertEqual((view.nbytes, region.stats().pages_leased), (2 * PAGE, 2))
            view[0] = 3
        self.assertEqual((region[0], past[0]), (3, 97))


@unittest.skipIf(numpy is None, "numpy is not installed")
class Numpy(unittest.TestCase):
    def arrays(self):
        """Arrays of each layout and of types that memoryview cannot index, or has no word for."""
        grid = numpy.arange(12.0).reshape(3, 4)
        times = numpy.arange(6).astype("M8[s]").reshape(2, 3)
        both = numpy.array([(1, 2.5), (3, 4.5)], dtype=[("Odd", ">i4"), ("b", "f8")])
        yield from (grid, grid.T, grid[:, ::2], grid[::-1], grid[1:2], numpy.array(4.0))
        yield from (times, times.T, times[:, ::2], times.view("m8[s]"))
        yield from (both, both["b"], both[::-1], numpy.array(["ab", "c"]), grid.astype("f2"))
        yield from (grid.astype("g"), grid > 3, grid.astype(complex), grid.astype(">i2"))
        yield numpy.array([("2020-01-01", 1)], dtype=[("when", "M8[D]"), ("n", "i4")])

    def test_an_array_of_any_type_and_layout_is_copied_and_comes_back(self):
        for source in self.arrays():
            region = cow.Region.from_bytes(source)
            self.assertEqual(bytes(region), source.tobytes(), source.dtype)
            back = numpy.frombuffer(region.view, dtype=source.dtype).reshape(source.shape)
            self.assertTrue((back == source).all(), source.dtype)

    def test_contiguous_arrays_of_any_type_are_leased_in_both_orders(self):
        for source in self.arrays():
            region = cow.Region(max(source.nbytes, PAGE), cow.Options(
                mechanism=cow.Mechanism.HANDLER))
            past = region.snapshot()
            for order in "CF":
                part = numpy.ndarray(source.shape, source.dtype, region.view, order=order)
                with cow.lease(part) as view:
                    self.assertEqual((view.nbytes, view.format), (source.nbytes, "B"))
                    self.assertEqual(region.stats().pages_leased, 1, source.dtype)
                    view[0] = 7
                self.assertEqual((region[0], past[0]), (7, 0))

    def test_strided_arrays_are_refused_in_a_sentence_and_empty_ones_are_empty_leases(self):
        grid = numpy.zeros((3, 4))
        for part in (grid[:, ::2], grid[::-1], grid[:, 1], grid.astype("M8[s]")[:, ::2]):
            with self.assertRaisesRegex(ValueError, "not contiguous"):
                cow.lease(part)
        for empty in (grid[:0], grid[:, :0], numpy.zeros(0, "M8[s]"), grid[3:, ::2]):
            with cow.lease(empty) as view:
                self.assertEqual(len(view), 0)
            with self.assertRaisesRegex(ValueError, "empty"):
                cow.Region.from_bytes(empty)

    def test_objects_are_refused(self):
        fields = numpy.zeros(2, dtype=[("a", "i4"), ("b", "O")])
        for source in (numpy.array([None, 1]), fields, memoryview(fields)):
            for function in (cow.Region.from_bytes, cow.lease):
                with self.assertRaisesRegex(TypeError, "objects"):
                    function(source)

    def test_a_snapshot_is_a_read_only_array_that_keeps_it(self):
        region = letters()
        past = region.snapshot()
        region[0] = 1
        shown = numpy.asarray(past)
        part = numpy.frombuffer(past.view, dtype="u4")
        past.close()
        del region, past
        gc.collect()
        self.assertEqual((shown.dtype, shown.shape, bytes(shown[:4])),
                         (numpy.uint8, (2 * PAGE,), b"abcd"))
        for one in (shown, shown[1:], shown.view("u4"), part):
            with self.assertRaises(ValueError):
                one[0] = 1
            with self.assertRaises(ValueError):
                one.setflags(write=True)

    def test_a_closed_snapshot_is_no_array(self):
        past = letters().snapshot()
        past.close()
        for function in (numpy.asarray, numpy.array, numpy.sum):
            with self.assertRaisesRegex(ValueError, "closed"):
                function(past)

    def test_a_region_is_a_writable_array_also_one_that_may_grow(self):
        for most_bytes in (0, 4 * PAGE):
            region = letters(most_bytes=most_bytes)
            past = region.snapshot()
            shown = numpy.asarray(region)
            self.assertEqual((shown.dtype, shown.shape), (numpy.uint8, (2 * PAGE,)))
            shown[0] = 9
            self.assertEqual((region[0], past[0]), (9, 97))
            if most_bytes:
                region.grow(4 * PAGE)
                late = numpy.asarray(region)
                with self.assertRaises(BufferError):
                    region.restore(past)
                del late
                region.restore(past)
                self.assertEqual(shown[0], 97)
            alive = shown[1:]
            del region, shown
            gc.collect()
            alive[0] = 3
            self.assertEqual(alive[0], 3)

    def test_a_resolver_may_return_any_array(self):
        region = letters()
        base, other = region.snapshot(), region.clone()
        region[0:4], other[0:4] = b"left", b"rite"

        def reversed_ours(conflict):
            return numpy.frombuffer(conflict.ours, "u1")[::-1]

        merged = cow.merge(base, region.snapshot(), other.snapshot(), reversed_ours, unit_bytes=4)
        self.assertEqual(bytes(merged.region[0:4]), b"tfel")


if __name__ == "__main__":
    unittest.main()

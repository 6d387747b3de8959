"""Lines of history: merging them, taking pages over, growing, and what calls would take."""

import copy
import gc
import os
import unittest

import cow

PAGE = os.sysconf("SC_PAGE_SIZE")
MECHANISMS = (cow.Mechanism.HANDLER, cow.Mechanism.AUTOMATIC)


def two_lines(mechanism):
    """(base, ours, theirs): each changed a page for itself, and both the first bytes of page 2."""
    ours = cow.Region(4 * PAGE, cow.Options(mechanism=mechanism, max_window_pages=1))
    ours[2 * PAGE:2 * PAGE + 4] = b"base"
    base = ours.snapshot()
    theirs = ours.clone()
    ours[0], theirs[PAGE] = 1, 2
    ours[2 * PAGE:2 * PAGE + 4] = b"ours"
    theirs[2 * PAGE:2 * PAGE + 4] = b"them"
    theirs[2 * PAGE + 100] = 9
    return base, ours.snapshot(), theirs.snapshot()


class Merges(unittest.TestCase):
    def test_a_merge_has_the_changes_of_both_and_ours_where_both_changed_a_page(self):
        for mechanism in MECHANISMS:
            merged = cow.merge(*two_lines(mechanism))
            region = merged.region
            self.assertEqual((region[0], region[PAGE]), (1, 2))
            self.assertEqual(bytes(region[2 * PAGE:2 * PAGE + 4]), b"ours")
            self.assertEqual(merged.conflicts, [(2, 1)])
            self.assertEqual(merged[2:], (1, 1, 0))

    def test_a_resolver_is_asked_about_the_stretches_that_both_changed(self):
        asked = []

        def longest(conflict):
            asked.append(conflict)
            return bytearray(b"both")

        merged = cow.merge(*two_lines(cow.Mechanism.HANDLER), longest, unit_bytes=4)
        self.assertEqual(asked, [(2 * PAGE, b"base", b"ours", b"them")])
        self.assertEqual(bytes(merged.region[2 * PAGE:2 * PAGE + 4]), b"both")
        self.assertEqual(merged.region[2 * PAGE + 100], 9)
        self.assertEqual(merged.stretches_resolved, 1)

    def test_what_a_resolver_raises_comes_out_and_no_region_is_left(self):
        class Stop(Exception):
            pass

        def stop(_):
            raise Stop

        lines = two_lines(cow.Mechanism.HANDLER)
        gc.collect()
        before = cow.process_stats().regions
        for resolver, error in ((stop, Stop), (lambda _: b"too long", ValueError),
                                (lambda _: None, TypeError)):
            with self.assertRaises(error):
                cow.merge(*lines, resolver)
        gc.collect()
        self.assertEqual(cow.process_stats().regions, before)

    def test_a_resolver_may_call_the_library(self):
        lines = two_lines(cow.Mechanism.HANDLER)
        inner = []

        def again(conflict):
            inner.append(cow.merge(*lines).region.snapshot())
            return conflict.theirs

        cow.merge(*lines, again, unit_bytes=8)
        self.assertEqual(bytes(inner[0].view[2 * PAGE:2 * PAGE + 4]), b"ours")

    def test_a_unit_that_makes_no_sense_is_refused(self):
        lines = two_lines(cow.Mechanism.HANDLER)
        for unit in (0, 3, -1, 1 << 40):
            with self.assertRaises(ValueError):
                cow.merge(*lines, unit_bytes=unit)

    def test_pages_are_taken_over_from_a_snapshot(self):
        for mechanism in MECHANISMS:
            base, ours, theirs = two_lines(mechanism)
            region = cow.Region.from_snapshot(ours)
            region.apply(cow.diff(base, theirs)[:1], theirs)
            self.assertEqual(bytes(region[:2 * PAGE]), bytes(ours.view[:PAGE]) +
                             bytes(theirs.view[PAGE:2 * PAGE]))
            with self.assertRaises(ValueError):
                region.apply([(4, 1)], theirs)
            with self.assertRaises(ValueError):
                region.apply([(-1, 1)], theirs)


class Growing(unittest.TestCase):
    def setUp(self):
        self.region = cow.Region(PAGE, cow.Options(most_bytes=16 * PAGE))
        self.region[0] = 1

    def test_a_region_grows_under_its_views_and_a_new_view_has_all(self):
        first = self.region.view
        self.region.grow(8 * PAGE)
        self.assertEqual((len(first), len(self.region.view), self.region.size),
                         (PAGE, 8 * PAGE, 8 * PAGE))
        self.region[8 * PAGE - 1] = 7
        first[1] = 2
        self.assertEqual(bytes(self.region[:2]), b"\x01\x02")
        with self.assertRaises(ValueError):
            self.region.grow(17 * PAGE)
        with self.assertRaises(ValueError):
            self.region.grow(PAGE)
        with self.assertRaisesRegex(ValueError, "most_bytes"):
            cow.Region(PAGE).grow(2 * PAGE)

    def test_a_restore_makes_it_short_again_but_not_under_a_view(self):
        short = self.region.snapshot()
        first = self.region.view
        self.region.grow(8 * PAGE)
        part = self.region.view[6 * PAGE:]
        with self.assertRaisesRegex(BufferError, "beyond that"):
            self.region.restore(short)
        self.assertEqual(self.region.size, 8 * PAGE)
        part[0] = 3
        del part
        self.region.restore(short)
        self.assertEqual((self.region.size, first[0]), (PAGE, 1))

    def test_what_comes_of_it_can_grow_too(self):
        past = self.region.snapshot()
        node = self.region.snapshots()[0]
        for one in (self.region.clone(), cow.Region.from_snapshot(past),
                    cow.Region.from_snapshot(node.snapshot), cow.merge(past, past, past).region):
            one.grow(4 * PAGE)
            one[4 * PAGE - 1] = 9
            self.assertEqual(len(one), 4 * PAGE)

    def test_it_is_a_buffer_by_its_view_and_the_view_keeps_it(self):
        with self.assertRaises(TypeError):
            memoryview(self.region)
        regions = cow.process_stats().regions
        view = self.region.view
        del self.region
        gc.collect()
        self.assertEqual((view[0], cow.process_stats().regions), (1, regions))
        del view
        gc.collect()
        self.assertEqual(cow.process_stats().regions, regions - 1)


class Copies(unittest.TestCase):
    def test_copies_are_clones_and_handles(self):
        for most_bytes in (0, 2 * PAGE):
            region = cow.Region(PAGE, cow.Options(most_bytes=most_bytes))
            region[0] = 5
            past = region.snapshot("five")
            for copied in (copy.copy(region), copy.deepcopy({"a": region})["a"]):
                copied[0] = 6
                self.assertEqual(region[0], 5)
            other = copy.deepcopy(past)
            past.close()
            self.assertEqual((other.view[0], other.label), (5, "five"))

    def test_a_class_of_ones_own(self):
        class Page(cow.Region):
            def __init__(self, size, options=None):
                self.touched = 0

            def touch(self):
                self.touched += 1
                self[0] = self.touched

        for options in (None, cow.Options(most_bytes=2 * PAGE)):
            page = Page(PAGE, options)
            page.touch()
            self.assertIsInstance(page, Page)
            self.assertEqual((page[0], len(page)), (1, PAGE))
        self.assertEqual(len(type(cow.Region(PAGE))(3)), 3)


class Estimates(unittest.TestCase):
    def test_estimates_are_times_and_sizes_and_a_description_is_text(self):
        for mechanism in MECHANISMS:
            region = cow.Region(8 * PAGE, cow.Options(mechanism=mechanism))
            past = region.snapshot()
            region[0] = 1
            self.assertGreater(min(region.estimate()), 0)
            self.assertGreater(region.estimate_restore(past), 0)
            self.assertGreaterEqual(past.estimate_drop(), 0)
            self.assertGreater(region.estimate_backup().duration_ns, 0)
            self.assertIn("8 pages", region.describe())
        region = cow.Region(8 * PAGE, cow.Options(mechanism=cow.Mechanism.HANDLER))
        least = region.estimate_backup(most_extra_bytes=1 << 30).least_extra_bytes
        self.assertGreater(least, 0)


if __name__ == "__main__":
    unittest.main()

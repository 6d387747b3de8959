// Tests of one thread: what is copied, what is not, and what everybody sees.
#include <algorithm>
#include <cerrno>
#include <random>

#include "checks.hpp"
#include "tests.hpp"

namespace grader {

namespace {

constexpr std::size_t pages = 16;

std::size_t differing(const Pages& a, const Pages& b) {
  const std::vector<Place> of_a = a.places();
  const std::vector<Place> of_b = b.places();
  std::size_t count = 0;
  for (std::size_t i = 0; i < of_a.size(); ++i) count += of_a[i] == of_b[i] ? 0 : 1;
  return count;
}

void store(const Pages& space, std::size_t page, unsigned char value, const char* what) {
  now("%s, page %zu", what, page);
  errno = EDOM;
  space(page, 5) = value;
  if (errno != EDOM) {
    fail(
        "%s changed errno: a handler may come between a system call of the program and its look at "
        "errno, and has to put back what was there",
        what);
  }
  if (space(page, 5) != value) fail("%s: the byte stored is not there", what);
}

void new_space() {
  const Pages a = create(pages);
  for (std::size_t i = 0; i < pages; ++i) {
    if (a(i) != 0) fail("page %zu of a new space is not zero", i);
  }
  a.fill(1);
  a.check(1, none, "the space");
}

void shares() {
  const Pages a = create(pages);
  a.fill(1);
  const std::size_t before = frames_in_use();
  const Pages b = clone(a);
  a.check(1, none, "the original");
  b.check(1, none, "the clone");
  if (differing(a, b) != 0) fail("%zu pages show other frames than the original", differing(a, b));
  if (frames_in_use() != before) fail("the clone took %zu frames", frames_in_use() - before);
  for (const Pages& space : {a, b}) {
    for (const Place& place : space.places()) {
      if (place.writable) fail("a page that is shared is writable");
    }
  }
}

void copies_once() {
  const Pages a = create(pages);
  a.fill(1);
  const Pages b = clone(a);
  const std::size_t frames = frames_in_use();
  const std::size_t before = faults();
  store(b, 5, 99, "the first store to a page of a clone");
  store(b, 5, 98, "the second store to the same page");
  store(b, 5, 97, "the third store to the same page");
  if (differing(a, b) != 1 || b.places()[5] == a.places()[5]) {
    fail("after a store to page 5 of %zu, %zu pages of the clone show frames of their own", pages,
         differing(a, b));
  }
  if (frames_in_use() != frames + 1) {
    fail("one page was copied, and %zu frames more are in use", frames_in_use() - frames);
  }
  if (faults() != before + 1) fail("three stores to one page took %zu faults", faults() - before);
}

void copies_all_of_it() {
  const Pages a = create(pages);
  a.fill(1);
  const Pages b = clone(a);
  for (const std::size_t page : {std::size_t{5}, std::size_t{0}, pages - 1}) {
    store(b, page, filled(1, page, 5), "a store of the byte that is there already, to a clone");
    b.check(1, none, "the clone that was stored to");
  }
  a.check(1, none, "the original");
}

void both_sides() {
  const Pages a = create(pages);
  a.fill(1);
  const Pages b = clone(a);
  store(a, 2, 50, "a store to the original");
  b.check(1, none, "the clone, after a store to the original,");
  store(b, 3, 51, "a store to the clone");
  a.check(1, 2, "the original, after a store to the clone,");
  store(b, 2, 52, "a store to the clone, where the original had stored");
  if (a(2, 5) != 50) fail("the original shows what the clone stored");
  store(a, 3, 53, "a store to the original, where the clone had stored");
  if (b(3, 5) != 51) fail("the clone shows what the original stored");
}

void must_not_copy(const Pages& space, std::size_t page, const char* what) {
  const Place before = space.places()[page];
  const std::size_t frames = frames_in_use();
  store(space, page, 60, what);
  if (!(space.places()[page] == before) || frames_in_use() != frames) {
    fail("%s copied the page, although nobody else shows its frame", what);
  }
}

void last_of_two() {
  const Pages a = create(pages);
  a.fill(1);
  const Pages b = clone(a);
  store(b, 5, 99, "a store to the clone");
  must_not_copy(a, 5, "the original's store after the clone's");
  store(a, 6, 99, "a store to the original");
  must_not_copy(b, 6, "the clone's store after the original's");
}

void last_of_all() {
  const Pages a = create(pages);
  a.fill(1);
  const Pages b = clone(a);
  const Pages c = clone(b);
  destroy(b);
  store(a, 1, 98, "a store to the original, whose clone's clone lives");
  c.check(1, none, "the clone of a clone that has gone");
  destroy(a);
  for (std::size_t i = 2; i < pages; ++i) must_not_copy(c, i, "a store of the only one left");
}

void family_tree() {
  const Pages a = create(pages);
  a.fill(1);
  const std::size_t frames = frames_in_use();
  const Pages b = clone(a);
  store(b, 1, 71, "a store to a clone");
  const Pages c = clone(b);
  store(c, 2, 72, "a store to a clone of a clone");
  const Pages d = clone(c);
  store(d, 1, 73, "a store to a clone of a clone of a clone");
  store(b, 2, 74, "a store to a clone that was cloned");
  const unsigned char first[] = {filled(1, 1, 5), 71, 71, 73};
  const unsigned char second[] = {filled(1, 2, 5), 74, 72, 72};
  const Pages all[] = {a, b, c, d};
  for (std::size_t i = 0; i < 4; ++i) {
    if (all[i](1, 5) != first[i] || all[i](2, 5) != second[i]) {
      fail("generation %zu of 4 shows what another one stored", i + 1);
    }
    if (!(all[i].places()[7] == a.places()[7])) {
      fail("generation %zu of 4 has a copy of page 7, to which nobody stored", i + 1);
    }
  }
  if (frames_in_use() != frames + 4) {
    fail("four stores to a tree of clones, of one page each, took %zu frames",
         frames_in_use() - frames);
  }
}

// The same done to plain memory.
struct Pair {
  Pages space;
  std::vector<unsigned char> plain;
};

void random_operations() {
  std::mt19937 random(1);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  std::vector<Pair> all;
  const Pages first = create(pages);
  all.push_back({first, std::vector<unsigned char>(pages * lab::page_bytes())});
  for (int step = 0; step < 4000; ++step) {
    const std::size_t which = below(all.size());
    Pair& one = all[which];
    const std::size_t kind = below(40);
    if (kind == 0 && all.size() < 8) {
      all.push_back({clone(one.space), one.plain});
    } else if (kind == 1 && all.size() > 1) {
      destroy(one.space);
      all.erase(all.begin() + static_cast<std::ptrdiff_t>(which));
    } else {
      const std::size_t page = below(pages), offset = below(lab::page_bytes());
      now("store %d of a random load on %zu spaces, page %zu", step, all.size(), page);
      one.plain[page * lab::page_bytes() + offset] = static_cast<unsigned char>(step);
      one.space(page, offset) = static_cast<unsigned char>(step);
    }
    if (step % 50 != 0) continue;
    for (const Pair& pair : all) {
      const auto* bytes = reinterpret_cast<const unsigned char*>(lab::data(pair.space.space));
      if (!std::equal(pair.plain.begin(), pair.plain.end(), bytes)) {
        fail("after %d random operations a space shows other bytes than plain memory would", step);
      }
    }
  }
}

}  // namespace

std::vector<Test> single_thread_tests() {
  return {
      {"a new space shows zeros, and then what was stored to it", new_space},
      {"a clone shows the same frames, read-only on both sides, and copies nothing", shares},
      {"a store to a clone copies that one page, once, and takes one fault", copies_once},
      {"the copy has all bytes of the page, and no other page changes", copies_all_of_it},
      {"both sides may store, and neither sees what the other one stored", both_sides},
      {"once one side has copied a page, the other one's store copies nothing", last_of_two},
      {"when the others are gone, the stores of the last owner copy nothing", last_of_all},
      {"clones of clones see their own, and what nobody stored to is there once", family_tree},
      {"random stores, clones and ends show what plain memory would show", random_operations},
  };
}

}  // namespace grader

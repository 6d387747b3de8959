// What a trace tells was copied, and not for which stores: it is replayed where it is known, and
// said where it is not.

#include <algorithm>
#include <string>
#include <vector>

#include <cow/cow.hpp>

#include "catch.hpp"
#include "folder.hpp"
#include "measure/experiments.hpp"
#include "measure/trace/page_writes.hpp"
#include "measure/trace/unseen_stores.hpp"
#include "support.hpp"
#include "trace_maker.hpp"

using namespace cow::measure;
using cow::trace::EntryLook;
using cow::trace::EventKind;
using support::Folder;
using support::TraceMaker;

namespace {

using Pages = std::vector<std::size_t>;

PageWrites writes_of(const TraceMaker& maker) {
  const Folder folder;
  return page_writes(read_trace(maker.save(folder / "trace")));
}

bool is_said(const std::vector<std::string>& sentences, const std::string& part) {
  for (const std::string& sentence : sentences) {
    if (sentence.find(part) != std::string::npos) return true;
    UNSCOPED_INFO(sentence);
  }
  return false;
}

Pages pages_of(const RecordedRound& round, std::size_t page_bytes) {
  Pages pages;
  for (const std::size_t offset : round.offsets_bytes) pages.push_back(offset / page_bytes);
  return pages;
}

/// Region 1 of 64 pages with its snapshot 2, and a fault whose window has `pages` pages.
TraceMaker with_window(std::uint64_t pages, std::uint64_t copied) {
  TraceMaker maker;
  maker.made(1, 64);
  maker.snapshot(2, 64, 1);
  maker.fault(1, 7, 7, 1, 1);
  maker.fault(1, 8, 8, copied, pages).page_count = pages;
  return maker;
}

/// The same numbers in family 2, for which the kernel copied `pages` pages, of which entries tell.
void add_kernel_family(TraceMaker& maker, std::uint64_t pages, std::uint64_t told) {
  maker.made(11, 64).family = 2;
  maker.snapshot(12, 64, 11).family = 2;
  if (told > 0) {
    auto& entries = maker.add(EventKind::entries, 11);
    entries.family = 2;
    entries.first_page = 20;
    entries.page_count = told;
    entries.look = EntryLook::read_only;
    entries.frame_file = 1;
  }
  auto& collected = maker.add(EventKind::collected, 11);
  collected.family = 2;
  collected.pages_copied = pages;
  maker.snapshot(13, 64, 11).family = 2;
}

}  // namespace

TEST_CASE("pages that a window copied along are counted, and not replayed", "[measure]") {
  const PageWrites writes = writes_of(with_window(32, 32));
  CHECK(writes.stores == 2);
  CHECK(writes.along.copied == 33);
  CHECK(writes.along.copied_along == 31);
  CHECK(is_said(writes.warnings, "31 of 33 copied pages had no fault of their own"));
  CHECK(is_said(writes.warnings, "RegionOptions::max_window_pages of 1"));
  CHECK(writes_of(with_window(1, 1)).warnings.empty());
}

TEST_CASE("a page that is copied for several snapshots is one that has its own fault",
          "[measure]") {
  const PageWrites writes = writes_of(with_window(1, 5));
  CHECK(writes.along.copied == 2);
  CHECK(writes.along.copied_along == 0);
  CHECK(writes.warnings.empty());
}

TEST_CASE("pages that became writable along with another without a copy are said apart",
          "[measure]") {
  const PageWrites writes = writes_of(with_window(32, 0));
  CHECK(writes.along.copied_along == 0);
  REQUIRE(writes.warnings.size() == 1);
  CHECK(is_said(writes.warnings, "31 pages that showed zeros, or nothing shared"));
}

TEST_CASE("a program that stores in order has every copied page in its replay or in a warning",
          "[measure]") {
  const Folder folder;
  constexpr std::size_t pages = 256;
  cow::RegionOptions options;
  options.mechanism = cow::Mechanism::handler;
  options.max_window_pages = GENERATE(std::size_t{1}, std::size_t{64});
  cow::Region region = cow::Region::create(pages * support::page_bytes(), options);
  for (std::size_t page = 0; page < pages; ++page) support::store(region, page, 1);
  {
    const cow::Trace trace(folder / "t");
    cow::Region clone = region.clone();
    for (std::size_t page = 0; page < pages; ++page) support::store(clone, page, 2);
  }
  const PageWrites writes = page_writes(read_trace((folder / "t").string()));
  CHECK(writes.stores + writes.along.copied_along == pages);
  CHECK((writes.along.copied_along > 0) == (options.max_window_pages > 1));
  CHECK(is_said(writes.warnings, "no fault of their own") == (options.max_window_pages > 1));
}

TEST_CASE("families for which the kernel copies are not passed over in silence", "[measure]") {
  TraceMaker maker = with_window(1, 1);
  add_kernel_family(maker, 500, 0);
  const PageWrites writes = writes_of(maker);
  CHECK(writes.family == TraceMaker::family);
  CHECK(writes.unseen_families == 1);
  CHECK(writes.unseen_pages == 500);
  CHECK(is_said(writes.warnings, "the kernel copied 500 pages for 1 family of regions besides"));
  CHECK(is_said(writes.warnings, "where it names Mechanism::kernel or automatic, which that"));
  add_kernel_family(maker, 0, 0);  // nothing was copied
  CHECK(writes_of(maker).unseen_pages == 500);
}

TEST_CASE("what the kernel copied is replayed where the trace tells all of its pages",
          "[measure]") {
  TraceMaker maker = with_window(1, 1);
  add_kernel_family(maker, 3, 3);
  const PageWrites writes = writes_of(maker);
  CHECK(writes.family == 2);
  CHECK(writes.stores == 3);
  CHECK(writes.stores_without_fault == 3);
  REQUIRE_FALSE(writes.rounds.empty());
  CHECK(pages_of(writes.rounds.front(), writes.page_bytes) == Pages{20, 21, 22});
  CHECK(writes.unseen_families == 0);
  CHECK(is_said(writes.warnings, "with 3 of 5 stores that the trace tells of"));

  TraceMaker more_changed = with_window(1, 1);
  add_kernel_family(more_changed, 3, 10);
  CHECK(writes_of(more_changed).family == TraceMaker::family);
  CHECK(writes_of(more_changed).unseen_pages == 3);
}

TEST_CASE("a program whose snapshots overlap is replayed though the kernel copied", "[measure]") {
  if (!support::kernel_can_be_had()) {
    WARN("skipped: the kernel cannot copy here");
    return;
  }
  const Folder folder;
  cow::RegionOptions options;
  options.mechanism = cow::Mechanism::kernel;
  cow::Region region = cow::Region::create(64 * support::page_bytes(), options);
  for (std::size_t page = 0; page < 64; ++page) support::store(region, page, 1);
  cow::Snapshot past = region.snapshot();
  {
    const cow::Trace trace(folder / "t");
    for (std::size_t round = 0; round < 3; ++round) {
      for (const std::size_t page : {3 + round, 20 + round}) support::store(region, page, 2);
      past = region.snapshot();
    }
  }
  const PageWrites writes = page_writes(read_trace((folder / "t").string()));
  CHECK(writes.warnings.empty());
  CHECK(writes.stores == 6);
  std::vector<Pages> rounds;
  for (const RecordedRound& round : writes.rounds) {
    if (round.offsets_bytes.empty()) continue;
    rounds.push_back(pages_of(round, writes.page_bytes));
  }
  CHECK(rounds == std::vector<Pages>{{3, 20}, {4, 21}, {5, 22}});
}

TEST_CASE("a trace says what of it is of no known store, and a whole one nothing", "[measure]") {
  const Folder folder;
  TraceMaker maker = with_window(32, 32);
  add_kernel_family(maker, 500, 20);
  const std::vector<std::string> said = unseen_stores(read_trace(maker.save(folder / "t")));
  REQUIRE(said.size() == 2);
  CHECK(is_said(said, "31 of 33 copied pages had no fault of their own"));
  CHECK(is_said(said, "the kernel copied 500 pages for 1 family of regions without a fault, and "
                      "of 480 the trace does not tell which they were"));
  CHECK(unseen_stores(read_trace(with_window(1, 1).save(folder / "t"))).empty());
}

TEST_CASE("a comparison of a trace has the numbers of what is not replayed", "[measure]") {
  const Folder folder;
  Scale scale;
  scale.is_quick = true;
  TraceMaker maker = with_window(32, 32);
  add_kernel_family(maker, 500, 0);
  scale.trace_file = maker.save(folder / "t");
  const auto comparisons = recorded_trace(scale);
  REQUIRE(comparisons.size() == 1);
  CHECK(comparisons[0].parameters.at("pages_copied_along") == 31);
  CHECK(comparisons[0].parameters.at("pages_copied") == 33);
  CHECK(comparisons[0].parameters.at("unseen_pages") == 500);
  CHECK(is_said(comparisons[0].warnings, "31 of 33 copied pages"));
}

// A recorded program's page writes: read from its trace, and what is measured of them.

#include <algorithm>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#include <cow/cow.hpp>

#include "catch.hpp"
#include "folder.hpp"
#include "measure/experiments.hpp"
#include "measure/trace/page_writes.hpp"
#include "support.hpp"
#include "trace_maker.hpp"

using namespace cow::measure;
using cow::trace::EventKind;
using support::Folder;
using support::TraceMaker;

namespace {

constexpr std::uint32_t region_number = 1;
constexpr std::uint32_t snapshot_number = 2;

PageWrites writes_of(const TraceMaker& maker) {
  const Folder folder;
  return page_writes(read_trace(maker.save(folder / "trace")));
}

std::string refusal(const TraceMaker& maker) {
  return support::words_of<TraceError>([&] { static_cast<void>(writes_of(maker)); });
}

bool says(const std::string& sentence, const std::string& part) {
  if (sentence.find(part) != std::string::npos) return true;
  FAIL_CHECK("'" + sentence + "' does not say '" + part + "'");
  return false;
}

/// The region's next snapshot or clone, or the way back to one, leaves no page writable.
void protect(TraceMaker& maker) {
  maker.entries(region_number, 0, 64, 0, cow::trace::EntryLook::read_only);
}

/// A region of 64 pages and a snapshot of it.
TraceMaker begun() {
  TraceMaker maker;
  maker.made(region_number, 64);
  maker.snapshot(snapshot_number, 64, region_number);
  return maker;
}

void faults(TraceMaker& maker, std::uint32_t space, std::initializer_list<std::uint64_t> pages) {
  for (const std::uint64_t page : pages) maker.fault(space, page, page, 1, 1);
}

std::vector<std::size_t> pages_of(const RecordedRound& round, std::size_t page_bytes) {
  std::vector<std::size_t> pages;
  for (const std::size_t offset : round.offsets_bytes) pages.push_back(offset / page_bytes);
  return pages;
}

using Pages = std::vector<std::size_t>;

/// 64 pages that were stored to, whatever the mechanism of those who do not ask for one.
cow::Region written_region() {
  cow::RegionOptions options = support::single_page_options();
  options.mechanism = cow::Mechanism::handler;
  cow::Region region = cow::Region::create(64 * support::page_bytes(), options);
  for (std::size_t page = 0; page < 64; ++page) support::store(region, page, 1);
  return region;
}

}  // namespace

TEST_CASE("a recorded program's stores are read from its trace, and no others", "[measure]") {
  const Folder folder;
  cow::Region region = written_region();
  {
    const cow::Trace trace(folder / "t");
    support::store(region, 9, 2);  // nothing is kept
    const cow::Snapshot past = region.snapshot();
    for (const std::size_t page : {7U, 3U, 7U, 60U}) support::store(region, page, 3, 40);
    cow::Region clone = region.clone();
    for (const std::size_t page : {1U, 7U}) support::store(clone, page, 5);
  }
  const PageWrites writes = page_writes(read_trace((folder / "t").string()));
  CHECK(writes.bytes == region.size());
  CHECK(writes.page_bytes == support::page_bytes());
  CHECK(writes.stores == 5);
  CHECK(writes.stores_without_fault == 0);
  CHECK(writes.warnings.empty());
  REQUIRE(writes.rounds.size() == 2);
  CHECK_FALSE(writes.rounds[0].is_taken_back);
  CHECK(pages_of(writes.rounds[0], writes.page_bytes) == Pages{7, 3, 60});
  CHECK(writes.rounds[0].offsets_bytes[1] == 3 * writes.page_bytes + 40);
  CHECK(pages_of(writes.rounds[1], writes.page_bytes) == Pages{1, 7});
}

TEST_CASE("pages that are stored to in every round are in each, though they do not fault",
          "[measure]") {
  constexpr std::size_t rounds = 12;
  const bool is_restored = GENERATE(true, false);
  const Folder folder;
  cow::Region region = written_region();
  {
    const cow::Trace trace(folder / "t");
    cow::Snapshot past = region.snapshot();
    for (std::size_t round = 0; round < rounds; ++round) {
      for (const std::size_t page : {std::size_t{7}, std::size_t{3}, std::size_t{60}, 20 + round}) {
        support::store(region, page, static_cast<unsigned>(round) + 2);
      }
      if (is_restored) {
        region.restore(past);
      } else {
        past = region.snapshot(cow::SnapshotMode::quiescent);
      }
    }
  }
  const PageWrites writes = page_writes(read_trace((folder / "t").string()));
  INFO(writes.stores << " stores, is_restored " << is_restored);
  CHECK(writes.stores_without_fault > 0);
  REQUIRE(writes.rounds.size() == rounds + (is_restored ? 0 : 1));  // the last snapshot's is empty
  for (std::size_t round = 0; round < rounds; ++round) {
    INFO("round " << round);
    CHECK(writes.rounds[round].is_taken_back == is_restored);
    Pages pages = pages_of(writes.rounds[round], writes.page_bytes);
    std::ranges::sort(pages);
    // How many there are, a restore says; which, only a snapshot.
    CHECK(pages.size() == 4);
    if (!is_restored) CHECK(pages == Pages{3, 7, 20 + round, 60});
  }
}

TEST_CASE("a round goes from what is kept to the next or to its end", "[measure]") {
  TraceMaker maker;
  maker.made(region_number, 64);
  faults(maker, region_number, {1, 2, 3});  // the only one: nothing is copied
  protect(maker);
  maker.snapshot(snapshot_number, 64, region_number);
  faults(maker, region_number, {1, 2, 1});
  protect(maker);
  maker.made(3, 64, region_number);  // a clone
  faults(maker, 3, {5});
  faults(maker, region_number, {5, 6});
  maker.add(EventKind::region_gone, 3);
  faults(maker, region_number, {7});
  maker.add(EventKind::snapshot_gone, snapshot_number);
  faults(maker, region_number, {8});
  const PageWrites writes = writes_of(maker);
  REQUIRE(writes.rounds.size() == 2);
  CHECK(pages_of(writes.rounds[0], writes.page_bytes) == Pages{1, 2});
  CHECK(pages_of(writes.rounds[1], writes.page_bytes) == Pages{5, 6, 7});
  CHECK(writes.stores == 5);
  CHECK(writes.stores_again == 2);
  CHECK(writes.stores_outside == 4);
  CHECK(writes.program == "program");
}

TEST_CASE("what was there before the trace is no round without stores", "[measure]") {
  TraceMaker maker;
  maker.made(region_number, 64);
  for (std::uint32_t snapshot = 10; snapshot < 20; ++snapshot) maker.snapshot(snapshot, 64, 0);
  faults(maker, region_number, {4});
  protect(maker);
  maker.snapshot(snapshot_number, 64, region_number);
  maker.add(EventKind::restored, region_number, snapshot_number);
  maker.add(EventKind::restored, region_number, snapshot_number);
  const PageWrites writes = writes_of(maker);
  REQUIRE(writes.rounds.size() == 2);
  CHECK(pages_of(writes.rounds[0], writes.page_bytes) == Pages{4});
  CHECK(writes.rounds[1].offsets_bytes.empty());
  CHECK(writes.rounds[1].is_taken_back);
}

TEST_CASE("the size of a region's pages is found by its faults", "[measure]") {
  TraceMaker maker;
  const std::uint64_t address = maker.made(region_number, 64).address;
  maker.snapshot(snapshot_number, 64, region_number);
  maker.fault(region_number, 2, 2, 1, 1).address = address + 2 * 65'536 + 60'000;
  maker.fault(region_number, 0, 0, 1, 1).address = address + 30'000;
  const PageWrites writes = writes_of(maker);
  CHECK(writes.page_bytes == 65'536);
  CHECK(writes.bytes == 64 * 65'536);
  CHECK(writes.rounds[0].offsets_bytes == Pages{2 * 65'536 + 60'000, 30'000});
}

TEST_CASE("of several families and processes the busiest is replayed, and that is said",
          "[measure]") {
  TraceMaker maker = begun();
  faults(maker, region_number, {1});
  maker.run_as(200, 200);
  maker.made(region_number, 64);
  maker.snapshot(snapshot_number, 64, region_number);
  faults(maker, region_number, {2, 3});
  const PageWrites writes = writes_of(maker);
  CHECK(writes.pid == 200);
  CHECK(writes.stores == 2);
  REQUIRE(writes.warnings.size() == 1);
  CHECK(says(writes.warnings[0], "2 families of regions in 2 processes"));
  CHECK(says(writes.warnings[0], "process 200, with 2 of 3 stores"));
}

TEST_CASE("a child process's stores are copies of what its parent keeps", "[measure]") {
  TraceMaker maker;
  maker.made(region_number, 64);
  const std::uint64_t forked = maker.add(EventKind::process_forked).number;
  maker.run_as(200, 200);
  maker.add(EventKind::process_begun, 0, TraceMaker::main_pid).first_page = forked;
  faults(maker, region_number, {4, 5});
  const PageWrites writes = writes_of(maker);
  CHECK(writes.pid == 200);
  REQUIRE(writes.rounds.size() == 1);
  CHECK(pages_of(writes.rounds[0], writes.page_bytes) == Pages{4, 5});
  CHECK(writes.bytes == 64 * writes.page_bytes);
}

TEST_CASE("a trace that ends early is replayed as far as it goes, and that is said", "[measure]") {
  TraceMaker maker = begun();
  faults(maker, region_number, {1});
  maker.header.claimed = maker.events().size() + 5;
  CHECK(says(writes_of(maker).warnings.at(0), "cut off before 5 events"));
  maker.header.capacity = maker.events().size();
  CHECK(says(writes_of(maker).warnings.at(0), "no room for the last 5 events"));
  maker.add(EventKind::fault, region_number).number = 0;
  maker.header.capacity = maker.header.claimed = maker.events().size();
  CHECK(says(writes_of(maker).warnings.at(0), "1 event of the trace could not be read"));
}

TEST_CASE("a trace that cannot be replayed is refused with a sentence", "[measure]") {
  TraceMaker version = begun();
  version.header.version = 9;
  CHECK(says(refusal(version), "is a trace of version 9"));

  TraceMaker stores_nothing = begun();
  CHECK(says(refusal(stores_nothing), "has no store to replay: nothing was stored"));
  stores_nothing.add(EventKind::collected, region_number);
  CHECK(says(refusal(stores_nothing), "COW_MECHANISM=handler where the program names no"));
  CHECK(says(refusal(stores_nothing), "have it name Mechanism::handler"));

  TraceMaker keeps_nothing;
  keeps_nothing.made(region_number, 64);
  faults(keeps_nothing, region_number, {1, 2});
  CHECK(says(refusal(keeps_nothing), "all of its 2 first stores were made while there was no"));

  TraceMaker too_large;
  too_large.made(region_number, std::uint64_t{1} << 50);
  faults(too_large, region_number, {1});
  CHECK(says(refusal(too_large), "which no process can have"));

  const Folder folder;
  support::write_file(folder / "empty", {});
  Scale scale;
  scale.trace_file = (folder / "empty").string();
  const auto words =
      support::words_of<std::runtime_error>([&] { static_cast<void>(recorded_trace(scale)); });
  CHECK(says(words, "empty' is empty"));
}

TEST_CASE("a trace becomes a comparison of kept rounds and one of those taken back", "[measure]") {
  CHECK(recorded_trace(Scale{}).empty());
  const Folder folder;
  TraceMaker maker = begun();
  faults(maker, region_number, {1, 2});
  protect(maker);
  maker.add(EventKind::restored, region_number, snapshot_number);
  maker.snapshot(3, 64, region_number);
  faults(maker, region_number, {5});
  Scale scale;
  scale.is_quick = true;
  scale.trace_file = maker.save(folder / "trace");
  const auto comparisons = recorded_trace(scale);
  REQUIRE(comparisons.size() == 2);
  CHECK(comparisons[0].workload == "program: 1 round, 1 store in all");
  CHECK(comparisons[1].workload == "program: 1 round taken back, 2 stores in all");
  CHECK(comparisons[1].parameters.at("stores") == 2);
  CHECK(comparisons[1].parameters.at("pages") == 64);
  for (const Comparison& comparison : comparisons) {
    const auto turn = [&]() -> std::string {
      const Turn handler =
          std::ranges::find(comparison.sides, "handler", &Side::mechanism)->prepare();
      static_cast<void>(handler(0));
      return handler(1).samples.size() == 1 ? "" : "a turn has another number of samples than one";
    };
    CHECK(support::run_in_child(turn).complaint.empty());
  }
}

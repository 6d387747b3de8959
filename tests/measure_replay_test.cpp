// A recorded program's rounds, done again under each mechanism.

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include <cow/cow.hpp>

#include "catch.hpp"
#include "each_mechanism.hpp"
#include "folder.hpp"
#include "measure/experiments.hpp"
#include "measure/experiments/recorded_rounds.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/mechanism.hpp"
#include "support.hpp"

using namespace cow::measure;

namespace {

/// Memory that notes what is done to it.
class NotingMemory : public Memory {
 public:
  explicit NotingMemory(std::size_t bytes) : bytes_(bytes) {}

  std::span<std::byte> bytes() override { return bytes_; }
  void begin() override { calls += "begin "; }
  void end() override { calls += note() + "end "; }
  void try_out(const std::function<void(std::span<std::byte>)>& stores) override {
    stores(bytes_);
    calls += "try " + note();
  }

  std::string calls;

 private:
  /// The pages that are not zero, which they are afterwards.
  std::string note() {
    std::string pages;
    for (std::size_t at = 0; at < bytes_.size(); at += host_page_bytes()) {
      const auto page = std::span(bytes_).subspan(at, host_page_bytes());
      const auto is_stored = [](std::byte byte) { return byte != std::byte{0}; };
      if (std::ranges::any_of(page, is_stored)) {
        pages += std::to_string(at / host_page_bytes()) + " ";
      }
      std::ranges::fill(page, std::byte{0});
    }
    return pages;
  }

  std::vector<std::byte> bytes_;
};

/// Pages of `now` that are not as in `before`.
std::set<std::size_t> changed_pages(std::span<const std::byte> before,
                                    std::span<const std::byte> now) {
  std::set<std::size_t> pages;
  for (std::size_t at = 0; at < now.size(); at += host_page_bytes()) {
    if (!std::ranges::equal(before.subspan(at, host_page_bytes()),
                            now.subspan(at, host_page_bytes()))) {
      pages.insert(at / host_page_bytes());
    }
  }
  return pages;
}

RecordedRound round_of(std::initializer_list<std::size_t> pages) {
  RecordedRound round;
  for (const std::size_t page : pages) round.offsets_bytes.push_back(page * host_page_bytes() + 16);
  return round;
}

/// What is wrong with how `mechanism` does the rounds; empty if nothing is.
std::string complaint_about(const Mechanism& mechanism) {
  const std::vector<RecordedRound> rounds = {round_of({5, 3, 30}), round_of({}), round_of({3, 31})};
  const auto memory = mechanism.make({.bytes = 32 * host_page_bytes()});
  const auto copy = [&] {
    return std::vector<std::byte>(memory->bytes().begin(), memory->bytes().end());
  };
  const std::vector<std::byte> before = copy();
  memory->begin();
  store_at_each(memory->bytes(), rounds[0].offsets_bytes, 77);
  if (changed_pages(before, memory->bytes()) != std::set<std::size_t>{3, 5, 30}) {
    return "other pages changed than were stored to";
  }
  memory->end();
  keep_rounds(*memory, rounds, 78);
  const auto kept = changed_pages(before, memory->bytes());
  if (kept !=
      (mechanism.keeps_stores ? std::set<std::size_t>{3, 5, 30, 31} : std::set<std::size_t>{})) {
    return "after rounds that were kept, other pages are changed";
  }
  if (!mechanism.rolls_back) return {};
  const std::vector<std::byte> between = copy();
  static_cast<void>(take_back_rounds(*memory, rounds, 79));
  return changed_pages(between, memory->bytes()).empty() ? "" : "a round was not taken back";
}

}  // namespace

TEST_CASE("recorded rounds are done in order, each with its stores alone", "[measure]") {
  const std::vector<RecordedRound> rounds = {round_of({2, 0}), round_of({}), round_of({1})};
  NotingMemory memory(4 * host_page_bytes());
  keep_rounds(memory, rounds, 1);
  CHECK(memory.calls == "begin 0 2 end begin end begin 1 end ");
  memory.calls.clear();
  static_cast<void>(take_back_rounds(memory, rounds, 1));
  CHECK(memory.calls == "try 0 2 try try 1 ");
}

TEST_CASE("turns have all recorded rounds, one stretch after the other", "[measure]") {
  const std::vector<RecordedRound> rounds(7);
  std::vector<std::size_t> seen;
  CHECK(rounds_of_turn(rounds, 3, 0).data() == rounds_of_turn(rounds, 3, 1).data());
  for (std::uint64_t turn = 1; turn < 7; ++turn) {
    for (const RecordedRound& round : rounds_of_turn(rounds, 3, turn)) {
      seen.push_back(static_cast<std::size_t>(&round - rounds.data()));
    }
  }
  CHECK(seen == std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6});
}

TEST_CASE("a replay has new memory whenever the rounds start over, one at a time", "[measure]") {
  std::size_t alive = 0;
  class Counted : public NotingMemory {
   public:
    explicit Counted(std::size_t& alive) : NotingMemory(4 * host_page_bytes()), alive_(alive) {
      ++alive_;
    }
    ~Counted() override { --alive_; }

   private:
    std::size_t& alive_;
  };
  std::size_t made = 0;
  const std::vector<RecordedRound> rounds(5);
  Replay replay(rounds, 2, [&] {
    CHECK(alive == 0);
    ++made;
    return std::make_unique<Counted>(alive);
  });
  std::vector<std::size_t> made_by_turn;
  for (std::uint64_t turn = 0; turn < 8; ++turn) {
    static_cast<void>(replay.memory_for(turn));
    made_by_turn.push_back(made);
  }
  CHECK(made_by_turn == std::vector<std::size_t>{1, 2, 2, 2, 3, 3, 3, 4});
}

TEST_CASE("a replay under the handler has the faults of the recorded program, each time it is done",
          "[measure][handler]") {
  constexpr std::size_t pages = 64;
  const support::Folder folder;
  const bool is_taken_back = GENERATE(false, true);
  cow::RegionOptions options;
  options.max_window_pages = 1;
  options.mechanism = cow::Mechanism::handler;
  cow::Region region = cow::Region::create(pages * host_page_bytes(), options);
  const auto store = [&](std::size_t page, int value) {
    region.bytes()[page * host_page_bytes() + 64] = static_cast<std::byte>(value);
  };
  for (std::size_t page = 0; page < pages; ++page) store(page, 1);
  const std::uint64_t faults_before = region.stats().faults;
  {
    const cow::Trace trace(folder / "t");
    const cow::Snapshot past = region.snapshot();
    for (std::size_t i = 0; i < 40; ++i) store(i * 7 % pages, 2);
    if (is_taken_back) region.restore(past);
  }
  const double faults = static_cast<double>(region.stats().faults - faults_before);
  REQUIRE(faults == 40);

  Scale scale;
  scale.is_quick = true;
  scale.trace_file = (folder / "t").string();
  const auto comparisons = recorded_trace(scale);
  REQUIRE(comparisons.size() == 1);
  for (const Side& side : comparisons[0].sides) {
    if (!side.mechanism.starts_with("handler")) continue;
    const Turn turn = side.prepare();
    std::vector<double> answered;
    for (const std::uint64_t number : {0U, 1U, 2U, 3U}) {
      const TurnResult result = turn(number);
      for (const auto& [name, count] : result.counts) {
        if (name == "faults answered") answered.push_back(count);
        if (name == "stores") CHECK(count == faults);
      }
    }
    INFO(side.mechanism);
    REQUIRE(answered.size() == 4);
    CHECK(std::ranges::count(answered, answered.front()) == 4);
    const bool has_windows = side.mechanism == "handler";
    if (!has_windows) CHECK(answered.front() == faults);
    if (has_windows) CHECK(answered.front() <= faults);
    if (has_windows) CHECK(answered.front() >= faults / 8);
  }
}

TEST_CASE("under every mechanism a replay stores to the recorded pages and no others",
          "[measure]") {
  support::check_each_mechanism(complaint_about);
}

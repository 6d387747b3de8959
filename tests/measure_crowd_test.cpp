// Threads and processes that store at once, granules and a real file, as `cow bench` measures them.

#include <atomic>
#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "each_mechanism.hpp"
#include "folder.hpp"
#include "measure/experiments.hpp"
#include "measure/experiments/part_of.hpp"
#include "measure/experiments/stores.hpp"
#include "measure/host/crowd.hpp"
#include "measure/host/large_file.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/mechanism.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using namespace cow::measure;

namespace {

Scale quick() {
  Scale scale;
  scale.is_quick = true;
  return scale;
}

/// A word is stored in the middle of each page.
std::vector<std::uint64_t> words_of_pages(std::span<const std::byte> bytes) {
  std::vector<std::uint64_t> words;
  for (std::size_t at = host_page_bytes() / 2; at < bytes.size(); at += host_page_bytes()) {
    words.push_back(*reinterpret_cast<const std::uint64_t*>(&bytes[at]));
  }
  return words;
}

/// Whether threads of `mechanism` store to the pages that they should, each with its own number.
std::string complaint_about(const Mechanism& mechanism) {
  constexpr std::size_t pages = 512;
  constexpr std::size_t workers = 3;
  constexpr std::uint64_t first_mark = 1'000'000;
  const PageOrder order = distinct_pages(pages, 200, 7);
  const auto memory = mechanism.make({.bytes = pages * host_page_bytes()});
  std::vector<std::uint64_t> expected = words_of_pages(memory->bytes());
  memory->begin();
  const std::span<std::byte> bytes = memory->bytes();
  static_cast<void>(time_threads(workers, [&](std::size_t worker) {
    store_to_each(bytes, part_of(order, worker, workers), host_page_bytes(), first_mark + worker);
  }));
  for (std::size_t worker = 0; worker < workers; ++worker) {
    for (const std::size_t page : part_of(order, worker, workers)) {
      expected[page] = first_mark + worker;
    }
  }
  if (words_of_pages(memory->bytes()) != expected) return "a page has not what was stored to it";
  memory->end();
  return {};
}

/// Turns 0 and 1 of `side`, in a process of its own; its samples in words.
std::string two_turns(const Side& side) {
  const auto done = support::run_in_child([&]() -> std::string {
    try {
      const Turn turn = side.prepare();
      static_cast<void>(turn(0));
      const TurnResult result = turn(1);
      if (result.samples.size() != 1) return "not one sample";
      return "sample " + std::to_string(static_cast<std::uint64_t>(result.samples[0]));
    } catch (const Unavailable& why) {
      return std::string("skipped: ") + why.what();
    }
  });
  return done.exited() ? done.complaint : "died: " + done.complaint;
}

void check_sides(const Comparison& comparison) {
  std::set<std::string> names;
  for (const Side& side : comparison.sides) {
    const std::string said = two_turns(side);
    INFO(comparison.workload << ": " << side.mechanism << ": " << said);
    CHECK((said.starts_with("sample ") || said.starts_with("skipped: ")));
    CHECK(names.insert(side.mechanism).second);
  }
  CHECK(names.contains(comparison.against));
}

}  // namespace

TEST_CASE("workers store to parts that are distinct and together all pages", "[measure]") {
  for (const std::size_t count : {0U, 1U, 2U, 7U, 64U, 1000U}) {
    const PageOrder order = distinct_pages(4'096, count, count);  // not a page size
    for (const std::size_t workers : {1U, 2U, 3U, 8U}) {
      PageOrder all;
      for (std::size_t worker = 0; worker < workers; ++worker) {
        const auto part = part_of(order, worker, workers);
        CHECK(part.size() + 1 > count / workers);
        CHECK(part.size() <= count / workers + 1);
        all.insert(all.end(), part.begin(), part.end());
      }
      CHECK(all == order);
    }
  }
}

TEST_CASE("threads of a crowd work at the same time, each once", "[measure]") {
  constexpr std::size_t workers = 4;
  std::vector<std::atomic<int>> calls(workers);
  std::atomic<std::size_t> here = 0;
  static_cast<void>(time_threads(workers, [&](std::size_t worker) {
    ++calls[worker];
    ++here;
    while (here < workers) std::this_thread::yield();  // for ever, if they came one by one
  }));
  for (const std::atomic<int>& count : calls) CHECK(count == 1);
}

TEST_CASE("what a worker throws is thrown, and a child that fails is said", "[measure]") {
  const Work fails = [](std::size_t worker) {
    if (worker == 1) throw std::logic_error("worker 1");
  };
  CHECK_THROWS_AS(static_cast<void>(time_threads(3, fails)), std::logic_error);
  CHECK_THROWS_AS(static_cast<void>(time_processes(3, fails)), std::runtime_error);
  CHECK_THROWS_AS(static_cast<void>(time_processes(2, [](std::size_t) { std::_Exit(1); })),
                  std::runtime_error);
}

TEST_CASE("processes of a crowd store to copies of their own", "[measure]") {
  std::vector<std::size_t> mine(8, 0);
  static_cast<void>(time_processes(mine.size(), [&](std::size_t worker) {
    mine[worker] = worker + 1;
    for (std::size_t other = 0; other < mine.size(); ++other) {
      if (other != worker && mine[other] != 0) throw std::runtime_error("another one's store");
    }
  }));
  CHECK(mine == std::vector<std::size_t>(8, 0));
}

TEST_CASE("threads store to each page once under every mechanism", "[measure]") {
  support::check_each_mechanism(complaint_about);
}

TEST_CASE("threads are compared with as many processes", "[measure]") {
  const auto comparisons = threads_and_processes(quick());
  REQUIRE(comparisons.size() == 2);
  for (const Comparison& comparison : comparisons) {
    check_sides(comparison);
    const std::size_t workers = comparison.parameters.at("threads");
    const auto processes =
        std::ranges::find(comparison.sides, "processes", &Side::mechanism)->parameters;
    CHECK(processes.at("threads") == 1);
    CHECK(processes.at("processes") == workers);
    CHECK(comparison.parameters.at("processes") == 1);
  }
}

TEST_CASE("a larger granule copies all that is overwritten, and more for stores here and there",
          "[measure]") {
  for (const Comparison& comparison : granules(quick())) {
    check_sides(comparison);
    if (comparison.unit != "bytes") continue;
    const std::size_t bytes = comparison.parameters.at("bytes");
    const std::size_t stores = comparison.parameters.at("stores");
    for (const Side& side : comparison.sides) {
      const std::string said = two_turns(side);
      if (said.starts_with("skipped: ")) continue;
      const std::size_t copied = std::stoull(said.substr(std::string("sample ").size()));
      const std::size_t granule = side.parameters.at("granule_bytes");
      INFO(comparison.workload << ": " << side.mechanism);
      CHECK(copied % granule == 0);
      CHECK(copied <= bytes);
      if (comparison.parameters.at("pattern") == "sequential") CHECK(copied == bytes);
      if (granule == host_page_bytes()) CHECK(copied >= stores * granule);
    }
  }
}

TEST_CASE("a file is opened in every way there is, or it is said why not", "[measure]") {
  const support::Folder folder;
  support::write_file(folder / "file", std::vector<std::byte>(10 * host_page_bytes() + 100));
  Scale scale = quick();
  scale.file = (folder / "file").string();
  const auto comparisons = real_file(scale);
  REQUIRE(comparisons.size() == 2);
  for (const Comparison& comparison : comparisons) {
    check_sides(comparison);
    CHECK(comparison.parameters.at("pages") == 10);
  }
  CHECK(comparisons[0].parameters.at("stores") == 1);
  CHECK(comparisons[1].parameters.at("stores") == 10);
  CHECK(support::read_file(folder / "file") ==
        std::vector<std::byte>(10 * host_page_bytes() + 100));

  scale.file = (folder / "none").string();
  const auto without = real_file(scale);
  REQUIRE(without.size() == 1);
  for (const Side& side : without[0].sides) {
    CHECK(two_turns(side).starts_with("skipped: '"));
  }
}

TEST_CASE("the file of those who name none is a readable one, if there is any", "[measure]") {
  const auto path = large_file();
  if (!path) {
    WARN("skipped: none of the files that most systems have is here");
    return;
  }
  CHECK(std::filesystem::is_regular_file(*path));
  CHECK(std::filesystem::file_size(*path) > 0);
}

// Every system call and every allocation fails in turn in what reads and writes files, and in
// apply and merge.

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "injection.hpp"
#include "injection_world.hpp"
#include "support.hpp"

using cow::LoadMode;
using cow::PageRange;
using cow::Region;
using cow::Snapshot;
using injection::Judge;
using injection::Scenario;
using injection::Tally;
using injection::Window;
using injection::World;

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::byte>;

void report(const Tally& tally) {
  CHECK(tally.text() == "");
  if (tally.skipped.empty()) CHECK(tally.runs > 0);
  if (!tally.skipped.empty()) WARN("skipped: " << tally.skipped);
}

void check(const Scenario& scenario, const Judge& judge = &injection::judge_survivor) {
  report(injection::loop_over_call(
      injection::all_plans(),
      [&](const Window& window, bool stores_first) {
        return injection::complaint_about_call(scenario, window, stores_first);
      },
      judge));
}

void nothing(World&) {}

std::string take_over(World& world, const Bytes& expected) {
  std::string wrong = support::broken_invariant(*world.made);
  if (wrong.empty()) wrong = support::difference(expected, std::as_const(*world.made).bytes());
  world.add(std::move(*world.made));
  world.made.reset();
  return wrong;
}

/// Scenarios are plain functions: what they read lies here, and every child has it.
struct Files {
  Files() {
    const std::size_t page = support::page_bytes();
    content.resize(23 * page + 50);
    support::fill(content, 21);
    support::write_file(folder / "file", content);
    Region region = Region::create(24 * page, support::options());
    for (const std::size_t at : {0u, 1u, 7u, 20u}) support::store(region, at, 5);
    const Snapshot before = region.snapshot();
    for (const std::size_t at : {1u, 2u, 19u}) support::store(region, at, 6);
    support::store(region, 7, 0);
    before.save(folder / "full");
    region.snapshot().save_delta(before, folder / "delta");
    image = support::plain_copy(region.bytes());
  }
  support::Folder folder;
  Bytes content;
  Bytes image;
};
std::optional<Files> g_files;

template <LoadMode Mode>
void load(World& world) {
  cow::LoadOptions options;
  options.mode = Mode;
  world.made = Region::load({g_files->folder / "full", g_files->folder / "delta"}, options);
}

std::string verify_loaded(World& world) { return take_over(world, g_files->image); }

std::string complaint_about_save(const Window& window, bool delta) {
  const support::Folder folder;
  const fs::path path = folder / "image";
  World world(24);
  world.keep(world.regions[0].snapshot(), world.plain[0], false);
  const Snapshot& base = world.pasts[0].snapshot;
  const World::Past& past = world.pasts[3];
  base.save(folder / "base");
  std::vector<fs::path> chain{path};
  if (delta) chain.insert(chain.begin(), folder / "base");
  const auto save = [&] {
    delta ? past.snapshot.save_delta(base, path) : past.snapshot.save(path);
  };
  return injection::complaint_about_writing(
      world, {folder, {"base", "image"}, chain, past.bytes, save}, window);
}

void check_save(bool delta) {
  report(injection::loop_over_call(
      injection::all_plans(),
      [&](const Window& window, bool) { return complaint_about_save(window, delta); },
      &injection::judge_survivor));
}

const std::vector<PageRange> kApplied{{1, 4}, {7, 1}, {12, 9}};

template <std::size_t Past>
void apply(World& world) {
  world.regions[0].apply(kApplied, world.pasts[Past].snapshot);
}

template <std::size_t Past>
std::string verify_applied(World& world) {
  const std::size_t page = support::page_bytes();
  for (const PageRange& range : kApplied) {
    const std::size_t begin = range.first_page * page;
    const std::size_t length = std::min(range.page_count * page, world.plain[0].size() - begin);
    std::memcpy(world.plain[0].data() + begin, world.pasts[Past].bytes.data() + begin, length);
  }
  return "";
}

constexpr auto last_words = &injection::judge_survivor_or_last_words;

void keep_both_sides(World& world) {
  world.keep(world.regions[0].snapshot(), world.plain[0], false);  // past 3; the clone's is past 2
}

void merge(World& world) {
  world.made = cow::merge(world.pasts[1].snapshot, world.pasts[3].snapshot, world.pasts[2].snapshot,
                          [](const cow::MergeConflict& conflict) {
                            std::copy(conflict.theirs.begin(), conflict.theirs.end(),
                                      conflict.result.begin());
                          })
                   .merged;
}

std::string verify_merged(World& world) {
  Bytes expected = world.pasts[3].bytes;
  for (std::size_t at = 0; at < expected.size(); ++at) {
    const std::byte theirs = world.pasts[2].bytes[at];
    if (theirs != world.pasts[1].bytes[at]) expected[at] = theirs;
  }
  return take_over(world, expected);
}

}  // namespace

TEST_CASE("open among failures throws, or shows the file", "[api]") {
  g_files.emplace();
  check({nothing,
         [](World& world) {
           world.made = Region::open(g_files->folder / "file", support::options());
         },
         [](World& world) { return take_over(world, g_files->content); }});
  CHECK(support::read_file(g_files->folder / "file") == g_files->content);
  g_files.reset();
}

TEST_CASE("load among failures throws and leaves nothing, or is right", "[api]") {
  g_files.emplace();
  check({nothing, load<LoadMode::copied>, verify_loaded});
  g_files.reset();
}

TEST_CASE("load of a mapped image among failures throws and leaves nothing, or is right", "[api]") {
  g_files.emplace();
  check({nothing, load<LoadMode::mapped>, verify_loaded});
  g_files.reset();
}

TEST_CASE("save among failures throws and leaves the file as it was, or replaces it", "[api]") {
  check_save(false);
}

TEST_CASE("save_delta among failures throws and leaves the file as it was, or replaces it",
          "[api]") {
  check_save(true);
}

TEST_CASE("apply among failures throws and changes nothing, or is right", "[api]") {
  check({nothing, apply<0>, verify_applied<0>}, last_words);
}

TEST_CASE("apply of another family's pages among failures throws and changes nothing, or is right",
          "[api]") {
  check({[](World& world) { world.keep(world.regions[3].snapshot(), world.plain[3], false); },
         apply<3>, verify_applied<3>},
        last_words);
}

TEST_CASE("merge among failures throws and changes nothing, or is right", "[api]") {
  check({keep_both_sides, merge, verify_merged}, last_words);
}

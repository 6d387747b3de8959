// What copied pages cost besides their bytes: kernel mappings, of which a process may have so many.

#include <fstream>

#include <fmt/format.h>

#include <cow/stats.hpp>

#include "demo/chapters/chapter.hpp"
#include "demo/chapters/content.hpp"
#include "demo/chapters/told.hpp"
#include "tool/quantity.hpp"

namespace cow::demo {
namespace {

constexpr std::size_t pages = 512;

enum class Order { every_page, every_other };

/// What stores to a clone came to.
struct Cost {
  std::size_t stores = 0;
  RegionStats stats;
};

Cost cost_of(Order order, std::size_t window) {
  RegionOptions options = one_page_a_fault();
  options.max_window_pages = window;
  Region original =
      Region::create(pages * Region::create(1, one_page_a_fault()).page_bytes(), options);
  const std::size_t page_bytes = original.page_bytes();
  for (std::size_t page = 0; page < pages; ++page)
    original.data()[page * page_bytes] = std::byte{1};
  Region clone = original.clone();
  Cost cost;
  for (std::size_t page = 0; page < pages; page += order == Order::every_page ? 1 : 2) {
    clone.data()[page * page_bytes] = std::byte{2};
    ++cost.stores;
  }
  cost.stats = clone.stats();
  return cost;
}

std::string row(const char* name, const Cost& cost) {
  return fmt::format("{:<34}{:>7}{:>8}{:>8}{:>10}", name, cost.stores, cost.stats.faults,
                     cost.stats.pages_copied, cost.stats.mappings);
}

std::string limit_text() {
  std::ifstream file("/proc/sys/vm/max_map_count");
  std::uint64_t limit = 0;
  if (!(file >> limit)) return "this system does not say";
  return tool::with_commas(limit);
}

}  // namespace

void run_fragmentation(Recorder& recorder, const ChapterOptions& options) {
  Scene& scene = recorder.scene();
  Region& original = add_original(recorder, options, "A", 0);
  scene.add("B", original.clone());
  Step start = told(Focus::overview, "A clone is one mapping",
                    "Pages in a row that show frames in a row need one line of /proc/self/maps.");
  start.facts = {{"B's mappings", tool::with_commas(scene.region("B").stats().mappings)}};
  recorder.show(std::move(start));
  const Question question{"B stores to every other page. How many mappings does it need then?",
                          "One for each page that moved, and one for each gap between them."};
  recorder.ask(question);
  const std::size_t shown = std::min(options.pages_shown, page_count(original));
  for (std::size_t page = 0; page < shown; page += 2) {
    scene.region("B").data()[page * original.page_bytes()] = std::byte{'!'};
  }
  Step split = told(Focus::event, "Every other page of B is stored to",
                    "Neighbours show frames that lie apart: each is a mapping of its own. To the "
                    "kernel that is a tree to search at every fault, and memory for each.");
  split.facts = {{"B's mappings", tool::with_commas(scene.region("B").stats().mappings)}};
  split.answered = question;
  recorder.show(std::move(split));

  Step limit = told(Focus::event, "There is a limit",
                    "When a process has that many, mmap fails. libcow keeps below it: where "
                    "mappings are short it copies the pages in a gap, too, and so joins its "
                    "neighbours.");
  const ProcessStats stats = process_stats();
  limit.facts = {{"limit", limit_text() + " mappings a process (vm.max_map_count)"},
                 {"budget", tool::with_commas(stats.mapping_budget) + " of them for regions"},
                 {"in use", tool::with_commas(stats.mappings_in_use) + " now"}};
  recorder.show(std::move(limit));

  Step table = told(Focus::table, fmt::format("Windows: stores to {} pages, in order", pages),
                    "Where stores run in order, a fault takes the next pages along; where they "
                    "keep hitting one block of 64 pages, all of it. Fewer faults and mappings, and "
                    "where not every page is stored to, more copies.");
  table.table = {
      fmt::format("{:<34}{:>7}{:>8}{:>8}{:>10}", "", "stores", "faults", "copied", "mappings"),
      row("every page, no windows", cost_of(Order::every_page, 1)),
      row("every page, windows up to 64", cost_of(Order::every_page, 64)),
      row("every other page, no windows", cost_of(Order::every_other, 1)),
      row("every other page, windows up to 64", cost_of(Order::every_other, 64))};
  recorder.show(std::move(table));
}

}  // namespace cow::demo

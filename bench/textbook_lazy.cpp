// Lazy allocation: what a large region takes before and after some of it is touched.

#include <cow/cow.hpp>

#include <optional>
#include <span>
#include <vector>

#include "figures.hpp"
#include "forking.hpp"
#include "kernel_counts.hpp"
#include "kernel_rows.hpp"
#include "machine.hpp"
#include "plain_memory.hpp"
#include "session.hpp"
#include "textbook.hpp"

namespace cow_bench {

namespace {

std::size_t region_bytes() { return full_or_quick(gib, 32 * mib); }
std::size_t touched() { return full_or_quick<std::size_t>(100, 8); }

/// The memory of `pages` and of all frame files.
double memory_of(const Pages& pages) {
  return static_cast<double>(use_of(pages).anonymous + frame_file_bytes());
}

/// `touched()` pages of the first or second half, spread evenly, and one behind each.
std::size_t page_at(const Pages& pages, bool second_half, std::size_t i) {
  const std::size_t half = pages.count / 2;
  return (second_half ? half : 0) + i * (half / touched());
}

/// Fills the five figures of LazySteps. `own_tables` are libcow's.
template <typename Make, typename OwnTables>
void take_steps(std::span<double> bytes, const Make& make, const OwnTables& own_tables) {
  const std::size_t tables_before = page_table_bytes();
  auto memory = make();
  const Pages pages = memory.pages();
  double last = memory_of(pages);
  bytes[0] = last;
  const auto step = [&](std::size_t index) {
    const double now = memory_of(pages);
    bytes[index] = now - last;
    last = now;
  };
  for (std::size_t i = 0; i < touched(); ++i)
    static_cast<void>(pages.load(page_at(pages, true, i)));
  step(1);
  for (std::size_t i = 0; i < touched(); ++i) pages.store(page_at(pages, false, i), i);
  step(2);
  for (std::size_t i = 0; i < touched(); ++i) {
    static_cast<void>(pages.load(page_at(pages, false, i) + 1));
  }
  step(3);
  bytes[4] = static_cast<double>(page_table_bytes() - tables_before + own_tables());
}

LazySteps steps_of(const Samples& samples) {
  const std::vector<double>& bytes = samples.values();
  return {.created = bytes[0],
          .loaded = bytes[1],
          .stored = bytes[2],
          .loaded_beside = bytes[3],
          .tables = bytes[4]};
}

struct NewRegion {
  cow::Region region;
  [[nodiscard]] Pages pages() { return pages_of(region); }
};

LazySteps with_region(cow::Mechanism mechanism) {
  return steps_of(in_child(5, [mechanism](std::span<double> bytes) {
    take_steps(
        bytes,
        [mechanism] {
          return NewRegion{cow::Region::create(region_bytes(), copied_by(mechanism))};
        },
        [] { return cow::process_stats().bytes_metadata; });
  }));
}

LazySteps with_mmap() {
  return steps_of(in_child(5, [](std::span<double> bytes) {
    take_steps(
        bytes, [] { return PlainMemory::untouched(region_bytes()); }, [] { return 0U; });
  }));
}

double filled() {
  return in_child(1,
                  [](std::span<double> bytes) {
                    const PlainMemory memory = PlainMemory::anonymous(region_bytes());
                    bytes[0] = memory_of(memory.pages());
                  })
      .median();
}

}  // namespace

Evidence measure_lazy() {
  LazyValues values{.size = static_cast<double>(region_bytes()),
                    .page = static_cast<double>(host_page_bytes()),
                    .touched = static_cast<double>(touched()),
                    .handler = with_region(cow::Mechanism::handler),
                    .mapped = with_mmap(),
                    .filled = filled()};
  if (kernel_is_missing().empty()) values.kernel = with_region(cow::Mechanism::kernel);
  const std::string pages = count_text(touched()) + " pages";
  Table table{
      .title = "Frames that each step adds, in " + bytes_text(values.size) + " of new memory:",
      .columns = {"handler", "kernel", "mmap()", "filled at once"}};
  const auto frames = [&](double bytes) { return count_cell(bytes / values.page); };
  const auto add = [&](const std::string& what, double LazySteps::*step, const Cell& at_once) {
    table.rows.push_back({what,
                          {frames(values.handler.*step),
                           values.kernel ? frames((*values.kernel).*step) : absent_cell(),
                           frames(values.mapped.*step), at_once}});
  };
  add("creation", &LazySteps::created, frames(values.filled));
  add("loads from " + pages + " far away", &LazySteps::loaded, count_cell(0));
  add("stores to " + pages, &LazySteps::stored, count_cell(0));
  add("loads from " + pages + " beside", &LazySteps::loaded_beside, count_cell(0));
  table.rows.push_back({"page tables after that",
                        {bytes_cell(values.handler.tables),
                         values.kernel ? bytes_cell(values.kernel->tables) : absent_cell(),
                         bytes_cell(values.mapped.tables), word_cell("-")}});
  return {{table}, read_lazy(values)};
}

}  // namespace cow_bench

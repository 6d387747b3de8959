// Fragmentation: kernel mappings after stores, and how fast all is then read in order.

#include <benchmark/benchmark.h>
#include <cow/cow.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comparison.hpp"
#include "figures.hpp"
#include "forking.hpp"
#include "kernel_counts.hpp"
#include "kernel_rows.hpp"
#include "machine.hpp"
#include "plain_memory.hpp"
#include "textbook.hpp"

namespace cow_bench {

namespace {

std::size_t region_bytes() { return full_or_quick(32 * mib, 2 * mib); }

struct Scatter {
  const char* what;
  std::vector<std::size_t> pages;
};

std::vector<Scatter> every_scatter() {
  const std::size_t pages = region_bytes() / host_page_bytes();
  std::vector<std::size_t> every_second;
  for (std::size_t page = 1; page < pages; page += 2) every_second.push_back(page);
  return {{"nothing", {}},
          {"1 %, scattered", choose_pages(pages, share_of(pages, 10), Order::random, 1)},
          {"10 %, scattered", choose_pages(pages, share_of(pages, 100), Order::random, 1)},
          {"every second page", every_second},
          {"all, in order", choose_pages(pages, pages, Order::sequential, 1)}};
}

void read_all(const Pages& pages) {
  std::uint64_t sum = 0;
  const auto* const words = reinterpret_cast<const std::uint64_t*>(pages.first);
  for (std::size_t i = 0; i < pages.count * pages.page_bytes / sizeof sum; ++i) sum += words[i];
  benchmark::DoNotOptimize(sum);
}

struct Measured {
  double mappings = 0;
  double faults = 0;  ///< while all is read for the first time
  Samples reading;    ///< ns to read all once more

  void look(const Pages& pages, bool wanted) {
    mappings = static_cast<double>(use_of(pages).mappings);
    const std::uint64_t faults_before = minor_faults();
    read_all(pages);
    faults = static_cast<double>(minor_faults() - faults_before);
    const std::uint64_t start = now_ns();
    read_all(pages);
    keep(wanted, reading, elapsed_ns(start));
  }
  /// Where in physical memory pages happen to lie makes more of a difference than anything here:
  /// the fastest of several placements.
  [[nodiscard]] double read_ns() const { return reading.percentile(0); }
};

/// A region of its own each time, for another placement.
void clone_and_look(const cow::RegionOptions& options, const Scatter& scatter, bool wanted,
                    Measured& into) {
  const cow::Region of = protected_region(region_bytes(), options);
  cow::Region clone = of.clone();
  time_stores(pages_of(clone), scatter.pages, 2);
  into.look(pages_of(clone), wanted);
}

/// Three figures of a child of fork(): mappings, faults, and ns to read.
SideProcess::Measure prepare_child(std::size_t which) {
  return [scatter = every_scatter()[which]] {
    const PlainMemory memory = PlainMemory::anonymous(region_bytes());
    return in_child(3, [&](std::span<double> figures) {
      time_stores(memory.pages(), scatter.pages, 2);
      Measured measured;
      measured.look(memory.pages(), true);
      figures[0] = measured.mappings;
      figures[1] = measured.faults;
      figures[2] = measured.read_ns();
    });
  };
}

struct Shape {
  Measured handler;
  Measured single;
  std::optional<Measured> kernel;
  Measured fork;
  Measured copy;
};

Shape measure_shape(std::size_t which) {
  const Scatter scatter = every_scatter()[which];
  Shape shape;
  if (kernel_is_missing().empty()) shape.kernel.emplace();
  const SideProcess forking(3, [which] { return prepare_child(which); });
  take_turns(
      rounds(4),
      [&](bool wanted) {
        clone_and_look(copied_by(cow::Mechanism::handler), scatter, wanted, shape.handler);
      },
      [&](bool wanted) {
        clone_and_look({.max_window_pages = 1, .mechanism = cow::Mechanism::handler}, scatter,
                       wanted, shape.single);
      },
      [&](bool wanted) {
        if (!shape.kernel) return;
        clone_and_look(copied_by(cow::Mechanism::kernel), scatter, wanted, *shape.kernel);
      },
      [&](bool wanted) {
        const std::vector<double> figures = forking.measure().values();
        shape.fork.mappings = figures[0];
        shape.fork.faults = figures[1];
        keep(wanted, shape.fork.reading, figures[2]);
      },
      [&](bool wanted) {
        const PlainMemory copied = PlainMemory::anonymous(region_bytes());
        time_stores(copied.pages(), scatter.pages, 2);
        shape.copy.look(copied.pages(), wanted);
      });
  return shape;
}

/// A figure of each way.
template <typename Figure>
Ways ways_of(const Shape& shape, const Figure& figure) {
  Ways ways{
      .handler = figure(shape.handler), .fork = figure(shape.fork), .copy = figure(shape.copy)};
  if (shape.kernel) ways.kernel = figure(*shape.kernel);
  return ways;
}

FragmentsRow row_of(const char* what, const Shape& shape) {
  return {.stores = what,
          .mappings = ways_of(shape, [](const Measured& m) { return m.mappings; }),
          .one_by_one = shape.single.mappings,
          .faults = ways_of(shape, [](const Measured& m) { return m.faults; }),
          .faults_one_by_one = shape.single.faults,
          .read_ns = ways_of(shape, [](const Measured& m) { return m.read_ns(); }),
          .read_one_by_one_ns = shape.single.read_ns()};
}

void add_row(Table& table, const std::string& what, const Ways& ways, double one_by_one,
             Cell (*cell)(double)) {
  table.rows.push_back({what,
                        {cell(ways.handler), cell(one_by_one), cell_or_absent(ways.kernel, cell),
                         cell(ways.fork), cell(ways.copy)}});
}

}  // namespace

Evidence measure_fragments() {
  const std::string size = bytes_text(static_cast<double>(region_bytes()));
  const std::vector<std::string> columns = {"handler", "no windows", "kernel", "fork()",
                                            "plain memory"};
  Table mappings{
      .title = "Lines of /proc/self/maps for a clone of " + size + ", by what was stored to in it:",
      .columns = columns};
  Table faults{.title = "Page faults (ru_minflt) while all of it is read in order after that:",
               .columns = columns};
  Table reading{.title = "Reading all of it in order once more, the fastest of " +
                         std::to_string(rounds(4)) + " placements in physical memory:",
                .columns = columns};
  std::vector<FragmentsRow> rows;
  const std::vector<Scatter> scatters = every_scatter();
  for (std::size_t i = 0; i < scatters.size(); ++i) {
    rows.push_back(row_of(scatters[i].what, measure_shape(i)));
    const FragmentsRow& row = rows.back();
    add_row(mappings, row.stores, row.mappings, row.one_by_one, count_cell);
    add_row(faults, row.stores, row.faults, row.faults_one_by_one, count_cell);
    add_row(reading, row.stores, row.read_ns, row.read_one_by_one_ns, time_cell);
  }
  const std::size_t most = max_map_count();
  if (most > 0) {
    mappings.note = "A process may have " + count_text(most) + " (vm.max_map_count).";
  }
  return {{mappings, faults, reading}, read_fragments(rows, static_cast<double>(most))};
}

}  // namespace cow_bench

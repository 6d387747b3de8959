// Less memory: one region and three clones of it, as the kernel counts them.

#include <cow/cow.hpp>

#include <memory>
#include <string>
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

constexpr std::size_t clones = 3;

std::size_t region_bytes() { return full_or_quick(64 * mib, 2 * mib); }

struct Written {
  const char* what;
  std::size_t per_mille;
  Order order;
};

constexpr Written every_share[] = {{"nothing", 0, Order::random},
                                   {"1 %, scattered", 10, Order::random},
                                   {"10 %, one block", 100, Order::sequential},
                                   {"10 %, scattered", 100, Order::random},
                                   {"all of it", 1000, Order::sequential}};

std::size_t pages_written(const Written& written) {
  return written.per_mille == 0 ? 0
                                : share_of(region_bytes() / host_page_bytes(), written.per_mille);
}

std::vector<std::size_t> pages_of_clone(const Written& written, std::size_t clone) {
  return choose_pages(region_bytes() / host_page_bytes(), pages_written(written), written.order,
                      clone + 1);
}

/// In a process of its own, where there are no other frame files.
double with_regions(cow::Mechanism mechanism, const Written& written) {
  return in_child(1,
                  [&](std::span<double> bytes) {
                    std::vector<cow::Region> regions;
                    regions.push_back(protected_region(region_bytes(), copied_by(mechanism)));
                    for (std::size_t i = 0; i < clones; ++i) {
                      regions.push_back(regions.front().clone());
                      time_stores(pages_of(regions.back()), pages_of_clone(written, i), i);
                    }
                    bytes[0] = static_cast<double>(frame_file_bytes());
                    for (cow::Region& region : regions) {
                      bytes[0] += static_cast<double>(use_of(pages_of(region)).anonymous);
                    }
                  })
      .median();
}

double pss_of(const Pages& pages) { return static_cast<double>(use_of(pages).pss); }

/// A process and three children of fork(), all alive.
double with_fork(const Written& written) {
  return in_child(1,
                  [&](std::span<double> bytes) {
                    const PlainMemory memory = PlainMemory::anonymous(region_bytes());
                    std::vector<std::unique_ptr<SideProcess>> children;
                    for (std::size_t i = 0; i < clones; ++i) {
                      children.push_back(
                          std::make_unique<SideProcess>(1, [&, i]() -> SideProcess::Measure {
                            time_stores(memory.pages(), pages_of_clone(written, i), i);
                            return [&] { return Samples({pss_of(memory.pages())}); };
                          }));
                    }
                    bytes[0] = pss_of(memory.pages());
                    for (const auto& child : children) bytes[0] += child->measure().median();
                  })
      .median();
}

double with_copies() {
  std::vector<PlainMemory> copies;
  std::vector<Pages> ranges;
  for (std::size_t i = 0; i < clones + 1; ++i) {
    copies.push_back(PlainMemory::anonymous(region_bytes()));
    ranges.push_back(copies.back().pages());
  }
  return static_cast<double>(use_of(ranges).pss);
}

}  // namespace

Evidence measure_memory() {
  std::vector<MemoryRow> rows;
  const double copies = with_copies();
  for (const Written& written : every_share) {
    MemoryRow row{.written = written.what};
    row.least =
        static_cast<double>(region_bytes() + clones * pages_written(written) * host_page_bytes());
    row.bytes = {.handler = with_regions(cow::Mechanism::handler, written),
                 .fork = with_fork(written),
                 .copy = copies};
    if (kernel_is_missing().empty()) {
      row.bytes.kernel = with_regions(cow::Mechanism::kernel, written);
    }
    rows.push_back(row);
  }
  Table table{.title = "Memory of " + bytes_text(static_cast<double>(region_bytes())) +
                       " and 3 clones, by what was written in each clone:",
              .columns = {"least", "handler", "kernel", "fork()", "copies"},
              .note = "Frame files (st_blocks) and anonymous memory (smaps); of processes the sum "
                      "of Pss."};
  for (const MemoryRow& row : rows) {
    table.rows.push_back({row.written,
                          {bytes_cell(row.least), bytes_cell(row.bytes.handler),
                           cell_or_absent(row.bytes.kernel, bytes_cell), bytes_cell(row.bytes.fork),
                           bytes_cell(row.bytes.copy)}});
  }
  return {{table}, read_memory(clones + 1, rows)};
}

}  // namespace cow_bench

// Fewer copies: pages copied against pages stored to, counted.

#include <cow/cow.hpp>

#include <optional>
#include <span>
#include <vector>

#include "figures.hpp"
#include "forking.hpp"
#include "kernel_counts.hpp"
#include "kernel_rows.hpp"
#include "machine.hpp"
#include "measure/experiments/store_patterns.hpp"
#include "plain_memory.hpp"
#include "session.hpp"
#include "textbook.hpp"

namespace cow_bench {

namespace {

std::size_t region_bytes() { return full_or_quick(64 * mib, 2 * mib); }

struct Stores {
  const char* what;
  store_patterns::Order pages;
};

store_patterns::Order beginning(store_patterns::Order order, std::size_t per_mille) {
  order.resize(share_of(order.size(), per_mille));
  return order;
}

std::vector<Stores> every_pattern(std::size_t pages) {
  using namespace store_patterns;
  return {{"1 %, scattered", beginning(random(pages, 1), 10)},
          {"10 %, in order", beginning(forward(pages), 100)},
          {"10 %, clustered", beginning(clustered(pages, 1), 100)},
          {"10 %, scattered", beginning(random(pages, 1), 100)},
          {"one page of 64", beginning(one_page_a_block(pages, 1), 1000 / block_pages + 1)},
          {"all, in order", forward(pages)},
          {"all, scattered", random(pages, 1)}};
}

double copied_by_handler(const cow::Region& source, const store_patterns::Order& stores) {
  cow::Region clone = source.clone();
  time_stores(pages_of(clone), stores, 2);
  return static_cast<double>(clone.stats().pages_copied);
}

double host_pages(std::size_t bytes) {
  return static_cast<double>(bytes) / static_cast<double>(host_page_bytes());
}

double copied_by_kernel(const cow::Region& source, const store_patterns::Order& stores) {
  cow::Region clone = source.clone();
  time_stores(pages_of(clone), stores, 2);
  return host_pages(use_of(pages_of(clone)).anonymous);
}

/// Pages of which the child has its own afterwards. `memory` is shared with the parent before.
double copied_after_fork(const PlainMemory& memory, const store_patterns::Order& stores) {
  return in_child(1,
                  [&](std::span<double> pages) {
                    time_stores(memory.pages(), stores, 2);
                    pages[0] = host_pages(use_of(memory.pages()).private_dirty);
                  })
      .median();
}

}  // namespace

Evidence measure_copies() {
  const std::size_t pages = region_bytes() / host_page_bytes();
  std::vector<CopiesRow> rows;
  for (const Stores& stores : every_pattern(pages)) {
    rows.push_back({.stores = stores.what, .stored = static_cast<double>(stores.pages.size())});
  }
  {
    // Before there are regions: fork() is that of plain memory.
    const PlainMemory memory = PlainMemory::anonymous(region_bytes());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows[i].copied.fork = copied_after_fork(memory, every_pattern(pages)[i].pages);
      rows[i].copied.copy = static_cast<double>(pages);
    }
  }
  const cow::Region windows = protected_region(region_bytes(), copied_by(cow::Mechanism::handler));
  const cow::Region single = protected_region(
      region_bytes(), {.max_window_pages = 1, .mechanism = cow::Mechanism::handler});
  std::optional<cow::Region> kernel;
  if (kernel_is_missing().empty()) {
    kernel = protected_region(region_bytes(), copied_by(cow::Mechanism::kernel));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const store_patterns::Order stores = every_pattern(pages)[i].pages;
    rows[i].copied.handler = copied_by_handler(windows, stores);
    rows[i].one_by_one = copied_by_handler(single, stores);
    if (kernel) rows[i].copied.kernel = copied_by_kernel(*kernel, stores);
  }
  Table table{.title = "Pages copied when a clone of " + count_text(pages) + " pages is stored to:",
              .columns = {"stored to", "handler", "no windows", "kernel", "fork()", "eager"},
              .note = "The handler's windows copy neighbours along, to save faults."};
  for (const CopiesRow& row : rows) {
    table.rows.push_back(
        {row.stores,
         {count_cell(row.stored), count_cell(row.copied.handler), count_cell(row.one_by_one),
          cell_or_absent(row.copied.kernel, count_cell), count_cell(row.copied.fork),
          count_cell(row.copied.copy)}});
  }
  return {{table}, read_copies(rows)};
}

}  // namespace cow_bench

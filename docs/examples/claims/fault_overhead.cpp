// Fault overhead: the first store to a shared page is a page fault, and a copy.

#include <cstdio>

#include "../kernel_counts.hpp"
#include "../measured.hpp"
#include "claims.hpp"
#include "family.hpp"

namespace claims {

namespace {

enum Figure : std::size_t { first_ns, first_faults, first_signals, again_ns, again_faults };

/// Stores to some pages of sharers whose pages are all loaded from before: of five, the median
/// time, and what was counted for the last.
Figures stores_to(std::size_t bytes, Stride pages, std::size_t window) {
  return of_every_way([=](Way way) -> std::vector<double> {
    const auto all = family(way, bytes, {.max_window_pages = window});
    const double ns = 1e9 / static_cast<double>(pages.count);
    std::vector<double> first_times;
    std::vector<double> again_times;
    std::vector<double> figures(5);
    for (std::size_t i = 0; i < 5; ++i) {
      all->share();
      all->load(i);
      const Work first = all->store(i, pages);
      const Work again = all->store(i, pages);
      first_times.push_back(first.seconds * ns);
      again_times.push_back(again.seconds * ns);
      figures = {0, first.kernel_faults, first.signals, 0, again.kernel_faults + again.signals};
    }
    figures[first_ns] = examples::median(first_times);
    figures[again_ns] = examples::median(again_times);
    return figures;
  });
}

/// ms to share once and to store to one page of so many; the median.
Figures in_all(std::size_t bytes, std::size_t one_of, std::size_t turns) {
  return of_every_way([=](Way way) -> std::vector<double> {
    const std::size_t pages = bytes / examples::page_size() / one_of;
    const auto all = family(way, bytes);
    all->share();
    std::vector<double> seconds;
    for (std::size_t i = 1; i <= turns; ++i) {
      const double sharing = examples::seconds_of([&] { all->share(); });
      const Work work = all->store(i, {.first = 0, .step = one_of, .count = pages});
      seconds.push_back(sharing + work.seconds);
    }
    return {examples::median(seconds) * 1e3};
  });
}

}  // namespace

void fault_overhead(bool quick) {
  const std::size_t bytes = quick ? 8 * mib : 64 * mib;
  const std::size_t count = bytes / examples::page_size() / 16;
  const Figures found = stores_to(bytes, {.first = 0, .step = 16, .count = count}, 1);
  std::printf("Fault overhead: stores to %zu pages of %zu MiB that are shared, one page of 16\n"
              "and none beside it; in the first two tables the handler's windows are off\n\n",
              count, bytes / mib);
  print_head("the first store to each");
  print_row("  page faults, the kernel's", found, first_faults, "%.0f");
  print_row("  signals, to libcow's handler", found, first_signals, "%.0f");
  print_row("  a store, ns", found, first_ns, "%.0f");
  print_head("once more");
  print_row("  faults and signals", found, again_faults, "%.0f");
  print_row("  a store, ns", found, again_ns, "%.0f");
  std::printf("\n");
  print_head("sharing and the stores, ms");
  for (const std::size_t one_of : {100u, 10u, 2u, 1u}) {
    print_row("  1 page of " + std::to_string(one_of), in_all(bytes, one_of, quick ? 3 : 7), 0,
              "%.2f");
  }
  const auto expected = static_cast<double>(count);
  examples::claim(figure(found, Way::handler, first_signals) == expected,
                  "the handler takes one signal for each page");
  for_both_mechanisms(found, [&](const std::vector<double>& figures) {
    examples::claim(figures[first_faults] + figures[first_signals] >= expected,
                    "each first store is a fault");
    examples::claim(figures[again_faults] < expected / 100, "a second store is none");
  });
  examples::claim(figure(found, Way::fork, first_faults) >= expected,
                  "after fork() each first store is a fault");
  examples::claim(figure(found, Way::copy, first_faults) < expected / 100,
                  "stores to a copy take no fault");
  std::printf("\n");
  print_text(
      "It holds: the price is paid once for each page, and is highest where a signal "
      "handler pays it. The last table, with the handler's windows on, which copy neighbours "
      "along, says from where on copying everything would have been cheaper.");
}

}  // namespace claims

// Fewer copies: pages are copied one by one, those that are stored to, and once.

#include <cstdio>

#include "../kernel_counts.hpp"
#include "../measured.hpp"
#include "claims.hpp"
#include "family.hpp"

namespace claims {

namespace {

/// Pages that one sharer has copied after stores to some of them, twice to each.
Figures copied_after(std::size_t bytes, Stride pages, std::size_t window) {
  return of_every_way([=](Way way) -> std::vector<double> {
    const auto all = family(way, bytes, {.max_window_pages = window});
    all->share();
    all->store(0, pages);
    all->store(0, pages);
    return {static_cast<double>(all->copied_pages(0))};
  });
}

/// What holds for any stores, windows or not.
void check(const Figures& copied, Stride stored, std::size_t pages, bool has_windows) {
  const auto least = static_cast<double>(stored.count);
  const double handler = figure(copied, Way::handler, 0);
  if (has_windows) {
    examples::claim(handler >= least && handler <= static_cast<double>(pages),
                    "windows copy what is stored to, and no page twice");
  } else {
    examples::claim(handler == least, "without windows exactly the pages stored to are copied");
  }
  if (copied[static_cast<std::size_t>(Way::kernel)]) {
    examples::claim(figure(copied, Way::kernel, 0) == least,
                    "the kernel copies exactly the pages stored to");
  }
  examples::claim(figure(copied, Way::fork, 0) == least,
                  "after fork() exactly the pages stored to are copied");
}

}  // namespace

void fewer_copies(bool quick) {
  const std::size_t bytes = quick ? 8 * mib : 32 * mib;
  const std::size_t pages = bytes / examples::page_size();
  std::printf("Fewer copies: pages copied when some of the %zu pages of a sharer are stored\n"
              "to, twice each\n\n",
              pages);
  const auto row = [&](const char* stores, Stride stored, std::size_t window) {
    const Figures copied = copied_after(bytes, stored, window);
    print_row("  " + std::to_string(stored.count) + stores, copied, 0, "%.0f");
    check(copied, stored, pages, window > 1);
  };
  const Stride second{.first = 0, .step = 2, .count = pages / 2};
  print_head("stored to");
  row(", every hundredth", {.first = 0, .step = 100, .count = pages / 100}, 64);
  row(", side by side", {.first = 0, .step = 1, .count = pages / 10}, 64);
  row(", every second", second, 64);
  row(", the same without windows", second, 1);
  row(", all", {.first = 0, .step = 1, .count = pages}, 64);
  std::printf("\n");
  print_text("It holds: a page is copied when it is stored to, and once. Where the kernel copies, "
             "after fork(), and without windows, no other page is. The handler's windows copy "
             "neighbours along, to save faults. Where all is stored to, all is copied in the end, "
             "and nothing is saved.");
}

}  // namespace claims

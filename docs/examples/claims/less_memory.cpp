// Less memory: sharers have together what they have in common once, and what each stored to.

#include <cstdio>

#include "../kernel_counts.hpp"
#include "../measured.hpp"
#include "claims.hpp"
#include "family.hpp"

namespace claims {

namespace {

constexpr std::size_t sharers = 8;

/// MiB in all, where each of the sharers stores to one page of so many.
Figures memory_where_stored(std::size_t bytes, std::size_t one_of) {
  return of_every_way([=](Way way) -> std::vector<double> {
    const std::size_t before = examples::all_memory_bytes();
    const auto all = family(way, bytes);
    for (std::size_t i = 0; i < sharers; ++i) all->share();
    const std::size_t pages = bytes / examples::page_size();
    for (std::size_t i = 0; one_of > 0 && i < sharers; ++i) {
      all->store(i, {.first = 0, .step = one_of, .count = pages / one_of});
    }
    return {static_cast<double>(all->memory_bytes() - before)};
  });
}

}  // namespace

void less_memory(bool quick) {
  const std::size_t bytes = quick ? 8 * mib : 64 * mib;
  const Figures none = memory_where_stored(bytes, 0);
  const Figures few = memory_where_stored(bytes, 100);
  const Figures all = memory_where_stored(bytes, 1);
  std::printf("Less memory: an original of %zu MiB and %zu sharers; MiB that the kernel\n"
              "counts for all of them\n\n",
              bytes / mib, sharers);
  print_head("each stores to");
  print_row("  nothing", none, 0, "%.1f", mib);
  print_row("  1 % of its pages", few, 0, "%.1f", mib);
  print_row("  all of them", all, 0, "%.1f", mib);
  const double eager = figure(few, Way::copy, 0);
  const auto saves = [&](const std::vector<double>& found) {
    examples::claim(found[0] < eager / 4, "where 1 % is stored to, sharing takes less than a "
                                          "quarter of the memory of copies");
  };
  for_both_mechanisms(few, saves);
  saves({figure(few, Way::fork, 0)});
  for_both_mechanisms(all, [&](const std::vector<double>& found) {
    examples::claim(found[0] >= 0.9 * figure(all, Way::copy, 0),
                    "where everything is stored to, nothing is saved");
  });
  std::printf("\n");
  print_text("It holds while sharers store to little. Where all store to everything, each has all "
             "of it, and sharing has saved nothing.");
}

}  // namespace claims

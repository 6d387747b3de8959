// Faster creation: to share takes no copy, so it costs neither time nor memory for each byte.

#include <cstdio>
#include <memory>
#include <utility>

#include "../kernel_counts.hpp"
#include "../measured.hpp"
#include "claims.hpp"
#include "family.hpp"

namespace claims {

namespace {

enum Figure : std::size_t { first_us, again_us, memory, tables };

constexpr std::size_t turns = 5;

Figures creation_of(std::size_t bytes) {
  return of_every_way([bytes](Way way) -> std::vector<double> {
    std::unique_ptr<Family> all;
    std::vector<double> first;
    for (std::size_t i = 0; i < turns; ++i) {
      all.reset();
      all = family(way, bytes);
      first.push_back(examples::seconds_of([&] { all->share(); }));
    }
    std::vector<double> again;
    const std::size_t memory_before = all->memory_bytes();
    const std::size_t tables_before = all->table_bytes();
    for (std::size_t i = 0; i < turns; ++i) {
      again.push_back(examples::seconds_of([&] { all->share(); }));
    }
    const auto each = [](std::size_t after, std::size_t before) {
      return after < before ? 0 : static_cast<double>(after - before) / turns;
    };
    return {examples::median(first) * 1e6, examples::median(again) * 1e6,
            each(all->memory_bytes(), memory_before), each(all->table_bytes(), tables_before)};
  });
}

}  // namespace

void faster_creation(bool quick) {
  const std::size_t small = quick ? 4 * mib : 16 * mib;
  const std::size_t large = 4 * small;
  const Figures of_small = creation_of(small);
  const Figures of_large = creation_of(large);
  std::printf("Faster creation: one sharer more, with nothing stored in between (medians\n"
              "of five); the first one finds an original whose pages were all stored to\n\n");
  for (const auto& [bytes, figures] : {std::pair(small, &of_small), std::pair(large, &of_large)}) {
    print_head(std::to_string(bytes / mib) + " MiB");
    print_row("  the first, us", *figures, first_us, "%.0f");
    print_row("  another one, us", *figures, again_us, "%.0f");
    print_row("  memory it takes, KiB", *figures, memory, "%.0f", kib);
    print_row("  page tables, KiB", *figures, tables, "%.0f", kib);
  }
  for_both_mechanisms(of_large, [&](const std::vector<double>& found) {
    examples::claim(found[memory] < static_cast<double>(large) / 100,
                    "creating a clone takes no memory for its bytes");
  });
  // Eight bytes for each page; the half of that leaves room for what else a process has.
  const auto page = static_cast<double>(examples::page_size());
  const double grown = figure(of_large, Way::fork, tables) - figure(of_small, Way::fork, tables);
  examples::claim(grown > 4 * static_cast<double>(large - small) / page,
                  "fork() copies page tables, the more the larger the process is");
  examples::claim(figure(of_large, Way::copy, memory) > 0.9 * static_cast<double>(large),
                  "a copy takes its whole size at once");
  std::printf("\n");
  print_text("It holds: no clone copies a byte. fork() copies the page tables, a copy copies "
             "everything; both grow with the size. The first clone has to take write access to "
             "all pages away, which grows as well; another one need not.");
}

}  // namespace claims

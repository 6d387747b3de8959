// Fragmentation: pages that lay side by side lie apart, and each run of them takes a mapping.

#include <cstdio>

#include "../kernel_counts.hpp"
#include "../measured.hpp"
#include "claims.hpp"
#include "family.hpp"

namespace claims {

namespace {

enum Figure : std::size_t { mappings, memory, load_us };

Figures after_stores(std::size_t bytes, std::size_t one_of, std::size_t window) {
  return of_every_way([=](Way way) -> std::vector<double> {
    const std::size_t pages = bytes / examples::page_size();
    const auto all = family(way, bytes, {.max_window_pages = window});
    all->share();
    const std::size_t before = all->memory_bytes();
    if (one_of > 0) all->store(0, {.first = 0, .step = one_of, .count = pages / one_of});
    const double taken = static_cast<double>(all->memory_bytes()) - static_cast<double>(before);
    all->load(0);
    return {static_cast<double>(all->mappings(0)), taken, all->load(0).seconds * 1e6};
  });
}

}  // namespace

void fragmentation(bool quick) {
  const std::size_t bytes = quick ? 8 * mib : 32 * mib;
  const std::size_t pages = bytes / examples::page_size();
  const Figures none = after_stores(bytes, 0, 64);
  const Figures tenth = after_stores(bytes, 10, 64);
  const Figures second = after_stores(bytes, 2, 64);
  const Figures single = after_stores(bytes, 2, 1);
  const Figures every = after_stores(bytes, 1, 64);
  std::printf("Fragmentation: a sharer of %zu MiB after stores to it. Mappings are lines of\n"
              "/proc/PID/maps, of which a process may have vm.max_map_count\n\n",
              bytes / mib);
  const auto print = [&](const char* title, Figure which, const char* format, double unit) {
    print_head(title);
    print_row("  no stores", none, which, format, unit);
    print_row("  every tenth page", tenth, which, format, unit);
    print_row("  every second page", second, which, format, unit);
    print_row("  the same, without windows", single, which, format, unit);
    print_row("  every page", every, which, format, unit);
  };
  print("mappings", mappings, "%.0f", 1);
  print("MiB that the stores took", memory, "%.1f", mib);
  print("us to load from each page", load_us, "%.0f", 1);
  examples::claim(figure(single, Way::handler, mappings) >= static_cast<double>(pages) * 0.99,
                  "a store to every second page makes a mapping of each page");
  examples::claim(figure(second, Way::handler, mappings) < static_cast<double>(pages) / 2,
                  "windows keep the mappings few");
  if (second[static_cast<std::size_t>(Way::kernel)]) {
    examples::claim(figure(second, Way::kernel, mappings) <= 80,
                    "where the kernel copies, a region has few mappings");
  }
  examples::claim(
      figure(second, Way::fork, mappings) <= 2 && figure(second, Way::copy, mappings) <= 2,
      "after fork(), and in a copy, the memory is one mapping");
  std::printf("\n");
  print_text("It holds for the handler: without windows each page can become a mapping. With them "
             "it copies neighbours along, which costs memory and keeps mappings few. Where the "
             "kernel copies, and after fork(), pages lie apart as well, but in one mapping.");
}

}  // namespace claims

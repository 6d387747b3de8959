// Lazy allocation: memory comes with the first store to a page, and not with the size.

#include <cow/cow.hpp>

#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "../kernel_counts.hpp"
#include "../measured.hpp"
#include "claims.hpp"
#include "family.hpp"

namespace claims {

namespace {

enum Figure : std::size_t { created, stored, cloned, stored_to_clone, loaded };
constexpr std::size_t stores = 1000;

/// KiB that the kernel has given, after each step.
std::vector<double> of_region(std::size_t bytes, cow::Mechanism mechanism) {
  const std::size_t before = examples::all_memory_bytes();
  const auto taken = [before] {
    return static_cast<double>(examples::all_memory_bytes() - before);
  };
  const std::size_t step = bytes / examples::page_size() / stores;
  cow::Region region = cow::Region::create(bytes, {.max_window_pages = 1, .mechanism = mechanism});
  std::vector<double> figures{taken()};
  store_to(region.data(), {.first = 0, .step = step, .count = stores});
  figures.push_back(taken());
  cow::Region clone = region.clone();
  figures.push_back(taken());
  store_to(clone.data(), {.first = 0, .step = step, .count = stores});
  figures.push_back(taken());
  load_from(clone.data(), bytes / examples::page_size());
  figures.push_back(taken());
  return figures;
}

/// The same with memory of the kernel's: lazily, as a child of fork() has it, or all at once.
std::vector<double> of_plain_memory(std::size_t bytes, Way way) {
  const std::size_t before = examples::all_memory_bytes();
  const auto taken = [before] {
    return static_cast<double>(examples::all_memory_bytes() - before);
  };
  const std::size_t step = bytes / examples::page_size() / stores;
  const auto map = [bytes] {
    void* const first =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    examples::claim(first != MAP_FAILED, "the kernel has addresses left");
    ::madvise(first, bytes, MADV_NOHUGEPAGE);
    return static_cast<std::byte*>(first);
  };
  std::byte* const memory = map();
  if (way == Way::copy) std::memset(memory, 0, bytes);
  std::vector<double> figures{taken()};
  store_to(memory, {.first = 0, .step = step, .count = stores});
  figures.push_back(taken());
  if (way == Way::fork) {
    // The child's share is what it has more than its parent had.
    const double parents = figures.back();
    const std::vector<double> childs = in_process([&]() -> std::vector<double> {
      std::vector<double> steps{0};
      const std::size_t shared = examples::memory_bytes("Private_Dirty");
      const auto own = [shared] {
        return static_cast<double>(examples::memory_bytes("Private_Dirty") - shared);
      };
      store_to(memory, {.first = 0, .step = step, .count = stores});
      steps.push_back(own());
      load_from(memory, bytes / examples::page_size());
      steps.push_back(own());
      return steps;
    });
    for (const double child : childs) figures.push_back(parents + child);
    return figures;
  }
  std::byte* const copied = map();
  std::memcpy(copied, memory, bytes);
  figures.push_back(taken());
  store_to(copied, {.first = 0, .step = step, .count = stores});
  figures.push_back(taken());
  load_from(copied, bytes / examples::page_size());
  figures.push_back(taken());
  return figures;
}

}  // namespace

void lazy_allocation(bool quick) {
  const std::size_t bytes = quick ? 32 * mib : 256 * mib;
  const Figures found = of_every_way([=](Way way) {
    if (way == Way::handler) return of_region(bytes, cow::Mechanism::handler);
    if (way == Way::kernel) return of_region(bytes, cow::Mechanism::kernel);
    return of_plain_memory(bytes, way);
  });
  std::printf("Lazy allocation: %zu MiB, and stores to %zu pages of them; KiB that the\n"
              "kernel has given so far. The copy was set to zeros at once\n\n",
              bytes / mib, stores);
  print_head("after");
  print_row("  it was created", found, created, "%.0f", kib);
  print_row("  the stores", found, stored, "%.0f", kib);
  print_row("  it was cloned", found, cloned, "%.0f", kib);
  print_row("  the stores to the clone", found, stored_to_clone, "%.0f", kib);
  print_row("  a load from each page of it", found, loaded, "%.0f", kib);
  const auto all_stores = static_cast<double>(stores * examples::page_size());
  for_both_mechanisms(found, [&](const std::vector<double>& taken) {
    // Room for libcow's own tables, which have entries where there were stores.
    const double slack = 512.0 * kib + static_cast<double>(bytes) / 256;
    examples::claim(taken[created] < slack, "a new region takes no memory for its bytes");
    examples::claim(taken[stored] >= all_stores && taken[stored] < all_stores + slack,
                    "each page that is stored to takes one frame");
    examples::claim(taken[cloned] - taken[stored] < slack + all_stores / 10,
                    "a clone takes no memory for its bytes");
    examples::claim(taken[stored_to_clone] >= 2 * all_stores,
                    "each page of the clone that is stored to takes one frame");
  });
  examples::claim(figure(found, Way::copy, created) >= static_cast<double>(bytes),
                  "memory that is set to zeros is all taken");
  std::printf("\n");
  print_text("It holds for stores. Loads are another matter: to load from a page that shows zeros "
             "may take a page of the frame file, where libcow has made room for stores already; "
             "memory of the kernel's own has one page of zeros for all such loads.");
}

}  // namespace claims

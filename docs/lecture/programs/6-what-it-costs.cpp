// The price list: a first store, a later one, a page of a large copy; and kernel mappings.
#include <chrono>
#include <cow/cow.hpp>
#include <cstdio>
#include <cstring>

namespace {

using Clock = std::chrono::steady_clock;

/// Stores to pages first, first + step, ... of the region; nanoseconds for each store.
double stores(cow::Region& region, std::size_t first, std::size_t step) {
  const std::size_t page = region.page_bytes();
  const auto bytes = region.bytes();
  std::size_t count = 0;
  const auto start = Clock::now();
  for (std::size_t at = first * page; at < region.size(); at += step * page, ++count) {
    bytes[at] = std::byte{2};
  }
  const std::chrono::duration<double, std::nano> time = Clock::now() - start;
  return time.count() / static_cast<double>(count);
}

}  // namespace

int main() {
  cow::RegionOptions options;
  options.max_window_pages = 1;  // every fault takes exactly its page
  options.mechanism = cow::Mechanism::handler;
  const std::size_t page = cow::Region::create(1, options).page_bytes();
  const std::size_t pages = 4096;
  cow::Region original = cow::Region::create(pages * page, options);
  std::memset(original.data(), 1, original.size());
  cow::Region clone = original.clone();

  const std::size_t before = clone.stats().mappings;
  const double first = stores(clone, 0, 2);
  const std::size_t scattered = clone.stats().mappings;
  const double again = stores(clone, 0, 2);
  stores(clone, 1, 2);
  const std::size_t whole = clone.stats().mappings;
  const auto start = Clock::now();
  const cow::Region eager = original.clone(cow::CloneMode::eager);
  const std::chrono::duration<double, std::nano> copy = Clock::now() - start;
  const double one_page = copy.count() / static_cast<double>(pages);

  std::printf("a first store to a page     %8.0f ns\n", first);
  std::printf("a later one                 %8.0f ns\n", again);
  std::printf("one page of an eager copy   %8.0f ns\n", one_page);
  std::printf("so eager is cheaper from    %8.0f %% of the pages on\n", 100 * one_page / first);
  std::printf("kernel mappings of the clone: %zu, every second page stored to %zu, all %zu\n",
              before, scattered, whole);
  return before == 1 && scattered == pages && whole == 1 ? 0 : 1;
}

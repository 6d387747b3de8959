// Two owners of 64 MiB. One way copies everything at once; the other shares, and copies a page when
// somebody stores to it. What does each copy, and what memory does each take?
#include <algorithm>
#include <chrono>
#include <cow/cow.hpp>
#include <cstdio>
#include <cstring>

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// Clones, stores to `edits` of the clone's pages, and returns how many frames that took.
std::size_t one_row(cow::Region& original, cow::CloneMode mode, std::size_t edits) {
  const std::size_t page = original.page_bytes();
  const std::size_t pages = original.size() / page;
  const std::size_t before = cow::process_stats().frames_in_use;

  const auto start = Clock::now();
  cow::Region clone = original.clone(mode);
  const double cloned = milliseconds_since(start);
  for (std::size_t i = 0; i < edits; ++i) {
    clone.bytes()[i * (pages / edits) * page] = std::byte{2};
  }
  const double all = milliseconds_since(start);

  const std::size_t frames = cow::process_stats().frames_in_use - before;
  std::printf("%8zu  %-6s  %10zu  %10.3f ms  %10.3f ms\n", edits,
              mode == cow::CloneMode::lazy ? "lazy" : "eager", frames, cloned, all);
  return frames;
}

}  // namespace

int main() {
  cow::RegionOptions options;
  options.max_window_pages = 1;  // a fault copies the page of the store, no neighbours
  options.mechanism = cow::Mechanism::handler;
  cow::Region original = cow::Region::create(64 << 20, options);
  const std::size_t pages = original.size() / original.page_bytes();
  std::memset(original.data(), 1, original.size());

  std::puts("pages edited  clone  frames added    the clone      with edits");
  bool as_predicted = true;
  for (const std::size_t edits : {std::size_t{0}, std::size_t{16}, pages / 64, pages}) {
    for (const auto mode : {cow::CloneMode::lazy, cow::CloneMode::eager}) {
      const std::size_t expected = mode == cow::CloneMode::lazy ? edits : pages;
      as_predicted = one_row(original, mode, edits) == expected && as_predicted;
    }
  }
  return as_predicted ? 0 : 1;
}

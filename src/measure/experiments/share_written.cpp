// A clone, and stores to a share of its pages: where copying all at once costs less.

#include <array>
#include <cmath>

#include "measure/experiments.hpp"
#include "measure/experiments/sides.hpp"
#include "measure/experiments/workload.hpp"
#include "measure/host/clock.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "measure/quantity.hpp"

namespace cow::measure {

namespace {

struct Stores {
  Pattern pattern;
  double percent;
};

std::string words_of(double percent) {
  return percent < 1 ? "0.1 %" : std::to_string(std::lround(percent)) + " %";
}

/// Other pages in every turn, where the pattern has others.
Turn turns_of(const std::shared_ptr<Memory>& memory, const Stores& stores, std::size_t pages) {
  return [memory, stores, pages, page_bytes = host_page_bytes()](std::uint64_t turn) {
    const PageOrder order =
        pages_of(stores.pattern, pages, share_of(pages, stores.percent / 100), turn);
    const std::uint64_t start = now_ns();
    memory->begin();
    store_to_each(memory->bytes(), order, page_bytes, turn);
    const double ns = elapsed_ns(start);
    memory->end();
    return TurnResult{.samples = {ns}, .parts = {}, .counts = {}};
  };
}

Comparison comparison_of(const Stores& stores, std::size_t bytes) {
  const std::size_t pages = bytes / host_page_bytes();
  const std::string pattern(name_of(stores.pattern));
  return {.workload = words_of(stores.percent) + " of " + bytes_text(bytes) + ", " + pattern,
          .parameters = {{"bytes", bytes},
                         {"pages", pages},
                         {"share", stores.percent / 100},
                         {"pattern", pattern},
                         {"stores", share_of(pages, stores.percent / 100)}},
          .sample = "a clone, and a store to each of these pages of it",
          .against = "eager",
          .sides = sides_of_all({.bytes = bytes, .is_cloned = true},
                                [=](const std::shared_ptr<Memory>& memory) {
                                  return turns_of(memory, stores, pages);
                                }),
          .memory_bytes = memory_of_a_side(bytes)};
}

}  // namespace

std::vector<Comparison> share_written(const Scale& scale) {
  const std::size_t bytes = scale.pick(4 * mib, 32 * mib, 256 * mib);
  std::vector<Comparison> all;
  for (const Pattern pattern : every_pattern) {
    for (const double percent : std::array{0.1, 1.0, 10.0, 50.0, 100.0}) {
      const bool is_usual = pattern == Pattern::random || percent == 1.0 || percent == 50.0;
      if (scale.is_full || is_usual) all.push_back(comparison_of({pattern, percent}, bytes));
    }
  }
  return all;
}

}  // namespace cow::measure

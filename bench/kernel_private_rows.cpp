#include <benchmark/benchmark.h>
#include <cow/cow.hpp>

#include <cstdint>
#include <string>

#include "kernel_rows.hpp"
#include "plain_memory.hpp"
#include "stores.hpp"
#include "work_times.hpp"

namespace cow_bench {

namespace {

/// The time of a store to every page of what `make` maps.
template <typename Make>
double time_first_touch(const Make& make) {
  const std::uint64_t start = now_ns();
  auto memory = make();
  store_to_all(memory.pages(), 1);
  return elapsed_ns(start);
}

struct NewRegion {
  cow::Region region;
  [[nodiscard]] Pages pages() { return pages_of(region); }
};

}  // namespace

Group kernel_private_pages() {
  const std::size_t bytes = full_or_quick(256 * mib, 4 * mib);
  WorkTimes fresh;
  WorkTimes copied;
  WorkTimes plain;
  WorkTimes other_plain;
  // Where in physical memory the pages happen to lie makes a difference of its own: several times
  // afresh.
  for (std::size_t placement = 0; placement < rounds(5); ++placement) {
    cow::Region region = written_region(bytes, copied_by(cow::Mechanism::kernel));
    const PlainMemory memory = PlainMemory::anonymous(bytes);
    cow::Region clone = protected_region(bytes, copied_by(cow::Mechanism::kernel)).clone();
    store_to_all(pages_of(clone), 2);
    const PlainMemory other_memory = PlainMemory::anonymous(bytes);
    take_turns(
        rounds(9), [&](bool wanted) { fresh.run(region.data(), bytes, wanted); },
        [&](bool wanted) { plain.run(memory.data(), bytes, wanted); },
        [&](bool wanted) { copied.run(clone.data(), bytes, wanted); },
        [&](bool wanted) { other_plain.run(other_memory.data(), bytes, wanted); });
  }
  Group group;
  const auto add = [&](const char* whose, const WorkTimes& work, bool is_region) {
    for (const auto kind : {&WorkTimes::stream, &WorkTimes::update}) {
      Row row{.what = kind == &WorkTimes::stream ? "no fault left: 256 MiB written in order"
                                                 : "no fault left: 4 Mi words updated at random",
              .ours = whose,
              .theirs = "plain anonymous memory",
              .our_samples = work.*kind,
              .their_samples = plain.*kind};
      if (is_region) row.most = no_difference;
      group.rows.push_back(row);
    }
  };
  add("a region that was never shared", fresh, true);
  add("a clone that was written from end to end", copied, true);
  add("other plain memory", other_plain, false);
  return group;
}

Group kernel_first_touch() {
  const std::size_t bytes = full_or_quick(256 * mib, 4 * mib);
  Row plain{.what = "256 MiB of new memory, stored to from end to end",
            .ours = "a new region",
            .theirs = "plain anonymous memory"};
  Row handler{.what = plain.what, .ours = plain.ours, .theirs = by_handler};
  Row memfd{
      .what = plain.what, .ours = plain.ours, .theirs = "a new memfd, MAP_SHARED, unmapped again"};
  const auto region_by = [bytes](cow::Mechanism mechanism) {
    cow::trim();
    return time_first_touch(
        [&] { return NewRegion{cow::Region::create(bytes, copied_by(mechanism))}; });
  };
  take_turns(
      rounds(15),
      [&](bool wanted) { keep(wanted, plain.our_samples, region_by(cow::Mechanism::kernel)); },
      [&](bool wanted) {
        keep(wanted, plain.their_samples,
             time_first_touch([bytes] { return PlainMemory::untouched(bytes); }));
      },
      [&](bool wanted) { keep(wanted, handler.their_samples, region_by(cow::Mechanism::handler)); },
      [&](bool wanted) {
        const std::uint64_t start = now_ns();
        const FilledMemfd file(bytes);
        keep(wanted, memfd.their_samples, elapsed_ns(start));
      });
  handler.our_samples = plain.our_samples;
  memfd.our_samples = plain.our_samples;
  return {.rows = {plain, handler, memfd}};
}

}  // namespace cow_bench

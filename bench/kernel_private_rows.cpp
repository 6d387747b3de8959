#include <benchmark/benchmark.h>
#include <cow/cow.hpp>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "kernel_rows.hpp"
#include "plain_memory.hpp"
#include "stores.hpp"
#include "work_times.hpp"

namespace cow_bench {

namespace {

/// One figure: a store to every page of what `make` maps, and the mapping.
template <typename Make>
Prepare first_touches(Make make) {
  return turns_of([make](std::uint64_t) {
    cow::trim();  // the frames of the last turn, where it had some
    const std::uint64_t start = now_ns();
    auto memory = make();
    store_to_all(memory.pages(), 1);
    return Figures{elapsed_ns(start)};
  });
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
    Turns turns(rounds(9));
    turns.add("a region",
              work_on([bytes] { return written_region(bytes, copied_by(cow::Mechanism::kernel)); }),
              fresh.figures());
    turns.add("plain", work_on([bytes] { return PlainMemory::anonymous(bytes); }), plain.figures());
    turns.add("a clone", work_on([bytes] {
                cow::Region clone =
                    protected_region(bytes, copied_by(cow::Mechanism::kernel)).clone();
                store_to_all(pages_of(clone), 2);
                return clone;
              }),
              copied.figures());
    turns.add("other plain", work_on([bytes] { return PlainMemory::anonymous(bytes); }),
              other_plain.figures());
    turns.take();
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
    return first_touches(
        [=] { return NewRegion{cow::Region::create(bytes, copied_by(mechanism))}; });
  };
  Turns turns(rounds(15));
  turns.add(by_kernel, region_by(cow::Mechanism::kernel), {&plain.our_samples});
  turns.add(by_handler, region_by(cow::Mechanism::handler), {&handler.their_samples});
  turns.add(plain.theirs, first_touches([bytes] { return PlainMemory::untouched(bytes); }),
            {&plain.their_samples});
  const auto map_file = [bytes](std::uint64_t) {
    const std::uint64_t start = now_ns();
    const FilledMemfd file(bytes);
    return Figures{elapsed_ns(start)};
  };
  turns.add(memfd.theirs, [map_file]() -> Turn { return map_file; }, {&memfd.their_samples});
  turns.take();
  handler.our_samples = plain.our_samples;
  memfd.our_samples = plain.our_samples;
  return {.rows = {plain, handler, memfd}};
}

}  // namespace cow_bench

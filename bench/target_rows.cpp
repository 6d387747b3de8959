#include "target_rows.hpp"

#include <benchmark/benchmark.h>
#include <cow/cow.hpp>

#include <cstdint>
#include <memory>
#include <numeric>

#include "bare_faults.hpp"
#include "comparison.hpp"
#include "fault_parts.hpp"
#include "fork_turns.hpp"
#include "machine.hpp"
#include "memory_use.hpp"
#include "object_rows.hpp"
#include "plain_memory.hpp"
#include "region_turns.hpp"
#include "session.hpp"
#include "stores.hpp"
#include "work_times.hpp"

namespace cow_bench {

namespace {

Group clone_against_fork() {
  const std::size_t bytes = full_or_quick(gib, 4 * mib);
  Row returned{.what = "lazy clone of 1 GiB, already protected",
               .ours = "clone()",
               .theirs = "fork() of a process with 1 GiB, until it returns",
               .most = 1.0 / 300};
  Row reaped{.what = returned.what,
             .ours = returned.ours,
             .theirs = "the same, until the child is reaped"};
  Turns turns(rounds(41));
  turns.add(returned.ours, clones(bytes), {&returned.our_samples});
  turns.add(returned.theirs, forks(bytes), {&returned.their_samples, &reaped.their_samples});
  turns.take();
  reaped.our_samples = returned.our_samples;
  return {.rows = {returned, reaped}};
}

Group clone_of_any_size() {
  Row row{.what = "lazy clone, already protected, over its size",
          .ours = "4 GiB",
          .theirs = "64 MiB",
          .most = 3};
  Turns turns(rounds(201));
  turns.add(row.ours, clones(full_or_quick(4 * gib, 16 * mib)), {&row.our_samples});
  turns.add(row.theirs, clones(full_or_quick(64 * mib, mib / 4)), {&row.their_samples});
  turns.take();
  return {.rows = {row}};
}

/// One figure: a snapshot of a region that was just stored to from end to end.
Prepare snapshots_of_written(std::size_t bytes) {
  return turns_over([bytes] { return written_region(bytes); },
                    [](cow::Region& region, std::uint64_t) {
                      store_to_all(pages_of(region), 2);
                      return time_snapshot(region);
                    });
}

Group snapshot_against_eager() {
  const std::size_t bytes = full_or_quick(gib, 4 * mib);
  Row eager{.what = "first snapshot after all of 1 GiB was written",
            .ours = "snapshot()",
            .theirs = "clone(CloneMode::eager), into new frames",
            .most = 1.0 / 20};
  Row again{.what = eager.what,
            .ours = eager.ours,
            .theirs = "the same, into frames of a clone that is gone",
            .most = eager.most};
  Row copy{.what = eager.what, .ours = eager.ours, .theirs = "memcpy into fresh memory"};
  Turns turns(rounds(9));
  turns.add(eager.ours, snapshots_of_written(bytes), {&eager.our_samples});
  turns.add(eager.theirs, eager_clones(bytes, Frames::fresh), {&eager.their_samples});
  turns.add(again.theirs, eager_clones(bytes, Frames::of_the_last), {&again.their_samples});
  turns.add(copy.theirs, memory_copies(bytes), {&copy.their_samples});
  turns.take();
  again.our_samples = eager.our_samples;
  copy.our_samples = eager.our_samples;
  return {.rows = {eager, again, copy}};
}

Group clone_and_store() {
  Row row{.what = "clone + random stores to 1 % of 256 MiB",
          .ours = "lazy clone",
          .theirs = "eager clone, into new frames",
          .most = 1.0 / 10};
  Row again{.what = row.what,
            .ours = row.ours,
            .theirs = "eager clone, into frames of a clone that is gone",
            .most = row.most};
  const auto side = [](cow::CloneMode mode, Frames frames) {
    return clones_with_stores(full_or_quick(256 * mib, 4 * mib), 10, Order::random, mode, frames);
  };
  Turns turns(rounds(21));
  turns.add(row.ours, side(cow::CloneMode::lazy, Frames::of_the_last), {&row.our_samples});
  turns.add(row.theirs, side(cow::CloneMode::eager, Frames::fresh), {&row.their_samples});
  turns.add(again.theirs, side(cow::CloneMode::eager, Frames::of_the_last), {&again.their_samples});
  turns.take();
  again.our_samples = row.our_samples;
  return {.rows = {row, again}};
}

/// One figure: a fault of the bare handler's, on average.
Prepare bare_faults(std::size_t count) {
  return turns_of([count](std::uint64_t) {
    const Samples bare = time_bare_faults(count, BareFault::remap).total;
    const double sum = std::accumulate(bare.values().begin(), bare.values().end(), 0.0);
    return sum / static_cast<double>(bare.size());
  });
}

/// A figure for each part of a fault, and one for the whole of it; a value for each store.
Prepare recorded_faults(std::size_t bytes, std::size_t per_mille) {
  return turns_over(
      [bytes] { return cow::measure::timed_handler(bytes, cow::measure::Kept::region); },
      [=](const std::unique_ptr<cow::measure::TimedFaults>& clones, std::uint64_t turn) {
        const std::size_t pages = bytes / host_page_bytes();
        const FaultParts recorded = record_faults(
            *clones, choose_pages(pages, share_of(pages, per_mille), Order::random, turn));
        Figures figures{};
        for (const auto& [name, samples] : recorded.in_order()) figures.add(samples->values());
        figures.add(recorded.total.values());
        return figures;
      });
}

Group fault_against_fork() {
  const std::size_t bytes = full_or_quick(256 * mib, 4 * mib);
  constexpr std::size_t per_mille = 10;
  Row child{.what = "one write fault, random pages (1 % of 256 MiB)",
            .ours = "store to a fresh lazy clone",
            .theirs = "store after fork(), in the child",
            .most = 4};
  Row parent{.what = child.what,
             .ours = child.ours,
             .theirs = "store after fork(), in the parent while the child lives"};
  Row private_file{.what = child.what,
                   .ours = child.ours,
                   .theirs = "store to a MAP_PRIVATE mapping of a memfd"};
  Row least{.what = child.what,
            .ours = "a bare handler with the same two system calls (pwrite, mmap) and no libcow",
            .theirs = child.theirs};
  FaultParts parts;
  Turns turns(rounds(21));
  turns.add(child.ours, stores_to_clones(bytes, per_mille, Order::random), {&child.our_samples});
  turns.add(child.theirs, stores_after_fork(bytes, per_mille, Order::random),
            {&child.their_samples, &parent.their_samples});
  turns.add(private_file.theirs, stores_to_private_files(bytes, per_mille, Order::random),
            {&private_file.their_samples});
  turns.add(least.ours, bare_faults(share_of(bytes / host_page_bytes(), per_mille)),
            {&least.our_samples});
  turns.add("the recorded faults", recorded_faults(bytes, per_mille),
            {&parts.delivery, &parts.locate, &parts.allocate, &parts.copy, &parts.map, &parts.back,
             &parts.total});
  turns.take();
  parent.our_samples = child.our_samples;
  private_file.our_samples = child.our_samples;
  least.their_samples = child.their_samples;
  Group group{.rows = {child, parent, private_file, least}};
  for (const auto& [name, samples] : parts.in_order()) {
    group.fault_parts_ns.push_back({std::string(name), samples->values()});
  }
  group.fault_parts_ns.push_back({"whole fault", parts.total.values()});
  return group;
}

Group overwrite_against_fork() {
  const std::size_t bytes = full_or_quick(256 * mib, 4 * mib);
  Row child{.what = "sequential overwrite of a whole clone (256 MiB), per page",
            .ours = "store to a fresh lazy clone",
            .theirs = "store after fork(), in the child",
            .most = 1};
  Row parent{.what = child.what,
             .ours = child.ours,
             .theirs = "store after fork(), in the parent while the child lives"};
  Turns turns(rounds(15));
  turns.add(child.ours, stores_to_clones(bytes, 1000, Order::sequential), {&child.our_samples});
  turns.add(child.theirs, stores_after_fork(bytes, 1000, Order::sequential),
            {&child.their_samples, &parent.their_samples});
  turns.take();
  parent.our_samples = child.our_samples;
  return {.rows = {child, parent}};
}

Group memory_of_clones() {
  Group group;
  for (const Spread spread : every_spread) {
    const Crowd crowd{.clones = full_or_quick<std::size_t>(100, 5),
                      .bytes = full_or_quick(256 * mib, 4 * mib),
                      .per_mille = 10,
                      .spread = spread};
    const MemoryUse use = measure_crowd(crowd);
    const std::string what =
        "100 clones of 256 MiB, 1 % of each written: " + std::string(name_of(spread));
    std::string note;
    if (use.mappings_wanted > use.mapping_budget) {
      note = "page by page this takes " + std::to_string(use.mappings_wanted) +
             " kernel mappings, of which libcow may use " + std::to_string(use.mapping_budget) +
             " in this process";
    }
    if (use.clones < crowd.clones) {
      note += (note.empty() ? "" : "; ") + std::string("stopped after ") +
              std::to_string(use.clones) + " clones, with little free memory left";
    }
    const auto one = [](std::size_t value) { return Samples({static_cast<double>(value)}); };
    group.rows.push_back({.what = what,
                          .ours = "frames in use",
                          .theirs = "the least possible",
                          .unit = Unit::frames,
                          .our_samples = one(use.frames_in_use),
                          .their_samples = one(use.frames_least),
                          .most = 1.01,
                          .note = note});
    group.rows.push_back({.what = what,
                          .ours = "page tables and counts",
                          .theirs = "the clones as copies",
                          .unit = Unit::bytes,
                          .our_samples = one(use.bytes_metadata),
                          .their_samples = one(use.bytes_as_copies),
                          .most = 0.005});
  }
  return group;
}

Group throughput_of_private_pages() {
  const std::size_t bytes = full_or_quick(256 * mib, 4 * mib);
  WorkTimes ours;
  WorkTimes plain;
  WorkTimes other_plain;
  // Where in physical memory the pages happen to lie makes a difference of its own: several times
  // afresh.
  for (std::size_t placement = 0; placement < rounds(5); ++placement) {
    Turns turns(rounds(9));
    turns.add("the region", work_on([bytes] { return written_region(bytes); }), ours.figures());
    turns.add("plain memory", work_on([bytes] { return PlainMemory::anonymous(bytes); }),
              plain.figures());
    turns.add("other plain memory", work_on([bytes] { return PlainMemory::anonymous(bytes); }),
              other_plain.figures());
    turns.take();
  }
  const std::string in_order = "no fault left: 256 MiB written in order";
  const std::string at_random = "no fault left: 4 Mi words updated at random";
  const auto row = [&plain](const std::string& what, const char* whose, const Samples& samples,
                            Samples WorkTimes::*kind) {
    return Row{.what = what,
               .ours = whose,
               .theirs = "plain anonymous memory",
               .our_samples = samples,
               .their_samples = plain.*kind};
  };
  Group group;
  group.rows = {row(in_order, "private pages of a region", ours.stream, &WorkTimes::stream),
                row(at_random, "private pages of a region", ours.update, &WorkTimes::update),
                row(in_order, "other plain memory", other_plain.stream, &WorkTimes::stream),
                row(at_random, "other plain memory", other_plain.update, &WorkTimes::update)};
  group.rows[0].most = no_difference;
  group.rows[1].most = no_difference;
  return group;
}

}  // namespace

const std::vector<NamedGroup>& target_groups() {
  static const std::vector<NamedGroup> groups = {
      {"clone", clone_against_fork},        {"size", clone_of_any_size},
      {"snapshot", snapshot_against_eager}, {"stores", clone_and_store},
      {"fault", fault_against_fork},        {"overwrite", overwrite_against_fork},
      {"memory", memory_of_clones},         {"throughput", throughput_of_private_pages},
      {"objects", clone_of_objects},        {"map", map_in_a_region},
  };
  return groups;
}

}  // namespace cow_bench

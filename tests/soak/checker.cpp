#include "soak/checker.hpp"

#include <algorithm>
#include <cow/cow.hpp>
#include <cstdint>
#include <string>
#include <utility>

#include "support.hpp"

namespace soak {

Checker::Checker(World& world, Workers& workers)
    : world_(world), workers_(workers), random_(world.options.seed + world.figures.checks.load()) {}

void Checker::check_all() {
  for (const auto& worker : workers_) check_worker(*worker);
  for (const auto& shared : world_.regions) check_shared(*shared);
  check_mappings();
  add(world_.figures.checks);
}

void Checker::check_shared(SharedRegion& shared) {
  const Shadow::Copy shadow = shared.shadow().copy();
  world_.verdict.complain(shared.name(),
                          find_mismatch(std::as_const(shared.region()).bytes(), shared.layout(),
                                        {shadow, shadow, Expectation::everybody}));
  world_.verdict.complain(shared.name(), support::broken_invariant(shared.region()));
  for (const auto& record : shared.records()) {
    const auto bytes = persist(world_, [&] { return record->snapshot().bytes(); });
    record->check(bytes, shared.name() + ", a snapshot", world_.verdict);
    add(world_.figures.hashes);
  }
}

void Checker::check_worker(Worker& worker) {
  for (PrivateRegion& region : worker.private_regions()) {
    const std::string where = worker.name() + ", a clone";
    world_.verdict.complain(where, region.difference());
    // Not all of them each time: it takes the longer, the more mappings there are.
    if (random_.one_in(12)) {
      world_.verdict.complain(where, support::broken_invariant(region.region()));
    }
    add(world_.figures.hashes);
  }
}

// After all that maps something for the first time.
void Checker::check_mappings() {
  std::vector<support::Mapping> all = support::mappings(nullptr, ~std::size_t{0});
  const auto check = [&](const cow::Region& region, const std::string& where) {
    const auto begin = reinterpret_cast<std::uintptr_t>(region.data());
    const auto from = std::partition_point(
        all.begin(), all.end(), [&](const auto& mapping) { return mapping.end <= begin; });
    const auto to = std::partition_point(from, all.end(), [&](const auto& mapping) {
      return mapping.begin < begin + region.size();
    });
    const auto mapped = static_cast<std::size_t>(to - from);
    const std::size_t counted = region.stats().mappings;
    // Where the kernel copies, it may join what is counted as two.
    const bool is_most = region.stats().mechanism == cow::Mechanism::kernel;
    if (counted == mapped || (is_most && counted > mapped)) return;
    world_.verdict.violation(where + ": stats() counts " + std::to_string(counted) +
                             " mappings, /proc/self/maps shows " + std::to_string(mapped));
  };
  for (const auto& shared : world_.regions) check(shared->region(), shared->name());
  for (const auto& worker : workers_) {
    for (PrivateRegion& region : worker->private_regions()) {
      check(region.region(), worker->name() + ", a clone");
    }
  }
}

}  // namespace soak

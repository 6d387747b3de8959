// What a forked child does to see that it has the bytes of the moment of the fork, for itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "soak/private_region.hpp"
#include "soak/shared_region.hpp"
#include "support.hpp"

namespace soak {

/// What the parent knows when it forks, with the gate of `shared` held.
struct Inheritance {
  SharedRegion& shared;
  WorkerIndex worker;  ///< who forks: its counters are exact
  Shadow::Copy before;
  PrivateRegion* own = nullptr;  ///< nobody else stores to it
  std::shared_ptr<SnapshotRecord> record;
  std::optional<PageHashes> record_hashes;
  std::uint64_t seed = 0;
  bool waits = false;  ///< for the parent to go on for a while
  bool has_grandchild = false;
};

/// Empty if all was in order.
std::string live_as_child(const Inheritance& inherited, support::Peer& parent);

/// A child and how to name it.
struct Child {
  support::ForkedChild process;
  std::string name;
};

}  // namespace soak

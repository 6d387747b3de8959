// What has been done so far, counted by all threads.
#pragma once

#include <atomic>
#include <cstdint>

namespace soak {

using Count = std::atomic<std::uint64_t>;

inline void add(Count& count, std::uint64_t n = 1) {
  count.fetch_add(n, std::memory_order_relaxed);
}

struct Figures {
  Count stores{0};             // increments and fills, those of signal handlers not included
  Count snapshots{0};          // taken
  Count drops{0};              // snapshots and clones let go
  Count hashes{0};             // snapshots and clones hashed, first and again
  Count differences{0};        // diff() compared with hashes
  Count clones{0};             // of every kind
  Count restores{0};           // of shared and of private regions
  Count discards{0};           // of pages of shared and of private regions
  Count replacements{0};       // shared regions destroyed and made anew
  Count loads{0};              // snapshots saved and loaded again
  Count forks{0};              // children that found all in order
  Count leases{0};             // leases the kernel wrote through
  Count signals{0};            // SIGALRM delivered to workers
  Count foreign_faults{0};     // faults that were not libcow's
  Count takeovers{0};          // times another handler was put in front of libcow's
  Count shortages{0};          // of descriptors, addresses and mappings
  Count small_budgets{0};      // phases of seconds in which libcow could have few mappings
  Count refusals{0};           // control calls that threw meanwhile, and were repeated
  Count checks{0};             // pauses in which everything was compared
  Count copies_of_dropped{0};  // pages copied by faults of regions that are gone
};

}  // namespace soak

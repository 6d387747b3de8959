#include "measure/experiments.hpp"

#include <vector>

namespace cow::measure {

std::span<const Experiment> experiments() {
  static const std::vector<Experiment> all = {
      {"clone", "What does it cost to have the bytes of a moment, by size?", clones_by_size},
      {"share", "From which share of pages on is it cheaper to copy all?", share_written},
      {"rounds", "What does a round of a snapshot and some stores cost?", snapshot_rounds},
      {"rollback", "What does a round of stores and going back cost?", rollback_rounds},
      {"threads", "What do stores cost when threads make them at once, or processes?",
       threads_and_processes},
      {"granules", "What do larger granules cost and save?", granules},
      {"file", "What does a file cost that a program changes for itself?", real_file},
      {"trace", "Which mechanism suits a recorded program (--trace FILE)?", recorded_trace},
      {"faults", "How long does a single first store take, and how is that spread?", single_faults},
      {"anatomy", "What is a first store made of, with and without other threads?", fault_anatomy},
  };
  return all;
}

}  // namespace cow::measure

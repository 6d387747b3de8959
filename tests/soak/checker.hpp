// Compares everything, in a moment in which no worker does anything.
#pragma once

#include <memory>
#include <vector>

#include "soak/worker.hpp"
#include "soak/world.hpp"

namespace soak {

using Workers = std::vector<std::unique_ptr<Worker>>;

class Checker {
 public:
  Checker(World& world, Workers& workers);

  /// Precondition: all workers rest. The verdict hears of what is wrong.
  void check_all();

 private:
  void check_shared(SharedRegion& shared);
  void check_worker(Worker& worker);
  void check_mappings();

  World& world_;
  Workers& workers_;
  support::Random random_;
};

}  // namespace soak

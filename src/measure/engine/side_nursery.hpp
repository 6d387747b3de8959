#pragma once

// Sides whose processes are as small as the program was before it measured anything.

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "measure/engine/plan.hpp"
#include "measure/host/nursery.hpp"

namespace cow::measure {

/// Make it before anything large is loaded: what fork() costs a side goes by what its process has,
/// and that is what this process has when the nursery is made.
class SideNursery {
 public:
  /// It has a copy of the plans, whose sides it makes. `plans` may have fewer of them later.
  explicit SideNursery(std::span<const Plan> plans);

  /// The process of a side: of the first of that mechanism under that workload. Throws
  /// std::exception where none can be had.
  [[nodiscard]] std::unique_ptr<ChildProcess> make(std::string_view experiment,
                                                   std::string_view workload,
                                                   std::string_view mechanism,
                                                   std::optional<int> processor);

 private:
  Nursery nursery_;
};

}  // namespace cow::measure

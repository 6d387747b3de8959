#pragma once

#include <cstddef>
#include <span>

#include "measure/experiments/stores.hpp"

namespace cow::measure {

/// What worker number `worker` of `workers` stores to: as many pages as any other, give or take
/// one, and together all of them.
[[nodiscard]] inline std::span<const std::size_t> part_of(const PageOrder& order,
                                                          std::size_t worker, std::size_t workers) {
  const std::size_t begin = order.size() * worker / workers;
  const std::size_t end = order.size() * (worker + 1) / workers;
  return std::span(order).subspan(begin, end - begin);
}

}  // namespace cow::measure

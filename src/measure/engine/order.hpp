#pragma once

// Whose turn it is.

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace cow::measure {

/// Random orders; the same ones for the same seed, with every compiler and library.
class Order {
 public:
  explicit Order(std::uint64_t seed) : random_(seed) {}

  /// 0 to count - 1, each once.
  [[nodiscard]] std::vector<std::size_t> next(std::size_t count) {
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t left = count; left > 1; --left) {
      std::swap(order[left - 1], order[random_() % left]);
    }
    return order;
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace cow::measure

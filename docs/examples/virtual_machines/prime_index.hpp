#pragma once

// What guest.c computes, written again in C++ with the standard library's containers: what the
// guests' answers are compared with.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace examples {

class PrimeIndex {
 public:
  PrimeIndex() : composite_(kLimit), planted_(kLimit) {
    composite_[0] = composite_[1] = true;
    for (std::size_t i = 2; i * i < kLimit; ++i) {
      for (std::size_t multiple = i * i; multiple < kLimit; multiple += i) {
        composite_[multiple] = true;
      }
    }
    std::uint32_t state = 1;
    while (asked_.size() < kPlanted) {
      const std::uint32_t odd = (random_number(state) % kLimit) | 1;
      if (composite_[odd]) continue;
      planted_[odd] = true;
      asked_.emplace(odd, 0);
    }
  }

  /// The line that a guest with this seed has to print. The index is afterwards as it was.
  [[nodiscard]] std::string line(std::uint32_t seed, std::uint32_t questions) {
    std::vector<std::uint32_t> asked;
    std::uint32_t state = seed ^ 0x9e3779b9U;
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < questions; ++i) {
      asked.push_back(next_prime(random_number(state) % kLimit));
      const auto found = asked_.lower_bound(asked.back());
      const std::uint32_t above = found == asked_.end() ? 0 : found->first;
      const std::uint32_t times = ++asked_[asked.back()];
      sum = ((sum << 5) | (sum >> 27)) ^ above ^ (times << 24) ^
            static_cast<std::uint32_t>(asked_.size());
    }
    std::string line = "seed " + std::to_string(seed) + ": sum " + std::to_string(sum) + ", " +
                       std::to_string(asked_.size()) + " primes\n";
    for (const std::uint32_t prime : asked) {
      if (--asked_[prime] == 0 && !planted_[prime]) asked_.erase(prime);
    }
    return line;
  }

 private:
  static constexpr std::uint32_t kLimit = 1U << 21;
  static constexpr std::size_t kPlanted = 32'768;

  static std::uint32_t random_number(std::uint32_t& state) {
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
  }

  /// The first odd prime from a number on; behind the limit it begins again.
  [[nodiscard]] std::uint32_t next_prime(std::uint32_t number) const {
    number |= 1;
    while (composite_[number]) number = (number + 2) % kLimit;
    return number;
  }

  std::vector<bool> composite_;
  std::vector<bool> planted_;
  std::map<std::uint32_t, std::uint32_t> asked_;  // a prime in the tree, and how often
};

}  // namespace examples

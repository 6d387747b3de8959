#pragma once

#include <cstddef>
#include <cstdint>

namespace cow {

/// Bits of which few are set: a bit for each, and a summary with a bit for each word of those, so
/// that finding the next one costs nothing for what is not there. It lies in memory of the caller's
/// that is zero at first, of which only the words near set bits are touched.
class SparseBits {
 public:
  SparseBits() noexcept = default;
  SparseBits(std::byte* memory, std::uint64_t bits) noexcept
      : words_(reinterpret_cast<std::uint64_t*>(memory)),
        summary_(words_ + words_for(bits)),
        bits_(bits) {}

  [[nodiscard]] static constexpr std::size_t bytes_for(std::uint64_t bits) noexcept {
    return (words_for(bits) + words_for(words_for(bits))) * sizeof(std::uint64_t);
  }

  [[nodiscard]] bool test(std::uint64_t i) const noexcept { return (words_[i / 64] & bit(i)) != 0; }
  void set(std::uint64_t i) noexcept {
    words_[i / 64] |= bit(i);
    summary_[i / 64 / 64] |= bit(i / 64);
  }
  /// From now on set(i) needs no memory.
  void touch(std::uint64_t i) noexcept {
    volatile std::uint64_t& word = words_[i / 64];
    volatile std::uint64_t& summary = summary_[i / 64 / 64];
    word = word;
    summary = summary;
  }
  void clear(std::uint64_t i) noexcept {
    words_[i / 64] &= ~bit(i);
    if (words_[i / 64] == 0) summary_[i / 64 / 64] &= ~bit(i / 64);
  }

  /// How many bits there are, set or not.
  [[nodiscard]] std::uint64_t size() const noexcept { return bits_; }
  /// The first bit at or after `from` that is set; size() if there is none.
  [[nodiscard]] std::uint64_t next(std::uint64_t from) const noexcept {
    if (from >= bits_) return bits_;
    if (const std::uint64_t rest = words_[from / 64] >> from % 64; rest != 0) {
      return from + lowest(rest);
    }
    std::uint64_t word = from / 64 + 1;
    const std::uint64_t words = words_for(bits_);
    while (word < words) {
      const std::uint64_t rest = summary_[word / 64] >> word % 64;
      if (rest != 0) {
        word += lowest(rest);
        return word * 64 + lowest(words_[word]);
      }
      word = (word / 64 + 1) * 64;
    }
    return bits_;
  }

 private:
  static constexpr std::uint64_t words_for(std::uint64_t bits) noexcept { return (bits + 63) / 64; }
  static constexpr std::uint64_t bit(std::uint64_t i) noexcept {
    return std::uint64_t{1} << i % 64;
  }
  static std::uint64_t lowest(std::uint64_t word) noexcept {
    return static_cast<unsigned>(__builtin_ctzll(word));
  }

  std::uint64_t* words_ = nullptr;
  std::uint64_t* summary_ = nullptr;
  std::uint64_t bits_ = 0;
};

}  // namespace cow

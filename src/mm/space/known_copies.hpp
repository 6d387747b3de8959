#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/units.hpp"
#include "mm/resources/metadata_array.hpp"

namespace cow {

/// Which pages of a range the kernel is known to have copied, a bit for each: so that it is asked
/// once. To know too few costs a question, to know too many costs a copy, neither is an error. The
/// bits take no memory before the first is set. Control calls only.
class KnownCopies {
 public:
  explicit KnownCopies(PageCount pages) noexcept : pages_(pages) {}

  /// Without memory nothing is noted.
  void note(PageSpan span) noexcept {
    if (words_.empty() && !make_words()) return;
    for_each_word(span, [](std::uint64_t& word, std::uint64_t bits) { word |= bits; });
  }
  void forget(PageSpan span) noexcept {
    if (words_.empty()) return;
    for_each_word(span, [](std::uint64_t& word, std::uint64_t bits) { word &= ~bits; });
  }
  /// Whether all of them are.
  [[nodiscard]] bool are_known(PageSpan span) noexcept {
    if (words_.empty()) return false;
    bool known = true;
    for_each_word(span, [&](std::uint64_t& word, std::uint64_t bits) {
      known = known && (word & bits) == bits;
    });
    return known;
  }

 private:
  static constexpr std::uint64_t kBits = 64;

  bool make_words() noexcept {
    const std::uint64_t words = (pages_.value + kBits - 1) / kBits;
    if (!words_.reserve(words)) return false;
    for (std::uint64_t i = 0; i < words; ++i) words_.push(0);
    return true;
  }

  template <class Change>
  void for_each_word(PageSpan span, const Change& change) noexcept {
    std::uint64_t at = span.first.value;
    while (at < span.last.value) {
      const std::uint64_t first = at % kBits;
      const std::uint64_t count = std::min(kBits - first, span.last.value - at);
      change(words_[at / kBits], (~std::uint64_t{0} >> (kBits - count)) << first);
      at += count;
    }
  }

  PageCount pages_;
  MetadataArray<std::uint64_t> words_;
};

}  // namespace cow

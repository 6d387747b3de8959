#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/units.hpp"
#include "mm/resources/metadata_array.hpp"

namespace cow {

/// Which pages of a range the kernel is known to have copied, a bit for each: so that it is asked
/// once. To know too few costs a question. To know one too many would lose it: its entry would get
/// a frame of its own while it shows another. The bits take no memory where none was set. Control
/// calls only.
class KnownCopies {
 public:
  explicit KnownCopies(PageCount pages) noexcept : pages_(pages) {}

  /// Without memory nothing is noted.
  void note(PageSpan span) noexcept {
    if (!words_.make_zeros((pages_.value + kBits - 1) / kBits)) return;
    noted_ = noted_.empty()
                 ? span
                 : PageSpan{std::min(noted_.first, span.first), std::max(noted_.last, span.last)};
    for_each_word(span, [](std::uint64_t& word, std::uint64_t bits) { word |= bits; });
  }
  void forget(PageSpan span) noexcept {
    span = {std::max(noted_.first, span.first), std::min(noted_.last, span.last)};
    if (span.empty()) return;
    for_each_word(span, [](std::uint64_t& word, std::uint64_t bits) {
      if ((word & bits) != 0) word &= ~bits;
    });
    if (span == noted_) noted_ = {};
  }
  /// How many of `span` are.
  [[nodiscard]] PageCount count(PageSpan span) noexcept {
    span = {std::max(noted_.first, span.first), std::min(noted_.last, span.last)};
    PageCount known{0};
    if (span.empty()) return known;
    for_each_word(span, [&](std::uint64_t& word, std::uint64_t bits) {
      known = known + PageCount{static_cast<std::uint64_t>(std::popcount(word & bits))};
    });
    return known;
  }
  /// Whether all of them are.
  [[nodiscard]] bool are_known(PageSpan span) noexcept {
    bool known = noted_.contains(span.first) && span.last <= noted_.last;
    if (!known) return false;
    for_each_word(span, [&](std::uint64_t& word, std::uint64_t bits) {
      known = known && (word & bits) == bits;
    });
    return known;
  }

 private:
  static constexpr std::uint64_t kBits = 64;

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
  PageSpan noted_;  ///< no bit is set outside of it
  MetadataArray<std::uint64_t> words_;
};

}  // namespace cow

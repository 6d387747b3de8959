// What is kept in a page of a shared region.
//
// For each worker two words and a stretch of bytes: a counter that it increments, a counter that
// its signal handler increments, and the fill, every word of which tells how often it was written.
// Nobody else stores there, so each worker knows what it must find.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace soak {

using WorkerIndex = std::size_t;
using PageIndex = std::size_t;

class Layout {
 public:
  Layout(std::size_t size_bytes, std::size_t page_bytes, std::size_t workers)
      : page_bytes_(page_bytes),
        pages_(size_bytes / page_bytes),
        workers_(workers),
        stride_((page_bytes / word - 2 * workers) / workers * word),
        fill_words_(std::min(stride_ / word, most_fill_words)) {}

  static constexpr std::size_t most_fill_words = 64;

  [[nodiscard]] std::size_t page_bytes() const { return page_bytes_; }
  /// Whole pages; a part of one may follow, in which only private regions are stored to.
  [[nodiscard]] std::size_t pages() const { return pages_; }
  [[nodiscard]] std::size_t workers() const { return workers_; }

  // Offsets from the first byte of the region.
  [[nodiscard]] std::size_t counter(WorkerIndex worker, PageIndex page) const {
    return page * page_bytes_ + worker * word;
  }
  [[nodiscard]] std::size_t alarm(WorkerIndex worker, PageIndex page) const {
    return page * page_bytes_ + (workers_ + worker) * word;
  }
  [[nodiscard]] std::size_t fill(WorkerIndex worker, PageIndex page) const {
    return page * page_bytes_ + 2 * workers_ * word + worker * stride_;
  }
  [[nodiscard]] std::size_t fill_words() const { return fill_words_; }
  [[nodiscard]] std::size_t fill_bytes() const { return fill_words_ * word; }

 private:
  static constexpr std::size_t word = sizeof(std::uint64_t);

  std::size_t page_bytes_;
  std::size_t pages_;
  std::size_t workers_;
  std::size_t stride_;  // from one worker's fill to the next one's
  std::size_t fill_words_;
};

/// Word `index` of a fill that was written `version` times. A page that nobody wrote to is zeros.
[[nodiscard]] inline std::uint64_t fill_word(WorkerIndex worker, PageIndex page, std::size_t index,
                                             std::uint64_t version) {
  const std::uint64_t key = (page * 64 + worker + 1) * 0x9e3779b97f4a7c15u;
  return version == 0 ? 0 : key + index * 0xd6e8feb86659fd93u + version;
}

inline void make_fill(WorkerIndex worker, PageIndex page, std::uint64_t version,
                      std::span<std::uint64_t> words) {
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = fill_word(worker, page, i, version);
}

/// The versions found in a fill. Both are the same unless something looked at it half written.
struct FillVersions {
  std::uint64_t oldest = 0;
  std::uint64_t newest = 0;
};

[[nodiscard]] inline FillVersions fill_versions(const std::byte* fill, WorkerIndex worker,
                                                PageIndex page, std::size_t words) {
  FillVersions versions{~std::uint64_t{0}, 0};
  for (std::size_t i = 0; i < words; ++i) {
    std::uint64_t seen = 0;
    std::memcpy(&seen, fill + i * sizeof(seen), sizeof(seen));
    const std::uint64_t version = seen == 0 ? 0 : seen - fill_word(worker, page, i, 1) + 1;
    versions.oldest = std::min(versions.oldest, version);
    versions.newest = std::max(versions.newest, version);
  }
  return versions;
}

}  // namespace soak

#pragma once

// Undo and redo by snapshots of a region, with a limit for the memory of all of them.

#include <cow/cow.hpp>

#include <cstddef>
#include <deque>

namespace examples {

/// A step is a snapshot, and so costs the pages that were stored to since the one before.
class History {
 public:
  History(cow::Region& region, std::size_t most_bytes) : region_(region), most_bytes_(most_bytes) {
    steps_.push_back(region_.snapshot());
  }

  /// After an edit. What had been undone cannot be done again from now on.
  void remember() {
    steps_.erase(steps_.begin() + static_cast<std::ptrdiff_t>(now_) + 1, steps_.end());
    steps_.push_back(region_.snapshot());
    now_ = steps_.size() - 1;
    keep_limit();
  }

  /// To any step that is still there, 0 the oldest.
  void go_to(std::size_t step) {
    region_.restore(steps_.at(step));
    now_ = step;
    keep_limit();
  }

  [[nodiscard]] std::size_t size() const { return steps_.size(); }
  [[nodiscard]] std::size_t now() const { return now_; }
  [[nodiscard]] std::size_t dropped() const { return dropped_; }
  /// Whether dropping steps has always given back what they said beforehand.
  [[nodiscard]] bool is_exact() const { return is_exact_; }

 private:
  /// The next edit may store to every page, and each then takes one more frame: room for that is
  /// left, so that the limit holds during the edit as well. libcow's page tables count: a step of
  /// two pages has as much of them.
  void keep_limit() {
    const std::size_t most = most_bytes_ - region_.size();
    cow::ProcessStats stats = cow::process_stats();
    while (now_ > 0 && stats.bytes_in_use + stats.bytes_metadata > most) {
      const std::size_t promised = stats.bytes_in_use - steps_.front().reclaimable_bytes();
      steps_.pop_front();
      --now_;
      ++dropped_;
      stats = cow::process_stats();
      is_exact_ = is_exact_ && stats.bytes_in_use == promised;
    }
    // Freed frames are kept for the next copies; they count as well.
    if (stats.bytes_in_use + stats.bytes_metadata + stats.bytes_recycled > most) cow::trim();
  }

  cow::Region& region_;
  std::size_t most_bytes_;
  std::deque<cow::Snapshot> steps_{};
  std::size_t now_ = 0;
  std::size_t dropped_ = 0;
  bool is_exact_ = true;
};

}  // namespace examples

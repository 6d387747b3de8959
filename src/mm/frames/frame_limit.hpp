#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "os/lock.hpp"

namespace cow {

/// Calls somebody when a family has so many frames in use that its memory may have reached a limit.
/// Frames in use are the most that can have memory: pages that a window opened may have none yet,
/// so who is called looks, and is called again some frames later. Without a limit it is one
/// comparison for each frame that is taken. The caller holds the family's lock. Signal context:
/// yes.
class FrameLimit {
 public:
  /// Null: no limit. `reached` outlives the family.
  void set(std::uint64_t most_frames, std::size_t most_bytes, os::EventCount* reached) noexcept {
    reached_ = reached;
    most_ = call_at_ = reached == nullptr ? kNone : most_frames;
    most_bytes_ = most_bytes;
    fell_below_ = false;
    say_above(false);
  }
  void remove() noexcept { set(0, 0, nullptr); }
  [[nodiscard]] bool is_set() const noexcept { return reached_ != nullptr; }

  /// So many are in use now: after some were taken.
  void note_taken(std::uint64_t used) noexcept {
    if (used < call_at_) [[likely]]
      return;
    call_at_ = some_after(used);
    reached_->announce();
  }
  /// After some were dropped.
  void note_dropped(std::uint64_t used) noexcept {
    if (reached_ == nullptr) [[likely]]
      return;
    // Or as many as were dropped could be taken again, and filled, before anybody looks.
    call_at_ = std::min(call_at_, std::max(most_, some_after(used)));
    note_given_back();
  }
  /// After memory was given back, be it of frames that stay in use or of what lies beside frames.
  void note_given_back() noexcept {
    if (!calls_at_fall_) [[likely]]
      return;
    calls_at_fall_ = false;  // who looks asks again: no call for each of many
    reached_->announce();
  }
  /// Who is called has looked: if the memory is above the limit it is called when that falls. Once:
  /// it may be above still.
  void say_above(bool is_above) noexcept { is_said_above_ = calls_at_fall_ = is_above && is_set(); }
  [[nodiscard]] bool is_said_above() const noexcept { return is_said_above_; }
  /// So much is in use at the end of a control call: it may be above again before anybody is awake.
  void note_memory(std::size_t bytes) noexcept {
    if (!is_said_above_ || bytes >= most_bytes_) return;
    is_said_above_ = false;
    fell_below_ = true;
  }
  /// Whether there was too little for the limit since this was asked.
  [[nodiscard]] bool take_fell_below() noexcept {
    const bool fell = fell_below_;
    fell_below_ = false;
    return fell;
  }
  void call() noexcept {
    if (reached_ != nullptr) reached_->announce();
  }

 private:
  static constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::uint64_t kStep = 64;
  static constexpr std::uint64_t kFewest = 8;

  [[nodiscard]] std::uint64_t some_after(std::uint64_t used) const noexcept {
    return used + most_ / kStep + kFewest;
  }

  os::EventCount* reached_ = nullptr;
  std::uint64_t most_ = kNone;
  std::uint64_t call_at_ = kNone;
  std::size_t most_bytes_ = 0;
  bool fell_below_ = false;
  bool is_said_above_ = false;
  bool calls_at_fall_ = false;
};

}  // namespace cow

// The first violation, in a sentence. It ends the run.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "soak/figures.hpp"
#include "soak/shadow.hpp"

namespace soak {

class Verdict {
 public:
  explicit Verdict(std::uint64_t seed) : seed_(seed) {}

  /// Keeps the sentence if it is the first one, and asks all threads to stop.
  void violation(const std::string& sentence) {
    const std::lock_guard guard(lock_);
    if (failed_) return;
    failed_ = true;
    sentence_ = sentence + "; seed " + std::to_string(seed_);
    stopping_ = true;
  }
  /// The same, unless there is nothing to complain about.
  void complain(const std::string& where, const std::string& complaint) {
    if (!complaint.empty()) violation(where + ": " + complaint);
  }
  void complain(const std::string& where, const std::optional<Mismatch>& mismatch) {
    if (!mismatch) return;
    if (mismatch->is_lost_store()) add(lost_stores_);
    violation(where + ", " + mismatch->sentence());
  }
  void stop() { stopping_ = true; }

  [[nodiscard]] bool stopping() const { return stopping_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool failed() const {
    const std::lock_guard guard(lock_);
    return failed_;
  }
  [[nodiscard]] std::uint64_t lost_stores() const { return lost_stores_.load(); }
  [[nodiscard]] std::string sentence() const {
    const std::lock_guard guard(lock_);
    return sentence_;
  }

 private:
  std::uint64_t seed_;
  mutable std::mutex lock_;
  bool failed_ = false;
  std::string sentence_;
  Count lost_stores_{0};
  std::atomic<bool> stopping_{false};
};

/// Thrown to leave whatever a worker is in when the run ends.
struct Stopped {};

}  // namespace soak

// A snapshot, and what it must show for as long as it lives.
#pragma once

#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "soak/page_hashes.hpp"
#include "soak/shadow.hpp"
#include "soak/verdict.hpp"

namespace soak {

class SnapshotRecord {
 public:
  /// Of a shared region: each counter lies between what it was before the call and after it, and
  /// those of the worker that took the snapshot are exact. The bytes are hashed when first looked
  /// at, which may be much later: the view is mapped only then.
  SnapshotRecord(cow::Snapshot snapshot, std::uint64_t family, const Layout& layout,
                 Shadow::Copy before, Shadow::Copy after, WorkerIndex taker);
  /// Of a private region, whose bytes are known.
  SnapshotRecord(cow::Snapshot snapshot, std::uint64_t family, const Layout& layout,
                 PageHashes hashes);

  [[nodiscard]] const cow::Snapshot& snapshot() const { return snapshot_; }
  [[nodiscard]] std::uint64_t family() const { return family_; }
  /// Whether the bytes are laid out as a shared region's are, so that one can be restored to them.
  [[nodiscard]] bool is_of_shared_region() const { return is_of_shared_region_; }

  /// Compares `bytes`, those of the snapshot or of anything made from it, with what they must be.
  void check(std::span<const std::byte> bytes, const std::string& where, Verdict& verdict);
  /// Nothing before the first check.
  [[nodiscard]] std::optional<PageHashes> hashes() const;

 private:
  void check_first(std::span<const std::byte> bytes, const std::string& where, Verdict& verdict);

  cow::Snapshot snapshot_;
  std::uint64_t family_;
  bool is_of_shared_region_;
  Layout layout_;
  WorkerIndex taker_;

  mutable std::mutex lock_;  // for what follows
  Shadow::Copy before_;
  Shadow::Copy after_;
  bool hashed_;
  PageHashes hashes_;
};

}  // namespace soak

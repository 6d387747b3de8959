#include "soak/snapshot_record.hpp"

#include <utility>

namespace soak {

SnapshotRecord::SnapshotRecord(cow::Snapshot snapshot, std::uint64_t family, const Layout& layout,
                               Shadow::Copy before, Shadow::Copy after, WorkerIndex taker)
    : snapshot_(std::move(snapshot)),
      family_(family),
      is_of_shared_region_(true),
      layout_(layout),
      taker_(taker),
      before_(std::move(before)),
      after_(std::move(after)),
      hashed_(false),
      hashes_(snapshot_.size(), snapshot_.page_bytes()) {}

SnapshotRecord::SnapshotRecord(cow::Snapshot snapshot, std::uint64_t family, const Layout& layout,
                               PageHashes hashes)
    : snapshot_(std::move(snapshot)),
      family_(family),
      is_of_shared_region_(false),
      layout_(layout),
      taker_(Expectation::nobody),
      hashed_(true),
      hashes_(std::move(hashes)) {}

void SnapshotRecord::check(std::span<const std::byte> bytes, const std::string& where,
                           Verdict& verdict) {
  const std::lock_guard guard(lock_);
  if (hashed_) {
    verdict.complain(where, hashes_.difference(bytes));
  } else {
    check_first(bytes, where, verdict);
  }
}

void SnapshotRecord::check_first(std::span<const std::byte> bytes, const std::string& where,
                                 Verdict& verdict) {
  verdict.complain(where, find_mismatch(bytes, layout_, {before_, after_, taker_}));
  hashes_.set(bytes);
  hashed_ = true;
  before_ = {};
  after_ = {};
}

std::optional<PageHashes> SnapshotRecord::hashes() const {
  const std::lock_guard guard(lock_);
  if (!hashed_) return std::nullopt;
  return hashes_;
}

}  // namespace soak

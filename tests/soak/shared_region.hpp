// A region that all workers store to, with its shadow and its snapshots.
#pragma once

#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "soak/alarms.hpp"
#include "soak/gate.hpp"
#include "soak/shadow.hpp"
#include "soak/snapshot_record.hpp"
#include "support.hpp"

namespace soak {

/// What a shared region is like.
struct Shape {
  std::size_t bytes = 0;
  cow::RegionOptions options;
};

/// Snapshots that are kept, of one region and of private regions of its family.
using Records = std::vector<std::shared_ptr<SnapshotRecord>>;

class SharedRegion {
 public:
  SharedRegion(std::size_t number, const Shape& shape, std::size_t workers);

  /// Held shared by whoever stores, snapshots, clones; exclusively for what needs the others out.
  Gate gate;

  // With the gate held:

  [[nodiscard]] cow::Region& region() { return region_; }
  [[nodiscard]] const Layout& layout() const { return layout_; }
  [[nodiscard]] Shadow& shadow() { return shadow_; }
  /// Changes when the region becomes another family: snapshots of one are no use to the other.
  [[nodiscard]] std::uint64_t family() const { return family_; }
  /// Changes when the region object is another one, at another address.
  [[nodiscard]] std::uint64_t incarnation() const { return incarnation_; }
  [[nodiscard]] Aim aim(WorkerIndex worker) { return {region_.data(), &layout_, &shadow_, worker}; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  /// For sentences.
  [[nodiscard]] const std::string& name() const { return name_; }

  // With the gate held exclusively:

  /// The bytes have become those of a snapshot: the shadow follows, and fills that were half
  /// written in that moment are completed. Returns how the bytes differ from `expected`, if that is
  /// known; allocates nothing if they do not.
  [[nodiscard]] std::string follow(const std::optional<PageHashes>& expected);
  /// Another region object with the same bytes.
  void replace(cow::Region region);
  /// Another family, all zeros. Its snapshots are let go.
  void start_anew(cow::Region region);

  // Any thread, at any time:

  [[nodiscard]] std::size_t most_records() const { return most_records_; }
  [[nodiscard]] std::size_t record_count() const;
  void keep(std::shared_ptr<SnapshotRecord> record);
  /// Null if there is none.
  [[nodiscard]] std::shared_ptr<SnapshotRecord> any_record(support::Random& random) const;
  /// The same, and it is not kept here any longer.
  [[nodiscard]] std::shared_ptr<SnapshotRecord> take_record(support::Random& random);
  [[nodiscard]] Records records() const;

 private:
  void follow_page(PageIndex page);

  Shape shape_;
  std::string name_;
  std::size_t most_records_;
  cow::Region region_;
  Layout layout_;
  Shadow shadow_;
  std::uint64_t family_;
  std::uint64_t incarnation_ = 0;

  mutable std::mutex records_lock_;
  Records records_;
};

}  // namespace soak

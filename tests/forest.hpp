// Random operations on a forest of regions and snapshots, held against plain vectors of bytes.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "forest_backup.hpp"
#include "forest_grow.hpp"
#include "forest_image.hpp"
#include "forest_lease.hpp"
#include "forest_limit.hpp"
#include "forest_template.hpp"
#include "support.hpp"

namespace support {

using cow::CloneMode;

class Forest {
 public:
  /// Of regions with up to so many pages, now and then of some more.
  explicit Forest(std::uint64_t seed, std::size_t most_pages = 24)
      : random_(seed), most_pages_(most_pages) {}

  /// Compares page tables with the kernel's mappings only after every so many steps: each look
  /// reads all mappings of the process.
  void look_at_mappings_every(std::size_t steps) { steps_a_look_ = steps; }

  /// Backups are among the operations, and end at some later one.
  void make_backups() { backups_ = std::make_unique<ForestBackups>(); }

  /// Limits on a family's memory are among the operations.
  void set_limits() { limits_ = std::make_unique<ForestLimits>(); }

  /// Does one random operation and checks what it touched. Empty, or what is wrong.
  std::string step() {
    ++steps_;
    if (regions_.empty() || (regions_.size() < 4 && random_.one_in(20))) return create();
    if (backups_ != nullptr && random_.one_in(50)) return backup();
    if (limits_ != nullptr && random_.one_in(100)) return limit();
    const std::size_t dice = random_.below(100);
    if (dice < 36) return store();
    if (dice < 40) return scatter();
    if (dice < 47) return fill_run();
    if (dice < 51) return lease();
    if (dice < 52) return drop_leased();
    if (dice < 55) return random_.one_in(2) ? discard() : grow();
    if (dice < 58) return read();
    if (dice < 66) return clone(random_.one_in(5) ? CloneMode::eager : CloneMode::lazy);
    if (dice < 74) return take_snapshot();
    if (dice < 79) return restore();
    if (dice < 83) return from_snapshot();
    if (dice < 87) return diff();
    if (dice < 89) return move();
    if (dice < 94) return drop_region();
    if (dice < 98) return drop_snapshot();
    return create();
  }

  /// Looks at every byte of everything.
  [[nodiscard]] std::string sweep() const {
    for (const LiveRegion& live : regions_) {
      if (const std::string complaint = check(live); !complaint.empty()) return complaint;
    }
    for (const LiveSnapshot& live : snapshots_) {
      const std::string complaint = support::difference(live.image->bytes, live.snapshot.bytes());
      if (!complaint.empty()) return "snapshot: " + complaint;
    }
    return "";
  }

  /// Whether every region's count of mappings is what the kernel says, or more where that copies.
  [[nodiscard]] std::string count_mappings() const {
    for (const LiveRegion& live : regions_) {
      const std::size_t lines = support::count_mappings(addresses_of(live, room_of(live)));
      const std::size_t counted = live.region.stats().mappings;
      if (support::kernel_copies() ? lines > counted : lines != counted) {
        return "the kernel shows " + std::to_string(lines) + " mappings, stats() says " +
               std::to_string(counted);
      }
    }
    return "";
  }

  /// Regions, and snapshots that may be mapped.
  [[nodiscard]] std::size_t address_spaces() const { return regions_.size() + snapshots_.size(); }

  [[nodiscard]] const std::string& last_operation() const { return operation_; }
  /// Drops everything in random order, looking at the rest now and then.
  std::string fell() {
    if (backups_ != nullptr) {
      if (std::string complaint = backups_->end_all(); !complaint.empty()) return complaint;
    }
    while (!regions_.empty() || !snapshots_.empty()) {
      std::string complaint = random_.one_in(2) ? drop_region() : drop_snapshot();
      if (complaint.empty()) complaint = sweep();
      if (!complaint.empty()) return complaint;
    }
    return limits_ == nullptr ? "" : limits_->end();
  }

 private:
  static constexpr std::size_t most_regions = 9, most_snapshots = 10;

  void begin(const char* name, std::size_t object) {
    operation_ = std::string(name) + " of #" + std::to_string(object);
  }

  std::size_t any_region() { return random_.below(regions_.size()); }

  std::string check(const LiveRegion& live) const {
    std::string complaint;
    if (steps_ % steps_a_look_ == 0) complaint = support::broken_invariant(live.region);
    if (complaint.empty()) complaint = support::difference(live.image.bytes, live.region.bytes());
    return complaint.empty() ? "" : "region: " + complaint;
  }

  /// No other thread gives frames back, nor has a family for a moment longer.
  [[nodiscard]] bool nobody_else_frees() const { return are_done(backups_) && limits_ == nullptr; }

  /// The most bytes that it may have, or 0.
  [[nodiscard]] std::size_t room_of(const LiveRegion& live) const {
    const auto room = families_with_room_.find(live.family);
    return room == families_with_room_.end() ? 0 : room->second;
  }

  /// Says that the pages with [offset, offset + length) were stored to.
  void mark(LiveRegion& live, std::size_t offset, std::size_t length) {
    mark_stored(live.image, live.region.page_bytes(), offset, length, last_version_);
  }

  /// Gives all pages versions of their own: a restore or an eager clone may have given them frames
  /// without a store.
  void relink(LiveRegion& live) {
    live.image.versions.resize(pages_in(live.image.bytes.size()));
    for (std::uint64_t& version : live.image.versions) version = ++last_version_;
  }

  std::string create() {
    begin("create", regions_.size());
    if (regions_.size() >= most_regions) return drop_region();
    const std::size_t page = support::page_bytes();
    std::size_t size = random_.between(1, most_pages_ * page);
    if (random_.one_in(4)) size = random_.between(1, 64);
    if (random_.one_in(4)) size = random_.between(1, 8) * page + random_.below(3) - 1;
    if (random_.one_in(40)) size = random_.between(500, 1100) * page;  // several leaves
    if (regions_.empty()) size = most_pages_ * page;
    auto options = random_.one_in(2) ? support::options() : support::single_page_options();
    options.huge_pages = random_.one_in(3);
    options.keep_out_of_cores = random_.one_in(4);
    options.reserve_frames = size <= 24 * page && random_.one_in(4);
    options.most_bytes = room_to_grow(random_, size);
    regions_.push_back({Region::create(size, options),
                        {Bytes(size), std::vector<std::uint64_t>((size + page - 1) / page)},
                        ++last_family_});
    families_with_room_[last_family_] = options.most_bytes;
    return check(regions_.back());
  }

  std::string grow() {
    const std::size_t index = any_region();
    begin("grow", index);
    LiveRegion& live = regions_[index];
    const std::string wrong = grow_some(random_, live, room_of(live), last_version_);
    return wrong.empty() ? check(live) : wrong;
  }

  /// A store of any length to any place, which may straddle pages.
  std::string store() {
    const std::size_t index = any_region();
    begin("store", index);
    LiveRegion& live = regions_[index];
    const std::size_t size = live.image.bytes.size();
    const std::size_t offset = random_.below(size);
    std::size_t length = std::min(random_.between(1, 16), size - offset);
    if (random_.one_in(6)) {
      length = std::min(random_.between(1, 3 * support::page_bytes()), size - offset);
    }
    // Not memset: for zeros it uses DC ZVA on ARM64, and qemu-user 7.2 loses bytes of a memset
    // whose DC ZVA faults, in a plain program with a SIGSEGV handler and mprotect just as here.
    const std::vector<std::byte> bytes(length, static_cast<std::byte>(random_.word()));
    std::memcpy(live.region.data() + offset, bytes.data(), length);
    std::memcpy(live.image.bytes.data() + offset, bytes.data(), length);
    mark(live, offset, length);
    return check(live);
  }

  /// One store a page along a run, the way that makes windows grow.
  std::string fill_run() {
    const std::size_t index = any_region();
    begin("run", index);
    store_run(random_, regions_[index], last_version_);
    return check(regions_[index]);
  }

  /// Stores to pages that lie apart, the way that takes most mappings.
  std::string scatter() {
    const std::size_t index = any_region();
    begin("scatter", index);
    store_scattered(random_, regions_[index], last_version_);
    return check(regions_[index]);
  }

  /// Begins or ends a lease, or lets the kernel write into one.
  std::string lease() {
    const std::size_t index = any_region();
    begin("lease", index);
    const std::string wrong = lease_some(random_, regions_[index], last_version_);
    return wrong.empty() ? check(regions_[index]) : wrong;
  }

  std::string drop_leased() {
    const std::size_t index = any_region();
    begin("drop of leased pages", index);
    snapshots_.push_back(snapshot_of_leased(random_, regions_[index], last_version_));
    std::string wrong = drop_as_predicted(snapshots_, snapshots_.size() - 1, nobody_else_frees());
    return wrong.empty() ? check(regions_[index]) : wrong;
  }

  std::string discard() {
    const std::size_t index = any_region();
    begin("discard", index);
    LiveRegion& live = regions_[index];
    const std::size_t page = live.region.page_bytes();
    const std::size_t offset = random_.below(live.image.bytes.size());
    std::size_t length = live.image.bytes.size() - offset;
    if (!random_.one_in(4)) length = std::min(random_.between(1, 12 * page), length);
    live.region.discard(offset, length);
    discard_from(live.image, page, offset, length, last_version_);
    return check(live);
  }

  std::string read() {
    if (!snapshots_.empty() && random_.one_in(2)) {
      const std::size_t index = random_.below(snapshots_.size());
      begin("read of a snapshot", index);
      const LiveSnapshot& live = snapshots_[index];
      return support::difference(live.image->bytes, live.snapshot.bytes());
    }
    const std::size_t index = any_region();
    begin("read", index);
    return check(regions_[index]);
  }

  std::string clone(CloneMode mode) {
    if (regions_.size() >= most_regions) return drop_region();
    const std::size_t index = any_region();
    begin(mode == CloneMode::lazy ? "lazy clone" : "eager clone", index);
    Region region = regions_[index].region.clone(mode);
    regions_.push_back({std::move(region), regions_[index].image, regions_[index].family});
    if (mode == CloneMode::eager) relink(regions_.back());
    return check(regions_[index]) + check(regions_.back());
  }

  std::string take_snapshot() {
    if (snapshots_.size() >= most_snapshots) return drop_snapshot();
    const std::size_t index = any_region();
    begin("snapshot", index);
    const LiveRegion& live = regions_[index];
    const auto mode = static_cast<cow::SnapshotMode>(index % 2);
    snapshots_.push_back(
        {live.region.snapshot(mode), std::make_shared<const Image>(live.image), live.family});
    if (random_.one_in(8)) snapshots_.push_back(LiveSnapshot(snapshots_.back()));  // two handles
    return check(live);
  }

  std::string restore() {
    if (snapshots_.empty()) return take_snapshot();
    const LiveSnapshot& past = snapshots_[random_.below(snapshots_.size())];
    const std::size_t index = any_region();
    begin("restore", index);
    LiveRegion& live = regions_[index];
    if (live.family != past.family) {
      try {
        live.region.restore(past.snapshot);
      } catch (const std::invalid_argument&) {
        return check(live);
      }
      return "a snapshot of another family was not refused";
    }
    drop_leases_for(live, *past.image);
    live.region.restore(past.snapshot);
    if (random_.one_in(4)) {
      try {
        const std::string wrong = rollback_rounds(random_, live, past);
        if (!wrong.empty()) return wrong;
      } catch (const std::system_error&) {  // in the middle of a round
        live.image.bytes = support::plain_copy(live.region.bytes());
        relink(live);
        throw;
      }
    }
    live.image = *past.image;
    relink(live);
    return check(live);
  }

  std::string backup() {
    const std::size_t index = any_region();
    begin("backup", index);
    const std::string complaint = backups_->step(random_, regions_[index]);
    return complaint.empty() ? check(regions_[index]) : complaint;
  }

  std::string limit() {
    const std::size_t index = any_region();
    begin("limit", index);
    const std::string complaint = limits_->step(random_, regions_[index], last_version_);
    return complaint.empty() ? check(regions_[index]) : complaint;
  }

  std::string from_snapshot() {
    if (snapshots_.empty() || regions_.size() >= most_regions) return drop_region();
    const std::size_t index = random_.below(snapshots_.size());
    begin("from_snapshot", index);
    regions_.push_back(region_of(random_, snapshots_[index], last_family_, operation_));
    return check(regions_.back());
  }

  std::string diff() {
    if (snapshots_.size() < 2) return take_snapshot();
    const LiveSnapshot& from = snapshots_[random_.below(snapshots_.size())];
    const LiveSnapshot& to = snapshots_[random_.below(snapshots_.size())];
    begin("diff", 0);
    if (from.family != to.family) {
      try {
        (void)cow::diff(from.snapshot, to.snapshot);
      } catch (const std::invalid_argument&) {
        return "";
      }
      return "snapshots of two families were compared";
    }
    if (std::string wrong = check_changes(regions_, from); !wrong.empty()) return wrong;
    return check_diff(cow::diff(from.snapshot, to.snapshot), *from.image, *to.image);
  }

  std::string move() {
    const std::size_t from = any_region();
    begin("move", from);
    if (random_.one_in(2)) {
      const std::byte* const address = regions_[from].region.data();
      LiveRegion taken = std::move(regions_[from]);
      regions_[from] = std::move(taken);
      if (regions_[from].region.data() != address) return "a moved region has another address";
      return check(regions_[from]);
    }
    // Assign over another region, which goes.
    const std::size_t to = any_region();
    if (to == from) return "";
    regions_[to] = std::move(regions_[from]);
    regions_.erase(regions_.begin() + static_cast<std::ptrdiff_t>(from));
    return check(regions_[to > from ? to - 1 : to]);
  }

  std::string drop_region() {
    if (regions_.empty()) return "";
    const std::size_t index = any_region();
    begin("drop", index);
    regions_.erase(regions_.begin() + static_cast<std::ptrdiff_t>(index));
    return regions_.empty() ? "" : check(regions_[any_region()]);
  }

  std::string drop_snapshot() {
    if (snapshots_.empty()) return "";
    const std::size_t index = random_.below(snapshots_.size());
    begin("drop of snapshot", index);
    const std::string wrong = drop_as_predicted(snapshots_, index, nobody_else_frees());
    if (random_.one_in(8)) cow::trim();
    return !wrong.empty() || regions_.empty() ? wrong : check(regions_[any_region()]);
  }

  support::Random random_;
  std::size_t most_pages_;
  std::vector<LiveRegion> regions_;
  std::vector<LiveSnapshot> snapshots_;
  std::unique_ptr<ForestBackups> backups_;
  std::unique_ptr<ForestLimits> limits_;
  std::size_t last_family_ = 0;
  std::map<std::size_t, std::size_t> families_with_room_;  ///< and the most bytes of a region
  std::uint64_t last_version_ = 0;
  std::size_t steps_ = 0;
  std::size_t steps_a_look_ = 1;
  std::string operation_;
};

}  // namespace support

#pragma once

// A disk in a region, with its snapshots: "disk" is the live one, "disk@LABEL" what it was.
//
// Why requests are received into a buffer and copied from there, and not straight into the region:
// the kernel's stores need a write lease (cow/lease.hpp), and a lease on what comes from a socket
// lives as long as the client takes to send it. A snapshot would have half of the request, a
// restore would have to wait for the slowest client, and one that is cut off would leave half a
// write in the disk. With a copy, which costs less than the call that receives (block_device
// measures it), each request happens at one moment or not at all, and a snapshot falls between two
// of them.

#include <cow/cow.hpp>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "chain.hpp"
#include "nbd_server.hpp"

namespace examples {

struct Point {
  std::string label;
  cow::Snapshot snapshot;
  std::chrono::system_clock::time_point when;
};

/// Thread safe.
class Disk final : public nbd::Exports {
 public:
  explicit Disk(cow::Region region) : region_(std::move(region)) {}

  /// From now on a client's flush, and each write that asks for it, is a backup to this folder.
  /// Before clients are served. `loaded`: the disk was made of the chain that is there, and nothing
  /// was stored to it since.
  void store_in(const std::filesystem::path& folder, bool loaded) {
    const std::scoped_lock lock(saving_);
    store_.emplace(folder, Chain::Keep::newest);
    if (loaded) store_->go_on_from(now());
  }

  [[nodiscard]] std::size_t size() const { return region_.size(); }
  [[nodiscard]] std::size_t page_bytes() const { return region_.page_bytes(); }

  void read(std::uint64_t offset, std::span<std::byte> room) const {
    const std::scoped_lock lock(storing_);
    if (!room.empty()) std::memcpy(room.data(), region_.data() + offset, room.size());
  }

  void write(std::uint64_t offset, std::span<const std::byte> bytes) {
    const std::scoped_lock lock(storing_);
    if (!bytes.empty()) std::memcpy(region_.data() + offset, bytes.data(), bytes.size());
  }

  void write_zeroes(std::uint64_t offset, std::size_t length, bool keeps_room) {
    const std::scoped_lock lock(storing_);
    const std::uint64_t end = offset + length;
    const std::uint64_t page = region_.page_bytes();
    const std::uint64_t first = (offset + page - 1) / page * page;
    const std::uint64_t last = end == region_.size() ? end : end / page * page;
    if (keeps_room || first >= last) return clear(offset, end, keeps_room);
    // Whole pages give their memory back; snapshots keep what they see.
    region_.discard(first, last - first);
    clear(offset, first, false);
    clear(last, end, false);
  }

  /// Of trimmed bytes NBD promises nothing: here whole pages become zeros, and others stay.
  void trim(std::uint64_t offset, std::size_t length) {
    const std::scoped_lock lock(storing_);
    region_.discard(offset, length);
  }

  /// Throws std::system_error if a backup cannot be written: the disk goes on as before.
  void flush() {
    const std::scoped_lock lock(saving_);
    if (store_) store_->save(now());
  }

  /// A snapshot without a name, of a moment between two requests.
  [[nodiscard]] cow::Snapshot now() const {
    const std::scoped_lock lock(storing_);
    // Nobody stores while the lock is held, and promising so makes the call cheaper.
    return region_.snapshot(cow::SnapshotMode::quiescent);
  }

  void snapshot(const std::string& label) {
    const auto is_allowed = [](unsigned char letter) {
      return std::isalnum(letter) != 0 || letter == '-' || letter == '_' || letter == '.';
    };
    if (label.empty() || label.size() > 100 || !std::all_of(label.begin(), label.end(), is_allowed))
      throw std::invalid_argument("a label has 1 to 100 letters, digits, '-', '_' and '.'");
    const std::scoped_lock lock(naming_);
    if (position_of(label) != history_.end())
      throw std::invalid_argument("there is a snapshot " + label + " already: drop it first");
    history_.push_back({label, now(), std::chrono::system_clock::now()});
  }

  /// The live disk shows at once what it was: its clients should have it unmounted.
  void restore(const std::string& label) {
    const cow::Snapshot past = find_snapshot(label);
    const std::scoped_lock lock(storing_);  // restore() needs other threads kept out
    region_.restore(past);
  }

  /// Clients that are connected to it go on reading it; its memory comes back when they leave.
  void drop(const std::string& label) {
    const std::scoped_lock lock(naming_);
    const auto point = position_of(label);
    if (point == history_.end()) throw no_snapshot(label);
    history_.erase(point);
  }

  /// Saves a snapshot to a folder, without a label the disk as it is now: what differs from the
  /// last one that this process saved there, or all of it. Clients store meanwhile.
  Saved backup(const std::filesystem::path& folder, const std::string& label = {}) {
    const std::scoped_lock lock(saving_);
    const cow::Snapshot past = label.empty() ? now() : find_snapshot(label);
    auto [chain, is_new] =
        chains_.try_emplace(std::filesystem::absolute(folder), folder, Chain::Keep::all);
    return chain->second.save(past);
  }

  [[nodiscard]] std::vector<Point> history() const {
    const std::scoped_lock lock(naming_);
    return history_;
  }

  /// Throws std::invalid_argument if there is none of that label.
  [[nodiscard]] cow::Snapshot find_snapshot(const std::string& label) const {
    const std::scoped_lock lock(naming_);
    const auto point = position_of(label);
    if (point == history_.end()) throw no_snapshot(label);
    return point->snapshot;
  }

  [[nodiscard]] std::vector<std::string> names() override {
    std::vector<std::string> names{"disk"};
    for (const Point& point : history()) names.push_back("disk@" + point.label);
    return names;
  }

  [[nodiscard]] std::unique_ptr<nbd::Export> find(const std::string& name) override;

 private:
  class Live;
  class Past;

  static std::invalid_argument no_snapshot(const std::string& label) {
    return std::invalid_argument("there is no snapshot " + label);
  }

  [[nodiscard]] std::vector<Point>::const_iterator position_of(const std::string& label) const {
    return std::find_if(history_.begin(), history_.end(),
                        [&](const Point& point) { return point.label == label; });
  }

  /// Zeros over zeros are not stored: that would take a page.
  void clear(std::uint64_t begin, std::uint64_t end, bool keeps_room) {
    const auto bytes = region_.bytes().subspan(begin, end - begin);
    const auto is_zero = [](std::byte byte) { return byte == std::byte{}; };
    if (keeps_room || !std::all_of(bytes.begin(), bytes.end(), is_zero)) {
      std::fill(bytes.begin(), bytes.end(), std::byte{});
    }
  }

  // In this order where several are taken.
  mutable std::mutex saving_;   // the chains: a backup is later than all those before it
  mutable std::mutex naming_;   // the history
  mutable std::mutex storing_;  // the region's bytes: one request at a time, no snapshot within one
  cow::Region region_;
  std::vector<Point> history_;
  std::optional<Chain> store_;
  std::map<std::filesystem::path, Chain> chains_;
};

/// The disk as clients read and write it.
class Disk::Live final : public nbd::Export {
 public:
  explicit Live(Disk& disk) : disk_(disk) {}
  [[nodiscard]] std::uint64_t size() const override { return disk_.size(); }
  [[nodiscard]] std::uint16_t flags() const override {
    std::uint16_t flags =
        nbd::has_flags | nbd::takes_trim | nbd::takes_write_zeroes | nbd::many_connections;
    // Without a folder nothing outlives the process, and no flush should look as if it did.
    if (disk_.store_) flags |= nbd::takes_flush | nbd::takes_force_unit_access;
    return flags;
  }
  std::span<const std::byte> read(std::uint64_t offset, std::span<std::byte> room) override {
    disk_.read(offset, room);
    return room;
  }
  void write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    disk_.write(offset, bytes);
  }
  void write_zeroes(std::uint64_t offset, std::size_t length, bool keeps_room) override {
    disk_.write_zeroes(offset, length, keeps_room);
  }
  void trim(std::uint64_t offset, std::size_t length) override { disk_.trim(offset, length); }
  void flush() override { disk_.flush(); }

 private:
  Disk& disk_;
};

/// A snapshot: nobody can change its bytes, so they are sent from where they lie, without a lock.
class Disk::Past final : public nbd::Export {
 public:
  explicit Past(cow::Snapshot snapshot) : snapshot_(std::move(snapshot)) {}
  [[nodiscard]] std::uint64_t size() const override { return snapshot_.size(); }
  [[nodiscard]] std::uint16_t flags() const override {
    return nbd::has_flags | nbd::read_only | nbd::many_connections;
  }
  std::span<const std::byte> read(std::uint64_t offset, std::span<std::byte> room) override {
    return snapshot_.bytes().subspan(offset, room.size());
  }
  // The session refuses these already, by the flag.
  void write(std::uint64_t, std::span<const std::byte>) override { refuse(); }
  void write_zeroes(std::uint64_t, std::size_t, bool) override { refuse(); }
  void trim(std::uint64_t, std::size_t) override { refuse(); }
  void flush() override { refuse(); }

 private:
  [[noreturn]] static void refuse() {
    throw std::system_error(EROFS, std::generic_category(), "a snapshot never changes");
  }

  cow::Snapshot snapshot_;
};

inline std::unique_ptr<nbd::Export> Disk::find(const std::string& name) {
  if (name.empty() || name == "disk") return std::make_unique<Live>(*this);
  for (const Point& point : history()) {
    if (name == "disk@" + point.label) return std::make_unique<Past>(point.snapshot);
  }
  return nullptr;
}

}  // namespace examples

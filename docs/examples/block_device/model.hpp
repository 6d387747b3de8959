#pragma once

// Random writes, zeros, trims, snapshots, restores and backups by several clients, held against
// plain copies of all bytes.

#include <cow/cow.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "stage.hpp"

namespace examples {

class Model {
 public:
  Model(cow::Mechanism mechanism, std::uint64_t seed)
      : stage_(size_bytes, mechanism), random_(seed), live_(size_bytes), seed_(seed) {
    for (int i = 0; i < 3; ++i) clients_.push_back(stage_.connect());
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      if (i % 16 == 0) compare();
    }
    compare();
    load_backups();
  }

 private:
  static constexpr std::size_t size_bytes = (std::size_t{4} << 20) - 1000;  // ends within a page

  std::size_t below(std::size_t limit) { return random_() % limit; }
  nbd::Client& client() { return clients_[below(clients_.size())]; }
  void check(bool holds, const std::string& sentence) const {
    claim(holds, sentence + " (seed " + std::to_string(seed_) + ")");
  }

  void step() {
    const std::size_t dice = below(100);
    if (dice < 80) return change();
    if (dice < 86) return take();
    if (dice < 90) return restore();
    if (dice < 93) return drop();
    if (dice < 97) return back_up();
    client() = stage_.connect();
  }

  /// Mostly some bytes or pages, sometimes a great part of the disk.
  std::pair<std::size_t, std::size_t> range() {
    const std::size_t page = stage_.disk.page_bytes();
    std::size_t offset = below(size_bytes);
    std::size_t length = below(4) == 0 ? below(size_bytes / 4) : below(5 * page);
    if (below(2) == 0) {
      offset = offset / page * page;
      length = (length / page + 1) * page;
    }
    return {offset, std::min(length, size_bytes - offset)};
  }

  void change() {
    const auto [offset, length] = range();
    const std::size_t page = stage_.disk.page_bytes();
    const std::size_t end = offset + length;
    std::size_t first = offset;
    std::size_t last = end;
    nbd::Error error{};
    if (const std::size_t dice = below(4); dice < 2) {
      Bytes bytes = random_bytes(length, random_);
      error = client().write(offset, bytes);
      std::copy(bytes.begin(), bytes.end(), at(offset));
    } else if (dice == 2) {
      const std::uint16_t flags = below(2) == 0 ? nbd::no_hole : 0;
      error = client().ask(nbd::Command::write_zeroes, offset, to_length(length), {}, flags);
      std::fill(at(offset), at(end), std::byte{});
    } else {
      error = client().ask(nbd::Command::trim, offset, to_length(length));
      first = (offset + page - 1) / page * page;
      last = end == size_bytes ? end : end / page * page;
      if (first < last) std::fill(at(first), at(last), std::byte{});
    }
    check(error == nbd::Error::none, "a request within bounds succeeds");
    for (std::size_t i = first / page; i * page < last; ++i) touched_[i] = true;
  }

  static std::uint32_t to_length(std::size_t length) { return static_cast<std::uint32_t>(length); }
  Bytes::iterator at(std::size_t offset) {
    return live_.begin() + static_cast<std::ptrdiff_t>(offset);
  }

  void take() {
    const std::string label = std::to_string(next_label_++);
    stage_.disk.snapshot(label);
    past_[label] = live_;
  }

  std::string any_label() {
    return std::next(past_.begin(), static_cast<std::ptrdiff_t>(below(past_.size())))->first;
  }

  void restore() {
    if (past_.empty()) return;
    const std::string label = any_label();
    stage_.disk.restore(label);
    live_ = past_[label];
    // Pages that are the same may have other frames now, and only those since the backup count.
    std::fill(touched_.begin(), touched_.end(), true);
  }

  void drop() {
    if (past_.size() < 3) return;
    const std::string label = any_label();
    stage_.disk.drop(label);
    past_.erase(label);
  }

  void back_up() {
    const cow::Snapshot now = stage_.disk.now();
    if (base_) check_difference(*base_, now);
    const Saved saved = stage_.disk.backup(stage_.folder.path() / "backups");
    if (!saved.file.empty()) {
      files_.push_back(saved.file);
      backed_up_.push_back(live_);
    }
    check(backed_up_.back() == live_, "where nothing is saved nothing had changed");
    base_ = now;
    std::fill(touched_.begin(), touched_.end(), false);
  }

  /// Every page that has changed is among the pages of the delta, and no page that nobody touched.
  void check_difference(const cow::Snapshot& from, const cow::Snapshot& to) const {
    std::vector<bool> named(touched_.size());
    for (const cow::PageRange& range : cow::diff(from, to)) {
      for (std::size_t i = 0; i < range.page_count; ++i) named[range.first_page + i] = true;
    }
    const std::size_t page = stage_.disk.page_bytes();
    for (std::size_t i = 0; i < named.size(); ++i) {
      const std::size_t length = std::min(page, size_bytes - i * page);
      const Bytes& before = backed_up_.back();
      const bool differs =
          std::memcmp(before.data() + i * page, live_.data() + i * page, length) != 0;
      check(named[i] || !differs, "every page that has changed is in a delta");
      check(touched_[i] || !named[i], "no page that nobody stored to is in a delta");
    }
  }

  void compare() {
    check(client().read_all() == live_, "the disk has what was written");
    for (const auto& [label, bytes] : past_) {
      check(stage_.connect("disk@" + label).read_all() == bytes, "a snapshot is what the disk was");
    }
  }

  void load_backups() const {
    check(!files_.empty(), "there were backups");
    for (std::size_t i = 0; i < files_.size(); ++i) {
      const auto end = files_.begin() + static_cast<std::ptrdiff_t>(i + 1);
      const cow::Region loaded = cow::Region::load({files_.begin(), end});
      check(same(loaded.bytes(), backed_up_[i]), "each backup loads as the disk was");
    }
  }

  Stage stage_;
  Random random_;
  std::vector<nbd::Client> clients_;
  Bytes live_;
  std::map<std::string, Bytes> past_;
  std::vector<bool> touched_ = std::vector<bool>(size_bytes / stage_.disk.page_bytes() + 1);
  std::optional<cow::Snapshot> base_;
  std::vector<std::filesystem::path> files_;
  std::vector<Bytes> backed_up_;
  std::uint64_t seed_;
  int next_label_ = 0;
};

}  // namespace examples

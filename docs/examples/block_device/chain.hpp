#pragma once

// A folder with a disk's backups: a complete image, and deltas that each have the pages that were
// stored to since the file before. Any beginning of such a chain is the disk at that backup.

#include <cow/cow.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace examples {

struct Saved {
  std::filesystem::path file;  // empty: nothing had changed, and nothing was written
  std::size_t pages = 0;       // that differ from the backup before
  std::uintmax_t file_bytes = 0;
};

/// Not thread safe.
class Chain {
 public:
  enum class Keep {
    all,     // each backup can be loaded
    newest,  // what the newest does not need is removed
  };

  Chain(std::filesystem::path folder, Keep keep) : folder_(std::move(folder)), keep_(keep) {
    std::filesystem::create_directories(folder_);
    for (const auto& file : every_file(folder_)) next_ = std::max(next_, number_of(file) + 1);
  }

  /// What `Region::load` needs for the newest backup in `folder`: none where there is no chain.
  static std::vector<std::filesystem::path> files(const std::filesystem::path& folder) {
    auto found = every_file(folder);
    const auto is_complete = [](const auto& file) { return file.stem().extension() == ".full"; };
    const auto last = std::find_if(found.rbegin(), found.rend(), is_complete);
    if (last == found.rend()) return {};
    found.erase(found.begin(), std::prev(last.base()));
    return found;
  }

  /// The chain goes on from a region that was loaded of all its files: its first snapshot.
  void go_on_from(cow::Snapshot loaded) {
    base_ = std::move(loaded);
    for (const auto& file : files(folder_)) count(file, std::filesystem::file_size(file));
  }

  /// Saves what is not in the last backup. A file is in its place as a whole, and on the disk, when
  /// this returns; after an error the chain is what it was. Others store to the region meanwhile.
  Saved save(const cow::Snapshot& now) {
    Saved saved;
    if (base_) {
      for (const cow::PageRange& range : cow::diff(*base_, now)) saved.pages += range.page_count;
      if (saved.pages == 0) return saved;
    }
    const bool is_full = !base_ || (keep_ == Keep::newest && is_long());
    std::array<char, 32> name{};
    std::snprintf(name.data(), name.size(), "%08zu%s.cow", next_, is_full ? ".full" : ".delta");
    saved.file = folder_ / name.data();
    if (is_full) {
      now.save(saved.file);
    } else {
      now.save_delta(*base_, saved.file);
    }
    saved.file_bytes = std::filesystem::file_size(saved.file);
    base_ = now;
    ++next_;
    count(saved.file, saved.file_bytes);
    if (is_full && keep_ == Keep::newest) remove_before(saved.file);
    return saved;
  }

 private:
  static std::vector<std::filesystem::path> every_file(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> found;
    std::error_code none;  // a folder that is not there has no files
    for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
      const auto& path = entry.path();
      const auto kind = path.stem().extension();
      const auto number = path.stem().stem().string();
      if (path.extension() == ".cow" && (kind == ".full" || kind == ".delta") &&
          number.size() == 8 && std::all_of(number.begin(), number.end(), is_digit)) {
        found.push_back(path);
      }
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  static bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

  static std::size_t number_of(const std::filesystem::path& file) {
    return std::stoul(file.filename().string());
  }

  /// A chain that is to be loaded should not be much more than the disk, nor of too many files.
  [[nodiscard]] bool is_long() const { return delta_bytes_ > full_bytes_ || deltas_ >= 250; }

  void count(const std::filesystem::path& file, std::uintmax_t bytes) {
    if (file.stem().extension() == ".full") {
      full_bytes_ = bytes;
      delta_bytes_ = 0;
      deltas_ = 0;
    } else {
      delta_bytes_ += bytes;
      ++deltas_;
    }
  }

  void remove_before(const std::filesystem::path& file) const {
    for (const auto& old : every_file(folder_)) {
      if (old < file) std::filesystem::remove(old);
    }
  }

  std::filesystem::path folder_;
  Keep keep_;
  std::size_t next_ = 0;
  std::optional<cow::Snapshot> base_;  // what the last file brought the chain to
  std::uintmax_t full_bytes_ = 0;
  std::uintmax_t delta_bytes_ = 0;
  std::size_t deltas_ = 0;
};

}  // namespace examples

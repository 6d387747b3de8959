// The backups of a forest: begun at one step, ended at a later one, and held against a plain copy
// of the bytes that their region showed when they began.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "folder.hpp"
#include "forest_image.hpp"

namespace support {

class ForestBackups {
 public:
  /// Begins a backup of `live`, or ends one that was begun. Empty, or what is wrong.
  std::string step(Random& random, LiveRegion& live) {
    if (!going_.empty() && (going_.size() > 3 || random.one_in(2))) return end(random);
    cow::BackupOptions options;
    if (!kernel_copies() && random.one_in(2)) {
      const cow::BackupEstimate estimate = live.region.estimate_backup();
      options.most_extra_bytes =
          estimate.least_extra_bytes + random.below(8) * live.region.page_bytes();
    }
    const std::string name = std::to_string(begun_++);
    try {
      if (random.one_in(2)) {
        going_.push_back({live.region.backup(folder_ / name, options), live.image.bytes, name});
      } else {
        const int file = ::open((folder_ / name).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (file < 0) return "no file for a backup";
        const std::shared_ptr<const int> closed(&file, [](const int* open) { ::close(*open); });
        going_.push_back({live.region.backup(file, options), live.image.bytes, name});
      }
    } catch (const std::system_error& error) {
      return error.code().value() == EBUSY ? "" : error.what();
    }
    return "";
  }

  /// Whether none of them lets go of frames any more, on its own thread at some time of its own.
  [[nodiscard]] bool are_done() const {
    return std::all_of(going_.begin(), going_.end(),
                       [](const Going& going) { return going.backup.done(); });
  }

  std::string end_all() {
    while (!going_.empty()) {
      if (std::string complaint = end_at(going_.size() - 1); !complaint.empty()) return complaint;
    }
    return "";
  }

 private:
  struct Going {
    cow::Backup backup;
    std::vector<std::byte> expected;
    std::string name;
  };

  std::string end(Random& random) {
    const std::size_t index = random.below(going_.size());
    if (!random.one_in(4)) return end_at(index);
    going_.erase(going_.begin() + static_cast<std::ptrdiff_t>(index));  // cancelled
    return "";
  }

  std::string end_at(std::size_t index) {
    Going ended = std::move(going_[index]);
    going_.erase(going_.begin() + static_cast<std::ptrdiff_t>(index));
    ended.backup.wait();
    const Region loaded = Region::load(folder_ / ended.name);
    const std::string complaint = support::difference(ended.expected, loaded.bytes());
    std::filesystem::remove(folder_ / ended.name);
    return complaint.empty() ? "" : "backup: " + complaint;
  }

  Folder folder_;
  std::vector<Going> going_;
  std::size_t begun_ = 0;
};

inline bool are_done(const std::unique_ptr<ForestBackups>& backups) {
  return backups == nullptr || backups->are_done();
}

}  // namespace support

// Huge pages for shared memory are not allowed on most machines: these tests allow them for a
// while, if they may.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <string>

#include "machine_setting.hpp"

namespace support {

/// What the system allows, for as long as this lives: set where this process may do so, else as it
/// is found. The setting is everybody's: one test at a time holds it, whichever processes they are
/// in.
class HugePageSetting {
 public:
  explicit HugePageSetting(const std::string& word) : lock_(::open(file, O_RDONLY | O_CLOEXEC)) {
    if (lock_ < 0 || !lock()) return;
    std::string before;
    std::ifstream in(file);
    for (std::string other; in >> other;) {
      if (other.front() == '[') before = other.substr(1, other.size() - 2);
    }
    is_set_ = before == word;
    if (is_set_ || before.empty()) return;
    change_.emplace(file, word, before);
    is_set_ = change_->is_changed();
  }
  ~HugePageSetting() {
    change_.reset();
    if (lock_ >= 0) ::close(lock_);
  }
  HugePageSetting(const HugePageSetting&) = delete;
  HugePageSetting& operator=(const HugePageSetting&) = delete;

  [[nodiscard]] bool is_set() const { return is_set_; }
  static constexpr const char* why_not =
      "the system does not say so of huge pages for shared memory, and may not be made to "
      "(COW_CHANGE_SETTINGS=1 as root)";

 private:
  static constexpr const char* file = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

  [[nodiscard]] bool lock() const {
    while (::flock(lock_, LOCK_EX) != 0) {
      if (errno != EINTR) return false;
    }
    return true;
  }

  int lock_;
  std::optional<ChangedSetting> change_;
  bool is_set_ = false;
};

}  // namespace support

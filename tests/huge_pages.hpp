// Huge pages for shared memory are not allowed on most machines: these tests allow them for a
// while.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace support {

/// Sets what the system allows, for as long as it lives, where this process may do so. The setting
/// is everybody's: one test at a time holds it, whichever processes they are in.
class HugePageSetting {
 public:
  explicit HugePageSetting(const std::string& word) : lock_(::open(file, O_RDONLY | O_CLOEXEC)) {
    if (lock_ < 0 || ::flock(lock_, LOCK_EX) != 0) return;
    std::ifstream in(file);
    for (std::string other; in >> other;) {
      if (other.front() == '[') before_ = other.substr(1, other.size() - 2);
    }
    is_set_ = !before_.empty() && write(word);
  }
  ~HugePageSetting() {
    if (is_set_) write(before_);
    if (lock_ >= 0) {
      ::flock(lock_, LOCK_UN);
      ::close(lock_);
    }
  }
  HugePageSetting(const HugePageSetting&) = delete;
  HugePageSetting& operator=(const HugePageSetting&) = delete;

  [[nodiscard]] bool is_set() const { return is_set_; }

 private:
  static constexpr const char* file = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

  static bool write(const std::string& word) {
    std::ofstream out(file);
    out << word << std::flush;
    return out.good();
  }

  int lock_;
  std::string before_;
  bool is_set_ = false;
};

}  // namespace support

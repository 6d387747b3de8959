// Huge pages for shared memory are not allowed on most machines: these tests allow them for a
// while.
#pragma once

#include <fstream>
#include <string>

namespace support {

/// Sets what the system allows, for as long as it lives, where this process may do so.
class HugePageSetting {
 public:
  explicit HugePageSetting(const std::string& word) {
    std::ifstream in(file);
    for (std::string other; in >> other;) {
      if (other.front() == '[') before_ = other.substr(1, other.size() - 2);
    }
    is_set_ = !before_.empty() && write(word);
  }
  ~HugePageSetting() {
    if (is_set_) write(before_);
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

  std::string before_;
  bool is_set_ = false;
};

}  // namespace support

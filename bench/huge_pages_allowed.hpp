#pragma once

#include <optional>

#include "../tests/machine_setting.hpp"

namespace cow_bench {

/// Huge pages for shared memory that asks for them, until the end of the scope: as the system has
/// it, or set for that time if COW_CHANGE_SETTINGS=1 says that this may be done.
class HugePagesAllowed {
 public:
  HugePagesAllowed();
  HugePagesAllowed(const HugePagesAllowed&) = delete;
  HugePagesAllowed& operator=(const HugePagesAllowed&) = delete;
  [[nodiscard]] explicit operator bool() const { return allowed_; }

  static constexpr const char* why_not =
      "this system does not allow huge pages for shared memory, and "
      "/sys/kernel/mm/transparent_hugepage/shmem_enabled may not be changed (COW_CHANGE_SETTINGS=1 "
      "as root lets it be, for so long)";

 private:
  std::optional<support::ChangedSetting> change_;
  bool allowed_ = false;
};

}  // namespace cow_bench

#pragma once

#include <string>

namespace cow_bench {

/// Huge pages for shared memory that asks for them, until the end of the scope.
class HugePagesAllowed {
 public:
  HugePagesAllowed();
  HugePagesAllowed(const HugePagesAllowed&) = delete;
  HugePagesAllowed& operator=(const HugePagesAllowed&) = delete;
  ~HugePagesAllowed();
  [[nodiscard]] explicit operator bool() const { return allowed_; }

  static constexpr const char* why_not =
      "this system does not allow huge pages for shared memory, and changing "
      "/sys/kernel/mm/transparent_hugepage/shmem_enabled was refused";

 private:
  std::string before_;
  bool allowed_ = false;
};

}  // namespace cow_bench

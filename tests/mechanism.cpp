// Which mechanism regions have that did not ask for one, and what tests do about it.

#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <system_error>

#include "catch.hpp"
#include "support.hpp"

namespace support {

bool kernel_copies() {
  static const bool answer = [] {
    const char* const asked = std::getenv("COW_MECHANISM");
    const std::string name = asked == nullptr ? "" : asked;
    if (name != "automatic") return name == "kernel";
    return cow::Region::create(1).stats().mechanism == cow::Mechanism::kernel;
  }();
  return answer;
}

bool has_host_pages() {
  if (page_bytes() == static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) return true;
  WARN("skipped: these pages are larger than the host's");
  return false;
}

cow::Region kernel_region(std::size_t pages) {
  cow::RegionOptions asking = options();
  asking.mechanism = cow::Mechanism::kernel;
  return cow::Region::create(pages * page_bytes(), asking);
}

bool kernel_can_be_had() {
  if (!has_host_pages()) return false;
  try {
    (void)kernel_region(1);
    return true;
  } catch (const std::system_error& error) {
    WARN("skipped: " << error.what());
    return false;
  }
}

void settle(const cow::Region& region) {
  if (kernel_copies()) (void)region.snapshot();
}

void stay_readable() {
  if (kernel_copies()) ::prctl(PR_SET_DUMPABLE, 1);
}

}  // namespace support

// A bare tracker: mprotect, SIGSEGV, a copy. What user space can do with nothing but POSIX.

#include <sys/mman.h>

#include <cerrno>

#include "measure/mechanisms/fault_handler.hpp"
#include "measure/mechanisms/table.hpp"
#include "measure/mechanisms/tracked_memory.hpp"

namespace cow::measure {

namespace {

class ProtectedMemory : public TrackedMemory {
 public:
  explicit ProtectedMemory(const MemoryOptions& options)
      : TrackedMemory(options), handler_(SIGSEGV, answer, this) {}

 protected:
  void protect(std::span<std::byte> pages) override {
    if (::mprotect(pages.data(), pages.size(), PROT_READ) != 0) refused("mprotect");
  }

  void open(std::span<std::byte> page) noexcept override {
    if (::mprotect(page.data(), page.size(), PROT_READ | PROT_WRITE) != 0) {
      die_in_handler(errno == ENOMEM
                         ? "mprotect: no mapping is left to make a page writable: the stores need "
                           "more of them than vm.max_map_count allows\n"
                         : "mprotect: the kernel refused to make a page writable\n");
    }
  }

 private:
  static bool answer(void* self, const siginfo_t& info) noexcept {
    return info.si_code == SEGV_ACCERR &&
           static_cast<ProtectedMemory*>(self)->answer_store(info.si_addr);
  }

  FaultHandler handler_;
};

}  // namespace

const Mechanism table::mprotect = {
    .name = "mprotect",
    .title = "mprotect and SIGSEGV",
    .what = "A bare tracker: all pages are read-only, and the handler of the first store to one "
            "saves its bytes to a log and makes it writable.",
    .keeps_stores = true,
    .rolls_back = true,
    .has_granules = true,
    .has_files = false,
    .why_not = always,
    .make = [](const MemoryOptions& options) -> std::unique_ptr<Memory> {
      return std::make_unique<ProtectedMemory>(options);
    }};

}  // namespace cow::measure

// Write protection by userfaultfd, answered by the thread that stores, in a handler of SIGBUS.

#include "measure/mechanisms/fault_handler.hpp"
#include "measure/mechanisms/table.hpp"
#include "measure/mechanisms/tracked_memory.hpp"
#include "measure/mechanisms/userfault.hpp"

namespace cow::measure {

namespace {

class SignalledMemory : public TrackedMemory {
 public:
  explicit SignalledMemory(const MemoryOptions& options)
      : TrackedMemory(options), handler_(SIGBUS, answer, this) {
    userfault_.watch(bytes());
  }

 protected:
  void protect(std::span<std::byte> pages) override { userfault_.protect(pages); }
  void open(std::span<std::byte> page) noexcept override { userfault_.open(page); }

 private:
  static bool answer(void* self, const siginfo_t& info) noexcept {
    return info.si_code == BUS_ADRERR &&
           static_cast<SignalledMemory*>(self)->answer_store(info.si_addr);
  }

  Userfault userfault_{Told::storing_thread};
  FaultHandler handler_;
};

}  // namespace

const Mechanism table::uffd_signal = {
    .name = "uffd-signal",
    .title = "userfaultfd, SIGBUS",
    .what = "A tracker: userfaultfd write-protects all pages, and the handler of the SIGBUS that "
            "the first store to one raises saves its bytes to a log and opens it.",
    .keeps_stores = true,
    .rolls_back = true,
    .has_granules = true,
    .has_files = false,
    .why_not = [] { return why_no_userfault(Told::storing_thread); },
    .make = [](const MemoryOptions& options) -> std::unique_ptr<Memory> {
      return std::make_unique<SignalledMemory>(options);
    }};

}  // namespace cow::measure

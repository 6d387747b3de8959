// Write protection by userfaultfd, answered by a second thread that reads the descriptor. It runs
// on the processors that the thread that made it may run on.

#include <atomic>
#include <csignal>
#include <cstdint>
#include <exception>
#include <thread>

#include "measure/mechanisms/fault_handler.hpp"
#include "measure/mechanisms/table.hpp"
#include "measure/mechanisms/tracked_memory.hpp"
#include "measure/mechanisms/userfault.hpp"

namespace cow::measure {

namespace {

class AnsweredMemory : public TrackedMemory {
 public:
  explicit AnsweredMemory(const MemoryOptions& options)
      : TrackedMemory(options), bell_(plain_memory({.bytes = host_page_bytes()})) {
    userfault_.watch(bytes());
    userfault_.watch(bell_.bytes());
    userfault_.protect(bell_.bytes());
    reader_ = std::thread([this] { answer_all(); });
  }

  AnsweredMemory(const AnsweredMemory&) = delete;
  AnsweredMemory& operator=(const AnsweredMemory&) = delete;

  // The reader sleeps in read(), which nothing but a store ends.
  ~AnsweredMemory() override {
    *reinterpret_cast<volatile std::uint64_t*>(bell_.bytes().data()) = 1;
    reader_.join();
  }

 protected:
  void protect(std::span<std::byte> pages) override { userfault_.protect(pages); }
  void open(std::span<std::byte> page) noexcept override { userfault_.open(page); }
  void open_quietly(std::span<std::byte> page) noexcept override { userfault_.open_quietly(page); }
  void let_go_on(std::span<std::byte> page) noexcept override { userfault_.let_go_on(page); }

 private:
  void answer_all() noexcept {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    try {
      for (;;) {
        const std::optional<const void*> address = userfault_.next_store();
        if (address && !answer_store(*address)) break;
      }
    } catch (const std::exception&) {
      die_in_handler("userfaultfd: the thread that answers could not read the next store\n");
    }
    userfault_.open(bell_.bytes());
  }

  Userfault userfault_{Told::reading_thread};
  Mapping bell_;  ///< a page beside the memory: a store to it ends the reader
  std::thread reader_;
};

}  // namespace

const Mechanism table::uffd_thread = {
    .name = "uffd-thread",
    .title = "userfaultfd, a second thread",
    .what = "A tracker: userfaultfd write-protects all pages; the first store to one waits for a "
            "thread that reads of it, saves the page's bytes to a log and opens it.",
    .keeps_stores = true,
    .rolls_back = true,
    .has_granules = true,
    .has_files = false,
    .why_not = [] { return why_no_userfault(Told::reading_thread); },
    .make = [](const MemoryOptions& options) -> std::unique_ptr<Memory> {
      return std::make_unique<AnsweredMemory>(options);
    }};

}  // namespace cow::measure

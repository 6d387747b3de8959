// A bare signal, and bare handlers of protection faults: the floor under what answers a fault in
// user space.

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <utility>

#include "measure/host/clock.hpp"
#include "measure/mechanisms/fault_handler.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/timed_faults.hpp"

namespace cow::measure {

namespace {

class SignalToSelf final : public TimedFaults {
 public:
  SignalToSelf() : handler_(SIGUSR1, answer, this) {}

  std::span<std::byte> bytes() override { return {}; }
  void begin() override { noted_.forget(); }
  void end() override {}
  void store(std::uint64_t*, std::uint64_t) override {
    ::syscall(SYS_tgkill, process_, thread_, SIGUSR1);
  }
  [[nodiscard]] std::span<const std::string_view> steps() const override {
    static constexpr std::array<std::string_view, 1> names = {"delivery"};
    return names;
  }
  [[nodiscard]] std::optional<StepTimes> times() override { return noted_.take(); }

 private:
  static bool answer(void* self, const siginfo_t&) noexcept {
    static_cast<SignalToSelf*>(self)->noted_.note({now_ns()});
    return true;
  }

  NotedTimes noted_;
  const pid_t process_ = ::getpid();
  const long thread_ = ::syscall(SYS_gettid);
  FaultHandler handler_;
};

/// Pages that are read-only until they are stored to. What is done then is the derived class's.
class Protected : public TimedFaults {
 public:
  std::span<std::byte> bytes() final { return memory_.bytes(); }
  void begin() final {
    noted_.forget();
    if (::mprotect(bytes().data(), bytes().size(), PROT_READ) != 0) refused("mprotect");
  }
  [[nodiscard]] std::optional<StepTimes> times() final { return noted_.take(); }

 protected:
  Protected(Mapping memory, FaultHandler::Answer answer)
      : memory_(std::move(memory)), handler_(SIGSEGV, answer, this) {}

  /// Where its page begins in the memory; nothing if it is another's.
  [[nodiscard]] std::optional<std::size_t> page_at(const siginfo_t& fault) const noexcept {
    const auto first = reinterpret_cast<std::uintptr_t>(memory_.bytes().data());
    const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(fault.si_addr) - first;
    if (fault.si_code != SEGV_ACCERR || offset >= memory_.bytes().size()) return std::nullopt;
    return offset & ~(page_bytes_ - 1);
  }
  [[nodiscard]] std::byte* at(std::size_t offset) const noexcept {
    return memory_.bytes().data() + offset;
  }

  const Mapping memory_;
  const std::size_t page_bytes_ = host_page_bytes();
  NotedTimes noted_;

 private:
  FaultHandler handler_;
};

class Unprotecting final : public Protected {
 public:
  explicit Unprotecting(std::size_t bytes) : Protected(plain_memory({.bytes = bytes}), answer) {}

  void end() override {
    if (::mprotect(bytes().data(), bytes().size(), PROT_READ | PROT_WRITE) != 0) {
      refused("mprotect");
    }
  }
  [[nodiscard]] std::span<const std::string_view> steps() const override {
    static constexpr std::array<std::string_view, 2> names = {"delivery", "map"};
    return names;
  }

 private:
  static bool answer(void* context, const siginfo_t& fault) noexcept {
    const std::uint64_t entered = now_ns();
    auto& self = *static_cast<Unprotecting*>(context);
    const std::optional<std::size_t> page = self.page_at(fault);
    if (!page) return false;
    if (::mprotect(self.at(*page), self.page_bytes_, PROT_READ | PROT_WRITE) != 0) {
      die_in_handler("mprotect: the kernel refused to make a page writable\n");
    }
    self.noted_.note({entered, now_ns()});
    return true;
  }
};

/// The copies lie behind the originals in the file, at the same distance for every page.
class Remapping final : public Protected {
 public:
  explicit Remapping(std::size_t bytes) : Remapping(make_memory_file(2 * bytes), bytes) {}

  /// All pages are originals again, and the copies a hole.
  void end() override {
    const std::size_t size = bytes().size();
    if (::mmap(bytes().data(), size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file_.number(),
               0) == MAP_FAILED) {
      refused("mmap");
    }
    for (const std::size_t length : {size, 2 * size}) {
      if (::ftruncate(file_.number(), static_cast<off_t>(length)) != 0) refused("ftruncate");
    }
  }
  [[nodiscard]] std::span<const std::string_view> steps() const override {
    static constexpr std::array<std::string_view, 3> names = {"delivery", "copy", "map"};
    return names;
  }

 private:
  Remapping(Descriptor file, std::size_t bytes)
      : Protected(Mapping::shared(file, bytes), answer),
        file_(std::move(file)),
        originals_(Mapping::shared(file_, bytes)) {
    store_to_every_page(originals_.bytes());
  }

  static bool answer(void* context, const siginfo_t& fault) noexcept {
    const std::uint64_t entered = now_ns();
    auto& self = *static_cast<Remapping*>(context);
    const std::optional<std::size_t> page = self.page_at(fault);
    if (!page) return false;
    const auto copy = static_cast<off_t>(self.memory_.bytes().size() + *page);
    const int file = self.file_.number();
    // Read through another mapping, whose entries in the page table are there already.
    if (::pwrite(file, self.originals_.bytes().data() + *page, self.page_bytes_, copy) !=
        static_cast<ssize_t>(self.page_bytes_)) {
      die_in_handler("pwrite: the kernel refused to copy a page\n");
    }
    const std::uint64_t copied = now_ns();
    if (::mmap(self.at(*page), self.page_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
               file, copy) == MAP_FAILED) {
      die_in_handler("mmap: the kernel refused to map a copied page\n");
    }
    self.noted_.note({entered, copied, now_ns()});
    return true;
  }

  const Descriptor file_;
  const Mapping originals_;
};

}  // namespace

std::unique_ptr<TimedFaults> timed_signal() { return std::make_unique<SignalToSelf>(); }

std::unique_ptr<TimedFaults> timed_protection(std::size_t bytes) {
  return std::make_unique<Unprotecting>(bytes);
}

std::unique_ptr<TimedFaults> timed_remap(std::size_t bytes) {
  return std::make_unique<Remapping>(bytes);
}

}  // namespace cow::measure

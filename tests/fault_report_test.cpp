// What the kernel says about a fault, and what libcow makes of it: only a store that was refused is
// its own. The reports are made up here, so that each code and each record is seen on any machine.

#include <signal.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::Snapshot;

constexpr std::size_t pages = 8;

/// The arguments of a signal handler.
struct Report {
  siginfo_t info{};
  ucontext_t context{};

  Report(int code, std::uintptr_t address) {
    info.si_signo = SIGSEGV;
    info.si_code = code;
    info.si_addr = reinterpret_cast<void*>(address);
  }

#if defined(__x86_64__)
  static constexpr std::uint64_t user_store = 7;
  static constexpr std::uint64_t user_load = 5;
  static constexpr std::uint64_t instruction_fetch = 0x15;
  Report& says(std::uint64_t error_code) {
    context.uc_mcontext.gregs[REG_ERR] = static_cast<greg_t>(error_code);
    return *this;
  }
  Report& instruction_pointer(std::uintptr_t address) {
    context.uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(address);
    return *this;
  }
#else
  static constexpr std::uint64_t user_store = 0x92000047;  // data abort, permission, WnR
  static constexpr std::uint64_t user_load = 0x92000007;
  static constexpr std::uint64_t instruction_fetch = 0x8200000f;
  static constexpr std::uint64_t cache_maintenance = 0x92000147;  // WnR is set for it, too

  Report& says(std::uint64_t esr) { return record(0x45535201, 16, &esr, sizeof(esr)); }
  /// Appends a record to the signal frame. `size` is what it says of itself.
  Report& record(std::uint32_t magic, std::uint32_t size, const void* bytes = nullptr,
                 std::size_t length = 0) {
    unsigned char* const at = context.uc_mcontext.__reserved + end_;
    std::memcpy(at, &magic, sizeof(magic));
    std::memcpy(at + sizeof(magic), &size, sizeof(size));
    if (length > 0) std::memcpy(at + 8, bytes, length);
    end_ += size;
    return *this;
  }
  Report& instruction_pointer(std::uintptr_t address) {
    context.uc_mcontext.pc = address;
    return *this;
  }

 private:
  std::size_t end_ = 0;
#endif
};

/// A region that shares its pages, to be told of faults.
class Scene {
 public:
  Scene() {
    support::fill(region_.bytes(), 1);
    past_.push_back(region_.snapshot());
  }

  [[nodiscard]] std::uintptr_t address(std::size_t page) const {
    return reinterpret_cast<std::uintptr_t>(region_.data()) + page * support::page_bytes() + 5;
  }
  /// Whether libcow takes the fault for its own; it is done then, or nothing is.
  bool takes(Report report, int signal = SIGSEGV) {
    const cow::RegionStats before = region_.stats();
    const bool taken = cow::try_handle_fault(signal, &report.info, &report.context);
    const cow::RegionStats after = region_.stats();
    CHECK(after.faults - before.faults == (taken ? 1u : 0u));
    CHECK(after.pages_writable - before.pages_writable == (taken ? 1u : 0u));
    CHECK(support::broken_invariant(region_) == "");
    CHECK(support::shows(region_.bytes(), 1));
    return taken;
  }
  Region& region() { return region_; }
  [[nodiscard]] const Snapshot& past() const { return past_[0]; }

 private:
  Region region_ = Region::create(pages * support::page_bytes(), support::single_page_options());
  std::vector<Snapshot> past_;
};

}  // namespace

TEST_CASE("of all that SIGSEGV can mean in a region, only a refused access is taken",
          "[fault][handler]") {
  Scene scene;
  const auto store_with = [&](int code) {
    return Report(code, scene.address(2)).says(Report::user_store);
  };
  // MAPERR, bounds, protection key, ADI (3), MTE (2), control protection; as numbers, since older
  // headers have no names for them. Then the kernel without details, and signals that were sent.
  const std::vector<int> others{1,        3,        4,          5,         6,       7,
                                8,        9,        10,         SI_KERNEL, SI_USER, SI_QUEUE,
                                SI_TIMER, SI_MESGQ, SI_ASYNCIO, SI_SIGIO,  SI_TKILL};
  for (const int code : others) {
    CAPTURE(code);
    CHECK_FALSE(scene.takes(store_with(code)));
  }
  CHECK_FALSE(scene.takes(store_with(SEGV_ACCERR), SIGBUS));
  CHECK(scene.takes(store_with(SEGV_ACCERR)));
}

TEST_CASE("a store just outside of a region is not taken", "[fault][handler]") {
  Scene scene;
  const auto store_to = [](std::uintptr_t address) {
    return Report(SEGV_ACCERR, address).says(Report::user_store);
  };
  CHECK_FALSE(scene.takes(store_to(scene.address(0) - 6)));
  CHECK_FALSE(scene.takes(store_to(scene.address(pages))));
  CHECK_FALSE(scene.takes(store_to(0)));
  CHECK_FALSE(scene.takes(store_to(~std::uintptr_t{0})));
  CHECK(scene.takes(store_to(scene.address(0) - 5)));
  CHECK(scene.takes(store_to(scene.address(pages) - 6)));
}

TEST_CASE("a load or a jump that was refused is not taken", "[fault][handler]") {
  Scene scene;
  const Report report(SEGV_ACCERR, scene.address(3));
  CHECK_FALSE(scene.takes(Report(report).says(Report::user_load)));
  CHECK_FALSE(scene.takes(Report(report).says(Report::instruction_fetch)));
  CHECK(scene.takes(Report(report).says(Report::user_store)));
}

TEST_CASE("without an error code or a syndrome a refused access is a store, unless it was a jump",
          "[fault][handler]") {
  Scene scene;
  const Report store(SEGV_ACCERR, scene.address(3));
  CHECK_FALSE(scene.takes(Report(store).instruction_pointer(scene.address(3))));
  CHECK(scene.takes(Report(store).instruction_pointer(scene.address(2))));
  CHECK_FALSE(scene.takes(Report(SEGV_MAPERR, scene.address(4))));
}

TEST_CASE("the tag of an address is no part of it", "[fault][handler]") {
  Scene scene;
#if defined(__x86_64__)
  const unsigned lowest_bit = 57;  // Linear Address Masking leaves bits 57 to 62 to the program
  const std::vector<std::uint64_t> tags{1, 2, 0x15, 0x20, 0x3f};
#else
  const unsigned lowest_bit = 56;  // the top byte is ignored
  const std::vector<std::uint64_t> tags{1, 2, 0x5a, 0x80, 0xff};
#endif
  for (std::size_t page = 0; page < tags.size(); ++page) {
    CAPTURE(tags[page]);
    const std::uintptr_t tagged = scene.address(page) | tags[page] << lowest_bit;
    CHECK(scene.takes(Report(SEGV_ACCERR, tagged).says(Report::user_store)));
  }
}

#if defined(__aarch64__)

TEST_CASE("a store through a tagged address arrives, and copies its page", "[fault][handler]") {
  Scene scene;
  const std::uintptr_t tagged = scene.address(4) | std::uintptr_t{0x5a} << 56;
  const std::uint64_t faults = scene.region().stats().faults;
  asm volatile("strb %w0, [%1]" : : "r"(0xcc), "r"(tagged) : "memory");
  CHECK(support::load(scene.region().bytes(), 4, 5) == 0xcc);
  CHECK(scene.region().stats().faults == faults + 1);
  CHECK(support::shows(scene.past().bytes(), 1));
}

TEST_CASE("the syndrome is found among other records of the signal frame", "[fault][handler]") {
  Scene scene;
  const Report report(SEGV_ACCERR, scene.address(3));
  const std::uint32_t vectors = 0x46508001;
  const std::uint32_t extra = 0x45585401;
  CHECK_FALSE(scene.takes(Report(report).record(vectors, 528).says(Report::user_load)));
  CHECK_FALSE(scene.takes(
      Report(report).record(vectors, 528).record(extra, 32).says(Report::cache_maintenance)));
  CHECK_FALSE(scene.takes(Report(report).says(Report::cache_maintenance)));
  CHECK(scene.takes(Report(report).record(vectors, 528).says(Report::user_store)));
}

TEST_CASE("records that make no sense, or end too late, are as good as none", "[fault][handler]") {
  Scene scene;
  CHECK(scene.takes(Report(SEGV_ACCERR, scene.address(4)).record(0x46508001, 0)));
  CHECK(scene.takes(Report(SEGV_ACCERR, scene.address(5)).record(0x46508001, 4)));
  Report endless(SEGV_ACCERR, scene.address(6));
  const std::uint32_t head[2] = {0x46508001, 1u << 30};
  std::memcpy(endless.context.uc_mcontext.__reserved, head, sizeof(head));
  CHECK(scene.takes(endless));
}

#endif

// A real client of SIGSEGV in the same process: GNU libsigsegv, which programs use for garbage
// collectors and persistent memory. It handles faults on areas of its own and ignores whoever had
// the signal before; libcow handles its regions. CMake defines COW_TEST_LIBSIGSEGV where it is
// installed.

#include "catch.hpp"

#if !defined(COW_TEST_LIBSIGSEGV)

TEST_CASE("libsigsegv and libcow in one process", "[fault][handler]") {
  WARN("skipped: libsigsegv is not installed");
}

#else

#include "support.hpp"

#include <setjmp.h>
#include <signal.h>
#include <sigsegv.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

using cow::Region;

namespace {

constexpr std::size_t area_pages = 8;
constexpr std::size_t region_pages = 64;

sigsegv_dispatcher dispatcher;

int dispatch(void* address, int /*serious*/) { return sigsegv_dispatch(&dispatcher, address); }

/// Memory that nobody may touch until libsigsegv's handler allows it, a page at a time.
class Area {
 public:
  Area()
      : begin_(static_cast<std::byte*>(
            ::mmap(nullptr, bytes(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    ticket_ = sigsegv_register(&dispatcher, begin_, bytes(), &Area::open_page, this);
  }
  ~Area() {
    sigsegv_unregister(&dispatcher, ticket_);
    ::munmap(begin_, bytes());
  }
  Area(const Area&) = delete;
  Area& operator=(const Area&) = delete;

  void close() const { ::mprotect(begin_, bytes(), PROT_NONE); }
  void store(std::size_t page, unsigned value) const {
    auto* const to = static_cast<volatile std::byte*>(begin_ + page * support::page_bytes());
    *to = static_cast<std::byte>(value);
  }
  [[nodiscard]] unsigned load(std::size_t page) const {
    return support::load({begin_, bytes()}, page);
  }
  [[nodiscard]] std::size_t faults() const { return faults_; }

 private:
  static std::size_t bytes() { return area_pages * support::page_bytes(); }

  static int open_page(void* address, void* self) {
    const Area& area = *static_cast<Area*>(self);
    area.faults_.fetch_add(1);
    const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(address) - area.begin_);
    std::byte* const page = area.begin_ + offset / support::page_bytes() * support::page_bytes();
    return ::mprotect(page, support::page_bytes(), PROT_READ | PROT_WRITE) == 0 ? 1 : 0;
  }

  std::byte* begin_;
  void* ticket_ = nullptr;
  mutable std::atomic<std::size_t> faults_{0};
};

Region new_region() {
  Region region =
      Region::create(region_pages * support::page_bytes(), support::single_page_options());
  support::fill(region.bytes(), 1);
  return region;
}

/// Stores to both in turn, every store a fault of one library. Takes no control call.
std::string use_both(Region& region, const Area& area, unsigned round) {
  const std::size_t region_faults = region.stats().faults;
  const std::size_t area_faults = area.faults();
  area.close();
  for (std::size_t page = 0; page < area_pages; ++page) {
    support::flip(region, 2 * page);
    area.store(page, round + static_cast<unsigned>(page));
    support::flip(region, 2 * page + 1);
  }
  for (std::size_t page = 0; page < area_pages; ++page) {
    if (area.load(page) != ((round + page) & 0xff)) return "a store to libsigsegv's area is lost";
  }
  if (area.faults() != area_faults + area_pages) return "libsigsegv did not get each of its faults";
  if (region.stats().faults != region_faults + 2 * area_pages) {
    return "libcow did not get each of its faults";
  }
  return support::broken_invariant(region);
}

/// The same in rounds, with a clone before each.
std::string use_both_often(Region& region, const Area& area) {
  for (unsigned round = 0; round < 20; ++round) {
    const std::vector<std::byte> expected = support::plain_copy(region.bytes());
    const Region clone = region.clone();  // a snapshot would copy pages that are stored to often
    if (!cow::owns_sigsegv()) return "libcow is not in front after a control call";
    std::string complaint = use_both(region, area, round);
    if (complaint.empty()) complaint = support::difference(expected, clone.bytes());
    if (!complaint.empty()) return complaint + ", round " + std::to_string(round);
  }
  return "";
}

/// Runs `body` in a child without any framework's handler, and without libcow's so far.
support::ChildResult in_child(const std::function<std::string()>& body) {
  return support::run_in_child([&]() -> std::string {
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::signal(SIGSEGV, SIG_DFL);
    sigsegv_init(&dispatcher);
    return body();
  });
}

void touch_nobodys_page() {
  void* const page =
      ::mmap(nullptr, support::page_bytes(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *static_cast<volatile char*>(page) = 1;
}

}  // namespace

TEST_CASE("libsigsegv first, then libcow: each handles its own faults", "[fault][handler]") {
  const auto result = in_child([]() -> std::string {
    if (sigsegv_install_handler(&dispatch) != 0) return "libsigsegv refuses";
    const Area area;
    Region region = new_region();
    return use_both_often(region, area);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("libcow first, then libsigsegv: from the next control call each handles its own faults",
          "[fault][handler]") {
  const auto result = in_child([]() -> std::string {
    Region region = new_region();
    const cow::Snapshot snapshot = region.snapshot();
    if (sigsegv_install_handler(&dispatch) != 0) return "libsigsegv refuses";
    const Area area;
    if (cow::owns_sigsegv()) return "libsigsegv is not in front";
    return use_both_often(region, area);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("reinstall_handler is enough for pages that were protected before libsigsegv came",
          "[fault][handler]") {
  const auto result = in_child([]() -> std::string {
    Region region = new_region();
    const cow::Snapshot snapshot = region.snapshot();
    if (sigsegv_install_handler(&dispatch) != 0) return "libsigsegv refuses";
    const Area area;
    cow::reinstall_handler();
    std::string complaint = use_both(region, area, 1);
    if (complaint.empty() && !support::shows(snapshot.bytes(), 1))
      complaint = "the snapshot changed";
    return complaint;
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("libsigsegv comes and goes, and regions go on after the next control call",
          "[fault][handler]") {
  const auto result = in_child([]() -> std::string {
    Region region = new_region();
    for (unsigned round = 0; round < 5; ++round) {
      if (sigsegv_install_handler(&dispatch) != 0) return "libsigsegv refuses";
      {
        const Area area;
        std::string complaint = use_both_often(region, area);
        if (!complaint.empty()) return complaint;
      }
      sigsegv_deinstall_handler();
      if (cow::owns_sigsegv()) return "libsigsegv left the signal alone when it went";
      const cow::Snapshot snapshot = region.snapshot();
      for (std::size_t page = 0; page < region_pages; ++page) support::flip(region, page);
      if (support::same_bytes(snapshot.bytes(), region.bytes())) return "the snapshot changed";
    }
    return support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("libsigsegv and libcow on threads of their own do not disturb each other",
          "[fault][handler]") {
  const auto result = in_child([]() -> std::string {
    if (sigsegv_install_handler(&dispatch) != 0) return "libsigsegv refuses";
    const Area area;
    Region region = new_region();
    const std::size_t rounds = support::scaled(200);
    std::thread other([&] {
      for (std::size_t round = 0; round < rounds; ++round) {
        area.close();
        for (std::size_t page = 0; page < area_pages; ++page) area.store(page, 1);
      }
    });
    for (std::size_t round = 0; round < rounds; ++round) {
      const cow::Snapshot snapshot = region.snapshot();
      for (std::size_t page = 0; page < area_pages; ++page) support::flip(region, page);
    }
    other.join();
    if (area.faults() != rounds * area_pages) return "libsigsegv did not get each of its faults";
    return support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a fault that neither libsigsegv nor libcow knows ends the process by SIGSEGV",
          "[fault][handler]") {
  for (const bool libcow_is_first : {false, true}) {
    CAPTURE(libcow_is_first);
    const auto result = in_child([&]() -> std::string {
      if (libcow_is_first) cow::reinstall_handler();
      if (sigsegv_install_handler(&dispatch) != 0) return "libsigsegv refuses";
      const Area area;
      Region region = new_region();
      const cow::Snapshot snapshot = region.snapshot();
      const std::string complaint = use_both(region, area, 1);
      if (!complaint.empty()) return complaint;
      touch_nobodys_page();
      return "the fault went nowhere";
    });
    CHECK(result.complaint == "");
    CHECK(result.died_of(SIGSEGV));
  }
}

namespace {

sigjmp_buf before_overflow;
std::array<char, SIGSTKSZ> extra_stack;

void leave(void* /*a*/, void* /*b*/, void* /*c*/) { siglongjmp(before_overflow, 1); }

void on_overflow(int emergency, stackoverflow_context_t /*context*/) {
  if (emergency == 0) sigsegv_leave_handler(&leave, nullptr, nullptr, nullptr);
}

// Some hundred calls deep: ThreadSanitizer's own stack, of return addresses, must not be what ends.
__attribute__((noinline)) int recurse(int n) {
  std::array<char, std::size_t{16} * 1024> frame;
  asm volatile("" : : "r"(frame.data()) : "memory");  // or compilers keep none of it
  frame[0] = static_cast<char>(n);
  return n < 0 ? 0 : recurse(n + 1) + frame[0];
}

bool overflows_and_comes_back() {
  if (sigsetjmp(before_overflow, 1) != 0) return true;
  recurse(0);
  return false;
}

}  // namespace

TEST_CASE("libsigsegv still catches stack overflows, with libcow in front and regions in use",
          "[fault][handler]") {
  const auto result = in_child([]() -> std::string {
    if (stackoverflow_install_handler(&on_overflow, extra_stack.data(), extra_stack.size()) != 0 ||
        sigsegv_install_handler(&dispatch) != 0) {
      return "libsigsegv refuses";
    }
    const Area area;
    Region region = new_region();
    for (int round = 0; round < 3; ++round) {
      std::string complaint = use_both_often(region, area);
      if (!complaint.empty()) return complaint;
      if (!overflows_and_comes_back()) return "the stack did not overflow";
    }
    return "";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

#endif

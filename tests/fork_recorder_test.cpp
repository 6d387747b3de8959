// A FaultRecorder and fork(): what was recorded by threads that a child does not have must neither
// hang it nor write to its memory.

#include "catch.hpp"
#include "stopped_thread.hpp"
#include "support.hpp"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using cow::Region;

namespace {

constexpr std::size_t pages = 40;
constexpr unsigned patience_s = 300;  // a child that hangs longer is ended by SIGALRM

Region zeroed() { return Region::create(pages * support::page_bytes(), support::options()); }

/// A page of memory that has no bytes until they are given to it. Who touches it has to wait.
class MissingPage {
 public:
  MissingPage() {
    constexpr unsigned user_mode_only = 1;  // all that an ordinary user may ask for
    page_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    file_ = static_cast<int>(::syscall(SYS_userfaultfd, O_CLOEXEC | user_mode_only));
    uffdio_api api{};
    api.api = UFFD_API;
    uffdio_register range{};
    range.range = {reinterpret_cast<std::uintptr_t>(page_), bytes};
    range.mode = UFFDIO_REGISTER_MODE_MISSING;
    works_ = file_ >= 0 && ::ioctl(file_, UFFDIO_API, &api) == 0 &&
             ::ioctl(file_, UFFDIO_REGISTER, &range) == 0;
  }
  ~MissingPage() {
    if (file_ >= 0) ::close(file_);
    ::munmap(page_, bytes);
  }
  MissingPage(const MissingPage&) = delete;
  MissingPage& operator=(const MissingPage&) = delete;

  [[nodiscard]] bool works() const { return works_; }
  [[nodiscard]] void* address() const { return page_; }
  void wait_for_touch() const {
    uffd_msg message{};
    while (::read(file_, &message, sizeof(message)) < 0 && errno == EINTR) {
    }
  }
  void fill() const {
    uffdio_zeropage zeros{};
    zeros.range = {reinterpret_cast<std::uintptr_t>(page_), bytes};
    (void)::ioctl(file_, UFFDIO_ZEROPAGE, &zeros);
  }

 private:
  static constexpr std::size_t bytes = std::size_t{1} << 16;  // a page of any host
  void* page_;
  int file_;
  bool works_ = false;
};

}  // namespace

TEST_CASE("a FaultRecorder can be read in a child that was forked in the middle of a record",
          "[api][handler]") {
  MissingPage page;
  if (!page.works()) {
    WARN("skipped: this kernel gives no userfaultfd to hold a thread with");
    return;
  }
  Region region = zeroed();
  const cow::FaultRecorder recorder(static_cast<cow::FaultRecord*>(page.address()), 8);
  std::thread other([&] { support::store(region, 1, 1); });  // and stops while it is recorded
  page.wait_for_touch();
  const auto result = support::run_in_child([&]() -> std::string {
    ::alarm(patience_s);
    (void)recorder.size();
    return "";
  });
  page.fill();
  other.join();
  CHECK(result.exited());
  CHECK(recorder.size() >= 1);
  CHECK(support::load(region.bytes(), 1) == 1);
}

TEST_CASE("who asks a FaultRecorder in the middle of a record sleeps until it is complete",
          "[api][handler]") {
  MissingPage page;
  if (!page.works() || support::is_emulated()) {
    WARN("skipped: this kernel gives no userfaultfd to hold a thread with");
    return;
  }
  Region region = zeroed();
  const cow::FaultRecorder recorder(static_cast<cow::FaultRecord*>(page.address()), 8);
  std::thread other([&] { support::store(region, 1, 1); });
  page.wait_for_touch();
  std::atomic<std::size_t> size{0};
  support::WaitingThread asking([&] { size = recorder.size(); });
  CHECK(asking.wait_for_sleep());
  CHECK_FALSE(asking.is_done());
  page.fill();
  other.join();
  asking.wait_for_end();
  CHECK(size == 1);
}

TEST_CASE("a FaultRecorder refuses records that lie in a region", "[api][handler]") {
  Region region = zeroed();
  auto* const records = reinterpret_cast<cow::FaultRecord*>(region.data());
  CHECK_THROWS_AS(cow::FaultRecorder(records, 8), std::logic_error);
  CHECK_THROWS_AS(cow::FaultRecorder(records - 1, 2), std::logic_error);
  cow::FaultRecord elsewhere;
  const cow::FaultRecorder recorder(&elsewhere, 1);
  support::store(region, 1, 1);
  CHECK(recorder.size() == 1);
}

TEST_CASE("a recorder of a thread that a child does not have records nothing there",
          "[api][handler]") {
  Region region = zeroed();
  support::fill(region.bytes(), 1);
  std::atomic<bool> recording{false};
  std::atomic<bool> forked{false};
  std::vector<cow::FaultRecord> records(pages);
  std::thread other([&] {
    const cow::FaultRecorder recorder(records.data(), records.size());
    recording = true;
    while (!forked.load()) std::this_thread::yield();
  });
  while (!recording.load()) std::this_thread::yield();
  const auto result = support::run_in_child([&]() -> std::string {
    support::fill(region.bytes(), 2);
    // The other thread's stack, and all that lies on it, is free to be used again here.
    for (const cow::FaultRecord& record : records) {
      if (record.address != 0) return "a fault was written to memory that nobody holds any more";
    }
    cow::FaultRecord own;
    const cow::FaultRecorder recorder(&own, 1);
    (void)region.snapshot();
    support::flip(region, 3);
    return recorder.size() == 1 ? "" : "the child's own recorder records nothing";
  });
  forked = true;
  other.join();
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

// How much stack the fault handler needs, and that it gets along with a small alternate one.

#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

#include "alternate_stack.hpp"
#include "call_filter.hpp"
#include "catch.hpp"
#include "fault_kinds.hpp"
#include "folder.hpp"
#include "sanitizer.hpp"

namespace {

using support::AlternateStack;
using support::FaultKind;
using support::FaultScene;

#if defined(__OPTIMIZE__)
constexpr std::size_t most_bytes = 2048;
#else
constexpr std::size_t most_bytes = 4096;  // every inline function has a frame of its own
#endif

// Handlers behind libcow's may use more: what they need is measured too.
constexpr std::size_t ample_bytes = 256 * 1024;

/// A page outside of any region, and a handler that only lets it be written to.
class MendedPage {
 public:
  MendedPage() {
    bytes_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    page_ = ::mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sigaction action {};
    action.sa_sigaction = [](int, siginfo_t*, void*) { set_protection(PROT_READ | PROT_WRITE); };
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigfillset(&action.sa_mask);
    ::sigaction(SIGSEGV, &action, &earlier_);
    set_protection(PROT_READ);  // also binds mprotect, which takes more stack than a call
  }
  ~MendedPage() {
    ::sigaction(SIGSEGV, &earlier_, nullptr);
    ::munmap(page_, bytes_);
  }
  MendedPage(const MendedPage&) = delete;
  MendedPage& operator=(const MendedPage&) = delete;

  /// The stack that one fault on the page takes.
  static std::size_t depth_of_fault(AlternateStack& stack) {
    set_protection(PROT_READ);
    stack.paint();
    *static_cast<volatile char*>(page_) = 1;
    return stack.depth();
  }

 private:
  static void set_protection(int protection) { ::mprotect(page_, bytes_, protection); }

  static inline void* page_ = nullptr;
  static inline std::size_t bytes_ = 0;
  struct sigaction earlier_ {};
};

/// What the kernel's frame and a handler that does next to nothing take.
std::size_t depth_of_plain_handler(AlternateStack& stack) {
  const MendedPage page;
  return MendedPage::depth_of_fault(stack);
}

/// The stack that libcow's handler takes for the fault of `scene`, beyond a plain one.
std::size_t depth_of_fault(AlternateStack& stack, std::size_t plain, FaultScene& scene) {
  stack.paint();
  support::take_the_fault(scene);
  return stack.depth() - std::min(plain, stack.depth());
}

bool has_plain_frames() {
  if (support::has_sanitizer) WARN("skipped: a sanitizer makes the frames larger");
  return !support::has_sanitizer;
}

std::string too_deep(const FaultKind& kind, std::size_t depth) {
  if (depth < most_bytes) return "";
  return std::string(kind.name) + " took " + std::to_string(depth) + " bytes of stack";
}

/// In a child: whether every kind of fault is resolved on a stack of so many bytes.
support::ChildResult resolve_all_on(std::size_t stack_bytes) {
  return support::run_in_child([&]() -> std::string {
    const AlternateStack stack(stack_bytes);
    for (const FaultKind& kind : support::fault_kinds()) {
      FaultScene scene = kind.prepare();
      const cow::RegionStats before = scene.region.stats();
      support::take_the_fault(scene);
      const std::string complaint = support::complaint_about(scene, kind, before);
      if (!complaint.empty()) return complaint;
    }
    return "";
  });
}

}  // namespace

TEST_CASE("every kind of fault takes less than 2 KiB of the signal stack", "[fault][handler]") {
  if (!has_plain_frames()) return;
  AlternateStack stack(ample_bytes);
  const std::size_t plain = depth_of_plain_handler(stack);
  CHECK(plain > 0);
  for (const FaultKind& kind : support::fault_kinds()) {
    FaultScene scene = kind.prepare();
    const cow::RegionStats before = scene.region.stats();
    const std::size_t depth = depth_of_fault(stack, plain, scene);
    CAPTURE(kind.name);
    CHECK(depth > 0);
    CHECK(depth < most_bytes);
    CHECK(support::complaint_about(scene, kind, before) == "");
  }
}

TEST_CASE("a recorded fault takes less than 2 KiB of the signal stack", "[fault][handler]") {
  if (!has_plain_frames()) return;
  AlternateStack stack(ample_bytes);
  const std::size_t plain = depth_of_plain_handler(stack);
  for (const FaultKind& kind : support::fault_kinds()) {
    FaultScene scene = kind.prepare();
    cow::FaultRecord record;
    const cow::FaultRecorder recorder(&record, 1);
    const std::size_t depth = depth_of_fault(stack, plain, scene);
    CAPTURE(kind.name);
    CHECK(recorder.size() == 1);
    CHECK(depth < most_bytes);
  }
}

TEST_CASE("a traced fault takes less than 2 KiB of the signal stack", "[fault][handler]") {
  if (!has_plain_frames()) return;
  const support::Folder folder;
  AlternateStack stack(ample_bytes);
  const std::size_t plain = depth_of_plain_handler(stack);
  for (const FaultKind& kind : support::fault_kinds()) {
    FaultScene scene = kind.prepare();
    const cow::Trace trace(folder / "t");
    const std::uint64_t before = trace.events();
    const std::size_t depth = depth_of_fault(stack, plain, scene);
    CAPTURE(kind.name);
    CHECK(trace.events() > before);
    CHECK(depth < most_bytes);
  }
}

TEST_CASE("a foreign fault that is handed on takes less than 2 KiB before the other handler",
          "[fault][handler]") {
  if (!has_plain_frames()) return;
  AlternateStack stack(ample_bytes);
  const std::size_t plain = depth_of_plain_handler(stack);
  const MendedPage page;
  cow::reinstall_handler();  // now the page's handler is behind libcow's
  const std::size_t depth = MendedPage::depth_of_fault(stack);
  CHECK(depth > plain);
  CHECK(depth - plain < most_bytes);
}

TEST_CASE("a fault that finds no kernel mapping left takes less than 2 KiB of the signal stack",
          "[fault][handler]") {
  if (!has_plain_frames()) return;
  if (support::is_emulated()) {
    WARN("skipped: the emulator ends when it finds no mapping left");
    return;
  }
  for (const FaultKind& kind : support::fault_kinds()) {
    if (!support::needs_mapping(kind)) continue;
    const auto result = support::run_in_child([&]() -> std::string {
      AlternateStack stack(ample_bytes);
      const std::size_t plain = depth_of_plain_handler(stack);
      FaultScene scene = kind.prepare();
      if (!support::use_up_mappings()) return "there are mappings left";
      const std::size_t budget = cow::process_stats().mapping_budget;
      const std::size_t depth = depth_of_fault(stack, plain, scene);
      if (cow::process_stats().mapping_budget == budget) return "the fault found a mapping";
      return too_deep(kind, depth);
    });
    CHECK(result.complaint == "");
    CHECK(result.exited());
  }
}

TEST_CASE("a fault that finds no memory for its window takes less than 2 KiB of the stack",
          "[fault][handler]") {
  if (!has_plain_frames()) return;
  if (!support::has_call_filters()) {
    WARN("skipped: no system call can be made to fail here");
    return;
  }
  for (const FaultKind& kind : support::fault_kinds()) {
    const auto result = support::run_in_child([&]() -> std::string {
      AlternateStack stack(ample_bytes);
      const std::size_t plain = depth_of_plain_handler(stack);
      FaultScene scene = kind.prepare();
      const cow::RegionStats before = scene.region.stats();
      support::CallFilter filter;
      if (!support::refuse_windows(filter).install_allowing()) return "the filter was refused";
      const std::size_t depth = depth_of_fault(stack, plain, scene);
      const std::uint64_t copied = scene.region.stats().pages_copied - before.pages_copied;
      if (copied > 1) return "a window found memory";
      return too_deep(kind, depth);
    });
    CHECK(result.complaint == "");
    CHECK(result.exited());
  }
}

TEST_CASE("every kind of fault is resolved on the smallest alternate stack plus 4 KiB",
          "[fault][handler]") {
  if (!has_plain_frames()) return;
  const auto result = resolve_all_on(AlternateStack::minimal_bytes() + 4096);
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("every kind of fault is resolved with 4 KiB of stack beyond what the kernel takes",
          "[fault][handler]") {
  if (!has_plain_frames()) return;
  // The system's minimum is for the largest frame there can be; this process may have a small one.
  std::size_t plain = 0;
  {
    AlternateStack stack(ample_bytes);
    plain = depth_of_plain_handler(stack);
  }
  const auto result = resolve_all_on(plain + 4096);
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

// Children in which failures are injected, and the operator new that refuses.
#include "injection.hpp"

#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>

#include "sanitizer.hpp"
#include "support.hpp"

// ---- operator new -------------------------------------------------------------------------------

namespace {

/// Never armed but in a child of this file's, which has one thread.
struct Allocations {
  bool armed = false;
  bool from_then_on = false;
  unsigned k = 0;
  unsigned seen = 0;
  unsigned refused = 0;
};
constinit Allocations g_allocations;

bool refuses_allocation() noexcept {
  Allocations& all = g_allocations;
  if (!all.armed) return false;
  ++all.seen;
  if (all.from_then_on ? all.seen < all.k : all.seen != all.k) return false;
  ++all.refused;
  return true;
}

[[maybe_unused]] void* allocate(std::size_t bytes) noexcept {
  return refuses_allocation() ? nullptr : std::malloc(std::max<std::size_t>(bytes, 1));
}

[[maybe_unused]] void* allocate(std::size_t bytes, std::align_val_t alignment) noexcept {
  const auto unit = static_cast<std::size_t>(alignment);
  return refuses_allocation() ? nullptr : std::aligned_alloc(unit, (bytes + unit) / unit * unit);
}

[[maybe_unused]] void* or_throw(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Clang links the operators of its sanitizers in whole; there can be no others.
#if defined(COW_TEST_THREAD_SANITIZER)
#define COW_TEST_OWN_OPERATOR_NEW 0
#elif defined(__clang__) && defined(__has_feature)
#define COW_TEST_OWN_OPERATOR_NEW (!__has_feature(address_sanitizer))
#else
#define COW_TEST_OWN_OPERATOR_NEW 1
#endif

#if COW_TEST_OWN_OPERATOR_NEW

using std::align_val_t;
using std::nothrow_t;
using std::size_t;

void* operator new(size_t n) { return or_throw(allocate(n)); }
void* operator new[](size_t n) { return or_throw(allocate(n)); }
void* operator new(size_t n, const nothrow_t&) noexcept { return allocate(n); }
void* operator new[](size_t n, const nothrow_t&) noexcept { return allocate(n); }
void* operator new(size_t n, align_val_t a) { return or_throw(allocate(n, a)); }
void* operator new[](size_t n, align_val_t a) { return or_throw(allocate(n, a)); }
void* operator new(size_t n, align_val_t a, const nothrow_t&) noexcept { return allocate(n, a); }
void* operator new[](size_t n, align_val_t a, const nothrow_t&) noexcept { return allocate(n, a); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, const nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p, align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, align_val_t) noexcept { std::free(p); }
void operator delete(void* p, size_t, align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t, align_val_t) noexcept { std::free(p); }
void operator delete(void* p, align_val_t, const nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, align_val_t, const nothrow_t&) noexcept { std::free(p); }

#endif

namespace injection {

namespace {

/// What a child tells its parent, in memory that both have: it may be in no state to write to a
/// descriptor.
struct Report {
  unsigned allocations_refused;
  bool untraceable;
  const char* where;
  std::array<char, 2048> complaint;
  std::array<char, 256> announcement;
  detail::Names refused_calls;
};
Report* g_report = nullptr;
bool g_untraceable = false;  // as a child found out

template <std::size_t N>
void put(const std::string& words, std::array<char, N>& place) {
  std::memcpy(place.data(), words.data(), std::min(words.size(), N - 1));
}

std::string complaint_of(const Body& body, const Window& window) {
  try {
    return body(window);
  } catch (const std::exception& error) {
    return std::string("threw ") + error.what();
  }
}

/// What libc does for the first time only, and for want of heap, must not happen in a window.
void warm_up_libc() {
  constexpr int kMost = 32 << 20;  // what mallopt() takes
  ::mallopt(M_MMAP_THRESHOLD, kMost);
  ::mallopt(M_TRIM_THRESHOLD, kMost);
  void* volatile heap = std::malloc(std::size_t{kMost} / 4);
  std::free(heap);
  try {
    throw std::bad_alloc();
  } catch (const std::bad_alloc&) {
  }
}

[[noreturn]] void be_child(const Plan& plan, const Body& body, int said) {
  // Large blocks from the heap, too: what malloc maps and unmaps is not to be taken for ours.
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::dup2(said, STDERR_FILENO);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGTERM})
    std::signal(signal, SIG_DFL);
  warm_up_libc();
  g_report->where = "in its set-up";
  put(complaint_of(body, Window(plan)), g_report->complaint);
  ::_exit(0);
}

std::string contents_of(int file) {
  std::string text(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)), '\0');
  const ssize_t size = ::pread(file, text.data(), text.size(), 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return text;
}

const char* name_of(What what) {
  switch (what) {
    case What::system_call: return "system call";
    case What::half_done: return "system call half done";
    case What::allocation: return "allocation";
    case What::interrupted: return "transfer interrupted";
    case What::short_transfer: return "transfer cut short";
  }
  return "";
}

}  // namespace

std::string describe(const Plan& plan) {
  return std::string(name_of(plan.what)) + " " + std::to_string(plan.k) +
         (plan.often == Often::once ? ", once" : " and all that follow") +
         (plan.in_forked_child ? ", in the forked child," : ",");
}

std::exception_ptr Window::run(const std::function<void()>& code) const {
  g_report->where = "in the window";
  const bool tracing = plan_.what != What::allocation;
  if (tracing && !detail::begin_tracing()) g_report->untraceable = true;
  g_allocations = {!tracing && !plan_.in_forked_child, plan_.often == Often::from_then_on, plan_.k,
                   0, 0};
  std::exception_ptr thrown;
  try {
    code();
  } catch (...) {
    thrown = std::current_exception();
  }
  g_allocations.armed = false;
  if (tracing) detail::end_tracing();
  g_report->allocations_refused += g_allocations.refused;
  g_report->where = "after the window";
  return thrown;
}

void Window::announce(const std::string& words) const { put(words, g_report->announcement); }

bool Window::refused(const std::string& call) const {
  return std::strstr(g_report->refused_calls.data(), (" " + call).c_str()) != nullptr;
}

bool Outcome::exited() const { return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0; }

bool Outcome::died_of(int signal) const {
  return WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == signal;
}

std::string Outcome::end() const {
  if (hung) return "hung " + where;
  if (exited()) return "exited";
  const int code = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
  const char* const kind = WIFSIGNALED(wait_status) ? "died of signal " : "exited with ";
  return kind + std::to_string(code) + " " + where;
}

Outcome run(const Plan& plan, const Body& body) {
  void* const shared =
      ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  const int said = ::memfd_create("said", MFD_CLOEXEC);
  if (shared == MAP_FAILED || said < 0) {
    throw std::system_error(errno, std::generic_category(), "a line to the child");
  }
  g_report = ::new (shared) Report{};
  const pid_t pid = ::fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) be_child(plan, body, said);

  Outcome outcome;
  detail::trace(pid, plan, outcome, g_report->refused_calls);
  outcome.refused_calls = g_report->refused_calls.data();
  outcome.complaint = g_report->complaint.data();
  outcome.announced = g_report->announcement.data();
  outcome.where = g_report->where == nullptr ? "before its set-up" : g_report->where;
  outcome.traceable = !g_report->untraceable;
  g_untraceable = g_untraceable || g_report->untraceable;
  if (plan.what == What::allocation) outcome.refused = g_report->allocations_refused;
  outcome.said = contents_of(said);
  ::close(said);
  ::munmap(shared, sizeof(Report));
  return outcome;
}

std::string Tally::text() const {
  std::string lines;
  constexpr std::size_t kMost = 40;
  for (std::size_t i = 0; i < std::min(complaints.size(), kMost); ++i)
    lines += complaints[i] + "\n";
  if (complaints.size() > kMost) {
    lines += "and " + std::to_string(complaints.size() - kMost) + " more\n";
  }
  return lines;
}

void Tally::add(const Tally& other) {
  runs += other.runs;
  if (skipped.empty()) skipped = other.skipped;
  complaints.insert(complaints.end(), other.complaints.begin(), other.complaints.end());
}

std::string reason_to_skip(const Plan& plan) {
  if (plan.what != What::allocation && g_untraceable) return "system calls cannot be traced here";
#if defined(COW_TEST_THREAD_SANITIZER)
  if (plan.what != What::allocation) return "ThreadSanitizer cannot go on without memory";
#endif
  if (plan.what == What::allocation && !COW_TEST_OWN_OPERATOR_NEW) {
    return "the sanitizer has an operator new of its own";
  }
  const bool for_good = plan.often == Often::from_then_on &&
                        (plan.what == What::system_call || plan.what == What::half_done);
  return for_good && support::has_sanitizer ? "a sanitizer cannot go on without memory" : "";
}

Tally each_failure(Plan plan, const Body& body, const Judge& judge) {
  constexpr unsigned kMost = 5000;  // a loop that never ends is a failure, too
  constexpr std::size_t kPercent = 100;
  const auto step = static_cast<unsigned>(kPercent / std::min(support::scaled(kPercent), kPercent));
  const unsigned first_step = 1 + static_cast<unsigned>(support::seed() % step);
  Tally tally;
  tally.skipped = reason_to_skip(plan);
  if (!tally.skipped.empty()) return tally;
  for (plan.k = 1; plan.k <= kMost; plan.k += plan.k == 1 ? first_step : step) {
    const Outcome outcome = run(plan, body);
    if (!outcome.traceable) {
      tally.skipped = reason_to_skip(plan);
      return tally;
    }
    const std::string complaint = judge(plan, outcome);
    if (!complaint.empty()) {
      tally.complaints.push_back(describe(plan) + outcome.refused_calls + ": " + complaint);
    }
    if (outcome.refused == 0) return tally;
    ++tally.runs;
  }
  tally.complaints.push_back("the failures never come to an end");
  return tally;
}

std::vector<Plan> all_plans() {
  std::vector<Plan> plans(transfers.begin(), transfers.end());
  for (const What what : {What::system_call, What::half_done, What::allocation}) {
    for (const Often often : {Often::once, Often::from_then_on}) plans.push_back({what, often});
  }
  return plans;
}

Tally loop_over_call(const std::vector<Plan>& plans,
                     const std::function<std::string(const Window&, bool)>& body,
                     const Judge& judge) {
  Tally all;
  for (const Plan& plan : plans) {
    const bool stores_first = plan.often == Often::from_then_on;
    all.add(each_failure(
        plan, [&](const Window& window) { return body(window, stores_first); }, judge));
  }
  return all;
}

std::string judge_survivor(const Plan&, const Outcome& outcome) {
  if (!outcome.exited() || outcome.hung) return outcome.end() + ": " + outcome.said;
  if (!outcome.complaint.empty()) return outcome.complaint;
  return outcome.said.empty() ? "" : "said: " + outcome.said;
}

std::string judge_survivor_or_last_words(const Plan& plan, const Outcome& outcome) {
  const std::string& said = outcome.said;
  const bool one_line = std::count(said.begin(), said.end(), '\n') == 1 && said.back() == '\n';
  const bool may_die = plan.often == Often::from_then_on || plan.what == What::half_done;
  const bool last_words = may_die && outcome.died_of(SIGBUS) && !outcome.hung &&
                          outcome.where == "in the window" && one_line &&
                          said.starts_with("libcow: ");
  return last_words ? "" : judge_survivor(plan, outcome);
}

std::string complaint_about(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::system_error& refusal) {
    if (refusal.code().value() <= 0) return "an error without an errno value";
    if (!support::is_sentence(refusal.what())) return std::string("says only ") + refusal.what();
  } catch (const std::bad_alloc&) {
  } catch (const std::exception& other) {
    return std::string("threw something else: ") + other.what();
  }
  return "";
}

}  // namespace injection

#include "fault/dispatch.hpp"

#include <cerrno>

#include "fault/registry.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/space/past_limit.hpp"
#include "os/host.hpp"
#include "os/last_words.hpp"
#include "os/thread.hpp"

namespace cow {

namespace {

std::atomic<const FaultListener*> g_listener{nullptr};
std::atomic<std::uint64_t> g_resolved{0};

/// A store that faulted although its page was writable. Once is normal: another thread resolved the
/// same fault first. Again and again at one place with nobody protecting pages in between is not a
/// fault that we can resolve.
struct Refault {
  std::uintptr_t instruction_pointer = 0;
  std::uintptr_t address = 0;
  std::uint64_t protections = 0;
  unsigned times = 0;
};
constexpr unsigned kMostRefaults = 2;
__attribute__((tls_model("initial-exec"))) thread_local Refault t_refault;

__attribute__((tls_model("initial-exec"))) thread_local bool t_is_forking = false;

FaultCause cause_of(const os::FaultReport& report) noexcept {
  return {report.address, report.instruction_pointer, report.error_code, os::monotonic_ns()};
}

bool makes_progress(const os::FaultReport& report, const FaultOutcome& outcome) noexcept {
  if (!outcome.was_writable) {
    if (t_refault.times != 0) t_refault.times = 0;  // see on_sigsegv: the stack may hold this, too
    return true;
  }
  const bool same = t_refault.instruction_pointer == report.instruction_pointer &&
                    t_refault.address == report.address &&
                    t_refault.protections == outcome.protections;
  t_refault = {report.instruction_pointer, report.address, outcome.protections,
               same ? t_refault.times + 1 : 1};
  return t_refault.times <= kMostRefaults;
}

[[noreturn]] void give_up(const AddressSpace& space, const os::FaultReport& report,
                          const char* call, int error) noexcept {
  os::LastWords words;
  words.address = report.address;
  words.region_begin = reinterpret_cast<std::uintptr_t>(space.begin());
  words.region_end = reinterpret_cast<std::uintptr_t>(space.end());
  words.call = call;
  words.error = error;
  os::die_of_store(words);
}

// A shortage of mappings that the rest of the program has caused may pass: so often a store waits,
// 60 ms in all, before the process ends.
constexpr int kMostRests = 6;

FaultOutcome resolve_in_time(AddressSpace& space, PageIndex page, FaultSteps* steps,
                             WaitingForSave& waiting) noexcept {
  const FaultOutcome first = space.copy_on_write().resolve(space, page, steps, waiting);
  FaultOutcome outcome = first;
  for (int rests = 0; outcome.lacks_mappings() && rests < kMostRests; ++rests) {
    os::rest_longer();  // without a lock: others may be about to give some back
    outcome = space.copy_on_write().resolve(space, page, steps, waiting);
  }
  return outcome.error == 0 ? outcome : first;  // what was refused at first is why it ends
}

enum class Answer { not_ours, resolved, has_to_wait };

Answer try_to_handle(const os::FaultReport& report, WaitingForSave& waiting) noexcept {
  const Registry::Reader reader(Registry::instance());
  AddressSpace* const space = reader.find(report.address);
  if (space == nullptr) return Answer::not_ours;
  if (const int error = space->family().abandoned_for(); error != 0) {
    give_up(*space, report, "fork", error);
  }
  if (!report.is_write) return Answer::not_ours;
  if (t_is_forking) {
    os::die_of(
        "fork: a function given to pthread_atfork() before libcow was loaded stored to a region; "
        "register it later",
        EDEADLK);
  }

  const PageIndex page = space->page_at(report.address);
  if (!space->open_pages().contains(page)) return Answer::not_ours;  // behind the end
  const FaultListener* const listener = g_listener.load();
  const bool is_told = listener != nullptr || trace::current() != 0;
  ResolvedFault told{report, page, {}};
  if (is_told) {
    told.steps.cause = cause_of(report);
    told.steps.allocates_apart = listener != nullptr;
  }
  const FaultOutcome outcome =
      resolve_in_time(*space, page, is_told ? &told.steps : nullptr, waiting);
  if (outcome.must_wait) return Answer::has_to_wait;
  space->family().past_limit().note_waited(waiting);
  if (outcome.error != 0) give_up(*space, report, outcome.call(), outcome.error);
  if (!makes_progress(report, outcome)) return Answer::not_ours;

  g_resolved.fetch_add(1, std::memory_order_relaxed);
  if (listener != nullptr) listener->heard(listener->self, told);
  return Answer::resolved;
}

}  // namespace

// Who waits for a backup is no reader meanwhile: regions come and go.
bool handle_fault(const os::FaultReport& report) noexcept {
  if (!report.is_protection) return false;
  WaitingForSave waiting;
  Answer answer = try_to_handle(report, waiting);
  for (; answer == Answer::has_to_wait; answer = try_to_handle(report, waiting)) waiting.sleep();
  return answer == Answer::resolved;
}

void set_fault_listener(const FaultListener* listener) noexcept {
  g_listener.store(listener);
  Registry::instance().wait_for_readers();
}

void forget_fault_listener() noexcept { g_listener.store(nullptr); }

void note_forking(bool is_forking) noexcept { t_is_forking = is_forking; }

std::uint64_t resolved_fault_count() noexcept { return g_resolved.load(std::memory_order_relaxed); }

void ensure_handler_installed() {
  Registry::instance();  // made before the handler can ask for it
  os::install_fault_handler(&handle_fault);
}

void ensure_handler_installed_locked() { os::install_fault_handler_locked(&handle_fault); }

}  // namespace cow

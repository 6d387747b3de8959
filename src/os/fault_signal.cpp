#include "os/fault_signal.hpp"

#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.hpp"
#include "os/lock.hpp"
#include "os/process.hpp"
#include "os/signal_mask.hpp"
#include "os/syscall.hpp"

namespace cow::os {

const int kFaultSignal = SIGSEGV;

namespace {

using Action = struct sigaction;

// We have as many actions as there are actions that ours was put in front of: what another library
// found and kept, to call or to restore later, still means what it meant then. A slot is written
// before it is published and not changed while it can be forwarded to; but a handler that was to be
// asked once (SA_RESETHAND) gives way to the default, and actions beyond so many share the last.
constexpr int kMostActions = 64;
Action g_replaced[kMostActions];
// The slot that was in front when the action was met: what its handler found, if it was told.
std::atomic<int> g_before[kMostActions];
std::atomic<int> g_in_front{0};  // the slot that was in front when we last looked
std::atomic<FaultHandler> g_handler{nullptr};
constinit Lock g_install_lock{LockRank::fault_action};
int g_action_count COW_GUARDED_BY(g_install_lock) = 0;

constexpr int kNoSlot = -1;

// The slots from which the signal with the context that points here has been forwarded already.
// The kernel makes each new context with a null uc_link, and ignores what it finds there later.
__attribute__((tls_model("initial-exec"))) thread_local std::uint64_t t_forwarded = 0;
ucontext_t* marker() noexcept { return reinterpret_cast<ucontext_t*>(&t_forwarded); }

// The kernel would have added these to the mask of the interrupted code.
void enter_mask_of(const Action& action, const ucontext_t& context) noexcept {
  sigset_t mask = context.uc_sigmask;
  for (int signal = 1; signal < NSIG; ++signal) {
    if (sigismember(&action.sa_mask, signal) == 1) sigaddset(&mask, signal);
  }
  if ((action.sa_flags & SA_NODEFER) == 0) sigaddset(&mask, SIGSEGV);
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, argument(&mask), 0, sizeof(std::uint64_t));
}

bool was_sent(const siginfo_t& info) noexcept { return info.si_code <= 0; }

// With this action in place the instruction faults again, now without us: the process dies with
// the same signal, code, address and core dump as if we had never been there. A signal that was
// sent will not come again by itself, so it is queued again with all it carried.
void let_happen(const Action& action, const siginfo_t& info) noexcept {
  ::sigaction(SIGSEGV, &action, nullptr);
  if (was_sent(info)) {
    raw_syscall(SYS_rt_tgsigqueueinfo, process_id(), thread_id(), SIGSEGV, argument(&info));
  }
}

Action default_action() noexcept {
  Action action{};
  action.sa_handler = SIG_DFL;
  return action;
}

// A handler that was put in front of itself, by way of ours, would be called in circles.
int slot_to_ask(int slot, const ucontext_t& context) noexcept {
  if (context.uc_link != marker()) return slot;
  while (slot != kNoSlot && (t_forwarded >> slot & 1) != 0) slot = g_before[slot];
  return slot;
}

/// While the handler of an action is asked: whether it returns or throws, afterwards all is as
/// before.
class Forwarding {
 public:
  Forwarding(int slot, ucontext_t& context) noexcept
      : context_(context), link_(context.uc_link), forwarded_(t_forwarded) {
    t_forwarded = (link_ == marker() ? forwarded_ : 0) | std::uint64_t{1} << slot;
    context_.uc_link = marker();
  }
  ~Forwarding() {
    t_forwarded = forwarded_;
    context_.uc_link = link_;
  }
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;

 private:
  ucontext_t& context_;
  ucontext_t* link_;
  std::uint64_t forwarded_;
};

// From here to the kernel's frame nothing is noexcept: other runtimes' handlers throw, and what
// they throw passes through us to the code that faulted (GNAT, -fnon-call-exceptions).
void forward(int from, int signal, siginfo_t* info, ucontext_t* context) {
  const int slot = slot_to_ask(from, *context);
  const Action action = slot == kNoSlot ? default_action() : g_replaced[slot];
  if (action.sa_handler == SIG_IGN && was_sent(*info)) return;
  if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN) {
    let_happen(action, *info);
    return;
  }
  if ((action.sa_flags & static_cast<int>(SA_RESETHAND)) != 0) g_replaced[slot] = default_action();
  const Forwarding forwarding(slot, *context);
  enter_mask_of(action, *context);
  if ((action.sa_flags & SA_SIGINFO) != 0) {
    action.sa_sigaction(signal, info, context);
  } else {
    action.sa_handler(signal);
  }
}

// Every signal is masked while it runs. Calls nothing that allocates, locks what user code may
// hold, or needs a symbol looked up.
void on_sigsegv(int slot, int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const bool resolved = g_handler.load(std::memory_order_acquire)(decode_fault(info, context));
  // What another handler makes of it is its own affair. Written only if it must be: a thread whose
  // stack lies in a region may have its thread-local variables there, too.
  if (errno != saved_errno) errno = saved_errno;
  if (!resolved) forward(slot, signal, info, static_cast<ucontext_t*>(context));
}

template <int slot>
void enter(int signal, siginfo_t* info, void* context) {
  on_sigsegv(slot, signal, info, context);
}

using Entry = void (*)(int, siginfo_t*, void*);
template <int... slots>
constexpr std::array<Entry, sizeof...(slots)> entries(
    std::integer_sequence<int, slots...> /*slots*/) {
  return {&enter<slots>...};
}
constexpr auto kEntries = entries(std::make_integer_sequence<int, kMostActions>{});

// Which of our actions it is, or kNoSlot.
int slot_of_ours(const Action& action) noexcept {
  if ((action.sa_flags & SA_SIGINFO) == 0) return kNoSlot;
  const auto* const entry = std::find(kEntries.begin(), kEntries.end(), action.sa_sigaction);
  return entry == kEntries.end() ? kNoSlot : static_cast<int>(entry - kEntries.begin());
}

bool has_handler(const Action& action) noexcept {
  return action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
}

Action our_action(int slot) noexcept {
  Action ours{};
  ours.sa_sigaction = kEntries[static_cast<std::size_t>(slot)];
  // SA_ONSTACK: a thread may have overflowed its stack, or keep it in a region.
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  // A SIGSEGV that is sent cuts system calls short if the handler that gets it wanted it so.
  const Action& replaced = g_replaced[slot];
  if (!has_handler(replaced) || (replaced.sa_flags & SA_RESTART) != 0) ours.sa_flags |= SA_RESTART;
  sigfillset(&ours.sa_mask);
  return ours;
}

bool is_same(const Action& one, const Action& other) noexcept {
  return one.sa_handler == other.sa_handler && one.sa_flags == other.sa_flags &&
         std::memcmp(&one.sa_mask, &other.sa_mask, sizeof(std::uint64_t)) == 0;
}

// libc leaves its own signals out of every mask. One of them cancels threads, and a thread that
// went away in the middle of a fault would take the lock with it. Returns the action that was there
// before, as libc has it: ours, unless somebody else has come in front meanwhile. A sanitizer's
// runtime has an action of its own in the kernel, and libc says that it is ours.
Action mask_signals_of_libc(const Action& ours) noexcept {
  struct KernelAction {
    Entry handler;
    std::uintptr_t flags, restorer;
    std::uint64_t mask;
  } action{}, before{};
  constexpr std::uintptr_t kMaskBytes = sizeof(action.mask);
  const auto as_libc_has_it = [](const KernelAction& kernels) {
    Action as_libc{};
    as_libc.sa_sigaction = kernels.handler;
    as_libc.sa_flags = static_cast<int>(kernels.flags);
    std::memcpy(&as_libc.sa_mask, &kernels.mask, sizeof kernels.mask);
    return as_libc;
  };
  if (raw_syscall(SYS_rt_sigaction, SIGSEGV, 0, argument(&action), kMaskBytes) != 0) return ours;
  if (slot_of_ours(as_libc_has_it(action)) == kNoSlot) {
    Action now{};
    if (::sigaction(SIGSEGV, nullptr, &now) == 0 && slot_of_ours(now) == kNoSlot) return now;
  }
  action.mask = ~std::uint64_t{0};
  raw_syscall(SYS_rt_sigaction, SIGSEGV, argument(&action), argument(&before), kMaskBytes);
  return before.handler == action.handler ? ours : as_libc_has_it(before);
}

bool leads_to(int from, int slot) noexcept {
  while (from != kNoSlot && from != slot) from = g_before[from];
  return from == slot;
}

// Frameworks that come and go with the same action keep one slot.
int slot_of(const Action& action) noexcept COW_REQUIRES(g_install_lock) {
  for (int slot = 0; slot < g_action_count; ++slot) {
    if (is_same(g_replaced[slot], action)) {
      const int in_front = g_in_front;
      if (!leads_to(in_front, slot)) g_before[slot] = in_front;
      return slot;
    }
  }
  if (g_action_count == kMostActions) return kMostActions - 1;
  g_before[g_action_count] = g_action_count == 0 ? kNoSlot : g_in_front.load();
  return g_action_count++;
}

// Ours, for the place that `action` has.
Action our_action_before(const Action& action) noexcept COW_REQUIRES(g_install_lock) {
  const int slot = slot_of(action);
  g_replaced[slot] = action;
  g_in_front.store(slot);
  return our_action(slot);
}

}  // namespace

Lock& fault_install_lock() noexcept { return g_install_lock; }

bool fault_handler_is_installed() noexcept {
  Action now{};
  if (::sigaction(SIGSEGV, nullptr, &now) != 0) return false;
  const int slot = slot_of_ours(now);
  if (slot != kNoSlot) g_in_front.store(slot);  // whoever left may have put back an earlier one
  return slot != kNoSlot;
}

void install_fault_handler(FaultHandler handler) {
  if (fault_handler_is_installed()) return;
  const SignalsMasked signals;
  const LockGuard guard(g_install_lock);
  install_fault_handler_locked(handler);
}

void install_fault_handler_locked(FaultHandler handler) {
  g_install_lock.assert_held();
  Action now{};
  if (::sigaction(SIGSEGV, nullptr, &now) != 0) {
    throw_system_error(errno, "sigaction", "the action for SIGSEGV could not be read");
  }
  g_handler.store(handler, std::memory_order_release);
  // Other threads may install handlers of theirs meanwhile. Whom ours has replaced only the kernel
  // can tell, and it does so afterwards. Where a sanitizer keeps SIGSEGV for itself, no try helps.
  constexpr int kMostTries = 64;
  for (int tries = 0; tries < kMostTries && slot_of_ours(now) == kNoSlot; ++tries) {
    const Action ours = our_action_before(now);
    Action before{};
    if (::sigaction(SIGSEGV, &ours, &before) != 0) {
      throw_system_error(errno, "sigaction", "libcow's SIGSEGV action could not be installed");
    }
    const bool is_before_expected = is_same(before, now) || slot_of_ours(before) != kNoSlot;
    now = is_before_expected ? mask_signals_of_libc(ours) : before;
  }
}

}  // namespace cow::os

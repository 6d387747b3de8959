#include "measure/mechanisms/fault_handler.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "measure/mechanisms/mapping.hpp"

namespace cow::measure {

namespace {

std::atomic<FaultHandler*> only_one = nullptr;
static_assert(std::atomic<FaultHandler*>::is_always_lock_free);

}  // namespace

FaultHandler::FaultHandler(int signal, Answer answer, void* context)
    : signal_(signal), answer_(answer), context_(context) {
  FaultHandler* none = nullptr;
  if (!only_one.compare_exchange_strong(none, this)) {
    throw std::logic_error("a process has one mechanism that answers faults, and there is one");
  }
  struct sigaction action {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigfillset(&action.sa_mask);
  if (::sigaction(signal_, &action, &before_) != 0) {
    only_one = nullptr;
    refused("sigaction");
  }
}

FaultHandler::~FaultHandler() {
  ::sigaction(signal_, &before_, nullptr);
  only_one = nullptr;
}

void FaultHandler::handle(int signal, siginfo_t* info, void* registers) {
  const int error = errno;
  const FaultHandler* const ours = only_one;
  if (ours != nullptr && !ours->answer_(ours->context_, *info)) {
    ours->hand_on(signal, info, registers);
  }
  errno = error;
}

void FaultHandler::hand_on(int signal, siginfo_t* info, void* registers) const {
  if ((before_.sa_flags & SA_SIGINFO) != 0) {
    before_.sa_sigaction(signal, info, registers);
  } else if (before_.sa_handler == SIG_DFL || before_.sa_handler == SIG_IGN) {
    // The access faults once more, and the kernel does what it does with such a fault.
    ::sigaction(signal, &before_, nullptr);
  } else {
    before_.sa_handler(signal);
  }
}

void die_in_handler(const char* sentence) noexcept {
  static_cast<void>(!::write(STDERR_FILENO, sentence, std::strlen(sentence)));
  ::_exit(3);
}

}  // namespace cow::measure

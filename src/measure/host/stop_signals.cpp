#include "measure/host/stop_signals.hpp"

#include <cstddef>
#include <iterator>

#include "measure/host/child_process.hpp"

namespace cow::measure {
namespace {

volatile std::sig_atomic_t came = 0;

void handle(int signal) {
  if (came == 0) {
    came = 1;
    return;
  }
  // A terminal that closes sends two SIGHUP, and what was measured is to be written all the same.
  if (signal != SIGINT) return;
  kill_all_children();
  ::signal(signal, SIG_DFL);
  ::raise(signal);  // delivered when this returns
}

}  // namespace

StopSignals::StopSignals() {
  came = 0;
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;  // what is written is written; poll() is interrupted all the same
  // The handler is not interrupted by another of them, which would be taken for the second one.
  ::sigemptyset(&action.sa_mask);
  for (const int signal : signals_) ::sigaddset(&action.sa_mask, signal);
  for (std::size_t i = 0; i < std::size(signals_); ++i) {
    ::sigaction(signals_[i], nullptr, &before_[i]);
    if (before_[i].sa_handler != SIG_IGN) ::sigaction(signals_[i], &action, nullptr);
  }
}

StopSignals::~StopSignals() {
  for (std::size_t i = 0; i < std::size(signals_); ++i) {
    ::sigaction(signals_[i], &before_[i], nullptr);
  }
}

bool StopSignals::has_come() noexcept { return came != 0; }

}  // namespace cow::measure

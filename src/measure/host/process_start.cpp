#include "measure/host/process_start.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

namespace cow::measure {

// The least free number is the next one's. O_PATH: nothing can be read or written, and there need
// be no /dev. And a program that we start has them closed again, as we had.
void open_standard_descriptors() {
  int descriptor = 0;
  do {
    descriptor = ::open("/", O_PATH | O_CLOEXEC);
  } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  if (descriptor >= 0) ::close(descriptor);
}

void take_back_signals() {
  ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGXFSZ, SIG_IGN);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void take_back_signals_of_children() {
  ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGALRM, SIG_DFL);
  sigset_t ours;
  ::sigemptyset(&ours);
  ::sigaddset(&ours, SIGCHLD);
  ::sigaddset(&ours, SIGALRM);
  ::sigprocmask(SIG_UNBLOCK, &ours, nullptr);
}

FileSizeErrors::FileSizeErrors() : before_(::signal(SIGXFSZ, SIG_IGN)) {}

FileSizeErrors::~FileSizeErrors() {
  if (before_ != SIG_ERR) ::signal(SIGXFSZ, before_);
}

}  // namespace cow::measure

#include "os/fork_hooks.hpp"

#include <fcntl.h>
#include <linux/memfd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/refusal.hpp"
#include "os/host.hpp"
#include "os/syscall.hpp"

namespace cow::os {

Lifeline::~Lifeline() { keep_parent_end(); }

Lifeline Lifeline::open() noexcept {
  Lifeline line;
  const long number =
      raw_syscall(SYS_memfd_create, argument("cow-lifeline"), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (number < 0) {
    errno = static_cast<int>(-number);
    return line;
  }
  line.file_ = Descriptor(static_cast<int>(number));
  if (!line.file_.is_open()) return line;
  // Never touched: an empty file has no page to show.
  void* const mapping =
      ::mmap(nullptr, page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, line.file_.number(), 0);
  if (mapping == MAP_FAILED) {
    line.file_ = Descriptor();
  } else {
    line.mapping_ = static_cast<std::byte*>(mapping);
  }
  return line;
}

void Lifeline::keep_parent_end() noexcept {
  if (mapping_ != nullptr) ::munmap(std::exchange(mapping_, nullptr), page_bytes());
}

void Lifeline::keep_child_end() noexcept { Descriptor closed(std::move(file_)); }

bool Lifeline::has_ended() const noexcept {
  return file_.is_intact() && ::fcntl(file_.number(), F_ADD_SEALS, F_SEAL_WRITE) == 0;
}

void at_fork(void (*prepare)() noexcept, void (*parent)() noexcept, void (*child)() noexcept) {
  if (const int error = ::pthread_atfork(prepare, parent, child); error != 0) {
    throw_refused(error, "pthread_atfork", "nothing could be set up for fork()");
  }
}

}  // namespace cow::os

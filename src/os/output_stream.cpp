#include "os/output_stream.hpp"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/error.hpp"
#include "os/syscall.hpp"

namespace cow::os {

namespace {

using Clock = std::chrono::steady_clock;

// How soon a cancelled backup ends whose reader takes nothing.
constexpr int kLookAgainMs = 20;

// The same pipe with flags of its own: the user's description, which others may share, stays as it
// is. Negative where there is no /proc.
int open_without_blocking(int number) {
  const std::string path = "/proc/self/fd/" + std::to_string(number);
  return uninterrupted_by_libc(
      [&] { return ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY); });
}

}  // namespace

OutputStream::OutputStream(int number, std::chrono::milliseconds longest_stall,
                           const std::atomic<bool>& is_cancelled)
    : number_(number), longest_stall_(longest_stall), is_cancelled_(is_cancelled) {
  const int flags = ::fcntl(number, F_GETFL);
  struct stat status {};
  if (flags < 0 || ::fstat(number, &status) != 0) refuse(errno);
  if ((flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH) != 0) refuse(EBADF);
  if (S_ISREG(status.st_mode)) kind_ = Kind::file;
  if (S_ISFIFO(status.st_mode)) kind_ = Kind::pipe;
  if (S_ISSOCK(status.st_mode)) kind_ = Kind::socket;
  if (kind_ == Kind::pipe) {
    descriptor_ = Descriptor(open_without_blocking(number));
    may_block_ = !descriptor_.is_open();
  }
  if (!descriptor_.is_open()) descriptor_ = Descriptor(::fcntl(number, F_DUPFD_CLOEXEC, 0));
  if (!descriptor_.is_open()) refuse(errno);
}

// A pipe that poll() says to be ready has room for so many bytes.
std::size_t OutputStream::most_at_once(std::size_t size) const noexcept {
  const bool is_bounded = kind_ == Kind::other || (kind_ == Kind::pipe && may_block_);
  return is_bounded ? std::min<std::size_t>(size, PIPE_BUF) : size;
}

long OutputStream::write_some(const std::byte* bytes, std::size_t size) const noexcept {
  if (kind_ == Kind::socket) {
    return ::send(descriptor_.number(), bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  return ::write(descriptor_.number(), bytes, most_at_once(size));
}

void OutputStream::write(const std::byte* bytes, std::size_t size) {
  Clock::time_point taken_last = Clock::now();
  while (size > 0) {
    if (is_cancelled_.load()) check_patience(taken_last);
    if (kind_ != Kind::file && most_at_once(size) < size) wait_until_ready(taken_last);
    const long taken = write_some(bytes, size);
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      wait_until_ready(taken_last);
      continue;
    }
    if (taken < 0) refuse(errno);
    bytes += taken;
    size -= static_cast<std::size_t>(taken);
    bytes_written_ += static_cast<std::uint64_t>(taken);
    if (taken > 0) taken_last = Clock::now();
  }
}

void OutputStream::wait_until_ready(Clock::time_point taken_last) const {
  for (;;) {
    pollfd asked{descriptor_.number(), POLLOUT, 0};
    const int ready = ::poll(&asked, 1, kLookAgainMs);
    if (ready < 0 && errno != EINTR) refuse(errno);
    if (ready > 0) return;  // also when the reader is gone: writing tells
    check_patience(taken_last);
  }
}

void OutputStream::check_patience(Clock::time_point taken_last) const {
  if (is_cancelled_.load()) {
    throw_system_error(ECANCELED, "backup", "it was cancelled; what was written is incomplete");
  }
  // In milliseconds: the longest there are do not fit what a clock counts in.
  const auto stall =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - taken_last);
  if (stall < longest_stall_) return;
  throw_system_error(ETIMEDOUT, "write",
                     "descriptor " + std::to_string(number_) + " has taken nothing for " +
                         std::to_string(longest_stall_.count()) +
                         " ms; its reader may be stuck. What was written is incomplete");
}

void OutputStream::refuse(int error) const {
  const std::string what = "descriptor " + std::to_string(number_);
  switch (error) {
    case EBADF: throw_system_error(error, "fcntl", what + " is not open for writing");
    case EPIPE:
    case ECONNRESET:
    case ENXIO:
      throw_system_error(EPIPE, "write",
                         what + " has no reader any more; what was written is incomplete");
    default:
      throw_system_error(error, "write",
                         what + " could not be written; what was written is incomplete");
  }
}

}  // namespace cow::os

#include "measure/host/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <system_error>

#include "measure/host/clock.hpp"
#include "measure/host/pinning.hpp"

namespace cow::measure {
namespace {

constexpr int exit_failed = 3;
constexpr int poll_ms = 50;  ///< after this the process itself and the wish to stop are looked at

// Every child there is: read by the handler of a signal, and by children, which close the others'
// sockets.
struct Slot {
  std::atomic<pid_t> process{0};  ///< 0: free; taken: no process that a signal may be sent to
  std::atomic<int> socket{-1};
};
constexpr pid_t taken = -1;
std::array<Slot, 256> slots;

std::size_t take_slot() {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    pid_t is_free = 0;
    if (slots[i].process.compare_exchange_strong(is_free, taken)) return i;
  }
  throw std::runtime_error("more processes than are kept account of");
}

[[noreturn]] void refused(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

// send, not write: without the peer it fails instead of raising SIGPIPE.
bool send_all(int socket, const void* from, std::size_t bytes) {
  const auto* at = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t sent = ::send(socket, at, bytes, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    at += sent;
    bytes -= static_cast<std::size_t>(sent);
  }
  return true;
}

bool send_message(int socket, std::string_view message) {
  const auto bytes = static_cast<std::uint64_t>(message.size());
  return bytes <= most_message_bytes && send_all(socket, &bytes, sizeof bytes) &&
         send_all(socket, message.data(), message.size());
}

bool read_all(int socket, void* into, std::size_t bytes) {
  auto* at = static_cast<char*>(into);
  while (bytes > 0) {
    const ssize_t got = ::recv(socket, at, bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

// What is not the child's: signals that ask the parent to stop, the others' sockets; a core file of
// some gigabytes. And the kernel takes it first where memory runs out.
void set_up_child(pid_t parent, const std::optional<int>& processor) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(exit_failed);  // it was gone before we asked
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::signal(signal, SIG_DFL);
  for (Slot& slot : slots) {
    const int socket = slot.socket.exchange(-1);
    if (socket >= 0) ::close(socket);
    slot.process = 0;
  }
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const int score = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score >= 0) {
    [[maybe_unused]] const ssize_t ignored = ::write(score, "900", 3);
    ::close(score);
  }
  if (processor.has_value() && !pin_to(*processor)) {
    throw std::runtime_error("it could not be kept on one processor");
  }
}

// A file, not a pipe: nobody has to read it for the child to go on.
ChildProcess::Ends make_ends() {
  const int errors = ::memfd_create("errors of a child", MFD_CLOEXEC);
  if (errors < 0) refused("memfd_create");
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    const int error = errno;
    ::close(errors);
    throw std::system_error(error, std::generic_category(), "socketpair");
  }
  return {ends[0], ends[1], errors};
}

// Waits for a process of the group, or for one process; false when there is none left.
bool wait_for(pid_t which, int& status) {
  pid_t ended = 0;
  do {
    ended = ::waitpid(which, &status, 0);
  } while (ended < 0 && errno == EINTR);
  return ended > 0;
}

}  // namespace

bool Channel::receive(std::string& message) const {
  std::uint64_t bytes = 0;
  if (!read_all(socket_, &bytes, sizeof bytes) || bytes > most_message_bytes) return false;
  message.resize(bytes);
  return read_all(socket_, message.data(), message.size());
}

bool Channel::send(std::string_view message) const { return send_message(socket_, message); }

void be_child(pid_t parent, const ChildProcess::Ends& ends, const std::optional<int>& processor,
              const std::function<void(const Channel&)>& body) {
  try {
    if (ends.parent >= 0) ::close(ends.parent);
    ::dup2(ends.errors, STDERR_FILENO);
    set_up_child(parent, processor);
    body(Channel(ends.child));
  } catch (const std::exception& error) {
    const std::string line = std::string(error.what()) + "\n";
    static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
    ::_exit(exit_failed);
  }
  ::_exit(0);
}

ChildProcess::ChildProcess(const std::function<void(const Channel&)>& body,
                           std::optional<int> processor)
    : ChildProcess([&](const Ends& ends) {
        const pid_t parent = ::getpid();
        const pid_t process = ::fork();
        if (process == 0) be_child(parent, ends, processor, body);
        if (process < 0) refused("fork");
        return process;
      }) {}

ChildProcess::ChildProcess(const std::function<pid_t(const Ends&)>& make) : slot_(take_slot()) {
  Ends ends;
  try {
    ends = make_ends();
    process_ = make(ends);
  } catch (...) {
    for (const int end : {ends.parent, ends.child, ends.errors}) {
      if (end >= 0) ::close(end);
    }
    slots[slot_].process = 0;
    throw;
  }
  ::close(ends.child);
  // Both do it: whoever comes first, the group is there when we go on.
  ::setpgid(process_, process_);
  socket_ = ends.parent;
  errors_ = ends.errors;
  slots[slot_].socket = socket_;
  slots[slot_].process = process_;
}

ChildProcess::~ChildProcess() {
  end(0);
  ::close(errors_);
}

bool ChildProcess::send(std::string_view message) const { return send_message(socket_, message); }

// It is not reaped yet: until its group was ended its number must stay its own.
bool ChildProcess::has_ended() const {
  siginfo_t info{};
  const int options = WEXITED | WNOHANG | WNOWAIT;
  return ::waitid(P_PID, static_cast<id_t>(process_), &info, options) != 0 || info.si_pid != 0;
}

std::string how_it_ended(int wait_status) {
  if (WIFEXITED(wait_status)) {
    return "ended with exit code " + std::to_string(WEXITSTATUS(wait_status));
  }
  const int signal = WTERMSIG(wait_status);
  if (signal == SIGKILL) {
    return "was killed by SIGKILL (the kernel where memory ran out, or somebody)";
  }
  return "was ended by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
}

std::string ChildProcess::last_words() const {
  constexpr off_t most_bytes = 2000;
  const off_t bytes = ::lseek(errors_, 0, SEEK_END);
  std::string text(static_cast<std::size_t>(std::clamp<off_t>(bytes, 0, most_bytes)), '\0');
  const ssize_t got =
      ::pread(errors_, text.data(), text.size(), bytes - static_cast<off_t>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);  // npos + 1 is 0
}

namespace {

bool has_something_to_read(int socket, int patience_ms) {
  pollfd ready{socket, POLLIN, 0};
  const int answers = ::poll(&ready, 1, patience_ms);
  // Refused, as by a filter of system calls: to ask again would be refused as well.
  if (answers < 0 && errno != EINTR && errno != EAGAIN) refused("poll");
  return answers > 0;
}

}  // namespace

// A process that it forked may hold the other end open, so that no end is seen here: the process
// itself is looked at as well.
Received ChildProcess::receive(std::string& message, double limit_s,
                               const std::function<bool()>& is_stopped) {
  const std::uint64_t start = now_ns();
  std::string head(sizeof(std::uint64_t), '\0');
  std::string* part = &head;
  std::size_t got_bytes = 0;
  bool is_ending = false;
  while (true) {
    if (is_stopped && is_stopped()) return Received::stopped;
    if (elapsed_ns(start) > limit_s * 1e9) return Received::late;
    if (!has_something_to_read(socket_, is_ending ? 0 : poll_ms)) {
      if (is_ending) return Received::ended;  // nothing is left of what it had sent
      is_ending = has_ended();
      continue;
    }
    const ssize_t got = ::recv(socket_, part->data() + got_bytes, part->size() - got_bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Received::ended;
    got_bytes += static_cast<std::size_t>(got);
    if (got_bytes < part->size()) continue;
    if (part == &message) return Received::message;
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, head.data(), sizeof bytes);
    if (bytes == 0 || bytes > most_message_bytes) return Received::broken;
    message.assign(bytes, '\0');
    part = &message;
    got_bytes = 0;
  }
}

void ChildProcess::end(double patience_s) {
  if (is_over_) return;
  is_over_ = true;
  // Other processes may have the descriptor as well: closing it would say nothing to the child.
  ::shutdown(socket_, SHUT_RDWR);
  const std::uint64_t start = now_ns();
  for (useconds_t pause_us = 100; !has_ended() && elapsed_ns(start) < patience_s * 1e9;) {
    ::usleep(pause_us);
    pause_us = std::min<useconds_t>(2 * pause_us, 20'000);
  }
  ::kill(-process_, SIGKILL);
  // From here on the number may become another's: a signal's handler has to leave it alone.
  slots[slot_].process = taken;
  int status = 0;
  if (wait_for(process_, status)) how_it_ended_ = measure::how_it_ended(status);
  // What it forked and did not wait for is a child of ours by now, where there is a Guardian.
  while (wait_for(-process_, status)) {
  }
  slots[slot_].socket = -1;
  slots[slot_].process = 0;
  ::close(socket_);
}

void kill_all_children() noexcept {
  for (const Slot& slot : slots) {
    const pid_t process = slot.process.load();
    if (process > 0) ::kill(-process, SIGKILL);
  }
}

Guardian::Guardian() {
  ::prctl(PR_GET_CHILD_SUBREAPER, &was_guardian_);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1UL);
}

Guardian::~Guardian() {
  ::prctl(PR_SET_CHILD_SUBREAPER, static_cast<unsigned long>(was_guardian_));
}

}  // namespace cow::measure

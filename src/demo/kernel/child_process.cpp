#include "demo/kernel/child_process.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "tool/tool_error.hpp"

namespace cow::demo {
namespace {

constexpr char failed = '!';  ///< an answer that begins with it is an error

bool send_line(int socket, std::string line) {
  line += '\n';
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t count = ::send(socket, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

// Nothing at the end of the other side.
std::optional<std::string> receive_line(int socket) {
  std::string line;
  char character = 0;
  while (true) {
    const ssize_t count = ::recv(socket, &character, 1, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return std::nullopt;
    if (character == '\n') return line;
    line += character;
  }
}

// The parent's handlers, which put the terminal back, are not the child's to run.
void leave_signals_to_the_kernel() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH}) {
    ::signal(number, SIG_DFL);
  }
}

[[noreturn]] void be_the_child(int socket, pid_t parent, const ChildProcess::Answer& answer) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);
  leave_signals_to_the_kernel();
  while (const auto request = receive_line(socket)) {
    std::string line;
    try {
      line = answer(*request);
    } catch (const std::exception& error) {
      line = failed + std::string(error.what());
    }
    if (!send_line(socket, line)) break;
  }
  ::_exit(0);
}

std::string ending_of(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("signal {} ({}) ended it", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  }
  return fmt::format("it ended with {}", WEXITSTATUS(status));
}

}  // namespace

ChildProcess::ChildProcess(const Answer& answer) {
  int sockets[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    throw std::system_error(errno, std::generic_category(), "socketpair");
  }
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  const int error = errno;
  if (pid_ == 0) {
    ::close(sockets[0]);
    be_the_child(sockets[1], parent, answer);
  }
  ::close(sockets[1]);
  socket_ = sockets[0];
  if (pid_ < 0) {
    ::close(socket_);
    throw std::system_error(error, std::generic_category(), "fork");
  }
}

ChildProcess::~ChildProcess() { end(); }

std::string ChildProcess::ask(const std::string& request) {
  std::optional<std::string> line;
  if (send_line(socket_, request)) line = receive_line(socket_);
  if (!line.has_value()) {
    throw tool::ToolError(fmt::format("the child process is gone: {}", end()));
  }
  if (!line->empty() && line->front() == failed) {
    throw tool::ToolError("the child process could not go on: " + line->substr(1));
  }
  return *line;
}

std::string ChildProcess::end() {
  if (pid_ < 0) return "it has ended";
  ::close(socket_);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return ending_of(status);
}

}  // namespace cow::demo

#include "tool/child/program_run.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <fmt/format.h>

#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {
namespace {

constexpr std::array<int, 4> passed_on = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};

std::atomic<pid_t> g_program{0};  // that runs now
std::atomic<int> g_kept{0};       // a signal that came while none did
static_assert(std::atomic<pid_t>::is_always_lock_free, "used in a signal handler");

// What the terminal sends, the kernel has sent to the program as well, if there was one.
void pass_on(int number, siginfo_t* info, void* /*context*/) {
  const int error = errno;
  if (const pid_t program = g_program.load(); program == 0) {
    g_kept.store(number);
  } else if (info->si_code <= 0) {
    ::kill(program, number);
  }
  errno = error;
}

/// While it is there, signals are passed on. Those that were ignored (nohup) stay so. One that came
/// before the program ends it when it begins; one that came after it ends this process.
class SignalsPassedOn {
 public:
  SignalsPassedOn() {
    struct sigaction action {};
    action.sa_sigaction = pass_on;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    ::sigemptyset(&action.sa_mask);
    ::sigemptyset(&caught_);
    for (std::size_t i = 0; i < passed_on.size(); ++i) {
      ::sigaction(passed_on[i], nullptr, &before_[i]);
      if (before_[i].sa_handler == SIG_IGN) continue;
      ::sigaction(passed_on[i], &action, nullptr);
      ::sigaddset(&caught_, passed_on[i]);
    }
  }
  ~SignalsPassedOn() {
    for (std::size_t i = 0; i < passed_on.size(); ++i) {
      ::sigaction(passed_on[i], &before_[i], nullptr);
    }
    if (const int number = g_kept.exchange(0); number != 0) ::raise(number);
  }
  SignalsPassedOn(const SignalsPassedOn&) = delete;
  SignalsPassedOn& operator=(const SignalsPassedOn&) = delete;

  [[nodiscard]] const sigset_t& caught() const { return caught_; }

  static void to(pid_t program) {
    g_program.store(program);
    if (const int number = g_kept.exchange(0); number != 0) ::kill(program, number);
  }
  /// Precondition: the program has ended and was not reaped: so its pid is nobody else's yet.
  static void to_nobody() { g_program.store(0); }

 private:
  std::array<struct sigaction, passed_on.size()> before_{};
  sigset_t caught_{};
};

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> environment_with(
    const std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<std::string> environment;
  for (char** variable = ::environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    bool is_set_anew = false;
    for (const auto& [name, value] : variables) {
      const bool is_it = text.starts_with(name) && text.substr(name.size()).starts_with('=');
      is_set_anew = is_set_anew || is_it;
    }
    if (!is_set_anew) environment.emplace_back(text);
  }
  for (const auto& [name, value] : variables) {
    environment.push_back(fmt::format("{}={}", name, value));
  }
  return environment;
}

[[noreturn]] void refuse(const std::string& program, int error) {
  const std::string name = printable(program);
  const bool is_path = program.find('/') != std::string::npos;
  if (is_path && error == ENOENT && ::access(program.c_str(), F_OK) == 0) {
    throw ToolError(fmt::format("'{}' cannot be run: the interpreter or loader that it names is "
                                "missing; see its first line, or file '{}'",
                                name, name),
                    exit_not_found);
  }
  if (error == ENOENT || error == ENOTDIR) {
    throw ToolError(fmt::format("there is no program '{}'{}; give the path of one", name,
                                is_path ? "" : " in the folders of PATH"),
                    exit_not_found);
  }
  throw ToolError(fmt::format("'{}' cannot be run ({}); give a program that you may run", name,
                              std::strerror(error)),
                  exit_cannot_be_run);
}

// Signals that are caught here are as they were there, and none is blocked that was not.
pid_t start(std::vector<std::string> command, std::vector<std::string> environment,
            const sigset_t& caught) {
  posix_spawnattr_t attributes;
  if (const int error = ::posix_spawnattr_init(&attributes); error != 0) {
    throw std::system_error(error, std::generic_category(), "posix_spawnattr_init");
  }
  ::posix_spawnattr_setsigdefault(&attributes, &caught);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  const std::vector<char*> arguments = pointers_to(command);
  const std::vector<char*> variables = pointers_to(environment);
  pid_t program = 0;
  const int error = ::posix_spawnp(&program, command.front().c_str(), nullptr, &attributes,
                                   arguments.data(), variables.data());
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) refuse(command.front(), error);
  return program;
}

// Signals go to it until it is reaped, and to nobody who gets its pid then.
int status_at_end(pid_t program) {
  siginfo_t ended{};
  while (::waitid(P_PID, static_cast<id_t>(program), &ended, WEXITED | WNOWAIT) < 0) {
    if (errno == EINTR) continue;
    SignalsPassedOn::to_nobody();
    throw std::system_error(errno, std::generic_category(), "waitid");
  }
  SignalsPassedOn::to_nobody();
  int status = 0;
  while (::waitpid(program, &status, 0) < 0) {
    if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "waitpid");
  }
  return status;
}

}  // namespace

ProgramEnd run_program(const std::vector<std::string>& command,
                       const std::vector<std::pair<std::string, std::string>>& variables) {
  // Who ignores it has nobody to wait for. The program has the default as well then.
  ::signal(SIGCHLD, SIG_DFL);
  const SignalsPassedOn signals;
  const pid_t program = start(command, environment_with(variables), signals.caught());
  SignalsPassedOn::to(program);
  const int status = status_at_end(program);
  ProgramEnd end;
  if (WIFSIGNALED(status)) {
    end.signal = WTERMSIG(status);
    end.signal_name = ::strsignal(end.signal);
    end.status = 128 + end.signal;
  } else {
    end.status = WEXITSTATUS(status);
  }
  return end;
}

}  // namespace cow::tool

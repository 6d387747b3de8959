#include "measure/host/in_child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>

namespace cow::measure {

namespace {

constexpr char kEnd = '\n';        // behind all that was said: JSON on one line
constexpr unsigned kSeconds = 60;  // for what never ends; nothing here takes more than a few

void write_all(int descriptor, const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = ::write(descriptor, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    done += static_cast<std::size_t>(written);
  }
}

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 1 << 14> piece{};
  for (;;) {
    const ssize_t got = ::read(descriptor, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return 0;
  }
  return status;
}

/// fork() by the kernel's call alone: libc's makes others around it, for which a filter may kill.
/// What libc does there is for threads and for regions, of which there are none yet.
pid_t fork_alone() { return static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }

/// Whether a process that does it goes on: a filter may kill for it.
bool is_survived(void (*what)()) {
  const pid_t child = fork_alone();
  if (child == 0) {
    what();
    ::_exit(0);
  }
  return child > 0 && wait_for(child) == 0;
}

/// What a child may do before its work.
struct Permits {
  bool has_alarm;
  bool has_dup;
};

const Permits& permits() {
  static const Permits found{is_survived([] { ::alarm(0); }),
                             is_survived([] { ::dup2(STDERR_FILENO, STDERR_FILENO); })};
  return found;
}

/// By opening it anew, as the loader opened every library. Copied it is where there is no /proc.
void become_errors(int descriptor, bool has_dup) {
  const std::string name = "/proc/self/fd/" + std::to_string(descriptor);
  ::close(STDERR_FILENO);
  if (::open(name.c_str(), O_WRONLY) != STDERR_FILENO && has_dup) {
    ::dup2(descriptor, STDERR_FILENO);
  }
}

[[noreturn]] void be_child(const std::function<std::string()>& work, int answer, int complaints,
                           const Permits& may) {
  if (complaints >= 0) {
    if (may.has_alarm) ::alarm(kSeconds);
    become_errors(complaints, may.has_dup);
  }
  try {
    write_all(answer, work() + kEnd);
  } catch (const std::exception&) {
    ::_exit(1);  // nothing said is the report of it
  }
  ::_exit(0);
}

/// Two ends of a line, closed when they go.
struct Line {
  std::array<int, 2> ends = {-1, -1};
  Line() = default;
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line() {
    close(0);
    close(1);
  }
  bool open() { return ::pipe(ends.data()) == 0; }
  void close(std::size_t end) {
    if (ends[end] >= 0) ::close(ends[end]);
    ends[end] = -1;
  }
};

}  // namespace

ChildEnd in_child(const std::function<std::string()>& work, Complaints complaints) {
  ChildEnd end;
  Line answer;
  Line errors;
  const bool catches = complaints == Complaints::caught;
  const Permits may = catches ? permits() : Permits{false, false};
  const bool has_lines = answer.open() && (!catches || errors.open());
  const pid_t child = has_lines ? fork_alone() : -1;
  if (child == 0) be_child(work, answer.ends[1], catches ? errors.ends[1] : -1, may);
  if (child < 0) {
    end.fork_error = errno;
    end.was_child = false;
    end.said = work();
    end.has_said = true;
    return end;
  }
  answer.close(1);
  errors.close(1);
  // The answer comes last, and is shorter than a pipe holds where complaints are caught.
  if (catches) end.complained = read_all(errors.ends[0]);
  end.said = read_all(answer.ends[0]);
  const int status = wait_for(child);
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  end.has_said = !end.said.empty() && end.said.back() == kEnd;
  if (end.has_said) {
    end.said.pop_back();
  } else {
    end.said.clear();
  }
  return end;
}

}  // namespace cow::measure

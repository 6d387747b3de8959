#pragma once

// Other people's programs, run from here.

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "../measured.hpp"

namespace examples {

/// Starts a program that is found in PATH, its input and output from and to these descriptors. Not
/// by fork(): the child would keep the frames of regions.
inline pid_t start(std::vector<std::string> words, int input = STDIN_FILENO,
                   int output = STDOUT_FILENO) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t process = 0;
  const int error =
      ::posix_spawnp(&process, arguments[0], &actions, nullptr, arguments.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  claim(error == 0, words[0] + " can be started");
  return process;
}

/// Runs a program to its end, which has to be a good one.
inline void run(const std::vector<std::string>& words) {
  const pid_t process = start(words);
  int status = 0;
  claim(::waitpid(process, &status, 0) == process && status == 0, words[0] + " succeeds");
}

inline bool is_installed(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((std::filesystem::path(folder) / program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

/// The programs that run: also a claim that does not hold, which exits, leaves none behind.
struct Running {
  ~Running() {
    for (const pid_t process : processes) ::kill(process, SIGTERM);
  }
  std::set<pid_t> processes;
};
inline Running running;

/// A program that runs until this ends it.
class Process {
 public:
  explicit Process(const std::vector<std::string>& words) : process_(start(words)) {
    running.processes.insert(process_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
    running.processes.erase(process_);
  }
  [[nodiscard]] pid_t id() const { return process_; }

 private:
  pid_t process_;
};

/// A program that is told a line and answers lines, of which the last begins with "ok".
class Conversation {
 public:
  explicit Conversation(const std::vector<std::string>& words) {
    int input[2];
    int output[2];
    claim(::pipe2(input, O_CLOEXEC) == 0 && ::pipe2(output, O_CLOEXEC) == 0, "there are pipes");
    process_ = start(words, input[0], output[1]);
    ::close(input[0]);
    ::close(output[1]);
    to_ = ::fdopen(input[1], "w");
    from_ = ::fdopen(output[0], "r");
    answer();
  }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  ~Conversation() {
    std::fclose(to_);  // which a program takes for its end
    std::fclose(from_);
    ::waitpid(process_, nullptr, 0);
  }

  std::string ask(const std::string& line) {
    std::fprintf(to_, "%s\n", line.c_str());
    std::fflush(to_);
    return answer();
  }

 private:
  std::string answer() {
    std::string text;
    for (int letter = 0; letter != '\n'; text += static_cast<char>(letter)) {
      letter = std::fgetc(from_);
      claim(letter != EOF, "a program goes on after: " + text);
    }
    if (text.starts_with("ok")) return text;
    claim(!text.starts_with("error"), "a program succeeds, and not: " + text);
    return answer();
  }

  pid_t process_ = 0;
  std::FILE* to_ = nullptr;
  std::FILE* from_ = nullptr;
};

}  // namespace examples

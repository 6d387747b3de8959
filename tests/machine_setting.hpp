// Settings of the whole machine, which tests and benchmarks change only if they were asked to, and
// never for longer than they live.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>

namespace support {

/// Whether who started this process allows it to change settings: COW_CHANGE_SETTINGS=1.
inline bool may_change_settings() {
  const char* const word = std::getenv("COW_CHANGE_SETTINGS");
  return word != nullptr && std::string(word) == "1";
}

/// Writes `value` to the file of a setting, and `before` once this object goes or this process
/// ends, however it ends: another process waits for that, which no signal to our group reaches.
/// Without permission, see above, nothing is written.
class ChangedSetting {
 public:
  ChangedSetting(const std::string& file, const std::string& value, const std::string& before) {
    std::array<int, 2> line{};
    if (!may_change_settings() || ::pipe2(line.data(), O_CLOEXEC) != 0) return;
    line_ = line[1];
    const bool guarded = start_guard(line[0], file, before);
    ::close(line[0]);
    if (!guarded) return;
    std::ofstream out(file);
    out << value << std::flush;
    is_changed_ = out.good();
  }
  ~ChangedSetting() {
    if (line_ < 0) return;
    // Not the end of the line alone: children that were forked meanwhile may still hold it open.
    const ssize_t told = guard_ > 0 ? ::write(line_, "\n", 1) : 0;
    ::close(line_);
    while (told > 0 && ::waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  ChangedSetting(const ChangedSetting&) = delete;
  ChangedSetting& operator=(const ChangedSetting&) = delete;

  [[nodiscard]] bool is_changed() const { return is_changed_; }

 private:
  // Spawned, not forked: a forked child would hold frames of every region there is.
  bool start_guard(int input, const std::string& file, const std::string& before) {
    std::string script = "trap '' HUP INT TERM; read line; printf %s \"$1\" >\"$2\"";
    std::string shell = "sh";
    std::string option = "-c";
    std::string value = before;
    std::string target = file;
    const std::array<char*, 7> words{shell.data(), option.data(), script.data(), shell.data(),
                                     value.data(), target.data(), nullptr};
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    const int error =
        ::posix_spawn(&guard_, "/bin/sh", &actions, &attributes, words.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0) guard_ = -1;
    return error == 0;
  }

  int line_ = -1;
  pid_t guard_ = -1;
  bool is_changed_ = false;
};

}  // namespace support

// A limit on memory that makes the kernel refuse instead of kill.
#pragma once

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "sanitizer.hpp"
#include "support.hpp"

namespace support {

/// A group of processes that get ENOMEM beyond so much memory, where this process may make one.
class MemoryLimit {
 public:
  explicit MemoryLimit(std::size_t bytes) {
    std::ifstream groups("/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {
      const std::size_t at = line.find(":memory:");
      if (at == std::string::npos) continue;
      folder_ =
          "/sys/fs/cgroup/memory" + line.substr(at + 8) + "/cow-test-" + std::to_string(::getpid());
    }
    if (folder_.empty() || ::mkdir(folder_.c_str(), 0755) != 0) {
      folder_.clear();
      return;
    }
    ready_ = write("memory.limit_in_bytes", std::to_string(bytes)) &&
             write("memory.oom_control", "1");  // refuse instead of killing
  }
  ~MemoryLimit() {
    if (!folder_.empty()) ::rmdir(folder_.c_str());
  }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

  /// Sanitizers and emulators need more memory than there is.
  [[nodiscard]] bool ready() const {
    return ready_ && !support::has_sanitizer && !support::is_emulated();
  }
  /// This process, which is killed after a while: where it touches memory of its own and there is
  /// none, the kernel lets it wait, for ever, and no other signal ends that while it is masked.
  [[nodiscard]] bool enter() const {
    ::sigevent kill{};
    kill.sigev_notify = SIGEV_SIGNAL;
    kill.sigev_signo = SIGKILL;
    ::timer_t timer{};
    ::itimerspec patience{};
    patience.it_value.tv_sec = 300;
    touch_own_memory();
    return ::timer_create(CLOCK_MONOTONIC, &kill, &timer) == 0 &&
           ::timer_settime(timer, 0, &patience, nullptr) == 0 &&
           write("cgroup.procs", std::to_string(::getpid()));
  }

 private:
  // What a child shares with its parent until it stores to it: its heap, stack and variables.
  // Copies that it made later would count, and it would wait for them where there is no memory
  // left.
  static void touch_own_memory() {
    constexpr unsigned long most_bytes = 256UL << 20;
    const auto host_page_bytes = static_cast<unsigned long>(::sysconf(_SC_PAGESIZE));
    std::ifstream maps("/proc/self/maps");
    std::string all((std::istreambuf_iterator<char>(maps)), std::istreambuf_iterator<char>());
    std::istringstream lines(all);
    for (std::string line; std::getline(lines, line);) {
      unsigned long begin = 0;
      unsigned long end = 0;
      char access[5] = {};
      if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, access) != 3) continue;
      if (std::string(access) != "rw-p" || end - begin > most_bytes) continue;
      for (unsigned long at = begin; at < end; at += host_page_bytes) {
        auto* const byte = reinterpret_cast<volatile char*>(at);
        *byte = *byte;
      }
    }
  }

  [[nodiscard]] bool write(const std::string& file, const std::string& text) const {
    std::ofstream out(folder_ + "/" + file);
    out << text << std::flush;
    return out.good();
  }

  std::string folder_;
  bool ready_ = false;
};

}  // namespace support

#pragma once

// What the examples count and measure with: the kernel's count of a process's memory, medians of
// turns that alternate, claims that end the program when they do not hold, and the line that says
// on which machine that was. Their options are in command_line.hpp.

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "command_line.hpp"

namespace examples {

/// Ends the program with a sentence and exit code 1 if what it claims is not so.
inline void claim(bool holds, const std::string& sentence) {
  if (holds) return;
  std::fprintf(stderr, "This does not hold: %s\n", sentence.c_str());
  std::exit(1);
}

/// A number of /proc/PID/smaps_rollup, in bytes: "Pss" is the memory that a process has, where what
/// is shared with others counts for its part.
inline std::size_t memory_bytes(const std::string& key = "Pss", pid_t process = ::getpid()) {
  std::ifstream rollup("/proc/" + std::to_string(process) + "/smaps_rollup");
  for (std::string line; std::getline(rollup, line);) {
    if (line.starts_with(key + ":")) return std::stoull(line.substr(key.size() + 1)) << 10;
  }
  claim(false, "/proc/" + std::to_string(process) + "/smaps_rollup has a line " + key);
  return 0;
}

/// Seconds that a call takes.
template <typename Call>
double seconds_of(Call&& call) {
  const auto begin = std::chrono::steady_clock::now();
  std::forward<Call>(call)();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// The value of which `percent` of the samples are no larger; 50 is the median.
inline double percentile(std::vector<double> samples, double percent) {
  claim(!samples.empty(), "there are samples");
  const auto rank = static_cast<std::size_t>(percent / 100 * static_cast<double>(samples.size()));
  const auto at = samples.begin() + static_cast<std::ptrdiff_t>(std::min(rank, samples.size() - 1));
  std::nth_element(samples.begin(), at, samples.end());
  return *at;
}

inline double median(std::vector<double> samples) { return percentile(std::move(samples), 50); }

/// "2 processors (AMD EPYC), Linux 6.18.44, pages of 4 KiB". Of the kernel the version alone: what
/// follows it names a build of somebody's own.
inline std::string machine() {
  constexpr std::size_t most_letters = 30;  // the line stays within 80 columns
  std::string model = "unknown";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      model = line.substr(colon + 2, most_letters);
      break;
    }
  }
  utsname system{};
  ::uname(&system);
  const std::string release = system.release;
  return std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)) + " processors (" + model + "), Linux " +
         release.substr(0, release.find('-')) + ", pages of " +
         std::to_string(::sysconf(_SC_PAGESIZE) >> 10) + " KiB";
}

}  // namespace examples

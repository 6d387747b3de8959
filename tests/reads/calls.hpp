// What the calls on memory of a region have in common.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cow/cow.hpp>
#include <cstdio>
#include <span>
#include <vector>

#include "probe.hpp"

namespace probe {

struct Call {
  const char* name;
  bool (*call)(char* at);  ///< with its memory from `at` on
};

/// Those that fill `bytes` bytes from `at` on, and those that fill less than a page.
std::span<const Call> byte_calls();
std::span<const Call> fact_calls();

/// The region that `at` is in.
inline cow::Region* around = nullptr;

inline const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
/// More than a page.
inline const std::size_t bytes = std::max(std::size_t{65536}, 2 * page);

/// Closes what it holds.
struct File {
  int number;
  explicit File(int of) : number(of) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { ::close(number); }
  operator int() const { return number; }  // NOLINT: as a descriptor is used
};

struct Stream {
  FILE* file = std::fopen(probe::input_path().c_str(), "r");
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { std::fclose(file); }
};

inline File input() { return File(::open(probe::input_path().c_str(), O_RDONLY | O_CLOEXEC)); }

inline bool shows(const char* at, std::size_t count, std::size_t from = 0) {
  for (std::size_t i = 0; i < count; ++i) {
    if (at[i] != probe::content(from + i)) return false;
  }
  return true;
}

inline bool came(ssize_t count, const char* at) {
  return count == static_cast<ssize_t>(bytes) && shows(at, bytes);
}

/// A pair of sockets in the first of which `bytes` are waiting.
struct Sockets {
  int ends[2] = {-1, -1};
  explicit Sockets(int type = SOCK_STREAM) {
    ::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends);
    std::vector<char> sent(bytes);
    for (std::size_t i = 0; i < bytes; ++i) sent[i] = probe::content(i);
    if (::send(ends[1], sent.data(), bytes, 0) != static_cast<ssize_t>(bytes)) ends[1] = -1;
  }
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;
  ~Sockets() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
};

}  // namespace probe

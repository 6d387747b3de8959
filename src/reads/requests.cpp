// Calls whose last argument is whatever their number says: often memory that is to be filled.

#include <fcntl.h>
#include <linux/ioctl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include <cstdarg>
#include <cstdint>

#include "reads/interpose.hpp"

COW_READS_MEMBER(requests)

namespace {

// Requests that do not tell, such as TCGETS and SIOCGIFADDR, fill less.
constexpr size_t kUntoldBytes = 256;

size_t request_bytes(unsigned long request) noexcept {
  const size_t told = _IOC_SIZE(request);
  return told == 0 ? kUntoldBytes : told;
}

size_t command_bytes(int command) noexcept {
  switch (command) {
    case F_GETLK:
    case F_OFD_GETLK: return sizeof(flock);
    case F_GETOWN_EX: return sizeof(f_owner_ex);
    case F_GET_RW_HINT:
    case F_GET_FILE_RW_HINT: return sizeof(std::uint64_t);
    default: return 0;
  }
}

constexpr size_t kProcessFactBytes = 16;  // the longest is PR_GET_NAME's

}  // namespace

COW_READS_NEXT(ioctl)
COW_READS_OURS int ioctl(int file, unsigned long request, ...) noexcept {
  std::va_list rest;
  va_start(rest, request);
  void* const last = va_arg(rest, void*);
  va_end(rest);
  const auto real = COW_READS_REAL(ioctl);
  const auto call = [&] { return real(file, request, last); };
  return cow::reads::with_leases<int>({{last, request_bytes(request)}}, call);
}

/// fcntl and its twin of another name.
#define COW_READS_FCNTL(name)                                                    \
  COW_READS_NEXT(name)                                                           \
  COW_READS_OURS int name(int file, int command, ...) {                          \
    std::va_list rest;                                                           \
    va_start(rest, command);                                                     \
    void* const last = va_arg(rest, void*);                                      \
    va_end(rest);                                                                \
    const auto real = COW_READS_REAL(name);                                      \
    const auto call = [&] { return real(file, command, last); };                 \
    return cow::reads::with_leases<int>({{last, command_bytes(command)}}, call); \
  }

COW_READS_FCNTL(fcntl)
COW_READS_FCNTL(fcntl64)

COW_READS_NEXT(prctl)
COW_READS_OURS int prctl(int option, ...) noexcept {
  std::va_list rest;
  va_start(rest, option);
  void* const first = va_arg(rest, void*);
  const unsigned long more[] = {va_arg(rest, unsigned long), va_arg(rest, unsigned long),
                                va_arg(rest, unsigned long)};
  va_end(rest);
  const auto real = COW_READS_REAL(prctl);
  const auto call = [&] { return real(option, first, more[0], more[1], more[2]); };
  return cow::reads::with_leases<int>({{first, kProcessFactBytes}}, call);
}

#pragma once

#include <sys/syscall.h>

#include <cerrno>
#include <cstdint>

namespace cow::os {

/// One system call with no libc in between: no errno, no cancellation point, no lazy binding.
/// Returns the kernel's own value: a result, or minus an errno value.
/// Signal context: yes.
inline long raw_syscall(long number, std::uintptr_t a = 0, std::uintptr_t b = 0,
                        std::uintptr_t c = 0, std::uintptr_t d = 0, std::uintptr_t e = 0,
                        std::uintptr_t f = 0) noexcept {
#if defined(__x86_64__)
  long result = number;
  register std::uintptr_t r10 asm("r10") = d;
  register std::uintptr_t r8 asm("r8") = e;
  register std::uintptr_t r9 asm("r9") = f;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = number;
  register std::uintptr_t x0 asm("x0") = a;
  register std::uintptr_t x1 asm("x1") = b;
  register std::uintptr_t x2 asm("x2") = c;
  register std::uintptr_t x3 asm("x3") = d;
  register std::uintptr_t x4 asm("x4") = e;
  register std::uintptr_t x5 asm("x5") = f;
  asm volatile("svc #0"
               : "+r"(x0)
               : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
               : "memory");
  return static_cast<long>(x0);
#else
#error "libcow runs on x86-64 and ARM64"
#endif
}

/// `call()` makes a raw system call; it is made again as long as a signal interrupts it.
/// Signal context: yes.
template <class Call>
long uninterrupted(const Call& call) noexcept {
  long result = -EINTR;
  while (result == -EINTR) result = call();
  return result;
}

/// The same for a call of libc's, which says -1 and sets errno.
template <class Call>
int uninterrupted_by_libc(const Call& call) {
  int result = -1;
  do result = call();
  while (result == -1 && errno == EINTR);
  return result;
}

inline std::uintptr_t argument(const void* pointer) noexcept {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

}  // namespace cow::os

#pragma once

#include <dlfcn.h>

#include <atomic>
#include <cow/export.hpp>

#include "reads/leases.hpp"

namespace cow::reads {

/// The function of a name that comes after ours: libc's, or that of another library which stands in
/// front of it.
class Next {
 public:
  explicit constexpr Next(const char* name) noexcept : name_(name) {}

  /// Null if this libc has no such function.
  void* find() noexcept {
    void* const known = known_.load(std::memory_order_relaxed);
    return known != nullptr ? known : look_up();
  }
  void* look_up() noexcept {
    void* const found = ::dlsym(RTLD_NEXT, name_);
    if (found == nullptr) ::dlerror();  // which the program would take for one of its own
    known_.store(found, std::memory_order_relaxed);
    return found;
  }

 private:
  const char* name_;
  std::atomic<void*> known_{nullptr};
};

template <class Result>
Result missing() noexcept {
  errno = ENOSYS;
  return failed<Result>();
}

}  // namespace cow::reads

/// What stands before a function that is called instead of libc's.
#define COW_READS_OURS extern "C" COW_API

/// Makes `next_<name>`. It is looked up when the program starts, since the loader's lock is not for
/// signal handlers; constructors that run even earlier look it up themselves.
#define COW_READS_NEXT(name)                                                                \
  namespace cow::reads {                                                                    \
  constinit static Next next_##name{#name};                                                 \
  __attribute__((constructor(101))) static void look_up_##name() { next_##name.look_up(); } \
  }

/// What comes after our function `name`, with its type.
#define COW_READS_REAL(name) (reinterpret_cast<decltype(&::name)>(cow::reads::next_##name.find()))

/// A function of libc that is called under leases on the memory that the last arguments name:
///
///     COW_READS(ssize_t, read, (int file, void* to, size_t bytes), (file, to, bytes), {to, bytes})
#define COW_READS(result, name, parameters, arguments, ...)       \
  COW_READS_NEXT(name)                                            \
  COW_READS_OURS result name parameters {                         \
    const auto real = COW_READS_REAL(name);                       \
    if (real == nullptr) return cow::reads::missing<result>();    \
    const auto call = [&]() -> result { return real arguments; }; \
    return cow::reads::with_leases<result>({__VA_ARGS__}, call);  \
  }

/// The program that is linked with the archive names these, one for each of its members, so that
/// all of them become part of it.
#define COW_READS_MEMBER(name) COW_READS_OURS const char cow_reads_##name = 1;

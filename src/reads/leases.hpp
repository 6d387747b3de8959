#pragma once

#include <sys/uio.h>

#include <cerrno>
#include <cow/lease.hpp>
#include <cstddef>
#include <exception>
#include <initializer_list>
#include <new>
#include <system_error>
#include <type_traits>

namespace cow::reads {

/// Memory that a call lets the kernel write to. Null or 0 bytes: none.
using Memory = iovec;

/// A lease on some memory, whatever it is, as a function of libc may take it: it neither throws nor
/// touches errno.
class Lease {
 public:
  explicit Lease(Memory memory) noexcept {
    const int before = errno;
    try {
      lease_ = write_lease(memory.iov_base, memory.iov_len);
    } catch (const std::system_error& refused) {
      error_ = refused.code().value();
    } catch (const std::exception&) {
      error_ = ENOMEM;
    }
    errno = before;
  }
  ~Lease() {
    if (!is_held()) return;
    const int before = errno;
    lease_ = WriteLease();
    errno = before;
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  [[nodiscard]] bool is_held() const noexcept { return lease_.data() != nullptr; }
  /// Why there is none though the memory is a region's; or 0.
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  WriteLease lease_;
  int error_ = 0;
};

/// What is to be called under the leases: any function object that outlives this one.
template <class Result>
class Call {
 public:
  template <class Function>
  explicit(false) Call(const Function& function) noexcept
      : function_(&function), call_([](const void* called) -> Result {
          return (*static_cast<const Function*>(called))();
        }) {}
  Result operator()() const { return call_(function_); }

 private:
  const void* function_;
  Result (*call_)(const void*);
};

/// What a function of libc returns when it has failed, with the reason in errno.
template <class Result>
Result failed() noexcept {
  if constexpr (std::is_pointer_v<Result>) {
    return nullptr;
  } else if constexpr (std::is_same_v<Result, std::size_t>) {
    return 0;  // items that were read
  } else {
    return static_cast<Result>(-1);
  }
}

/// Calls `call` with leases on the pieces of memory that lie in a region. They are held by one
/// frame of the stack each, since there may be any number and no memory may be allocated. A call
/// whose memory cannot be leased fails with the reason, rather than end short; where it cannot say
/// so, it is left to libc, which ends the process if the kernel refuses.
template <class Result>
Result with_leases(const Memory* memory, const Memory* end, const Call<Result>& call) {
  for (; memory != end; ++memory) {
    const Lease lease(*memory);
    if (lease.is_held()) return with_leases(memory + 1, end, call);
    if (lease.error() == 0 || std::is_void_v<Result>) continue;
    errno = lease.error();
    return failed<Result>();
  }
  return call();
}

template <class Result>
Result with_leases(std::initializer_list<Memory> memory, const Call<Result>& call) {
  return with_leases(memory.begin(), memory.end(), call);
}

}  // namespace cow::reads

#include "api/c/call.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <system_error>

namespace cow::c {

namespace {

constexpr std::size_t kMostBytes = 512;
constexpr std::size_t kKeptEnd = 200;  // where a sentence has the reason and the advice
constexpr const char* kGap = " ... ";

// Static storage of the thread, as it is there when no memory is: the loader would take other
// storage from malloc when a thread first asks for it.
__attribute__((tls_model("initial-exec"))) thread_local char t_sentence[kMostBytes] = "";

int remember(int error, const char* call, const char* what) noexcept {
  // Sentences of misuse begin with a function's name; those of std's own exceptions do not.
  char* const end = t_sentence + kMostBytes - 1;
  const auto add = [end](char* to, const char* text, std::size_t length) {
    length = std::min(length, static_cast<std::size_t>(end - to));
    std::memcpy(to, text, length);
    return to + length;
  };
  char* to = t_sentence;
  if (call != nullptr) to = add(add(to, call, std::strlen(call)), ": ", 2);
  const std::size_t length = std::strlen(what);
  const auto room = static_cast<std::size_t>(end - to);
  if (length <= room) {
    to = add(to, what, length);
  } else {
    to = add(to, what, room - kKeptEnd - std::strlen(kGap));
    to = add(to, kGap, std::strlen(kGap));
    to = add(to, what + length - kKeptEnd, kKeptEnd);
  }
  *to = '\0';
  return error;
}

int errno_of(const std::error_code& code) noexcept {
  const bool is_errno =
      code.category() == std::generic_category() || code.category() == std::system_category();
  return is_errno && code.value() > 0 ? code.value() : EIO;
}

}  // namespace

// The runtime has no object for a forced unwinding, and binds the name to nothing.
__attribute__((no_sanitize("undefined"))) int caught(const char* call) {
  try {
    throw;
  } catch (const abi::__forced_unwind&) {
    throw;  // pthread_cancel or pthread_exit: who catches it must throw it on
  } catch (const std::system_error& error) {
    return remember(errno_of(error.code()), nullptr, error.what());
  } catch (const std::bad_alloc&) {
    return remember(ENOMEM, call, "there is no memory for it; give some back and call again");
  } catch (const std::length_error&) {
    return remember(EINVAL, call, "more bytes than any program can have; ask for fewer");
  } catch (const std::logic_error& error) {
    return remember(EINVAL, nullptr, error.what());
  } catch (const std::exception& error) {
    return remember(EIO, call, error.what());
  } catch (...) {
    return remember(EIO, call, "a callback threw what is no std::exception; it must throw nothing");
  }
}

}  // namespace cow::c

const char* cow_last_error(void) { return cow::c::t_sentence; }

int cow_abi_version(void) { return COW_ABI_VERSION; }

int cow_version(void) { return cow::version(); }

const char* cow_build_info(void) { return cow::build_info(); }

void cow_free(void* memory) { ::operator delete(memory); }

#pragma once

#include <cow/c/base.h>

#include <string>

#include "base/error.hpp"

// What every function of the C API is made of.

namespace cow::c {

/// Within a catch (...): turns the exception into an errno value, which it returns, and the
/// sentence that cow_last_error() has. The only place that does. `call` is the function's name.
/// Takes no memory. Comes back with the exception if that is no error but the end of the thread.
int caught(const char* call);

/// Runs the body of a function. No exception leaves it: 0, or an errno value.
template <class Body>
int call(const char* name, const Body& body) {
  try {
    body();
    return 0;
  } catch (...) {
    return caught(name);
  }
}

/// What `pointer` points to; std::invalid_argument that names it if it is null.
template <class T>
T& need(T* pointer, const char* name, const char* what) {
  if (pointer == nullptr) {
    throw_invalid_argument(std::string(name) + ": " + what + " is NULL; give one");
  }
  return *pointer;
}

}  // namespace cow::c

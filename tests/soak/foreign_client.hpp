// Somebody else in the process who lives by SIGSEGV: a page that is protected, and mended by a
// handler which was there before libcow's.
#pragma once

#include <cstddef>
#include <string>

namespace soak {

/// Pages, one for each worker, and the process's SIGSEGV action. One at a time, made before any
/// region is.
class ForeignClient {
 public:
  explicit ForeignClient(std::size_t workers);
  ~ForeignClient();
  ForeignClient(const ForeignClient&) = delete;
  ForeignClient& operator=(const ForeignClient&) = delete;

  /// Protects the worker's page and stores to it. Empty if that took exactly one fault, which the
  /// handler mended.
  [[nodiscard]] std::string fault(std::size_t worker, unsigned value);

  /// What another library might do: puts a handler of its own in front of libcow's. It asks libcow
  /// first and hands on the rest. False if libcow's was not in front.
  bool take_over();
};

}  // namespace soak

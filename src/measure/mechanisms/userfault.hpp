#pragma once

// userfaultfd: pages of this process whose first store the kernel reports.

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "measure/mechanisms/mapping.hpp"

namespace cow::measure {

/// Who is told of a store to a protected page.
enum class Told {
  storing_thread,  ///< SIGBUS
  reading_thread,  ///< whoever reads the descriptor; the storing thread waits
};

class Userfault {
 public:
  /// Throws std::system_error, naming what the kernel refused. Needs no privilege: faults of the
  /// kernel on behalf of this process are not reported.
  explicit Userfault(Told told);

  void watch(std::span<std::byte> pages) const;
  void protect(std::span<std::byte> pages) const;
  /// Opens them and lets those go on that wait for it. Async-signal-safe; ends the process where
  /// the kernel refuses.
  void open(std::span<std::byte> pages) const noexcept;
  /// The same in two calls.
  void open_quietly(std::span<std::byte> pages) const noexcept;
  void let_go_on(std::span<std::byte> pages) const noexcept;

  /// The address of the next store to a protected page. Nothing if it was about something else.
  [[nodiscard]] std::optional<const void*> next_store() const;

 private:
  Descriptor descriptor_;
};

/// Why it cannot be had here, by trying it with one page; empty if it can.
[[nodiscard]] std::string why_no_userfault(Told told);

}  // namespace cow::measure

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/units.hpp"
#include "os/descriptor.hpp"

namespace cow {

/// Where a backup writes pages, in any order. Each call is made by the backup's own thread and
/// throws std::system_error with a sentence.
class BackupTarget {
 public:
  virtual ~BackupTarget() = default;
  BackupTarget(const BackupTarget&) = delete;
  BackupTarget& operator=(const BackupTarget&) = delete;

  /// The region has so many bytes: at the cut, before anything is written.
  virtual void set_size(std::uint64_t size_bytes) = 0;
  /// The bytes of `pages`, one after the other, from `bytes` on. No page comes twice.
  virtual void write(std::span<const PageIndex> pages, const std::byte* bytes) = 0;
  /// All pages that are not zeros have been written: writes what is left, but the last step.
  virtual void finish() = 0;
  /// The last step: when it returns the image is complete, and before it is called there is none.
  virtual void commit() = 0;

  /// Its descriptor, which a child process has, too, and is to close.
  [[nodiscard]] virtual const os::DescriptorName& descriptor() const noexcept = 0;
  /// Memory that it takes beside its object, at most, when all pages with data lie in the ranges of
  /// so many leaves of a page table.
  [[nodiscard]] virtual std::size_t most_bytes_taken(std::uint64_t leaves) const noexcept = 0;
  /// Since it began, header and lists included.
  [[nodiscard]] virtual std::uint64_t bytes_written() const noexcept = 0;
  /// Pages with data.
  [[nodiscard]] virtual std::uint64_t pages_written() const noexcept = 0;
  /// Whether a reader decides how long it takes.
  [[nodiscard]] virtual bool has_reader() const noexcept = 0;

 protected:
  BackupTarget() = default;
};

}  // namespace cow

#pragma once

// Plain memory of the kernel's, without libcow, for the other sides of a comparison. Always in the
// host's own pages: huge pages are refused, so that a fault of one mechanism and a fault of another
// are about the same number of bytes.

#include <cstddef>
#include <span>
#include <string>

#include "measure/host/facts.hpp"
#include "measure/mechanisms/mechanism.hpp"

namespace cow::measure {

/// Throws std::system_error with errno and the name of the call.
[[noreturn]] void refused(const char* call);

/// A descriptor, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor();

  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

/// What a file is opened for: to be read, or, without a name, to be made.
[[nodiscard]] Descriptor open_to_read(const std::string& name);
[[nodiscard]] Descriptor make_memory_file(std::size_t bytes);
[[nodiscard]] std::size_t bytes_of(const Descriptor& file);

/// One mapping, unmapped at the end.
class Mapping {
 public:
  [[nodiscard]] static Mapping anonymous(std::size_t bytes);
  /// Stores go to the file.
  [[nodiscard]] static Mapping shared(const Descriptor& file, std::size_t bytes);
  /// Stores go to copies of the file's pages.
  [[nodiscard]] static Mapping of_copies(const Descriptor& file, std::size_t bytes);
  [[nodiscard]] static Mapping read_only(const Descriptor& file, std::size_t bytes);

  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&&) = delete;
  ~Mapping();

  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

 private:
  Mapping(std::size_t bytes, int protection, int flags, int descriptor);

  std::span<std::byte> bytes_;
};

/// One word in the middle of every page: a page that nobody stored to has no frame.
void store_to_every_page(std::span<std::byte> bytes);

/// What a program has without any mechanism: private memory that was stored to, or private copies
/// of a file's pages.
[[nodiscard]] Mapping plain_memory(const MemoryOptions& options);

/// A memory file that was stored to, or the file that was asked for.
[[nodiscard]] Descriptor filled_file(const MemoryOptions& options);

}  // namespace cow::measure

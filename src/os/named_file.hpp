#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "os/descriptor.hpp"
#include "os/frame_file.hpp"
#include "os/output_file.hpp"

namespace cow::os {

/// A regular file of the user's, open for reading alone.
class ReadableFile {
 public:
  /// Throws std::system_error that names the file: what cannot be opened, and what is a folder, a
  /// pipe, a device or the like.
  static ReadableFile open(const std::filesystem::path& path);
  /// What is open already; `name` is for sentences. Throws as open() does.
  static ReadableFile of(Descriptor descriptor, std::string name);
  /// The file of a descriptor of the user's, which stays his: "descriptor 5". It is opened anew, so
  /// that its position is not moved; where that cannot be (no /proc, no permission) the descriptor
  /// is duplicated. Throws the same.
  static ReadableFile open(int descriptor);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }  ///< for sentences
  /// The size when it was opened.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  /// Gives up the descriptor.
  [[nodiscard]] Descriptor take_descriptor() noexcept { return std::move(descriptor_); }

  /// Reads exactly `bytes` bytes. Throws std::system_error, also if the file ends before.
  /// Precondition: `target` is in no region.
  void read(std::byte* target, std::size_t bytes, FileOffset from) const;

  /// The first byte at or after `from` that is not in a hole of the file, at most bytes().
  [[nodiscard]] std::uint64_t next_data(std::uint64_t from) const noexcept;
  /// The first that is in one, at most bytes().
  [[nodiscard]] std::uint64_t next_hole(std::uint64_t from) const noexcept;

 private:
  static ReadableFile look_at(Descriptor descriptor, std::string name, const char* advice);
  ReadableFile(Descriptor descriptor, std::string name, std::uint64_t bytes) noexcept
      : descriptor_(std::move(descriptor)), name_(std::move(name)), bytes_(bytes) {}

  Descriptor descriptor_;
  std::string name_;
  std::uint64_t bytes_;
};

/// A file that is written in full before anybody sees it, and then takes the place of the one of
/// its name in one step. Until commit() returns, that name shows what it showed before; a process
/// that ends meanwhile leaves no part of it behind where the file system knows nameless files
/// (O_TMPFILE) and there is a /proc to name them at last, else one file whose name begins with a
/// dot. It takes over the mode of the file it replaces, and its owner and group where this process
/// may give them.
class ReplacementFile final : public OutputFile {
 public:
  /// Throws std::system_error: among others, if `path` is there and not a regular file.
  explicit ReplacementFile(std::filesystem::path path);
  /// Without commit(), nothing was written.
  ~ReplacementFile() override;

  // Each throws std::system_error that names the file.

  void resize(std::uint64_t bytes) override;
  void write(const std::byte* source, std::size_t bytes, FileOffset to) override;
  /// The first `bytes` bytes, zeros, to be stored to: they are in the file at once, whatever
  /// becomes of this process, and of this object. Their room is taken beforehand: no store finds
  /// the disk full. For unmap_shared().
  [[nodiscard]] std::byte* allocate_and_map(std::size_t bytes);
  /// On return the bytes and the name are on the disk.
  void commit();
  [[nodiscard]] const DescriptorName& descriptor() const noexcept { return descriptor_.name(); }

 private:
  [[noreturn]] void refuse(int error, const char* call, const char* what) const;
  void open_temporary(mode_t mode);
  void remove_temporary() noexcept;
  void check_room(std::uint64_t bytes) const;  // beyond, the kernel would raise a signal
  void begin_write_back(std::uint64_t written) noexcept;

  std::filesystem::path path_;
  std::filesystem::path folder_;
  std::filesystem::path temporary_;  ///< a name that has to go; empty if there is none
  Descriptor descriptor_;
  std::uint64_t on_the_way_ = 0;  ///< bytes that the kernel was asked to bring to the disk
};

/// What ReplacementFile::allocate_and_map() has mapped.
void unmap_shared(std::byte* address, std::size_t bytes) noexcept;

/// Random bytes from the kernel. Throws std::system_error.
void fill_randomly(std::byte* target, std::size_t bytes);

}  // namespace cow::os

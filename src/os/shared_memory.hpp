#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "os/descriptor.hpp"
#include "os/named_file.hpp"
#include "os/output_file.hpp"

namespace cow::os {

/// A file in memory that is being filled and that nobody else knows of.
class MemoryFile : public OutputFile {
 public:
  void resize(std::uint64_t bytes) override;
  void write(const std::byte* source, std::size_t bytes, FileOffset to) override;
  /// Its holes between `from` and byte `end` become zeros that take memory. Throws
  /// std::system_error.
  void fill_holes(FileOffset from, std::uint64_t end);

 protected:
  /// `title` is what sentences call it.
  explicit MemoryFile(std::string title) noexcept : title_(std::move(title)) {}
  [[noreturn]] void refuse(int error, const char* call, const std::string& what) const;

  Descriptor descriptor_;

 private:
  std::string title_;
};

/// One that gets a name in shared memory when it is complete, in one step: until then there is
/// nothing of that name. A process that ends meanwhile leaves nothing behind where the file system
/// of shared memory knows nameless files (O_TMPFILE) and there is a /proc to name them at last;
/// elsewhere one object whose name begins with `unfinished_prefix`.
class NewNamedObject final : public MemoryFile {
 public:
  static constexpr const char* unfinished_prefix = ".libcow.";

  /// Throws std::system_error: among others EEXIST if there is an object of that name.
  explicit NewNamedObject(std::string name);
  ~NewNamedObject() override;
  /// Takes the memory for its first `bytes` bytes, that of zeros as well. Throws std::system_error.
  void allocate(std::uint64_t bytes);
  /// Gives it its name and mode. Throws std::system_error, also EEXIST.
  void link(mode_t mode);

 private:
  [[noreturn]] void refuse_name() const;
  void open_unnamed();
  void open_unfinished();

  std::string name_;
  std::string unfinished_;  ///< a name that has to go; empty if there is none
};

/// One that nobody can ever change once it is sealed.
class NewSealedObject final : public MemoryFile {
 public:
  /// Throws std::system_error.
  NewSealedObject();
  /// Seals it; a new descriptor of it, close-on-exec and for reading alone, is the caller's. Throws
  /// std::system_error.
  [[nodiscard]] int seal();
};

/// The object of that name, for reading, if only root and this user can change it. Throws
/// std::system_error: ENOENT, EACCES, EPERM if somebody else could.
ReadableFile open_trusted_object(const std::string& name);

/// The object that `descriptor` is of, for reading, if nobody can change it. The descriptor stays
/// the caller's. Throws std::system_error.
ReadableFile open_sealed_object(int descriptor);

/// Where it is kept, for sentences.
std::string path_of_object(const std::string& name);

}  // namespace cow::os

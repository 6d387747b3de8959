// MAP_PRIVATE, the kernel's copy on write of a file's pages. A clone is one more private mapping of
// the same file; its stores are seen by nobody else and go with it.

#include <sys/mman.h>

#include <exception>
#include <optional>

#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/table.hpp"

namespace cow::measure {

namespace {

class PrivateMemory : public Memory {
 public:
  explicit PrivateMemory(const MemoryOptions& options)
      : file_(filled_file(options)),
        original_(options.file.empty() ? Mapping::shared(file_, options.bytes)
                                       : Mapping::read_only(file_, bytes_of(file_))) {}

  std::span<std::byte> bytes() override { return (clone_ ? *clone_ : original_).bytes(); }

  void begin() override { clone_.emplace(new_clone()); }

  void end() override { clone_.reset(); }

  void try_out(const std::function<void(std::span<std::byte>)>& stores) override {
    if (!trial_) trial_.emplace(new_clone());
    const std::span<std::byte> bytes = trial_->bytes();
    stores(bytes);
    if (::madvise(bytes.data(), bytes.size(), MADV_DONTNEED) != 0) refused("madvise");
  }

 private:
  [[nodiscard]] Mapping new_clone() const {
    return Mapping::of_copies(file_, original_.bytes().size());
  }

  Descriptor file_;
  Mapping original_;  ///< a program's view before begin(); of a file that was asked for, read-only
  std::optional<Mapping> clone_;
  std::optional<Mapping> trial_;
};

std::string why_no_memory_file() {
  try {
    static_cast<void>(make_memory_file(host_page_bytes()));
  } catch (const std::exception& error) {
    return std::string("a memory file cannot be had: ") + error.what();
  }
  return {};
}

}  // namespace

const Mechanism table::private_file = {
    .name = "private",
    .title = "MAP_PRIVATE of a memfd",
    .what = "Each clone is a new private mapping of a memory file; to go back, MADV_DONTNEED "
            "throws away the copies that the kernel made.",
    .keeps_stores = false,
    .rolls_back = true,
    .has_granules = false,
    .has_files = true,
    .why_not = why_no_memory_file,
    .make = [](const MemoryOptions& options) -> std::unique_ptr<Memory> {
      return std::make_unique<PrivateMemory>(options);
    }};

}  // namespace cow::measure

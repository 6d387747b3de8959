// How the fuzzer's bytes become image files. A header, a list of pages and some pages would lie far
// apart in a file; here they follow one another, so that small inputs reach everything, and
// checksums can be made right, as a forger would.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fuzz {

/// What the first byte of an input asks for.
enum Choice : std::uint8_t {
  raw = 1,              ///< the bytes are the file, nothing is laid out
  right_checksums = 2,  ///< of header and list
  right_pages = 4,      ///< the checksums of the pages, too
  right_chain = 8,      ///< each file is the next of the one before
  mapped = 16,          ///< LoadMode::mapped
  right_size = 32,      ///< the file is as long as its header says
  kernel_copies = 64,   ///< Mechanism::kernel, where it can be had
  attached = 128,       ///< the first file is a template: cow::attach
};

using Bytes = std::vector<std::byte>;

/// An input: a byte of choices, then for each file its length in two bytes and its parts.
void append_file(Bytes& input, std::span<const std::byte> parts);

/// The parts of an image that was saved: header, list, pages without what lies between.
Bytes parts_of(std::span<const std::byte> file);

/// Descriptors of files in memory, laid out as the input says.
class Files {
 public:
  explicit Files(std::span<const std::byte> input);
  ~Files();
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  [[nodiscard]] std::uint8_t choices() const { return choices_; }
  [[nodiscard]] const std::vector<int>& descriptors() const { return descriptors_; }

 private:
  std::uint8_t choices_ = 0;
  std::vector<int> descriptors_;
};

}  // namespace fuzz

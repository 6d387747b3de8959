#pragma once

// Processes that start from bytes which another one has prepared, in the ways there are.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cow_bench {

enum class Start {
  by_template,      ///< cow::attach by name
  by_descriptor,    ///< cow::attach of an inherited descriptor
  private_mapping,  ///< Boost's shared_memory_object, mapped copy_on_write
  forked,           ///< fork() of a server that has them
  loaded_image,     ///< Region::load of an image in memory, every page held against its checksum
  read_file,        ///< read(2) of a file in memory
};

inline constexpr Start every_start[] = {Start::by_template,     Start::by_descriptor,
                                        Start::private_mapping, Start::forked,
                                        Start::loaded_image,    Start::read_file};

[[nodiscard]] const char* name_of(Start start);

/// What came of some processes that started one after the other and then all lived.
struct Started {
  std::vector<double> start_ns;  ///< of each, until it can load and store: processor time
  std::vector<double> pass_ns;   ///< and until it has read all pages and stored to 1 %
  double memory_bytes = 0;       ///< Pss of all together, the server's with them
};

/// Prepares `bytes` bytes for one way, and is rid of them at the end.
class Prepared {
 public:
  Prepared(Start start, std::size_t bytes);
  ~Prepared();
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

  /// Throws std::runtime_error if one of them does not see the bytes.
  [[nodiscard]] Started start(std::size_t processes) const;

 private:
  struct Source;
  std::unique_ptr<Source> source_;
};

/// The exit status of a program that was started to be such a process; nothing if it was not.
std::optional<int> run_as_started(int argc, char** argv);

}  // namespace cow_bench

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tool/byte_check.hpp"
#include "tool/comparison.hpp"
#include "tool/input_file.hpp"
#include "tool/observed_store.hpp"
#include "tool/screen.hpp"

namespace cow::tool {

struct DemoOptions {
  std::optional<std::string> file;        ///< nothing: choose one
  std::optional<std::string> json;        ///< nothing: no results in a file
  std::optional<std::size_t> page;        ///< nothing: the middle one
  std::optional<std::size_t> size_bytes;  ///< of the region; nothing: as large as the file
  ColorChoice color = ColorChoice::automatic;
  bool goes_on_by_itself = false;  ///< does not wait for Enter where the screen is full
};

/// Everything `cow demo` found out.
struct DemoResult {
  InputFile file;
  std::size_t page_bytes = 0;
  std::size_t pages = 0;  ///< of the file

  // The narrated store.
  std::uint64_t clone_ns = 0;       ///< the clone it happens in
  std::uint64_t next_clone_ns = 0;  ///< another one, as A is read-only already
  ObservedStore store;
  std::byte original_before{};  ///< the original's byte before the store
  std::byte original_after{};   ///< the original's byte after the store
  std::size_t repeats = 0;      ///< more stores of the same kind
  StepTimes median;             ///< of those

  // Lazy against eager.
  std::size_t comparison_bytes = 0;  ///< the region's size: the content, repeated if small
  std::vector<ComparisonRow> rows;

  ByteCheck check;
};

/// Runs `cow demo`: narrates on stdout, writes the JSON file, returns the exit code.
/// Throws ToolError, and what libcow throws.
[[nodiscard]] int run_demo(const DemoOptions& options);

}  // namespace cow::tool

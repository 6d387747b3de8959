// A program that is built twice, with libcow-reads and without: it does what programs do that know
// nothing of regions, and says of each thing whether it went well.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace probe {

struct Case {
  std::string name;
  std::function<std::string()> run;  ///< what went wrong; empty for nothing
};

/// One for each function of libc that is called.
std::span<const Case> call_cases();
/// Interpreters with their heap in a region; none where they are not installed.
std::span<const Case> program_cases();

/// Byte `i` of the file that the cases read.
inline char content(std::size_t i) { return static_cast<char>('a' + (i * 7 + i / 4099) % 26); }
inline constexpr std::size_t file_bytes = std::size_t{1} << 20;
/// Its name.
const std::string& input_path();

}  // namespace probe

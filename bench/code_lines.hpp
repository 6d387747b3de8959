#pragma once

// How long the sources are.

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace cow_bench {

/// Lines of C++ that are neither empty nor a comment, in the files of the tree this program was
/// built from whose names begin so: "src/mm/fault/" is a folder, "src/os/fault_" some files of one.
/// Nothing if there are none: the tree has gone since.
[[nodiscard]] std::optional<std::size_t> code_lines(
    std::initializer_list<std::string_view> beginnings);

}  // namespace cow_bench

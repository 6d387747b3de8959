#pragma once

#include <span>
#include <string>
#include <vector>

#include "tool/report/result_file.hpp"
#include "tool/screen.hpp"

namespace cow::tool {

/// What `cow report` shows of results without an option: advice, notes, tables, in plain ASCII that
/// fits the screen.
void print_results(Screen& screen, std::span<const ResultFile> files);

/// The same tables as GitHub's Markdown, with the environment in one line.
[[nodiscard]] std::string markdown_of(std::span<const ResultFile> files);

/// One table; a part of the above.
[[nodiscard]] std::string markdown_tables(const ResultFile& file, const std::string& experiment);

}  // namespace cow::tool

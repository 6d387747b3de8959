#pragma once

// Chapters as pages that replay them: src/page, tool/page.hpp.

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "demo/chapters/chapter.hpp"
#include "demo/record/step.hpp"

namespace cow::demo {

/// What --json writes, and a page shows.
[[nodiscard]] nlohmann::ordered_json document_of(const std::vector<Recording>& recordings);

/// Each chapter but free play. Prints a line for each. Throws tool::ToolError.
[[nodiscard]] std::vector<Recording> record_all(const ChapterOptions& options);

/// A page of each chapter but free play, or of the one that is named, and index.html, which leads
/// to them; made where `folder` is not there. Prints a line for each. Throws tool::ToolError.
void write_folder_of_pages(const std::string& folder, const std::optional<std::string>& chapter,
                           const ChapterOptions& options);

}  // namespace cow::demo

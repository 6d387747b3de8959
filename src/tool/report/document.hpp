#pragma once

#include <span>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "tool/report/picture.hpp"
#include "tool/report/result_file.hpp"

namespace cow::tool {

/// What is inside a page of results: docs/report.md.
[[nodiscard]] nlohmann::ordered_json document_of(std::span<const ResultFile> files,
                                                 const std::vector<Picture>& pictures);

}  // namespace cow::tool

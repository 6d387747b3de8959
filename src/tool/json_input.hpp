#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace cow::tool {

/// The JSON object that the file at `path` is; nothing if it is none, or none that cow writes.
[[nodiscard]] std::optional<nlohmann::ordered_json> read_json_object(const std::string& path);

/// Whether the file begins as a JSON object does, whatever follows.
[[nodiscard]] bool begins_as_json(const std::string& path);

/// Text under a key; empty if there is none.
[[nodiscard]] std::string text_in(const nlohmann::ordered_json& json, const char* name);

}  // namespace cow::tool

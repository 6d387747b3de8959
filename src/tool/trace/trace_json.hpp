#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "tool/trace/trace_file.hpp"

namespace cow::tool {

/// The trace and every step of its replay, as docs/trace.md describes it: what the page replays.
/// Throws ToolError.
[[nodiscard]] nlohmann::ordered_json trace_json(const TraceFile& trace);

/// A moment in UTC: "2026-11-29T10:30:00Z".
[[nodiscard]] std::string utc_text(std::uint64_t ns_since_1970);

/// "x86-64", "arm64", or the number that ELF has for it.
[[nodiscard]] std::string architecture_text(std::uint32_t elf_machine);

}  // namespace cow::tool

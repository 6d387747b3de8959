#pragma once

#include <string>

#include "tool/trace/trace_walk.hpp"

namespace cow::tool {

/// The name of a kind of event as the JSON has it: that of its enumerator.
[[nodiscard]] const char* name_of(trace::EventKind kind) noexcept;
[[nodiscard]] const char* name_of(trace::EntryLook look) noexcept;

/// "region 3", "snapshot 4".
[[nodiscard]] std::string space_name(bool is_snapshot, std::uint32_t space);

/// What happened, in a few words: "Store to page 17 of region 3".
[[nodiscard]] std::string title_of(const WalkedStep& walked);

/// What it did to frames, why, and what it cost: one to three plain sentences.
[[nodiscard]] std::string sentence_of(const WalkedStep& walked);

}  // namespace cow::tool

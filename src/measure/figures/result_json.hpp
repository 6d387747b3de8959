#pragma once

// A result as docs/bench-format.md says it is written, and back.

#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "measure/result.hpp"

namespace cow::measure {

/// `experiment/workload/mechanism`: what rows of two results are matched by.
[[nodiscard]] std::string name_of(const Row& row);

/// "measured", "skipped" or "failed".
[[nodiscard]] std::string to_string(Status status);

/// The row of the same experiment, workload and unit that `row` is compared with, if both were
/// measured; otherwise nullptr.
[[nodiscard]] const Row* counterpart(const Result& result, const Row& row);

/// With all that is derived. A row whose samples cannot be (not a number, a time below zero, none
/// of a measured row) is written as failed, with that as the reason.
[[nodiscard]] nlohmann::ordered_json to_json(const Result& result);

/// What is derived is not read. Throws std::runtime_error, a sentence: not a result, another
/// format, what is missing or wrong and where.
[[nodiscard]] Result from_json(const nlohmann::ordered_json& json);

/// The file's text: a row a line. Text that is no UTF-8 is replaced.
[[nodiscard]] std::string to_text(const Result& result);

/// As from_json; also of text that ends too early or is no JSON.
[[nodiscard]] Result from_text(std::string_view text);

/// Throws std::runtime_error with the file's name in the sentence.
[[nodiscard]] Result load(const std::filesystem::path& file);

/// Why a result that is compared with `baseline` is not written to `file`: they are one file, under
/// whatever names, and the next run needs the baseline as well. A sentence; empty if it may be.
[[nodiscard]] std::string why_not_written(const std::filesystem::path& baseline,
                                          const std::filesystem::path& file);

/// Writes beside the file and renames, so that a full disk leaves what was there; a device or a
/// pipe is written to. Throws std::runtime_error with the file's name in the sentence.
void save(const Result& result, const std::filesystem::path& file);

}  // namespace cow::measure

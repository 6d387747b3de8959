#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <system_error>

#include "measure/figures/result_format.hpp"
#include "measure/figures/result_json.hpp"
#include "measure/shortened.hpp"

namespace cow::measure {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_file_bytes = std::size_t{256} << 20;
constexpr int most_depth = 64;  // what writes JSON calls itself, and deeper would take its stack

std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

bool is_blank(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return std::strchr(" \t\r\n", c) != nullptr; });
}

/// The sentence for text that is no JSON.
std::string no_json(std::string_view text, std::size_t stopped_at) {
  if (is_blank(text)) return "it is empty";
  if (stopped_at > text.size()) return "it ends too early: it is truncated";
  const auto line = 1 + std::ranges::count(text.substr(0, stopped_at), '\n');
  return fmt::format("it is no JSON from line {} on", line);
}

Json parse(std::string_view text) {
  bool is_too_deep = false;
  const auto look = [&](int depth, Json::parse_event_t, const Json&) {
    is_too_deep = is_too_deep || depth > most_depth;
    return !is_too_deep;
  };
  std::string problem;
  Json json;
  // For the parser it is the end, whatever follows.
  if (text.find('\0') != std::string_view::npos) {
    throw std::runtime_error("it has a zero byte in it, and no JSON has");
  }
  try {
    json = Json::parse(text, look);
  } catch (const Json::parse_error& error) {
    problem = no_json(text, error.byte);
  } catch (const Json::out_of_range&) {
    problem = "it has a number that is larger than any that was measured";
  }
  if (is_too_deep) problem = "it is nested deeper than any result";
  if (!problem.empty()) throw std::runtime_error(problem);
  return json;
}

std::string reason_of(int error) { return std::generic_category().message(error); }

void write(const std::filesystem::path& file, const std::string& text) {
  errno = 0;
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream << text << std::flush;
  stream.close();
  if (!stream) {
    throw std::runtime_error(fmt::format("cannot write {}: {}", file.string(), reason_of(errno)));
  }
}

}  // namespace

std::string to_text(const Result& result) {
  const Json json = to_json(result);
  std::string text = "{\n\"context\": " + dump(json.at("context"), 2);
  for (const char* const name : row_arrays) {
    text += fmt::format(",\n\"{}\": [", name);
    const char* separator = "\n";
    for (const Json& row : json.at(name)) {
      text += separator + dump(row, -1);
      separator = ",\n";
    }
    text += "\n]";
  }
  return text + "\n}\n";
}

Result from_text(std::string_view text) { return from_json(parse(text)); }

Result load(const std::filesystem::path& file) {
  std::error_code error;
  const std::string name = shortened(file.string());
  // Asked before opening: to open a pipe would wait for somebody to write to it, and a device may
  // have no end.
  const auto status = std::filesystem::status(file, error);
  if (std::filesystem::is_directory(status)) {
    throw std::runtime_error(name + " is a folder, and has to be a result of cow bench");
  }
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw std::runtime_error(name + " is no regular file, and has to be a result of cow bench");
  }
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  std::string text;
  std::array<char, std::size_t{1} << 16> part{};
  while (stream && text.size() <= most_file_bytes) {
    stream.read(part.data(), part.size());
    text.append(part.data(), static_cast<std::size_t>(stream.gcount()));
  }
  if (!stream.eof() && text.size() <= most_file_bytes) {
    throw std::runtime_error(fmt::format("cannot read {}: {}", name, reason_of(errno)));
  }
  try {
    if (text.size() > most_file_bytes) throw std::runtime_error("it is larger than any result");
    return from_text(text);
  } catch (const std::runtime_error& problem) {
    throw std::runtime_error(
        fmt::format("{} cannot be read as a result: {}", name, problem.what()));
  }
}

std::string why_not_written(const std::filesystem::path& baseline,
                            const std::filesystem::path& file) {
  std::error_code ignored;  // of a file that is not there, and so is no other
  if (baseline != file && !std::filesystem::equivalent(baseline, file, ignored)) return {};
  return fmt::format(
      "--check and --json name the same file, '{}'; write the new result to another one",
      shortened(file.string()));
}

void save(const Result& result, const std::filesystem::path& file) {
  const std::string text = to_text(result);
  std::error_code error;
  if (std::filesystem::exists(file, error) && !std::filesystem::is_regular_file(file, error)) {
    write(file, text);
    return;
  }
  // A name that no other process takes, were it writing the same file.
  std::random_device random;
  std::filesystem::path beside = file;
  beside += fmt::format(".{:08x}{:08x}.new", random(), random());
  try {
    write(beside, text);
    std::filesystem::rename(beside, file);
  } catch (...) {
    std::filesystem::remove(beside, error);
    throw;
  }
}

}  // namespace cow::measure

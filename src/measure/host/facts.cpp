#include "measure/host/facts.hpp"

#include <unistd.h>

#include <charconv>
#include <fstream>

namespace cow::measure {

namespace {

constexpr std::string_view kSpaces = " \t\r\n";

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1));
}

}  // namespace

std::optional<std::string> first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  line = trimmed(line);
  if (line.empty()) return std::nullopt;
  return line;
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::optional<std::string> field(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || !line.starts_with(key)) continue;
    std::string value = trimmed(std::string_view(line).substr(colon + 1));
    if (value.empty()) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> leading_number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> number_in(const std::string& path) {
  const std::optional<std::string> line = first_line(path);
  return line ? leading_number(*line) : std::nullopt;
}

std::optional<std::uint64_t> bytes_field(const std::string& path, std::string_view key) {
  const std::optional<std::string> value = field(path, key);
  const std::optional<std::uint64_t> kib = value ? leading_number(*value) : std::nullopt;
  return kib ? std::optional(*kib * 1024) : std::nullopt;
}

std::string chosen_word(const std::string& line) {
  const std::size_t open = line.find('[');
  const std::size_t close = line.find(']');
  return open < close && close != std::string::npos ? line.substr(open + 1, close - open - 1)
                                                    : line;
}

std::optional<std::string> chosen_in(const std::string& path) {
  const std::optional<std::string> line = first_line(path);
  return line ? std::optional(chosen_word(*line)) : std::nullopt;
}

std::size_t host_page_bytes() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace cow::measure

#include "tool/json_input.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

namespace cow::tool {

using Json = nlohmann::ordered_json;

std::optional<Json> read_json_object(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
  std::ifstream stream(path, std::ios::binary);
  // Deeper than any result of cow: to write it out again would take all of the stack.
  constexpr int most_depth = 64;
  bool is_too_deep = false;
  const auto look = [&](int depth, Json::parse_event_t, const Json&) {
    is_too_deep = is_too_deep || depth > most_depth;
    return !is_too_deep;
  };
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  // For the parser a zero byte is the end, whatever follows.
  if (text.find('\0') != std::string::npos) return std::nullopt;
  Json json = Json::parse(text, look, false);
  if (is_too_deep) return std::nullopt;
  if (json.is_discarded() || !json.is_object()) return std::nullopt;
  return json;
}

bool begins_as_json(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  std::ifstream stream(path, std::ios::binary);
  // The mark of UTF-8 that some editors put in front.
  std::array<char, 3> mark{};
  stream.read(mark.data(), mark.size());
  if (!stream || std::string_view(mark.data(), mark.size()) != "\xef\xbb\xbf") {
    stream.clear();
    stream.seekg(0);
  }
  char first = '\0';
  return static_cast<bool>(stream >> first) && first == '{';
}

std::string text_in(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace cow::tool

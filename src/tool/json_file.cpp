#include "tool/json_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

}  // namespace

JsonFile::JsonFile(std::string path) : path_(std::move(path)) {
  if (File(std::fopen(path_.c_str(), "ae")) == nullptr) refuse();
}

void JsonFile::write(const nlohmann::ordered_json& document) const {
  // A file name need not be UTF-8, a JSON document must be.
  const std::string text =
      document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  File file(std::fopen(path_.c_str(), "we"));
  if (file == nullptr) refuse();
  const bool written = std::fwrite(text.data(), 1, text.size(), file.get()) == text.size();
  if (!written || std::fclose(file.release()) != 0) refuse();
}

void JsonFile::refuse() const {
  throw ToolError(fmt::format("'{}' cannot be written ({}); give --json another file",
                              printable(path_), std::strerror(errno)));
}

}  // namespace cow::tool

#include "demo/chapters/content.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "tool/input_file.hpp"
#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"

namespace cow::demo {
namespace {

Region region_of_letters(const ChapterOptions& options) {
  const std::size_t page_bytes = Region::create(1, one_page_a_fault()).page_bytes();
  Region region = Region::create(options.size_bytes.value_or(options.pages_shown * page_bytes),
                                 one_page_a_fault());
  for (std::size_t at = 0; at < region.size(); at += page_bytes) {
    std::memset(region.data() + at, static_cast<int>('a' + at / page_bytes % 26),
                std::min(page_bytes, region.size() - at));
  }
  return region;
}

Region region_of_file(const std::string& path, std::optional<std::size_t> size_bytes) {
  const auto content = tool::in_size(tool::read_input_file(path).content, size_bytes);
  Region region = Region::create(content.size(), one_page_a_fault());
  std::memcpy(region.data(), content.data(), content.size());
  return region;
}

Region region_of(const ChapterOptions& options) {
  return options.file.has_value() ? region_of_file(*options.file, options.size_bytes)
                                  : region_of_letters(options);
}

[[noreturn]] void refuse_page(const ChapterOptions& options, std::size_t page, std::size_t last) {
  throw tool::ToolError(
      fmt::format(
          "there is no page {} in {}, which has {}; give --page a number from 0 to {}, or "
          "--size a larger one",
          page, options.file.has_value() ? tool::printable(*options.file) : "the chapter's region",
          tool::counted(last + 1, "page"), last),
      tool::exit_usage);
}

}  // namespace

RegionOptions one_page_a_fault() {
  RegionOptions options;
  options.max_window_pages = 1;
  options.mechanism = Mechanism::handler;
  return options;
}

std::size_t page_count(const Region& region) {
  return (region.size() - 1) / region.page_bytes() + 1;
}

Region& add_letters(Recorder& recorder, const ChapterOptions& options, const std::string& name,
                    std::size_t page) {
  ChapterOptions letters;
  letters.pages_shown = options.pages_shown;
  return add_original(recorder, letters, name, page);
}

Region& add_original(Recorder& recorder, const ChapterOptions& options, const std::string& name,
                     std::size_t page) {
  recorder.scene().show_around(page, options.pages_shown);
  return recorder.scene().add(name, region_of(options));
}

std::size_t add_original_to_store_to(Recorder& recorder, const ChapterOptions& options,
                                     const std::string& name) {
  Region region = region_of(options);
  const std::size_t last = page_count(region) - 1;
  const std::size_t page = options.page.value_or(std::min(options.pages_shown / 2, last));
  if (page > last) refuse_page(options, page, last);
  recorder.scene().show_around(page, options.pages_shown);
  recorder.scene().add(name, std::move(region));
  return page;
}

}  // namespace cow::demo

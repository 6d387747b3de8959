#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "api/c/call.hpp"
#include "api/c/handles.hpp"
#include "api/c/structs.hpp"

// Between C's values and C++'s.

namespace cow::c {

namespace {

std::optional<Mechanism> mechanism_of(int mechanism, const char* call) {
  switch (mechanism) {
    case COW_MECHANISM_DEFAULT: return std::nullopt;
    case COW_MECHANISM_HANDLER: return Mechanism::handler;
    case COW_MECHANISM_KERNEL: return Mechanism::kernel;
    case COW_MECHANISM_AUTOMATIC: return Mechanism::automatic;
    default:
      throw_invalid_argument(std::string(call) + ": cow_region_options::mechanism is " +
                             std::to_string(mechanism) + "; take one of enum cow_mechanism");
  }
}

}  // namespace

RegionOptions region_options(const cow_region_options* given, const char* call) {
  const cow_region_options from = options_of(given, call);
  RegionOptions options;
  options.granule_bytes = from.granule_bytes;
  if (from.max_window_pages != 0) options.max_window_pages = from.max_window_pages;
  options.most_bytes = from.most_bytes;
  options.mechanism = mechanism_of(from.mechanism, call);
  options.reserve_frames = from.reserve_frames != 0;
  options.huge_pages = from.huge_pages != 0;
  options.keep_out_of_cores = from.keep_out_of_cores != 0;
  return options;
}

std::unique_ptr<cow_page_range, FreeMemory> copy_of(const std::vector<PageRange>& ranges) {
  static_assert(sizeof(PageRange) == sizeof(cow_page_range));
  if (ranges.empty()) return nullptr;
  std::unique_ptr<cow_page_range, FreeMemory> copy(
      static_cast<cow_page_range*>(::operator new(ranges.size() * sizeof(cow_page_range))));
  cow_page_range* to = copy.get();
  for (const PageRange& range : ranges) *to++ = {range.first_page, range.page_count};
  return copy;
}

std::unique_ptr<char, FreeMemory> copy_of(const std::string& text) {
  std::unique_ptr<char, FreeMemory> copy(static_cast<char*>(::operator new(text.size() + 1)));
  std::memcpy(copy.get(), text.c_str(), text.size() + 1);
  return copy;
}

std::vector<PageRange> ranges_of(const cow_page_range* ranges, std::size_t count,
                                 const char* call) {
  if (count != 0) need(ranges, call, "the array of ranges");
  std::vector<PageRange> copy;
  copy.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    copy.push_back({ranges[i].first_page, ranges[i].page_count});
  }
  return copy;
}

}  // namespace cow::c

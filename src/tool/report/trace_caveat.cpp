#include "tool/report/trace_caveat.hpp"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "measure/trace/unseen_stores.hpp"

namespace cow::tool {
namespace {

std::uint64_t number_in(const ResultRow& row, const char* key) {
  const auto found = row.row.parameters.find(key);
  return found != row.row.parameters.end() && found->is_number_integer()
             ? found->get<std::uint64_t>()
             : 0;
}

}  // namespace

std::string trace_caveat(const ResultFile& file) {
  const auto row = std::ranges::find_if(file.rows, [](const ResultRow& one) {
    return one.row.experiment == "trace" && one.is_measured();
  });
  if (row == file.rows.end()) return "";
  const std::string along = measure::copied_along_words(number_in(*row, "pages_copied_along"),
                                                        number_in(*row, "pages_copied"));
  const std::string kernel = measure::kernel_copied_words(number_in(*row, "unseen_families"),
                                                          number_in(*row, "unseen_pages"));
  std::string words;
  for (const std::string& part : {along, kernel}) {
    if (!part.empty()) words += (words.empty() ? "; but " : ", and ") + part;
  }
  return words.empty() ? "" : words + ", which are not replayed";
}

}  // namespace cow::tool

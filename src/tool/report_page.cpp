#include "tool/report_page.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {

void write_report_page(const nlohmann::ordered_json& /*data*/, const std::string& path) {
  throw ToolError(fmt::format("'{}' is not written, as this build has no page; --json FILE has the "
                              "same data, --perfetto FILE opens in ui.perfetto.dev",
                              printable(path)));
}

}  // namespace cow::tool

#pragma once

#include <nlohmann/json_fwd.hpp>

namespace cow::tool {

struct DemoResult;

/// The result of `cow demo` as --json writes it. Addresses are strings ("0x7f5c60fc0800"), since
/// many JSON readers have no integers of 64 bits; times are nanoseconds, sizes are bytes.
[[nodiscard]] nlohmann::ordered_json demo_json(const DemoResult& result);

}  // namespace cow::tool

#pragma once

#include <cstddef>
#include <string>

namespace cow::tool {

/// For legends: "libcow, handler". What is not known keeps its name.
[[nodiscard]] std::string mechanism_title(const std::string& mechanism);

/// The place of a mechanism among all, for orders and styles that are the same everywhere; the
/// number of all for what is not known.
[[nodiscard]] std::size_t mechanism_order(const std::string& mechanism);

[[nodiscard]] bool is_known_mechanism(const std::string& mechanism);

}  // namespace cow::tool

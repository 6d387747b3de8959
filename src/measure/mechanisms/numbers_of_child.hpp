#pragma once

// Numbers that a child of fork() finds.

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace cow::measure {

/// Runs `body` in a child of fork() and returns the `count` numbers it left. Throws
/// std::runtime_error if the child did not end well, with what `body` threw there.
[[nodiscard]] std::vector<double> numbers_of_child(
    std::size_t count, const std::function<void(std::span<double>)>& body);

}  // namespace cow::measure

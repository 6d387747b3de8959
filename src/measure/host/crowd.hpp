#pragma once

// Several threads or processes that work at the same time.

#include <cstddef>
#include <functional>

namespace cow::measure {

/// What worker number `worker` of them does, from 0.
using Work = std::function<void(std::size_t worker)>;

/// Nanoseconds from the moment at which the first of `count` threads begins until the last is done.
/// They meet before it, so that none begins while another one is still being made. The calling
/// thread waits. Throws what one of them threw.
[[nodiscard]] double time_threads(std::size_t count, const Work& work);

/// The same with as many children of fork(), each with its own copy of all private memory. Throws
/// std::runtime_error where one of them did not end well.
[[nodiscard]] double time_processes(std::size_t count, const Work& work);

}  // namespace cow::measure

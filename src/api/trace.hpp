#pragma once

#include <cstddef>

namespace cow {

/// The first time, begins the trace that the environment asks for. Throws std::system_error, until
/// it is begun; std::invalid_argument if COW_TRACE_EVENTS is no number.
void follow_trace_environment();

/// `asked`, or 1 where the environment asks for a trace and, by COW_TRACE_WINDOWS=off, that each
/// page that is copied has a fault of its own in it. Throws std::invalid_argument for another
/// value.
[[nodiscard]] std::size_t window_pages_for_trace(std::size_t asked);

/// After fork(), in the child: what another thread of the parent had not finished begins anew.
void forget_trace_beginning() noexcept;

}  // namespace cow

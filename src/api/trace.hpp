#pragma once

namespace cow {

/// The first time, begins the trace that the environment asks for. Throws std::system_error, until
/// it is begun; std::invalid_argument if COW_TRACE_EVENTS is no number.
void follow_trace_environment();

/// After fork(), in the child: what another thread of the parent had not finished begins anew.
void forget_trace_beginning() noexcept;

}  // namespace cow

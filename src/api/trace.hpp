#pragma once

namespace cow {

/// The first time, begins the trace that the environment asks for. Throws std::system_error, until
/// it is begun; std::invalid_argument if COW_TRACE_EVENTS is no number.
void follow_trace_environment();

}  // namespace cow

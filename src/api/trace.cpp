#include "api/trace.hpp"

#include <cow/trace.hpp>

#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

#include "api/control_call.hpp"
#include "base/error.hpp"
#include "mm/space/space_trace.hpp"
#include "os/process.hpp"
#include "trace/writer.hpp"

namespace cow {

namespace {

std::string_view variable(const char* name) {
  const char* const value = os::environment(name);
  return value == nullptr ? "" : value;
}

// %p is the process's number, %% one %.
std::filesystem::path file_named(std::string_view pattern) {
  std::string name;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char next = pattern[i] == '%' && i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (next != 'p' && next != '%') {
      name += pattern[i];
      continue;
    }
    name += next == 'p' ? std::to_string(os::process_id()) : "%";
    ++i;
  }
  return name;
}

std::uint64_t capacity_asked_for() {
  const std::string_view text = variable("COW_TRACE_EVENTS");
  if (text.empty()) return TraceOptions{}.capacity_events;
  std::uint64_t events = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), events);
  if (error != std::errc{} || end != text.data() + text.size() || events == 0) {
    throw_invalid_argument("COW_TRACE_EVENTS is '" + std::string(text) +
                           "' in the environment; it must be a number of events, 1 or more");
  }
  return events;
}

bool begin_as_environment_says() {
  const std::string_view pattern = variable("COW_TRACE");
  if (pattern.empty()) return false;
  const std::filesystem::path file = file_named(pattern);
  try {
    trace::begin(file, capacity_asked_for());
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(),
                            "COW_TRACE asks for a trace in '" + file.string() +
                                "', which cannot be written, and so no region is made; name "
                                "another file, or unset it");
  }
  return true;
}

std::uint64_t begin_trace(const std::filesystem::path& file, std::uint64_t capacity) {
  check_stack();
  follow_trace_environment();
  return trace::begin(file, capacity);
}

}  // namespace

// No region was there before: nothing else is to be told.
void follow_trace_environment() {
  static const bool begun = begin_as_environment_says();
  static_cast<void>(begun);
}

Trace::Trace(const std::filesystem::path& file, const TraceOptions& options)
    : number_(begin_trace(file, options.capacity_events)) {
  FamilyList::instance().for_each([](Family& family) {
    const Section section(family, Section::Intent::look);
    if (!family.is_abandoned()) tell_all(family);
  });
}

Trace::~Trace() { trace::end(number_); }

std::uint64_t Trace::events() const noexcept { return trace::counts(number_).events; }

std::uint64_t Trace::lost() const noexcept { return trace::counts(number_).lost; }

}  // namespace cow

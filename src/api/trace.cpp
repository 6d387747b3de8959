#include "api/trace.hpp"

#include <cow/trace.hpp>

#include <atomic>
#include <charconv>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "api/control_call.hpp"
#include "base/error.hpp"
#include "mm/space/space_trace.hpp"
#include "os/process.hpp"
#include "os/thread.hpp"
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

void begin_as_environment_says() {
  const std::string_view pattern = variable("COW_TRACE");
  if (pattern.empty()) return;
  const std::filesystem::path file = file_named(pattern);
  const std::uint64_t capacity = capacity_asked_for();
  try {
    trace::begin(file, capacity);
  } catch (const std::system_error& error) {
    throw std::system_error(error.code(),
                            "COW_TRACE asks for a trace in '" + file.string() +
                                "', and until there is one no region is made; name another file, "
                                "or unset COW_TRACE (" +
                                error.what() + ")");
  } catch (const std::invalid_argument& error) {
    throw_invalid_argument("COW_TRACE_EVENTS is " + std::to_string(capacity) +
                           " in the environment: " + error.what());
  }
}

// A static's guard would stay taken in a child that is forked while another thread begins.
enum class Environment : std::uint8_t { to_be_followed, being_followed, followed };
std::atomic<Environment> g_environment{Environment::to_be_followed};

// False if another thread has done it.
bool must_follow_environment() noexcept {
  while (g_environment.load() != Environment::followed) {
    Environment expected = Environment::to_be_followed;
    if (g_environment.compare_exchange_strong(expected, Environment::being_followed)) return true;
    os::rest();
  }
  return false;
}

std::uint64_t begin_trace(const std::filesystem::path& file, std::uint64_t capacity) {
  check_stack();
  follow_trace_environment();
  return trace::begin(file, capacity);
}

}  // namespace

// No region was there before: nothing else is to be told.
void follow_trace_environment() {
  if (!must_follow_environment()) return;
  try {
    begin_as_environment_says();
  } catch (...) {
    g_environment.store(Environment::to_be_followed);
    throw;
  }
  g_environment.store(Environment::followed);
}

std::size_t window_pages_for_trace(std::size_t asked) {
  const std::string_view windows = variable("COW_TRACE_WINDOWS");
  if (windows.empty() || windows == "on" || variable("COW_TRACE").empty()) return asked;
  if (windows == "off") return 1;
  throw_invalid_argument("COW_TRACE_WINDOWS is '" + std::string(windows) +
                         "' in the environment; it must be on or off");
}

void forget_trace_beginning() noexcept {
  Environment unfinished = Environment::being_followed;
  g_environment.compare_exchange_strong(unfinished, Environment::to_be_followed);
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

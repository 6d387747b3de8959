#include "tool/observed_store.hpp"

#include <ctime>

#include <cow/stats.hpp>

#include "tool/quantity.hpp"
#include "tool/store_one_byte.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {
namespace {

std::uint64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

std::byte load(const Region& region, std::size_t offset) {
  return *static_cast<const volatile std::byte*>(region.data() + offset);
}

PageView look_at(const Region& region, std::size_t offset) {
  const auto begin = reinterpret_cast<std::uintptr_t>(region.data());
  PageView view;
  view.value = load(region, offset);
  view.line = find_maps_line(begin + offset);
  view.region_lines = count_maps_lines(begin, begin + region.size());
  view.frame_bytes = process_stats().bytes_in_use;
  return view;
}

}  // namespace

TimedStore time_store(Region& region, std::size_t offset, std::byte value) {
  volatile std::byte* const address = region.data() + offset;
  static_cast<void>(load(region, offset));
  TimedStore store;
  FaultRecorder recorder(&store.record, 1);
  store.before_ns = now_ns();
  store_one_byte(address, value);
  store.after_ns = now_ns();
  if (recorder.size() == 0) {
    throw ToolError("a store to a shared page raised no page fault that libcow resolved; "
                    "this is a bug in libcow, please report it");
  }
  return store;
}

ObservedStore observe_store(Region& region, std::size_t offset, std::byte value) {
  ObservedStore store;
  store.offset = offset;
  store.address = reinterpret_cast<std::uintptr_t>(region.data()) + offset;
  store.page_bytes = region.page_bytes();
  store.value = value;
  store.before = look_at(region, offset);
  store.timed = time_store(region, offset, value);
  store.after = look_at(region, offset);
  store.times = step_times(store.timed);
  return store;
}

std::string function_text(std::uintptr_t instruction_pointer) {
  // The function is a few instructions long, a few dozen in a sanitizer build.
  constexpr std::uintptr_t longest = 256;
  const auto begin = reinterpret_cast<std::uintptr_t>(&store_one_byte);
  if (instruction_pointer < begin || instruction_pointer - begin >= longest) return {};
  return "store_one_byte + " + hex(instruction_pointer - begin);
}

}  // namespace cow::tool

#include "tool/demo.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cow/region.hpp>

#include "tool/comparison_table.hpp"
#include "tool/demo_json.hpp"
#include "tool/json_file.hpp"
#include "tool/narration.hpp"
#include "tool/quantity.hpp"
#include "tool/tool_error.hpp"

namespace cow::tool {
namespace {

constexpr std::size_t store_repeats = 100;

// A region with these bytes. They are copied by ordinary stores: the kernel may not write into
// protected pages, so read(2) could not be used in place of memcpy.
Region load(std::span<const std::byte> content, const RegionOptions& options) {
  Region region = Region::create(content.size(), options);
  std::memcpy(region.data(), content.data(), content.size());
  return region;
}

std::uint64_t nanoseconds(std::chrono::steady_clock::duration duration) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count());
}

std::size_t chosen_page(const DemoOptions& options, const DemoResult& result) {
  const std::size_t page = options.page.value_or(result.pages / 2);
  if (page < result.pages) return page;
  throw ToolError(
      fmt::format("there is no page {} in '{}', which has {}; give --page a number from 0 to {}",
                  page, printable(result.file.path), counted(result.pages, "page"),
                  result.pages - 1),
      exit_usage);
}

// The byte to change: in the middle of the page, so that its address is not the page's.
std::size_t offset_in(std::size_t page, const DemoResult& result) {
  const std::size_t begin = page * result.page_bytes;
  return begin + std::min(result.page_bytes, result.file.content.size() - begin) / 2;
}

// The same store in fresh clones: the first one of a process pays for cold caches.
void repeat_store(const Region& original, DemoResult& result) {
  std::vector<StepTimes> samples;
  for (std::size_t i = 0; i < store_repeats; ++i) {
    Region clone = original.clone();
    samples.push_back(step_times(time_store(clone, result.store.offset, result.store.value)));
  }
  result.repeats = samples.size();
  result.median = median_step_times(samples);
}

void demonstrate_store(const DemoOptions& options, Narration& narration, DemoResult& result) {
  // One page a fault: what is narrated is then all that happens.
  RegionOptions one_page;
  one_page.max_window_pages = 1;
  const std::vector<std::byte>& content = result.file.content;
  const Region original = load(content, one_page);
  result.page_bytes = original.page_bytes();
  result.pages = (content.size() + result.page_bytes - 1) / result.page_bytes;
  const std::size_t offset = offset_in(chosen_page(options, result), result);
  narration.tell_file(result, original);

  const auto start = std::chrono::steady_clock::now();
  Region clone = original.clone();
  const auto cloned = std::chrono::steady_clock::now();
  result.clone_ns = nanoseconds(cloned - start);
  {
    const Region next = original.clone();  // dropped after the clock was read
    result.next_clone_ns = nanoseconds(std::chrono::steady_clock::now() - cloned);
  }
  narration.tell_clone(result, clone);

  result.original_before = original.bytes()[offset];
  result.store = observe_store(clone, offset, ~content[offset]);
  result.original_after = original.bytes()[offset];
  repeat_store(original, result);
  narration.tell_store(result);

  std::vector<std::byte> expected = content;
  expected[offset] = result.store.value;
  const bool original_intact = result.check.compare("the original", original.bytes(), content);
  const bool clone_right = result.check.compare("the clone", clone.bytes(), expected);
  narration.tell_check(result, original_intact, clone_right);
}

void compare_modes(const DemoOptions& options, Screen& screen, DemoResult& result) {
  const ComparisonSubject subject = make_comparison_subject(
      result.file.content, options.size_bytes.value_or(comparison_min_bytes));
  result.comparison_bytes = subject.plain.size();

  const std::uint64_t compared_before = result.check.bytes_compared();
  const std::size_t mismatches_before = result.check.mismatches().size();
  print_comparison_intro(screen, result);
  ComparisonTable table(screen);
  table.print_head();
  for (const double fraction : comparison_fractions) {
    result.rows.push_back(compare_clones(subject.region, subject.plain, fraction,
                                         pages_to_edit(subject.pages(), fraction), result.check));
    table.print_row(result.rows.back());
  }
  screen.blank();
  table.print_verdict(result.rows);
  print_comparison_check(screen, result.check.bytes_compared() - compared_before,
                         result.check.mismatches().size() == mismatches_before);
}

int report(const ByteCheck& check) {
  if (check.passed()) return exit_success;
  const std::vector<std::string>& mismatches = check.mismatches();
  const std::string others =
      mismatches.size() == 1 ? "" : fmt::format(" (and {} more)", mismatches.size() - 1);
  fmt::print(stderr, "cow: {}{}; this is a bug in libcow, please report it\n", mismatches.front(),
             others);
  return exit_failure;
}

}  // namespace

int run_demo(const DemoOptions& options) {
  std::optional<JsonFile> json;
  if (options.json.has_value()) json.emplace(*options.json);
  Terminal terminal = Terminal::of(stdout);
  if (options.goes_on_by_itself) terminal.can_wait = false;
  Screen screen(stdout, wants_color(options.color, stdout), terminal);
  DemoResult result;
  result.file = read_input_file(options.file);
  result.file.content = in_size(std::move(result.file.content), options.size_bytes);

  try {
    Narration narration(screen);
    demonstrate_store(options, narration, result);
    compare_modes(options, screen, result);
    if (json.has_value()) {
      json->write(demo_json(result));
      screen.blank();
      screen.line("   Results: {}", printable(*options.json));
    }
    screen.flush();
  } catch (const Screen::Stopped&) {
    return report(result.check);  // whoever watches has seen enough
  }
  return report(result.check);
}

}  // namespace cow::tool

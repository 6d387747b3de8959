#include "tool/narration.hpp"

#include <algorithm>
#include <cmath>
#include <cow/version.hpp>
#include <string>

#include "tool/demo.hpp"
#include "tool/fault_decode.hpp"
#include "tool/quantity.hpp"

namespace cow::tool {
namespace {

constexpr std::size_t fact_indent = 16;

std::string byte_text(std::byte value) {
  return fmt::format("{:#04x}", std::to_integer<unsigned>(value));
}

std::string range_text(const Region& region) {
  const auto begin = reinterpret_cast<std::uintptr_t>(region.data());
  return fmt::format("{} to {}", hex(begin), hex(begin + region.size()));
}

std::string state_text(PageState state) {
  return fmt::format("{}: {}", name_of(state), describe(state));
}

// The end of a path that is too long for a line.
std::string shortened(const std::string& path, std::size_t longest) {
  std::string text = printable(path);
  if (text.size() <= longest) return text;
  std::size_t begin = text.size() - (longest - 3);
  // Not in the middle of a UTF-8 character.
  while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xc0) == 0x80) ++begin;
  return "..." + text.substr(begin);
}

}  // namespace

void Narration::tell_file(const DemoResult& result, const Region& original) {
  const InputFile& file = result.file;
  screen_.title("A page fault, step by step");
  screen_.line("libcow {} on {}, pages of {}", COW_VERSION_STRING, name_of(this_architecture()),
               bytes_text(result.page_bytes));

  screen_.step(1, "Read a file into a region, A");
  screen_.fact("file", shortened(file.path, screen_.columns() - fact_indent));
  if (file.chosen_by_default) {
    screen_.fact("", screen_.paint(Style::dim, "a large one of this system; --file takes another"));
  }
  if (file.file_bytes > file.content.size()) {
    screen_.fact("size", fmt::format("{}, of which the first {} are used",
                                     bytes_text(file.file_bytes), bytes_text(file.content.size())));
  } else {
    screen_.fact(
        "size",
        fmt::format("{} in {}{}", bytes_text(file.content.size()), counted(result.pages, "page"),
                    file.file_bytes < file.content.size() ? ": the file's, again and again" : ""));
  }
  screen_.fact("A", range_text(original));
  screen_.flush();
}

void Narration::tell_clone(const DemoResult& result, const Region& clone) {
  const RegionStats stats = clone.stats();
  screen_.step(2, "Clone it: B = A.clone()");
  screen_.fact("B", range_text(clone));
  screen_.fact("took",
               fmt::format("{}, in which A was made read-only", time_text(result.clone_ns)));
  screen_.fact("the next one",
               fmt::format("{}, as A is read-only by now", time_text(result.next_clone_ns)));
  screen_.fact("copied", "nothing: B shows the same frames, the memory behind A's pages");
  screen_.fact("pages",
               fmt::format("{}, {} of them shared with A", with_commas(stats.pages),
                           stats.pages_shared == stats.pages ? std::string("all")
                                                             : with_commas(stats.pages_shared)));
  screen_.flush();
}

void Narration::tell_store(const DemoResult& result) {
  tell_before(result);
  tell_fault(result.store);
  tell_steps(result);
  tell_after(result);
}

void Narration::tell_before(const DemoResult& result) {
  const ObservedStore& store = result.store;
  screen_.step(3, fmt::format("Before the store: page {} of B", with_commas(store.page())));
  screen_.fact("byte", fmt::format("A {}  B {}", byte_text(result.original_before),
                                   byte_text(store.before.value)));
  screen_.fact("page", state_text(store.timed.record.before));
  tell_maps_line(store, false);
}

void Narration::tell_fault(const ObservedStore& store) {
  const FaultRecord& record = store.timed.record;
  screen_.step(4, fmt::format("Store {} into B: the CPU refuses, the kernel sends SIGSEGV",
                              byte_text(store.value)));
  screen_.fact("address",
               fmt::format("{}  (page {} + {})", hex(record.address), with_commas(store.page()),
                           hex(store.offset % store.page_bytes)));
  const std::string function = function_text(record.instruction_pointer);
  screen_.fact("instruction", fmt::format("{}{}", hex(record.instruction_pointer),
                                          function.empty() ? "" : "  (" + function + ")"));
  const char* const name = error_code_name(this_architecture());
  if (!record.has_error_code) {
    screen_.fact(name, "no record: this system does not pass it on");
    return;
  }
  screen_.fact(name, hex(record.error_code));
  for (const FaultField& field : decode_fault(this_architecture(), record.error_code)) {
    screen_.fact("", fmt::format("{:<12}{}", assignment_text(field), field.meaning));
  }
}

void Narration::tell_steps(const DemoResult& result) {
  const StepTimes& first = result.store.times;
  const StepTimes& median = result.median;
  screen_.step(5, "The handler resolves the fault; the CPU runs the store again");
  const bool wide = screen_.columns() >= 80;
  const std::size_t names = wide ? 36 : 19;
  const std::size_t used = 3 + names + 8 + 10 + 2;
  const std::size_t bar_width =
      screen_.columns() > used ? std::min<std::size_t>(18, screen_.columns() - used) : 0;
  screen_.line("   {:<{}}{:>8}{:>10}", "", names, "this one", "median of");
  screen_.line("   {:<{}}{:>8}{:>10}", "", names, "ns", fmt::format("{} more", result.repeats));
  const auto print_times = [&](std::string_view name, std::uint64_t StepTimes::*step,
                               const std::string& bar) {
    screen_.line("   {:<{}}{:>8}{:>10}{}", name, names, time_cell(first.*step, 8),
                 time_cell(median.*step, 9), bar);
  };
  const auto print = [&](const char* name, const char* short_name, std::uint64_t StepTimes::*step) {
    const auto share = static_cast<double>(median.*step) /
                       static_cast<double>(std::max<std::uint64_t>(median.total, 1));
    const auto length = static_cast<std::size_t>(
        std::lround(std::clamp(share, 0.0, 1.0) * static_cast<double>(bar_width)));
    const std::string bar =
        length == 0 ? "" : "  " + screen_.paint(Style::good, std::string(length, '#'));
    print_times(wide ? name : short_name, step, bar);
  };
  print("a  page fault: trap, signal, lookup", "a  page fault", &StepTimes::fault);
  print("b  allocate a page", "b  allocate a page", &StepTimes::allocate);
  print("c  copy the content", "c  copy the content", &StepTimes::copy);
  print("d  update the mapping: one mmap", "d  map it", &StepTimes::map);
  print("   return to the store", "   return", &StepTimes::resume);
  print_times("   the whole store", &StepTimes::total, "");
  screen_.text(3, "This one found cold caches. Medians need not add up to the last one.");
}

void Narration::tell_after(const DemoResult& result) {
  const ObservedStore& store = result.store;
  screen_.step(6, fmt::format("After the store: page {} of B", with_commas(store.page())));
  screen_.fact("byte", fmt::format("A {}  B {}", byte_text(result.original_after),
                                   screen_.paint(Style::highlight, byte_text(store.after.value))));
  screen_.fact("page", state_text(store.timed.record.after));
  tell_maps_line(store, true);
  screen_.fact("B in all", fmt::format("{}, before: {}", counted(store.after.region_lines, "line"),
                                       with_commas(store.before.region_lines)));
  if (store.after.frame_bytes >= store.before.frame_bytes) {
    screen_.fact("memory",
                 fmt::format("{} more than before",
                             bytes_text(store.after.frame_bytes - store.before.frame_bytes)));
  }
  screen_.flush();
}

void Narration::tell_maps_line(const ObservedStore& store, bool after) {
  const PageView& view = after ? store.after : store.before;
  if (!view.line.has_value()) {
    screen_.fact("mapping", "no line: /proc/self/maps cannot be read here");
    return;
  }
  const MapsLine& line = *view.line;
  const std::string_view text = line.text;
  // The name at its end has a line of its own: all of it would not fit.
  const std::size_t name = std::min(text.find('/'), text.size());
  const std::size_t end = text.find_last_not_of(' ', name - 1) + 1;
  screen_.line("   its line of /proc/self/maps:");
  screen_.text(3, fmt::format("{}{}{}", text.substr(0, line.offset_column),
                              screen_.paint(Style::highlight,
                                            text.substr(line.offset_column, line.offset_width)),
                              text.substr(line.offset_column + line.offset_width,
                                          end - line.offset_column - line.offset_width)));
  if (screen_.columns() >= 3 + end) {  // else the offset is not where it is pointed to
    screen_.line("   {}{}", std::string(line.offset_column, ' '),
                 screen_.paint(Style::highlight, std::string(line.offset_width, '^')));
  }
  if (name < text.size()) screen_.fact("its file", text.substr(name));
  const std::uint64_t offset = line.file_offset_of(store.page_address());
  const std::uint64_t into_line = store.page_address() - line.begin;
  std::string frame = fmt::format("at file offset {}", hex(offset));
  if (into_line != 0) {
    frame += fmt::format(" (the line's {} + {} to the page)", hex(line.offset), hex(into_line));
  }
  if (after && store.before.line.has_value()) {
    const bool moved = offset != store.before.line->file_offset_of(store.page_address());
    frame += screen_.paint(Style::highlight, moved ? ": another frame" : ": the same frame");
  }
  screen_.fact("frame", frame);
}

void Narration::tell_check(const DemoResult& result, bool original_intact, bool clone_right) {
  screen_.step(7, "Check every byte against plain copies of the file");
  const std::string size = bytes_text(result.file.content.size());
  tell_check_line("A", fmt::format("all {} unchanged", size), original_intact);
  tell_check_line("B", "one byte changed, all others as in the file", clone_right);
  screen_.flush();
}

void Narration::tell_check_line(std::string_view name, std::string_view claim, bool holds) {
  screen_.fact(name, fmt::format("{:<{}} {}", claim, screen_.columns() >= 80 ? 45 : 0,
                                 holds ? screen_.paint(Style::good, "ok")
                                       : screen_.paint(Style::bad, "WRONG")));
}

void print_comparison_intro(Screen& screen, const DemoResult& result) {
  const std::size_t content = result.file.content.size();
  screen.blank();
  screen.blank();
  screen.title("Lazy or eager? The same edits in both");
  screen.fact("region", fmt::format("{}: the file{}", bytes_text(result.comparison_bytes),
                                    result.comparison_bytes == content
                                        ? "'s content"
                                        : ", repeated until it is that large"));
  screen.fact("lazy", "copies a page when it is first stored to");
  screen.fact("eager", "copies every page when it is cloned");
  screen.fact("edits", "one byte in each of some random pages");
  screen.fact("times", fmt::format("the median of {} runs, lazy and eager in turn; the region is "
                                   "read-only already",
                                   comparison_runs));
  screen.fact("memory", "frames and page tables that the clone and its edits took");
  screen.blank();
}

void print_comparison_check(Screen& screen, std::uint64_t bytes_compared, bool passed) {
  screen.text(3, "Every byte of the original and both clones against plain copies:");
  screen.text(3, fmt::format("{} compared, {}", bytes_text(bytes_compared),
                             passed ? screen.paint(Style::good, "all as they should be")
                                    : screen.paint(Style::bad, "NOT all as they should be")));
  screen.flush();
}

}  // namespace cow::tool

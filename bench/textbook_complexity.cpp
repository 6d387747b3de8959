// Complexity: what each way asks of the kernel, counted from outside, and how long the code is.

#include <cow/cow.hpp>

#include <array>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "call_counter.hpp"
#include "code_lines.hpp"
#include "figures.hpp"
#include "forking.hpp"
#include "kernel_counts.hpp"
#include "kernel_rows.hpp"
#include "machine.hpp"
#include "plain_memory.hpp"
#include "session.hpp"
#include "textbook.hpp"

namespace cow_bench {

namespace {

std::size_t region_bytes() { return full_or_quick(16 * mib, mib); }
std::size_t middle() { return region_bytes() / host_page_bytes() / 2; }

constexpr std::array pieces = {"a clone", "its first store", "another store there",
                               "a snapshot of it", "dropping both"};
constexpr std::size_t first_store = 1;

WorkList work_with_regions(cow::Mechanism mechanism) {
  struct All {
    cow::Region original;
    std::optional<cow::Region> clone{};
    std::optional<cow::Snapshot> snapshot{};
  };
  const auto all =
      std::make_shared<All>(All{protected_region(region_bytes(), copied_by(mechanism))});
  const auto store = [all] { pages_of(*all->clone).store(middle(), 2); };
  return {[all] { all->clone = all->original.clone(); }, store, store,
          [all] { all->snapshot = all->clone->snapshot(); },
          [all] {
            all->snapshot.reset();
            all->clone.reset();
          }};
}

/// A child of fork() is the clone that lasts, as another one is the snapshot; their parent stores.
WorkList work_with_fork() {
  struct All {
    PlainMemory memory = PlainMemory::anonymous(region_bytes());
    std::optional<SleepingChild> clone{};
    std::optional<SleepingChild> snapshot{};
  };
  const auto all = std::make_shared<All>();
  const auto store = [all] { all->memory.pages().store(middle(), 2); };
  return {[all] { all->clone.emplace(); }, store, store, [all] { all->snapshot.emplace(); },
          [all] {
            all->snapshot.reset();
            all->clone.reset();
          }};
}

WorkList work_with_copies() {
  struct All {
    PlainMemory memory = PlainMemory::anonymous(region_bytes());
    std::unique_ptr<PlainMemory> clone{};
    std::unique_ptr<PlainMemory> snapshot{};
  };
  const auto all = std::make_shared<All>();
  const auto copy = [](const PlainMemory& from) {
    auto made = std::make_unique<PlainMemory>(PlainMemory::untouched(region_bytes()));
    std::memcpy(made->data(), from.data(), region_bytes());
    return made;
  };
  const auto store = [all] { all->clone->pages().store(middle(), 2); };
  return {[all, copy] { all->clone = copy(all->memory); }, store, store,
          [all, copy] { all->snapshot = copy(*all->clone); },
          [all] {
            all->snapshot.reset();
            all->clone.reset();
          }};
}

using Counted = std::vector<KernelWork>;

struct AllCounted {
  Counted handler;
  std::optional<Counted> kernel;
  Counted fork;
  Counted copy;
};

AllCounted count_all() {
  AllCounted all;
  const auto regions = [](cow::Mechanism mechanism) {
    return count_kernel_work(pieces.size(), [=] { return work_with_regions(mechanism); });
  };
  all.handler = regions(cow::Mechanism::handler);
  if (kernel_is_missing().empty()) all.kernel = regions(cow::Mechanism::kernel);
  all.fork = count_kernel_work(pieces.size(), work_with_fork);
  all.copy = count_kernel_work(pieces.size(), work_with_copies);
  return all;
}

Cell cell_of(const KernelWork& work) {
  return {
      count_text(work.calls) + " / " + count_text(work.signals) + " / " + count_text(work.faults),
      {static_cast<double>(work.calls), static_cast<double>(work.signals),
       static_cast<double>(work.faults)}};
}

Table table_of(const AllCounted& all) {
  Table table{.title = "System calls / signals / page faults (ru_minflt) of " +
                       bytes_text(static_cast<double>(region_bytes())) + ":",
              .columns = {"handler", "kernel", "fork()", "memcpy"},
              .note = "The return from a signal handler is a system call. In fork()'s clone are "
                      "the pipe that holds its child and what libcow does at every fork; the "
                      "stores are the parent's."};
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    table.rows.push_back(
        {pieces[i],
         {cell_of(all.handler[i]), all.kernel ? cell_of((*all.kernel)[i]) : absent_cell(),
          cell_of(all.fork[i]), cell_of(all.copy[i])}});
  }
  return table;
}

/// Lines of /proc/self/maps that a clone has after a store to the middle of it.
double mappings_of_clone(cow::Mechanism mechanism) {
  return in_child(1,
                  [mechanism](std::span<double> mappings) {
                    const cow::Region original =
                        protected_region(region_bytes(), copied_by(mechanism));
                    cow::Region clone = original.clone();
                    pages_of(clone).store(middle(), 2);
                    mappings[0] = static_cast<double>(use_of(pages_of(clone)).mappings);
                  })
      .median();
}

double mappings_of_memory() {
  const PlainMemory memory = PlainMemory::anonymous(region_bytes());
  return in_child(1,
                  [&memory](std::span<double> mappings) {
                    memory.pages().store(middle(), 2);
                    mappings[0] = static_cast<double>(use_of(memory.pages()).mappings);
                  })
      .median();
}

Table mapping_table() {
  Table table{.title = "Lines of /proc/self/maps for the clone after its first store:",
              .columns = {"handler", "kernel", "fork()", "memcpy"}};
  std::optional<double> kernel;
  if (kernel_is_missing().empty()) kernel = mappings_of_clone(cow::Mechanism::kernel);
  const Cell plain = count_cell(mappings_of_memory());
  table.rows.push_back({"mappings",
                        {count_cell(mappings_of_clone(cow::Mechanism::handler)),
                         cell_or_absent(kernel, count_cell), plain, plain}});
  return table;
}

Asked asked_of(const KernelWork& work) {
  return {static_cast<double>(work.calls), static_cast<double>(work.signals),
          static_cast<double>(work.faults)};
}

// ---- The code -----------------------------------------------------------------------------------

std::optional<double> lines(std::initializer_list<std::string_view> beginnings) {
  const std::optional<std::size_t> found = code_lines(beginnings);
  if (!found) return std::nullopt;
  return static_cast<double>(*found);
}

Table code_table(ComplexityValues& values) {
  values.miniature_lines = lines({"docs/lab/solution/"});
  values.handler_lines = lines({"src/mm/fault/", "src/fault/", "src/os/fault_"});
  values.kernel_lines = lines({"src/mm/watch/", "src/os/write_watch"});
  values.library_lines =
      lines({"src/api/", "src/base/", "src/fault/", "src/mm/", "src/os/", "include/cow/"});
  const std::optional<double> tests = lines({"tests/"});
  Table table{.title = "Lines of C++ without comments and empty lines, counted just now:",
              .columns = {"lines"}};
  const auto add = [&](const char* what, const std::optional<double>& count) {
    table.rows.push_back({what, {count ? count_cell(*count) : word_cell("sources are gone")}});
  };
  add("the idea: the lab's solution (docs/lab/solution)", values.miniature_lines);
  add("what only the handler needs (src/mm/fault, src/fault)", values.handler_lines);
  add("what only the kernel mechanism needs (src/mm/watch)", values.kernel_lines);
  add("the whole library", values.library_lines);
  add("its tests", tests);
  return table;
}

}  // namespace

Evidence measure_complexity() {
  Evidence evidence;
  ComplexityValues values;
  bool counted = true;
  try {
    const AllCounted all = count_all();
    evidence.tables.push_back(table_of(all));
    values.handler = asked_of(all.handler[first_store]);
    if (all.kernel) values.kernel = asked_of((*all.kernel)[first_store]);
    values.fork = asked_of(all.fork[first_store]);
    values.copy = asked_of(all.copy[first_store]);
  } catch (const std::exception& error) {
    counted = false;
    evidence.tables.push_back(
        {.title = std::string("System calls are not counted here: ") + error.what() + ".",
         .columns = {}});
  }
  evidence.tables.push_back(mapping_table());
  evidence.tables.push_back(code_table(values));
  if (!counted && !values.library_lines) throw std::runtime_error("nothing can be counted");
  evidence.reading = read_complexity(values, counted);
  return evidence;
}

}  // namespace cow_bench

// Complexity: what each way asks of the kernel, counted from outside, and how long the code is.

#include <cow/cow.hpp>

#include <array>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
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
                               "dropping the clone"};
constexpr std::size_t first_store = 1;

WorkList work_with_regions(cow::Mechanism mechanism) {
  struct Both {
    cow::Region original;
    std::optional<cow::Region> clone{};
  };
  const auto both =
      std::make_shared<Both>(Both{protected_region(region_bytes(), copied_by(mechanism))});
  const auto store = [both] { pages_of(*both->clone).store(middle(), 2); };
  return {[both] { both->clone = both->original.clone(); }, store, store,
          [both] { both->clone.reset(); }};
}

/// The child of fork() is the clone that lasts; its parent stores.
WorkList work_with_fork() {
  struct Both {
    PlainMemory memory = PlainMemory::anonymous(region_bytes());
    std::optional<SleepingChild> child{};
  };
  const auto both = std::make_shared<Both>();
  const auto store = [both] { both->memory.pages().store(middle(), 2); };
  return {[both] { both->child.emplace(); }, store, store, [both] { both->child.reset(); }};
}

WorkList work_with_copies() {
  struct Both {
    PlainMemory memory = PlainMemory::anonymous(region_bytes());
    std::unique_ptr<PlainMemory> copy{};
  };
  const auto both = std::make_shared<Both>();
  const auto store = [both] { both->copy->pages().store(middle(), 2); };
  return {[both] {
            both->copy = std::make_unique<PlainMemory>(PlainMemory::untouched(region_bytes()));
            std::memcpy(both->copy->data(), both->memory.data(), region_bytes());
          },
          store, store, [both] { both->copy.reset(); }};
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
  evidence.tables.push_back(code_table(values));
  if (!counted && !values.library_lines) throw std::runtime_error("nothing can be counted");
  evidence.reading = read_complexity(values, counted);
  return evidence;
}

}  // namespace cow_bench

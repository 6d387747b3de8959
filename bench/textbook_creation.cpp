// Faster creation: the time of a clone over its size.

#include <cow/cow.hpp>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "comparison.hpp"
#include "figures.hpp"
#include "fork_sides.hpp"
#include "kernel_rows.hpp"
#include "machine.hpp"
#include "plain_memory.hpp"
#include "textbook.hpp"

namespace cow_bench {

namespace {

double time_memcpy(const PlainMemory& from) {
  const std::uint64_t start = now_ns();
  const PlainMemory copy = PlainMemory::untouched(from.size());
  std::memcpy(copy.data(), from.data(), from.size());
  return elapsed_ns(start);
}

struct Size {
  std::size_t bytes;
  std::size_t turns;
  bool rewritten = true;  ///< whether it is cloned after stores to all of it, too
};

struct MechanismTimes {
  Samples first;
  Samples later;
  Samples rewritten;  ///< after a store to every page
};

/// All of it once, with a region of its own: a first clone is there once in a region's life.
void time_mechanism(const Size& size, cow::Mechanism mechanism, bool wanted,
                    MechanismTimes& times) {
  cow::Region region = written_region(size.bytes, copied_by(mechanism));
  keep(wanted, times.first, time_clone(region));
  keep(wanted, times.later, time_clone(region));
  if (!size.rewritten) return;
  store_to_all(pages_of(region), 2);
  keep(wanted, times.rewritten, time_clone(region));
}

struct SizeTimes {
  MechanismTimes handler;
  std::optional<MechanismTimes> kernel;
  Samples copy;
  Samples forked;
};

SizeTimes time_size(const Size& size) {
  SizeTimes times;
  if (kernel_is_missing().empty()) times.kernel.emplace();
  const SideProcess forking(2, [&size] { return prepare_forks(size.bytes); });
  const PlainMemory memory = PlainMemory::anonymous(size.bytes);
  take_turns(
      size.turns,
      [&](bool wanted) { time_mechanism(size, cow::Mechanism::handler, wanted, times.handler); },
      [&](bool wanted) {
        if (times.kernel) time_mechanism(size, cow::Mechanism::kernel, wanted, *times.kernel);
      },
      [&](bool wanted) { keep(wanted, times.copy, time_memcpy(memory)); },
      [&](bool wanted) { keep(wanted, times.forked, forking.measure().values()[0]); });
  return times;
}

CreationRow row_of(const std::string& size, const SizeTimes& times,
                   Samples MechanismTimes::*which) {
  CreationRow row{.size = size};
  row.later = {.handler = (times.handler.*which).median(),
               .fork = times.forked.median(),
               .copy = times.copy.median()};
  row.handler_first = times.handler.first.median();
  if (times.kernel) {
    row.later.kernel = ((*times.kernel).*which).median();
    row.kernel_first = times.kernel->first.median();
  }
  return row;
}

std::vector<Size> sizes() {
  if (quick()) return {{mib, 1}, {2 * mib, 1}};
  std::vector<Size> all = {{mib, 21}, {16 * mib, 9}, {128 * mib, 3}};
  if (available_bytes() / 6 >= gib) all.push_back({gib, 2, false});
  return all;
}

}  // namespace

Evidence measure_creation() {
  Table table{.title = "Time of a clone, nothing stored to since the last one; the very first "
                       "clone of a new region; and a clone after every page was stored to again:",
              .columns = {"handler", "kernel", "fork()", "memcpy"},
              .note = "fork() is that of a process with so much memory, until it returns."};
  std::vector<CreationRow> rows;
  CreationRow rewritten;
  const auto kernel_cell = [](const std::optional<MechanismTimes>& kernel,
                              Samples MechanismTimes::*which) {
    return kernel ? time_cell((*kernel).*which) : absent_cell();
  };
  for (const Size& size : sizes()) {
    const SizeTimes times = time_size(size);
    const std::string text = count_text(size.bytes / mib) + " MiB";
    const auto add = [&](const std::string& what, Samples MechanismTimes::*which) {
      table.rows.push_back({what,
                            {time_cell(times.handler.*which), kernel_cell(times.kernel, which),
                             time_cell(times.forked), time_cell(times.copy)}});
    };
    add(text + ", once more", &MechanismTimes::later);
    add("  the very first", &MechanismTimes::first);
    if (size.rewritten) add("  all stored to since", &MechanismTimes::rewritten);
    rows.push_back(row_of(text, times, &MechanismTimes::later));
    if (size.rewritten) rewritten = row_of(text, times, &MechanismTimes::rewritten);
  }
  return {{table}, read_creation(rows, rewritten)};
}

}  // namespace cow_bench

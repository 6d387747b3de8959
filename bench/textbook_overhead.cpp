// Fault overhead: what a first store costs, of what that is made, and when copying everything at
// once would have been cheaper.

#include <cow/cow.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comparison.hpp"
#include "fault_parts.hpp"
#include "figures.hpp"
#include "forking.hpp"
#include "kernel_rows.hpp"
#include "machine.hpp"
#include "plain_memory.hpp"
#include "textbook.hpp"

namespace cow_bench {

namespace {

std::size_t store_bytes() { return full_or_quick(64 * mib, 2 * mib); }
std::size_t meeting_bytes() { return full_or_quick(16 * mib, 2 * mib); }

/// The first stores to some pages, and the same once more; ns of each.
struct StoreTimes {
  Samples first;
  Samples again;

  void add(const Pages& pages, const std::vector<std::size_t>& chosen, bool wanted) {
    const auto stores = static_cast<double>(chosen.size());
    keep(wanted, first, time_stores(pages, chosen, 2) / stores);
    keep(wanted, again, time_stores(pages, chosen, 3) / stores);
  }
};

std::vector<std::size_t> chosen_pages(std::uint64_t turn) {
  const std::size_t pages = store_bytes() / host_page_bytes();
  return choose_pages(pages, share_of(pages, 10), Order::random, turn);
}

/// Two figures, measured in a child of fork().
SideProcess::Measure prepare_child_stores() {
  const auto memory = std::make_shared<PlainMemory>(PlainMemory::anonymous(store_bytes()));
  return [memory, turn = std::uint64_t{0}]() mutable {
    const auto chosen = chosen_pages(++turn);
    return in_child(2, [&](std::span<double> ns) {
      StoreTimes times;
      times.add(memory->pages(), chosen, true);
      ns[0] = times.first.median();
      ns[1] = times.again.median();
    });
  };
}

struct AllStoreTimes {
  StoreTimes handler;
  std::optional<StoreTimes> kernel;
  StoreTimes fork;
  StoreTimes copy;
};

AllStoreTimes time_all_stores() {
  AllStoreTimes times;
  const SideProcess forking(2, prepare_child_stores);
  const cow::Region handled = protected_region(store_bytes(), copied_by(cow::Mechanism::handler));
  std::optional<cow::Region> watched;
  if (kernel_is_missing().empty()) {
    times.kernel.emplace();
    watched = protected_region(store_bytes(), copied_by(cow::Mechanism::kernel));
  }
  const PlainMemory copied = PlainMemory::anonymous(store_bytes());
  std::uint64_t turn = 0;
  const auto clone_and_store = [&](const cow::Region& of, StoreTimes& into, bool wanted) {
    cow::Region clone = of.clone();
    into.add(pages_of(clone), chosen_pages(turn), wanted);
  };
  take_numbered_turns(
      rounds(21), turn, [&](bool wanted) { clone_and_store(handled, times.handler, wanted); },
      [&](bool wanted) {
        if (watched) clone_and_store(*watched, *times.kernel, wanted);
      },
      [&](bool wanted) {
        const std::vector<double> ns = forking.measure().values();
        keep(wanted, times.fork.first, ns[0]);
        keep(wanted, times.fork.again, ns[1]);
      },
      [&](bool wanted) { times.copy.add(copied.pages(), chosen_pages(turn), wanted); });
  return times;
}

FaultParts record_parts() {
  const auto clones = cow::measure::timed_handler(store_bytes(), cow::measure::Kept::region);
  FaultParts all;
  for (std::uint64_t turn = 1; turn <= rounds(5); ++turn) {
    all.add(record_faults(*clones, chosen_pages(turn)));
  }
  return all;
}

// ---- When is it cheaper to copy at once? --------------------------------------------------------

constexpr std::size_t every_per_mille[] = {10, 30, 100, 200, 300, 500, 1000};

double time_lazy(const cow::Region& source, const std::vector<std::size_t>& stores) {
  const std::uint64_t start = now_ns();
  cow::Region clone = source.clone();
  time_stores(pages_of(clone), stores, 2);
  return elapsed_ns(start);
}

double time_eager(const PlainMemory& source, const std::vector<std::size_t>& stores) {
  const std::uint64_t start = now_ns();
  const PlainMemory copy = PlainMemory::untouched(source.size());
  std::memcpy(copy.data(), source.data(), source.size());
  time_stores(copy.pages(), stores, 2);
  return elapsed_ns(start);
}

struct MeetingTimes {
  Samples handler;
  Samples kernel;
  Samples eager;
};

Meeting find_meeting(const char* stores, Order order) {
  const cow::Region handled = protected_region(meeting_bytes(), copied_by(cow::Mechanism::handler));
  std::optional<cow::Region> watched;
  if (kernel_is_missing().empty()) {
    watched = protected_region(meeting_bytes(), copied_by(cow::Mechanism::kernel));
  }
  const PlainMemory plain = PlainMemory::anonymous(meeting_bytes());
  Meeting meeting{.stores = stores};
  for (const std::size_t per_mille : every_per_mille) {
    const std::size_t pages = meeting_bytes() / host_page_bytes();
    const auto chosen = choose_pages(pages, share_of(pages, per_mille), order, per_mille);
    MeetingTimes times;
    take_turns(
        rounds(11), [&](bool wanted) { keep(wanted, times.handler, time_lazy(handled, chosen)); },
        [&](bool wanted) {
          if (watched) keep(wanted, times.kernel, time_lazy(*watched, chosen));
        },
        [&](bool wanted) { keep(wanted, times.eager, time_eager(plain, chosen)); });
    const double share = static_cast<double>(per_mille) / 1000;
    meeting.handler.push_back({share, times.handler.median() / times.eager.median()});
    if (watched) meeting.kernel.push_back({share, times.kernel.median() / times.eager.median()});
  }
  return meeting;
}

Table table_of(const std::vector<Meeting>& meetings) {
  Table table{.title = "Clone and stores to a share of " +
                       bytes_text(static_cast<double>(meeting_bytes())) +
                       ", as a multiple of memcpy and the same stores:",
              .columns = {}};
  for (const std::size_t per_mille : every_per_mille) {
    table.columns.push_back(percent_text(static_cast<double>(per_mille) / 1000));
  }
  const auto add = [&](const std::string& what, const std::vector<RatioAt>& ratios) {
    TableRow row{.what = what, .cells = {}};
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      row.cells.push_back(ratios.empty() ? i == 0 ? absent_cell() : word_cell("")
                                         : Cell{ratio_text(ratios[i].ratio), {ratios[i].ratio}});
    }
    table.rows.push_back(row);
  };
  for (const Meeting& meeting : meetings) {
    add("handler, " + meeting.stores, meeting.handler);
    add("kernel, " + meeting.stores, meeting.kernel);
  }
  return table;
}

Table table_of(const AllStoreTimes& times) {
  Table table{.title = "A store to a random page, 1 % of " +
                       bytes_text(static_cast<double>(store_bytes())) + ":",
              .columns = {"handler", "kernel", "fork()", "copied memory"}};
  const auto add = [&](const char* what, Samples StoreTimes::*which) {
    table.rows.push_back({what,
                          {time_cell(times.handler.*which),
                           times.kernel ? time_cell((*times.kernel).*which) : absent_cell(),
                           time_cell(times.fork.*which), time_cell(times.copy.*which)}});
  };
  add("the first", &StoreTimes::first);
  add("once more", &StoreTimes::again);
  return table;
}

Table table_of(const FaultParts& parts) {
  Table table{.title = "One fault of the handler, page by page, in its parts:",
              .columns = {"time", "share"},
              .note = "Where the kernel copies, and after fork(), it does all of this in one fault "
                      "of its own, which cannot be taken apart from here."};
  double total = 0;
  for (const auto& [name, samples] : parts.in_order()) total += samples->median();
  for (const auto& [name, samples] : parts.in_order()) {
    table.rows.push_back(
        {std::string(name), {time_cell(*samples), percent_cell(samples->median() / total)}});
  }
  return table;
}

}  // namespace

Evidence measure_overhead() {
  const AllStoreTimes times = time_all_stores();
  const FaultParts parts = record_parts();
  OverheadValues values;
  const auto ways = [&](Samples StoreTimes::*which) {
    Ways all{.handler = (times.handler.*which).median(),
             .fork = (times.fork.*which).median(),
             .copy = (times.copy.*which).median()};
    if (times.kernel) all.kernel = ((*times.kernel).*which).median();
    return all;
  };
  values.first = ways(&StoreTimes::first);
  values.again = ways(&StoreTimes::again);
  for (const auto& [name, samples] : parts.in_order()) {
    values.parts_ns.emplace_back(std::string(name), samples->median());
  }
  values.meetings = {find_meeting("in order", Order::sequential),
                     find_meeting("scattered", Order::random)};
  return {{table_of(times), table_of(parts), table_of(values.meetings)}, read_overhead(values)};
}

}  // namespace cow_bench

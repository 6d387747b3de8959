#include "tool/trace/summary_text.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "measure/trace/unseen_stores.hpp"
#include "tool/quantity.hpp"
#include "tool/trace/event_words.hpp"

namespace cow::tool {
namespace {

constexpr std::size_t most_rows = 20;

/// Names of spaces: with the process where there are several.
class Names {
 public:
  explicit Names(const TraceSummary& summary) : one_process_(summary.processes.size() < 2) {}

  [[nodiscard]] std::string of(const SpaceKey& key, const SpaceSummary& space) const {
    const std::string name = space_name(space.is_snapshot, key.space);
    return one_process_ ? name : fmt::format("{} of {}", name, key.pid);
  }

 private:
  bool one_process_;
};

using SpaceRow = std::pair<SpaceKey, SpaceSummary>;

// Those that cost most first.
std::vector<SpaceRow> rows_of(const TraceSummary& summary) {
  std::vector<SpaceRow> rows(summary.spaces.begin(), summary.spaces.end());
  rows.insert(rows.end(), summary.earlier_spaces.begin(), summary.earlier_spaces.end());
  std::stable_sort(rows.begin(), rows.end(), [](const SpaceRow& left, const SpaceRow& right) {
    return std::pair(left.second.pages_copied, left.second.faults) >
           std::pair(right.second.pages_copied, right.second.faults);
  });
  return rows;
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  return fixed(100 * static_cast<double>(part) / static_cast<double>(whole), 1);
}

std::string share_text(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? "" : fmt::format(" ({} % of the time)", percent(part, whole));
}

void print_missing(Screen& screen, const TraceFile& trace, const TraceSummary& summary) {
  for (const std::string& sentence : measure::unseen_stores(trace)) {
    screen.fact("unseen", sentence);
  }
  if (summary.lost > 0) {
    screen.fact("lost",
                fmt::format("{} at the end: there was room for {}, of which an event takes "
                            "one, and one more for each run of pages that it changes; "
                            "--events N makes room for more",
                            counted(summary.lost, "record"), with_commas(trace.header.capacity)));
  }
  if (summary.cut_off > 0) {
    screen.fact("cut off",
                fmt::format("{}: the file ends before them", counted(summary.cut_off, "record")));
  }
  if (summary.unfinished > 0) {
    screen.fact("unfinished",
                fmt::format("{}: being written, or the program or the room ended in them",
                            counted(summary.unfinished, "record")));
  }
  if (summary.unreadable > 0) {
    screen.fact("unreadable",
                fmt::format("{}: damaged, and left out", counted(summary.unreadable, "record")));
  }
  if (summary.misfits > 0) {
    screen.fact("misfits", fmt::format("{} of regions or pages that the trace does not have",
                                       counted(summary.misfits, "event")));
  }
  if (summary.disagreements > 0) {
    screen.fact("in doubt", fmt::format("{} after which the trace counted other writable pages "
                                        "than its replay",
                                        counted(summary.disagreements, "event")));
  }
}

void print_spaces(Screen& screen, const TraceSummary& summary) {
  const std::vector<SpaceRow> rows = rows_of(summary);
  if (rows.empty()) return;
  const Names names(summary);
  screen.blank();
  screen.line("   {:<24}{:>10} {:>9} {:>9} {:>10}", "", "", "", "copied", "writable");
  screen.line("   {:<24}{:>10} {:>9} {:>9} {:>10} {:>10}", "", "pages", "faults", "pages",
              "at most", "lived");
  for (std::size_t i = 0; i < std::min(rows.size(), most_rows); ++i) {
    const auto& [key, space] = rows[i];
    const std::uint64_t end = space.gone_ns.value_or(summary.duration_ns);
    screen.line("   {:<24}{:>10} {:>9} {:>9} {:>10} {:>10}", names.of(key, space),
                with_commas(space.page_count), with_commas(space.faults),
                with_commas(space.pages_copied), with_commas(space.most_writable),
                time_text(end - std::min(end, space.made_ns)));
  }
  if (rows.size() > most_rows) {
    screen.line("   and {} more, with fewer copies and faults",
                with_commas(rows.size() - most_rows));
  }
}

void print_dearest(Screen& screen, const TraceSummary& summary) {
  if (summary.dearest.empty()) return;
  screen.blank();
  screen.line("   The dearest faults");
  const bool one_process = summary.processes.size() < 2;
  for (const FaultSummary& fault : summary.dearest) {
    const std::string where = one_process ? "" : fmt::format(" of {}", fault.pid);
    screen.line("   {:>9}  {:<38} {:>5} copied  event {:>6}", time_text(fault.ns),
                fault.title + where, with_commas(fault.pages_copied), fault.number);
  }
}

void print_heat(Screen& screen, const TraceSummary& summary) {
  if (summary.copies.empty()) return;
  constexpr std::size_t columns = 72;
  screen.blank();
  screen.line("   What was copied when: each column is {}, '@' the one with most copies",
              time_text(summary.duration_ns / columns));
  screen.line("   |{}|", heat_line(summary.copies, summary.duration_ns, columns));
}

}  // namespace

void print_summary(Screen& screen, const TraceFile& trace, const TraceSummary& summary) {
  screen.fact("program", printable(trace.program));
  const std::size_t processes = summary.processes.size();
  screen.fact("events", fmt::format("{} of {} {} in {}", with_commas(summary.steps), processes,
                                    processes == 1 ? "process" : "processes",
                                    time_text(summary.duration_ns)));
  screen.fact("faults", fmt::format("{}, which took {}{}", with_commas(summary.faults),
                                    time_text(summary.fault_ns),
                                    share_text(summary.fault_ns, summary.duration_ns)));
  screen.fact("copied", copied_text(summary));
  if (summary.pages_shared > 0) {
    screen.fact("eagerly", eagerly_text(summary));
  }
  const std::vector<SpaceRow> rows = rows_of(summary);
  if (!rows.empty() && rows.front().second.pages_copied > 0) {
    const auto& [key, space] = rows.front();
    screen.fact("most copied",
                fmt::format("{}: {}, {}", Names(summary).of(key, space),
                            counted(space.pages_copied, "page"), counted(space.faults, "fault")));
  }
  screen.fact("frames", fmt::format("{} at most", with_commas(summary.most_frames)));
  print_missing(screen, trace, summary);
}

void print_details(Screen& screen, const TraceSummary& summary) {
  print_spaces(screen, summary);
  print_dearest(screen, summary);
  print_heat(screen, summary);
}

std::string copied_text(const TraceSummary& summary) {
  std::string text = fmt::format("{}, {} of them by faults", counted(summary.pages_copied, "page"),
                                 with_commas(summary.pages_copied_by_faults));
  if (summary.pages_put_back > 0) {
    text += fmt::format(", {} put back by restores", with_commas(summary.pages_put_back));
  }
  return text;
}

// Pages that are shared without a clone or a snapshot are copied as well, and may be so again and
// again: so there may be more copies than those would have taken.
std::string eagerly_text(const TraceSummary& summary) {
  const std::uint64_t copied = summary.pages_copied - summary.pages_put_back;
  const std::string copies = copied == 1 ? "1 page was" : with_commas(copied) + " pages were";
  const std::string which = summary.pages_put_back > 0 ? ", without those put back" : "";
  const std::string text =
      fmt::format("clones and snapshots, copied when they were made, would have been {}; {} "
                  "copied{}: ",
                  counted(summary.pages_shared, "page"), copies, which);
  if (copied <= summary.pages_shared) {
    return text + fmt::format("{} % of that", percent(copied, summary.pages_shared));
  }
  return text + "more than that, as pages that are shared again after a restore, or with a child "
                "or a file, are copied as well";
}

std::string heat_line(const std::vector<CopyMoment>& copies, std::uint64_t duration_ns,
                      std::size_t columns) {
  constexpr std::string_view shades = ".:-=+*#%@";
  std::vector<std::uint64_t> sums(columns);
  for (const CopyMoment& moment : copies) {
    const std::uint64_t column = duration_ns == 0
                                     ? 0
                                     : static_cast<std::uint64_t>(static_cast<double>(moment.ns) /
                                                                  static_cast<double>(duration_ns) *
                                                                  static_cast<double>(columns));
    sums[std::min<std::uint64_t>(column, columns - 1)] += moment.pages;
  }
  const std::uint64_t most = *std::max_element(sums.begin(), sums.end());
  std::string line(columns, ' ');
  for (std::size_t i = 0; i < columns; ++i) {
    if (sums[i] == 0) continue;
    const double share = static_cast<double>(sums[i]) / static_cast<double>(most);
    const auto shade = static_cast<std::size_t>(share * static_cast<double>(shades.size() - 1));
    line[i] = shades[shade];
  }
  return line;
}

}  // namespace cow::tool

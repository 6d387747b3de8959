// The readings of the disadvantages: fault overhead, fragmentation, complexity, isolation.

#include <algorithm>

#include "textbook_words.hpp"

namespace cow_bench {

namespace {

std::string meeting_text(const std::vector<RatioAt>& ratios) {
  const std::optional<double> at = crossover(ratios);
  if (!at) return "at no share";
  return *at == 0 ? "at every share" : "from about " + percent_text(*at) + " on";
}

std::string times_text(double ratio) { return ratio_text(ratio) + " times"; }

}  // namespace

Reading read_overhead(const OverheadValues& values) {
  const double plain = values.again.copy;
  std::string text = fmt::format(
      "a first store takes {} times as long as a store to copied memory, {} times after fork(). "
      "Once more, it takes {} times as long.",
      both_ratios(values.first, plain), ratio_text(values.first.fork / plain),
      both_ratios(values.again, plain));
  double total = 0;
  double copy = 0;
  for (const auto& [name, ns] : values.parts_ns) {
    total += ns;
    if (name == "copy") copy = ns;
  }
  if (total > 0) {
    text += fmt::format(" Of the handler's fault {} is the copy.", percent_text(copy / total));
  }
  for (const Meeting& meeting : values.meetings) {
    std::optional<std::string> kernel;
    if (!meeting.kernel.empty()) kernel = meeting_text(meeting.kernel);
    text += fmt::format(" For stores {}, copying everything at once is cheaper {} of the pages.",
                        meeting.stores, both(meeting_text(meeting.handler), kernel));
  }
  const auto is_dear = [](double first, double again) { return first > 2 * again; };
  const bool handler = is_dear(values.first.handler, values.again.handler);
  const bool kernel =
      !values.first.kernel || is_dear(*values.first.kernel, values.again.kernel.value_or(0));
  if (!handler && !kernel) return reading(Verdict::fails, text);
  return reading(handler && kernel ? Verdict::holds : Verdict::in_part, text);
}

Reading read_fragments(const std::vector<FragmentsRow>& rows, double most) {
  const auto count = [](double n) { return count_text(static_cast<std::uint64_t>(n)); };
  const FragmentsRow& before = rows.front();
  const auto worst = std::ranges::max_element(rows, {}, &FragmentsRow::one_by_one);
  const auto handler_worst = std::ranges::max_element(
      rows, {}, [](const FragmentsRow& row) { return row.mappings.handler; });
  std::string text = fmt::format(
      "{} mapping becomes up to {} where the handler copies page by page (\"{}\"), and {} with its "
      "windows (\"{}\")",
      count(before.one_by_one), count(worst->one_by_one), worst->stores,
      count(handler_worst->mappings.handler), handler_worst->stores);
  if (most > 0) text += fmt::format(", of {} that a process may have", count(most));
  text += ".";
  if (before.mappings.kernel) {
    const auto kernel_worst = std::ranges::max_element(
        rows, {}, [](const FragmentsRow& row) { return row.mappings.kernel.value_or(0); });
    text += fmt::format(" Where the kernel copies there are at most {}.",
                        count(*kernel_worst->mappings.kernel));
  }
  std::optional<std::string> kernel_faults;
  if (before.faults.kernel) kernel_faults = count(*before.faults.kernel);
  text += fmt::format(" To read all of it in order then takes {} page faults page by page, where "
                      "it took {} before; "
                      "once more, without faults, {} as long.",
                      count(worst->faults_one_by_one),
                      both(count(before.faults.handler), kernel_faults),
                      times_text(worst->read_one_by_one_ns / before.read_one_by_one_ns));
  const FragmentsRow& last = rows.back();
  text += fmt::format(" After \"{}\" it is {} again.", last.stores,
                      last.one_by_one == 1 ? "one mapping" : count(last.one_by_one) + " mappings");
  const bool page_by_page = worst->one_by_one > 2 * before.one_by_one;
  const bool with_windows = handler_worst->mappings.handler > 2 * before.mappings.handler;
  if (!page_by_page && !with_windows) return reading(Verdict::fails, text);
  const bool both_mechanisms = std::ranges::any_of(rows, [&](const FragmentsRow& row) {
    return row.mappings.kernel.value_or(0) > 2 * before.mappings.kernel.value_or(1);
  });
  return reading(both_mechanisms || !before.mappings.kernel ? Verdict::holds : Verdict::in_part,
                 text);
}

namespace {

std::string plural(double number, const char* one) {
  return fmt::format("{} {}{}", count_text(static_cast<std::uint64_t>(number)), one,
                     number == 1 ? "" : "s");
}

std::string asked_text(const Asked& asked) {
  return plural(asked.calls, "system call") + ", " + plural(asked.signals, "signal") + " and " +
         plural(asked.faults, "page fault");
}

bool is_more(const Asked& a, const Asked& b) {
  return a.calls > b.calls || a.signals > b.signals || a.faults > b.faults;
}

std::string lines_text(const std::optional<double>& lines) {
  return count_text(static_cast<std::uint64_t>(lines.value_or(0)));
}

}  // namespace

Reading read_complexity(const ComplexityValues& values, bool counted) {
  std::string text;
  bool handler = false;
  bool kernel = false;
  if (counted) {
    handler = is_more(values.handler, values.copy);
    kernel = values.kernel && is_more(*values.kernel, values.copy);
    text = fmt::format("a first store takes {} under the handler", asked_text(values.handler));
    if (values.kernel) {
      text += fmt::format(", {} where the kernel copies", asked_text(*values.kernel));
    }
    text += fmt::format(", {} after fork(), and {} to copied memory.", asked_text(values.fork),
                        asked_text(values.copy));
  } else {
    text = "what a store asks of the kernel could not be counted here.";
  }
  bool long_code = false;
  if (values.miniature_lines && values.handler_lines && values.kernel_lines &&
      values.library_lines) {
    long_code = *values.handler_lines > *values.miniature_lines;
    text += fmt::format(
        " The idea fits in {} lines; libcow's handler mechanism has {}, its kernel mechanism {}, "
        "the whole library {}: {} times the idea.",
        lines_text(values.miniature_lines), lines_text(values.handler_lines),
        lines_text(values.kernel_lines), lines_text(values.library_lines),
        ratio_text(*values.library_lines / *values.miniature_lines));
  }
  if (!handler && !kernel && !long_code) return reading(Verdict::fails, text);
  const bool everywhere = handler && (kernel || !values.kernel) && long_code;
  return reading(everywhere ? Verdict::holds : Verdict::in_part, text);
}

namespace {

/// A guess that a coin would hardly reach.
bool tells(const Guesses& guesses) { return guesses.right > 0.6; }

std::string right_text(const Guesses& guesses) {
  return fmt::format("{:.0f} %", guesses.right * 100);
}

std::string channel_text(const char* question, const Guesses& handler,
                         const std::optional<Guesses>& kernel, const Guesses& fork) {
  std::optional<std::string> kernel_text;
  if (kernel) kernel_text = right_text(*kernel);
  return fmt::format(" One store's time says rightly {} in {}, {} after fork().", question,
                     both(right_text(handler), kernel_text), right_text(fork));
}

}  // namespace

Reading read_isolation(const IsolationValues& values) {
  const auto count = [](double n) { return count_text(static_cast<std::uint64_t>(n)); };
  const double leaked =
      values.leaked.handler + values.leaked.kernel.value_or(0) + values.leaked.fork;
  std::string text =
      fmt::format("of {} random stores of each way, {} bytes became visible to another sharer",
                  count(values.stores), count(leaked));
  text += fmt::format(" (shared without copying: {}).", count(values.control));
  if (values.control == 0) {
    text += " But what finds leaks found none where there must be some, so that says nothing.";
  }
  text += channel_text("whether a page is shared", values.handler_is_shared,
                       values.kernel_is_shared, values.fork_is_shared);
  text += channel_text("whether another sharer had stored to it", values.handler_has_stored,
                       values.kernel_has_stored, values.fork_has_stored);
  const bool timed = tells(values.handler_is_shared) || tells(values.handler_has_stored) ||
                     (values.kernel_is_shared && tells(*values.kernel_is_shared)) ||
                     (values.kernel_has_stored && tells(*values.kernel_has_stored));
  text +=
      timed ? " (A coin: 50 %.) So bytes are kept apart and time is not: secrets want eager copies."
            : " (A coin: 50 %.) So neither bytes nor time tell here.";
  if (leaked > 0 || values.control == 0) return reading(Verdict::fails, text);
  return reading(timed ? Verdict::in_part : Verdict::holds, text);
}

}  // namespace cow_bench

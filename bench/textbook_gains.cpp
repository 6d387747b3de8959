// The readings of the advantages: less memory, faster creation, lazy allocation, fewer copies.

#include <algorithm>
#include <cmath>

#include "textbook_words.hpp"

namespace cow_bench {

namespace {

/// The first row from which on `of` is no less than a copy; the rows' end if there is none.
template <typename Rows, typename Of>
auto turning_point(const Rows& rows, const Of& of) {
  return std::find_if(rows.begin(), rows.end(), of);
}

std::string memory_turn(const char* who, const std::vector<MemoryRow>& rows,
                        double (*bytes)(const MemoryRow&)) {
  const auto turn = turning_point(
      rows, [&](const MemoryRow& row) { return bytes(row) >= row.bytes.copy * 0.995; });
  if (turn == rows.end()) return fmt::format("{} takes less at every share measured.", who);
  return fmt::format("{} takes as much as copies or more from \"{}\" on ({} times).", who,
                     turn->written, ratio_text(bytes(*turn) / turn->bytes.copy));
}

double handler_bytes(const MemoryRow& row) { return row.bytes.handler; }
double kernel_bytes(const MemoryRow& row) { return row.bytes.kernel.value_or(0); }

}  // namespace

Reading read_memory(std::size_t sharers, const std::vector<MemoryRow>& rows) {
  const MemoryRow& shared = rows.front();
  std::string text = fmt::format(
      "with nothing written, {} sharers take {} of what {} copies take, and {} after fork(). ",
      sharers, both_ratios(shared.bytes, shared.bytes.copy), sharers,
      ratio_text(shared.bytes.fork / shared.bytes.copy));
  text += memory_turn("The handler", rows, handler_bytes);
  if (shared.bytes.kernel) {
    text += " " + memory_turn("The kernel mechanism", rows, kernel_bytes);
  }
  const auto worst =
      std::max_element(rows.begin(), rows.end(), [](const MemoryRow& a, const MemoryRow& b) {
        return a.bytes.handler / a.least < b.bytes.handler / b.least;
      });
  text += fmt::format(" At worst (\"{}\") the handler takes {} times the least that could hold it.",
                      worst->written, ratio_text(worst->bytes.handler / worst->least));
  const auto is_less = [](const MemoryRow& row) { return worse(row.bytes) < row.bytes.copy; };
  if (!is_less(shared)) return reading(Verdict::fails, text);
  return reading(std::ranges::all_of(rows, is_less) ? Verdict::holds : Verdict::in_part, text);
}

Reading read_creation(const std::vector<CreationRow>& sizes, const CreationRow& rewritten) {
  const CreationRow& last = sizes.back();
  const CreationRow& first = sizes.front();
  const auto to_both = [](const Ways& ways, const Ways& others) {
    return both_ratios(ways, others.copy) + " of memcpy's time, " + both_ratios(ways, others.fork) +
           " of fork()'s";
  };
  const auto is_fastest = [](const Ways& ways, const Ways& others) {
    return worse(ways) < others.copy && worse(ways) < others.fork;
  };
  const auto is_faster = [&](const CreationRow& row) { return is_fastest(row.later, row.later); };
  std::string text = fmt::format(
      "to clone {} once more takes {}. From {} to {} the clone's time grows {} times, memcpy's {} "
      "times.",
      last.size, to_both(last.later, last.later), first.size, last.size,
      ratio_text(last.later.handler / first.later.handler),
      ratio_text(last.later.copy / first.later.copy));
  bool always =
      std::ranges::all_of(sizes, is_faster) && is_fastest(rewritten.later, rewritten.later);
  if (last.handler_first) {
    const Ways firsts{.handler = *last.handler_first, .kernel = last.kernel_first};
    text += fmt::format(" Its very first clone takes {}.", to_both(firsts, last.later));
    always = always && is_fastest(firsts, last.later);
  }
  for (const CreationRow& row : sizes) {
    if (!is_faster(row)) text += fmt::format(" For {} it is not the fastest way.", row.size);
  }
  text += fmt::format(" Where all of {} was stored to since, a clone takes {}.", rewritten.size,
                      to_both(rewritten.later, rewritten.later));
  if (!is_fastest(rewritten.later, rewritten.later)) {
    text += " That is not always the fastest way.";
  }
  if (!is_faster(last)) return reading(Verdict::fails, text);
  return reading(always ? Verdict::holds : Verdict::in_part, text);
}

namespace {

std::string pages_text(double bytes, double page) {
  return count_text(static_cast<std::uint64_t>(std::llround(bytes / page)));
}

}  // namespace

Reading read_lazy(const LazyValues& values) {
  const auto pages = [&](double bytes) { return pages_text(bytes, values.page); };
  const auto in_both = [&](double LazySteps::*step) {
    std::optional<std::string> kernel;
    if (values.kernel) kernel = pages((*values.kernel).*step);
    return both(pages(values.handler.*step), kernel);
  };
  const double expected = values.touched * values.page;
  std::string text = fmt::format(
      "creating {} takes {} frames, where filling it at once takes {}. Stores to {} pages take "
      "{} frames. Loads from as many pages far from them take {}, from neighbours of pages stored "
      "to {}.",
      bytes_text(values.size), in_both(&LazySteps::created), pages(values.filled),
      count_text(static_cast<std::uint64_t>(values.touched)), in_both(&LazySteps::stored),
      in_both(&LazySteps::loaded), in_both(&LazySteps::loaded_beside));
  const auto is_lazy = [&](const LazySteps& steps) {
    return steps.created < values.filled / 100 && steps.stored < 2 * expected;
  };
  const auto loads_are_free = [&](const LazySteps& steps) {
    return steps.loaded == 0 && steps.loaded_beside == 0;
  };
  const bool lazy = is_lazy(values.handler) && (!values.kernel || is_lazy(*values.kernel));
  const bool free =
      loads_are_free(values.handler) && (!values.kernel || loads_are_free(*values.kernel));
  text += free ? " So loads are free."
               : fmt::format(" So not every load is free: a hole of a file that is loaded from "
                             "becomes memory, where plain memory takes {}.",
                             pages(values.mapped.loaded + values.mapped.loaded_beside));
  text += fmt::format(
      " Page tables come on top: {}.",
      both(bytes_text(values.handler.tables),
           values.kernel ? std::optional(bytes_text(values.kernel->tables)) : std::nullopt));
  if (!lazy) return reading(Verdict::fails, text);
  return reading(free ? Verdict::holds : Verdict::in_part, text);
}

Reading read_copies(const std::vector<CopiesRow>& rows) {
  const auto wasted = [](const CopiesRow& row) { return row.copied.handler - row.stored; };
  const auto count = [](double pages) { return count_text(static_cast<std::uint64_t>(pages)); };
  const auto best = std::ranges::min_element(
      rows, {}, [](const CopiesRow& row) { return row.copied.handler / row.copied.copy; });
  const auto worst = std::ranges::max_element(rows, {}, wasted);
  const bool exact = std::ranges::all_of(rows, [](const CopiesRow& row) {
    return row.one_by_one == row.stored && row.copied.kernel.value_or(row.stored) == row.stored;
  });
  std::string text =
      fmt::format("\"{}\" copies {} pages under the handler, where an eager copy copies {}. ",
                  best->stores, count(best->copied.handler), count(best->copied.copy));
  text += exact ? "The kernel, and the handler without windows, copy exactly the pages stored to. "
                : "Not exactly the pages stored to are copied, even without windows. ";
  text += wasted(*worst) > 0
              ? fmt::format("With windows the handler copies up to {} pages for nothing (\"{}\").",
                            count(wasted(*worst)), worst->stores)
              : "With windows the handler copies no page for nothing.";
  const auto saves = [](const CopiesRow& row) { return worse(row.copied) < row.copied.copy; };
  std::size_t losing = 0;
  for (const CopiesRow& row : rows) {
    if (!saves(row)) ++losing;
  }
  if (losing > 0) {
    text += fmt::format(" In {} of {} rows nothing is saved.", losing, rows.size());
  }
  if (losing == rows.size()) return reading(Verdict::fails, text);
  return reading(losing == 0 ? Verdict::holds : Verdict::in_part, text);
}

}  // namespace cow_bench

#include "measure/trace/page_runs.hpp"

#include <algorithm>
#include <iterator>

namespace cow::measure {
namespace {

PageRun part_of(const PageRun& run, std::uint64_t first_page, std::uint64_t page_count) {
  PageRun part = run;
  part.frame.slot += first_page - run.first_page;
  part.first_page = first_page;
  part.page_count = page_count;
  return part;
}

bool goes_on(const PageRun& run, const PageRun& next) {
  return run.first_page + run.page_count == next.first_page && run.frame.file == next.frame.file &&
         run.frame.slot + run.page_count == next.frame.slot && run.writable == next.writable;
}

}  // namespace

std::optional<PageRun> PageRuns::at(std::uint64_t page) const {
  auto run = runs_.upper_bound(page);
  if (run == runs_.begin()) return std::nullopt;
  --run;
  if (page - run->second.first_page >= run->second.page_count) return std::nullopt;
  return part_of(run->second, page, 1);
}

void PageRuns::split_at(std::uint64_t page) {
  auto found = runs_.lower_bound(page);
  if (found == runs_.begin()) return;
  PageRun& run = std::prev(found)->second;
  const std::uint64_t before = page - run.first_page;
  if (before >= run.page_count) return;
  const PageRun behind = part_of(run, page, run.page_count - before);
  run.page_count = before;
  runs_.emplace_hint(found, page, behind);
}

void PageRuns::join_with_next(Place run) {
  const auto next = std::next(run);
  if (next == runs_.end() || !goes_on(run->second, next->second)) return;
  run->second.page_count += next->second.page_count;
  runs_.erase(next);
}

void PageRuns::insert(const PageRun& run) {
  const auto place = runs_.emplace(run.first_page, run).first;
  join_with_next(place);
  if (place != runs_.begin()) join_with_next(std::prev(place));
}

std::optional<PageRun> PageRuns::cut_to(const PageRun& run, std::uint64_t first_page,
                                        std::uint64_t page_count) {
  const std::uint64_t begin = std::max(run.first_page, first_page);
  const std::uint64_t end = std::min(run.first_page + run.page_count, first_page + page_count);
  if (begin >= end) return std::nullopt;
  return part_of(run, begin, end - begin);
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> pieces_of(const PageRuns& left,
                                                               const PageRuns& right) {
  std::vector<std::uint64_t> ends;
  const auto append = [&](const PageRun& run) {
    ends.push_back(run.first_page);
    ends.push_back(run.first_page + run.page_count);
  };
  left.for_each(append);
  right.for_each(append);
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  std::vector<std::pair<std::uint64_t, std::uint64_t>> pieces;
  for (std::size_t i = 1; i < ends.size(); ++i) pieces.emplace_back(ends[i - 1], ends[i]);
  return pieces;
}

}  // namespace cow::measure

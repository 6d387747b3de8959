#include "measure/trace/round_reader.hpp"

#include <algorithm>

namespace cow::measure {

using trace::Event;
using trace::EventKind;

namespace {

// In all rounds: more than is done again in any time that somebody waits.
constexpr std::uint64_t most_pages = std::uint64_t{1} << 26;

}  // namespace

void RoundReader::add(const Event& event) {
  switch (event.kind) {
    case EventKind::entries: note_entries(event); break;
    case EventKind::region_made:
    case EventKind::snapshot_made: make(event); break;
    case EventKind::region_gone:
    case EventKind::snapshot_gone: drop(event); break;
    case EventKind::restored: restore(event); break;
    case EventKind::process_begun: begin_process(event.first_page != 0); break;
    case EventKind::fault: store(event); break;
    case EventKind::collected: collect(event); break;
    default: break;
  }
  if (event.kind != EventKind::entries) told_.erase(event.tid);
}

// Its regions are its parent's, too: what either stores to is copied.
void RoundReader::begin_process(bool has_regions) {
  spaces_.clear();
  writable_.clear();
  told_.clear();
  hot_pages_.clear();
  may_have_hot_stores_ = false;
  state_ = has_regions ? State::before_round : State::nothing_kept;
}

// Of a space that is not made yet, too: it begins with them.
void RoundReader::note_entries(const Event& event) {
  told_[event.tid].push_back(event);
  PageRuns& runs = writable_[event.space];
  runs.cut(event.first_page, event.page_count, [](const PageRun&) {});
  if (event.look != trace::EntryLook::writable) return;
  runs.insert({.first_page = event.first_page,
               .page_count = event.page_count,
               .frame = {.file = 0, .slot = event.first_page},
               .writable = true});
}

// The only one of its family has its bytes to itself. What was there before the trace is made of
// nothing in it, and has cost nothing in it.
void RoundReader::make(const Event& event) {
  spaces_.insert(event.space);
  if (spaces_.size() < 2) return;
  end_with(event.other == hot_region_ ? hot_pages_ : std::vector<std::uint64_t>());
  if (event.other != 0) {
    begin();
  } else {
    state_ = State::before_round;
  }
  look_for_hot_pages(event.other);
}

void RoundReader::restore(const Event& event) {
  std::vector<std::uint64_t> stored;
  if (state_ != State::nothing_kept && event.space == hot_region_) {
    stored = hot_pages_;
    const std::uint64_t seen = state_ == State::in_round ? stored_to_.size() : 0;
    const std::uint64_t unseen = event.pages_copied - std::min(event.pages_copied, seen);
    stored.resize(std::min<std::uint64_t>(stored.size(), unseen));
  }
  end_with(stored);
  if (state_ == State::in_round) writes_.rounds.back().is_taken_back = true;
  state_ = State::before_round;
  look_for_hot_pages(event.space);
}

void RoundReader::drop(const Event& event) {
  writable_.erase(event.space);
  if (spaces_.erase(event.space) > 0 && spaces_.size() < 2) state_ = State::nothing_kept;
}

void RoundReader::store(const Event& event) {
  if (state_ == State::nothing_kept) {
    ++writes_.stores_outside;
    return;
  }
  if (state_ == State::before_round) begin();
  writes_.along.add(event);
  if (!stored_to_.insert(event.first_page).second) {
    ++writes_.stores_again;
    return;
  }
  ++writes_.stores;
  // Regions lie at whole pages of theirs.
  writes_.rounds.back().offsets_bytes.push_back(event.first_page * writes_.page_bytes +
                                                event.address % writes_.page_bytes);
}

// Nobody knows in which order, nor where in the pages. Before the first of these events a region
// has no copies, and its pages are said to have become read-only.
void RoundReader::collect(const Event& event) {
  if (event.pages_copied == 0) return;
  std::vector<std::uint64_t> pages;
  for (const Event& entries : told_[event.tid]) {
    if (entries.space != event.space) continue;
    count_work(entries.page_count);
    for (std::uint64_t i = 0; i < entries.page_count; ++i) pages.push_back(entries.first_page + i);
  }
  if (state_ == State::nothing_kept) {
    writes_.stores_outside += pages.size();
    return;
  }
  if (state_ == State::before_round && !pages.empty()) begin();
  for (const std::uint64_t page : pages) {
    if (!stored_to_.insert(page).second) continue;
    ++writes_.stores;
    ++writes_.stores_without_fault;
    writes_.rounds.back().offsets_bytes.push_back(page * writes_.page_bytes);
  }
}

void RoundReader::count_work(std::uint64_t pages) {
  pages_looked_at_ += pages;
  if (pages_looked_at_ <= most_pages) return;
  throw TraceError("has more stores in its rounds than can be replayed; record less with "
                   "--events N");
}

void RoundReader::begin() {
  writes_.rounds.emplace_back();
  stored_to_.clear();
  state_ = State::in_round;
  may_have_hot_stores_ = true;
}

void RoundReader::look_for_hot_pages(std::uint32_t region) {
  hot_pages_.clear();
  hot_region_ = region;
  const auto runs = writable_.find(region);
  if (runs == writable_.end()) return;
  runs->second.for_each([&](const PageRun& run) {
    count_work(run.page_count);
    for (std::uint64_t i = 0; i < run.page_count; ++i) hot_pages_.push_back(run.first_page + i);
  });
}

// They come first, as nobody knows when they were stored to.
void RoundReader::end_with(const std::vector<std::uint64_t>& stored_hot_pages) {
  if (state_ == State::before_round && !stored_hot_pages.empty()) begin();
  if (!may_have_hot_stores_ || writes_.rounds.empty()) return;
  may_have_hot_stores_ = false;
  std::vector<std::size_t>& offsets = writes_.rounds.back().offsets_bytes;
  std::vector<std::size_t> all;
  for (const std::uint64_t page : stored_hot_pages) {
    if (!stored_to_.contains(page)) all.push_back(page * writes_.page_bytes);
  }
  writes_.stores += all.size();
  writes_.stores_without_fault += all.size();
  all.insert(all.end(), offsets.begin(), offsets.end());
  offsets = std::move(all);
}

}  // namespace cow::measure

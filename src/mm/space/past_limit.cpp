#include "mm/space/past_limit.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "mm/tables/page_table.hpp"
#include "os/host.hpp"
#include "os/process.hpp"

namespace cow {

void PastLimit::begin(TableStore& store, PageTable& table, Saving& saving, const Books& books,
                      bool is_limited, bool drops) noexcept {
  COW_CHECK(owner_ == nullptr && waiting_.empty());
  store_ = &store;
  owner_ = table_ = &table;
  saving_ = &saving;
  books_ = books;
  drops_ = drops;
  is_complete_ = false;
  most_pages_ = is_limited ? 0 : kNoLimit;
  charged_pages_ = 0;
  recycled_before_ = store.frames.recycling().frames();
  sweep_ = leaves_gone_ = PageIndex{0};
  end_ = PageIndex{table.pages().value};
  next_charged_ = 0;
  goes_on_.store(true);
  is_limited_.store(is_limited);
  saver_.store(0);
  done_.store(0);
  charged_now_.store(0);
  charged_peak_.store(0);
  wait_times_.reset();
}

void PastLimit::make_free(const PageTable& table) noexcept {
  if (owner_ != &table) return;
  owner_ = nullptr;
  saving_ = nullptr;
}

void PastLimit::clip(PageCount pages) noexcept {
  const PageIndex all{table_->pages().value};
  end_ = std::min(PageIndex{pages.value}, all);
  if (!drops_) return;
  for (PageIndex page = end_; page < all;) {
    if (table_->leaf_of(page) == nullptr) {
      page = table_->end_of_missing(page);
      continue;
    }
    const PageSpan leaf = table_->span_of(page.leaf_index());
    if (page == leaf.first) {
      table_->drop_leaf(page.leaf_index());
    } else {
      for (; page < leaf.last; ++page) {
        if (is_kept(page)) drop(page);
      }
    }
    page = leaf.last;
  }
}

void PastLimit::set_most(std::uint64_t pages) noexcept {
  most_pages_ = pages;
  wake_those_with_room();
}

void PastLimit::end(const PageTable& table) noexcept {
  if (table_ != &table) return;
  table_ = nullptr;
  goes_on_.store(false);
  is_limited_.store(false);
  charged_now_.store(0);
  while (!waiting_.empty()) wake(*waiting_.begin());
}

void PastLimit::forget_in_child() noexcept {
  if (saving_ != nullptr) saving_->forget_in_child();
  saving_ = nullptr;
  table_ = nullptr;
  owner_ = nullptr;
  goes_on_.store(false);
  is_limited_.store(false);
  waiting_.clear();
  sleepers_.reset();
}

// ---- Who waits ----------------------------------------------------------------------------------

void PastLimit::wait_for(PageSpan pages, WaitingForSave& waiting) noexcept {
  if (waiting.begun_ns == 0) {
    waiting.begun_ns = os::monotonic_ns();
    sleepers_.enter();
  }
  waiting.pages = pages;
  waiting.is_over.close();
  waiting_.push_back(waiting);
}

void PastLimit::note_waited(const WaitingForSave& waiting) noexcept {
  if (waiting.begun_ns == 0) return;
  if (waiting.who == WaitingForSave::Who::store)
    wait_times_.note(os::monotonic_ns() - waiting.begun_ns);
  sleepers_.leave();
}

void PastLimit::wake(WaitingForSave& waiting) noexcept {
  waiting_.remove(waiting);
  waiting.is_over.open();
}

// Whose pages are saved goes on.
void PastLimit::wake_saved() noexcept {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    WaitingForSave& waiting = *at;
    ++at;
    waiting.pages.first = next_to_save(waiting.pages);
    if (waiting.pages.empty()) wake(waiting);
  }
}

// Those that came first; a control call has more pages than it can be given room for.
void PastLimit::wake_those_with_room() noexcept {
  std::uint64_t left = room();
  for (auto at = waiting_.begin(); left > 0 && at != waiting_.end();) {
    WaitingForSave& waiting = *at;
    ++at;
    if (waiting.who != WaitingForSave::Who::store) continue;
    wake(waiting);
    --left;
  }
}

bool PastLimit::is_savers() const noexcept { return saver_.load() == os::thread_id(); }

// ---- What is charged ----------------------------------------------------------------------------

// Whether the backup's table still references a frame that this process may give up.
bool PastLimit::is_kept(PageIndex page) const noexcept {
  const Leaf* const leaf = table_->leaf_of(page);
  if (leaf == nullptr) return false;
  const Entry entry = (*leaf)[page];
  return !entry.is_zero_page() && !store_->frames.is_foreign(entry.frame());
}

bool PastLimit::would_charge(const Leaf& leaf, PageIndex page) const noexcept {
  if (page >= end_) return false;
  const Entry entry = leaf[page];
  if (entry.writable() || entry.shows_zeros()) return false;
  if (books_.saved.test(page.value) || books_.charged.test(page.value)) return false;
  return is_kept(page) && table_->entry(page).frame() == entry.frame();
}

std::uint64_t PastLimit::surplus() const noexcept {
  const std::uint64_t frames = store_->frames.recycling().frames();
  return frames > recycled_before_ ? frames - recycled_before_ : 0;
}

std::uint64_t PastLimit::room() const noexcept {
  if (most_pages_ == kNoLimit) return kNoLimit;
  const std::uint64_t taken = charged_pages_ + surplus();
  return taken < most_pages_ ? most_pages_ - taken : 0;
}

bool PastLimit::has_room_for(const Leaf& leaf, PageSpan window) const noexcept {
  if (most_pages_ == kNoLimit) return true;
  std::uint64_t price = 0;
  for (PageIndex page = window.first; page < window.last; ++page)
    price += would_charge(leaf, page) ? 1 : 0;
  return price == 0 || price <= room();
}

void PastLimit::charge(const Leaf& leaf, PageSpan window) noexcept {
  for (PageIndex page = window.first; page < window.last; ++page) {
    if (!would_charge(leaf, page)) continue;
    books_.charged.set(page.value);
    ++charged_pages_;
  }
  note_charged();
}

void PastLimit::charge_copied(PageSpan span) noexcept {
  for (PageIndex page = span.first; page < std::min(span.last, end_); ++page) {
    if (books_.charged.test(page.value) || !is_kept(page)) continue;
    books_.charged.set(page.value);
    ++charged_pages_;
  }
  note_charged();
}

// For who looks without the lock.
void PastLimit::note_charged() noexcept {
  charged_now_.store(charged_pages_);
  if (charged_pages_ > charged_peak_.load()) charged_peak_.store(charged_pages_);
}

void PastLimit::forget_charge(PageIndex page) noexcept {
  if (!books_.charged.test(page.value)) return;
  books_.charged.clear(page.value);
  --charged_pages_;
}

std::uint64_t PastLimit::surplus_to_give_back() const noexcept {
  if (most_pages_ == kNoLimit) return 0;
  const std::uint64_t all = surplus();
  return !waiting_.empty() || all > most_pages_ / 2 ? all : 0;
}

// ---- Letting go ---------------------------------------------------------------------------------

void PastLimit::drop(PageIndex page) noexcept {
  Leaf& leaf = table_->own_leaf(page);
  edit_leaf(leaf, {page, page + kOnePage}, table_->span_of(leaf.index),
            [&](PageIndex, Entry& entry) {
              store_->frames.drop_reference(entry);
              entry = Entry{};
            });
}

void PastLimit::let_saved_go(std::uint64_t leaf_index) noexcept {
  static_cast<void>(let_saved_go(table_->span_of(leaf_index), kTableEntries));
}

PageIndex PastLimit::let_saved_go(PageSpan span, std::size_t most) noexcept {
  std::uint64_t page = books_.kept.next(span.first.value);
  for (; page < span.last.value && most > 0; page = books_.kept.next(page + 1), --most) {
    drop(PageIndex{page});
    books_.kept.clear(page);
  }
  return std::min(PageIndex{page}, span.last);
}

// A leaf that others have, too, is not copied for this: it goes as a whole when the sweep has
// passed it, or page by page before a fault.
void PastLimit::let_go(const PageIndex* pages, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const PageIndex page = pages[i];
    const bool was_charged = books_.charged.test(page.value);
    forget_charge(page);
    if (!drops_ || !is_kept(page)) continue;
    if (was_charged || table_->owns_leaf(page)) {
      drop(page);
    } else {
      books_.kept.set(page.value);
    }
  }
  charged_now_.store(charged_pages_);
  wake_saved();
  wake_those_with_room();
}

// Precondition: all pages before `end` are saved, not just chosen.
void PastLimit::drop_leaves_before(PageIndex end) noexcept {
  if (!drops_) return;
  while (leaves_gone_ < end) {
    const std::uint64_t leaf_index = leaves_gone_.leaf_index();
    if (table_->leaf_at(leaf_index) == nullptr) {
      leaves_gone_ = table_->end_of_missing(leaves_gone_);
      continue;
    }
    const PageSpan span = table_->span_of(leaf_index);
    if (span.last > end && end < end_) return;
    for (std::uint64_t page = books_.kept.next(span.first.value); page < span.last.value;
         page = books_.kept.next(page + 1)) {
      books_.kept.clear(page);
    }
    table_->drop_leaf(leaf_index);
    leaves_gone_ = span.last;
  }
}

// ---- What comes next ----------------------------------------------------------------------------

// What shows zeros is as good as saved.
PageIndex PastLimit::next_to_save(PageSpan span) const noexcept {
  const PageIndex end = std::min(span.last, end_);
  PageIndex page = std::max(span.first, std::min(sweep_, end));
  while (page < end) {
    if (books_.saved.test(page.value)) {
      ++page;
    } else if (table_->entry(page).shows_zeros()) {
      page = after_zeros(page);
    } else {
      break;
    }
  }
  return page < end ? page : span.last;
}

PageIndex PastLimit::after_zeros(PageIndex page) const noexcept {
  return table_->leaf_of(page) == nullptr ? table_->end_of_missing(page) : page + kOnePage;
}

// What the backup's own thread changes may pass the limit.
bool PastLimit::must_go_before(PageSpan span) const noexcept {
  if (!is_limited() || table_ == nullptr || next_to_save(span) >= span.last) return false;
  return !is_savers();
}

// Not before let_go() of what was chosen before.
std::size_t PastLimit::choose(PageIndex* batch, std::size_t most) noexcept {
  std::size_t count = 0;
  using Who = WaitingForSave::Who;
  choose_waited_for(Who::store, batch, most, count);
  if (has_waiting(Who::store) || room() < most_pages_ / 2) choose_charged(batch, most, count);
  // These wait for as much as they change, and whoever stores would wait behind all of it.
  choose_waited_for(Who::control_call, batch, most, count);
  if (waiting_.empty() || count == 0) choose_others(batch, most, count);
  return count;
}

void PastLimit::take(PageIndex page, PageIndex* batch, std::size_t& count) noexcept {
  books_.saved.set(page.value);
  batch[count++] = page;
  done_.fetch_add(1, std::memory_order_relaxed);
}

bool PastLimit::has_waiting(WaitingForSave::Who who) const noexcept {
  for (const WaitingForSave& waiting : waiting_) {
    if (waiting.who == who) return true;
  }
  return false;
}

void PastLimit::choose_waited_for(WaitingForSave::Who who, PageIndex* batch, std::size_t most,
                                  std::size_t& count) noexcept {
  for (const WaitingForSave& waiting : waiting_) {
    if (waiting.who != who) continue;
    for (PageIndex page = next_to_save(waiting.pages); page < waiting.pages.last && count < most;
         page = next_to_save({page + kOnePage, waiting.pages.last})) {
      take(page, batch, count);
    }
    if (count == most) return;
  }
}

void PastLimit::choose_charged(PageIndex* batch, std::size_t most, std::size_t& count) noexcept {
  for (std::uint64_t left = charged_pages_; left > 0 && count < most; --left) {
    std::uint64_t page = books_.charged.next(next_charged_);
    if (page == books_.charged.size()) page = books_.charged.next(0);
    if (page == books_.charged.size()) return;
    next_charged_ = page + 1;
    if (!books_.saved.test(page)) take(PageIndex{page}, batch, count);
  }
}

void PastLimit::choose_others(PageIndex* batch, std::size_t most, std::size_t& count) noexcept {
  constexpr std::uint64_t kMostLooks = 8 * kTableEntries;  // stores wait meanwhile
  std::uint64_t passed = 0;
  for (std::uint64_t looks = 0; sweep_ < end_ && count < most && looks < kMostLooks; ++looks) {
    if (books_.saved.test(sweep_.value)) {
      ++sweep_;
    } else if (!table_->entry(sweep_).shows_zeros()) {
      take(sweep_, batch, count);
      ++sweep_;
    } else {
      const PageIndex next = std::min(after_zeros(sweep_), end_);
      passed += (next - sweep_).value;
      sweep_ = next;
    }
  }
  done_.fetch_add(passed, std::memory_order_relaxed);
  is_complete_ = sweep_ >= end_;
}

}  // namespace cow

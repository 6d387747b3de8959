#include "mm/tables/table_trace.hpp"

#include "mm/tables/table_runs.hpp"

namespace cow {

namespace {

using trace::EntryLook;

EntryLook look_of(Entry entry) noexcept {
  if (entry.is_zero_page()) return EntryLook::zero;
  return entry.writable() ? EntryLook::writable : EntryLook::read_only;
}

// What entry a run goes on with that has `first` so many pages before.
bool goes_on(Entry first, PageCount pages, Entry entry) noexcept {
  if (look_of(first) != look_of(entry)) return false;
  return first.is_zero_page() || entry.frame() == first.frame().after(pages);
}

}  // namespace

void begin_telling(PageTable& table) noexcept {
  TraceMark& mark = table.trace_mark();
  mark.told_in = trace::current();
  if (mark.told_in != 0) mark.number = next_trace_number();
}

void EntryChanges::add(PageSpan span, Entry first) noexcept {
  if (table_ == nullptr) return;
  if (!run_.empty() && run_.last == span.first && goes_on(first_, run_.count(), first)) {
    run_.last = span.last;
    return;
  }
  if (!run_.empty()) write_run();
  run_ = span;
  first_ = first;
}

// Not inlined, as changes are made in many places and the handler has little stack.
[[gnu::noinline]] void EntryChanges::write_run() noexcept {
  const trace::NewEvent made(trace::EventKind::entries);
  trace::Event* const event = made.get();
  if (event == nullptr) return;
  event->look = look_of(first_);
  event->family = table_->store().trace_number;
  event->space = table_->trace_mark().number;
  event->first_page = run_.first.value;
  event->page_count = run_.count().value;
  if (first_.is_zero_page()) return;
  event->frame_file = first_.frame().extent().value;
  event->frame_slot = first_.frame().slot().value;
}

void tell_entries(const PageTable& table, Zeros zeros) noexcept {
  if (!is_told(table)) return;
  EntryChanges changes(table);
  for_each_mapping(table, [&](PageSpan run, Entry first) {
    if (zeros == Zeros::told || !first.is_zero_page()) changes.add(run, first);
  });
}

void tell_leaf_of(const PageTable& table, std::uint64_t leaf_index,
                  const PageTable& other) noexcept {
  if (!is_told(table)) return;
  EntryChanges changes(table);
  const PageSpan span = table.span_of(leaf_index);
  for (PageIndex page = span.first; page < span.last; ++page) {
    changes.note(page, table.entry(page), other.entry(page));
  }
}

void tell_zero_pages(const PageTable& table, PageSpan span) noexcept {
  EntryChanges(table).add(span, Entry{});
}

}  // namespace cow

#include "mm/space/space_trace.hpp"

namespace cow {

namespace {

using trace::EventKind;

std::uint32_t number_of(const PageTable* table) noexcept {
  return table == nullptr || !is_told(*table) ? 0 : table->trace_mark().number;
}

void name(trace::Event& event, const PageTable& table, const PageTable* other) noexcept {
  event.family = table.store().trace_number;
  event.space = table.trace_mark().number;
  event.other = number_of(other);
}

void name(trace::Event& event, const AddressSpace& region, const PageTable* other) noexcept {
  name(event, region.table(), other);
  event.writable_after = region.writable_pages();
}

// What is being made shows what a trace was not told of, if that began meanwhile, or does not know
// what it was made of.
bool must_tell_entries(const PageTable& table, const PageTable* other) noexcept {
  return !is_told(table) || (other != nullptr && !is_told(*other));
}

void begin_anew(PageTable& table) noexcept {
  begin_telling(table);
  tell_entries(table, Zeros::left_out);
}

}  // namespace

void TracedCall::tell(const AddressSpace& region, const Done& done) const noexcept {
  // A fork on another thread has the pages collected of a region that is being made, too.
  if (!is_told(region.table()) || !region.table().trace_mark().is_made) return;
  const std::uint64_t whole = whole_ns();
  const trace::NewEvent made(done.kind);
  trace::Event* const event = made.get();
  if (event == nullptr) return;
  name(*event, region, done.other);
  event->first_page = done.pages.first.value;
  event->page_count = done.pages.count().value;
  event->pages_copied = done.pages_copied;
  event->whole_ns = whole;
}

void TracedCall::tell_made(AddressSpace& region, const PageTable* other,
                           PageCount copied) const noexcept {
  region.table().trace_mark().is_made = true;
  if (trace::current() == 0) return;
  if (must_tell_entries(region.table(), other)) {
    begin_anew(region.table());
    other = nullptr;
  }
  const std::uint64_t whole = whole_ns();
  const trace::NewEvent made(EventKind::region_made);
  trace::Event* const event = made.get();
  if (event == nullptr) return;
  name(*event, region, other);
  event->page_count = region.table().pages().value;
  event->pages_copied = copied.value;
  event->address = reinterpret_cast<std::uintptr_t>(region.begin());
  event->whole_ns = whole;
}

void TracedCall::tell_made(PageTable& snapshot, const PageTable* other,
                           PageCount copied) const noexcept {
  snapshot.trace_mark().is_made = true;
  if (trace::current() == 0) return;
  if (must_tell_entries(snapshot, other)) {
    begin_anew(snapshot);
    other = nullptr;
  }
  const std::uint64_t whole = whole_ns();
  const trace::NewEvent made(EventKind::snapshot_made);
  trace::Event* const event = made.get();
  if (event == nullptr) return;
  name(*event, snapshot, other);
  event->page_count = snapshot.pages().value;
  event->pages_copied = copied.value;
  event->whole_ns = whole;
}

void tell_gone(const AddressSpace& region) noexcept {
  if (region.family().is_abandoned()) return;  // this process never had it, says process_begun
  if (!is_told(region.table()) || !region.table().trace_mark().is_made) return;
  const trace::NewEvent made(EventKind::region_gone);
  if (made.get() != nullptr) name(*made.get(), region, nullptr);
}

void tell_gone(const PageTable& snapshot) noexcept {
  if (!is_told(snapshot) || !snapshot.trace_mark().is_made) return;
  const trace::NewEvent made(EventKind::snapshot_gone);
  if (made.get() != nullptr) name(*made.get(), snapshot, nullptr);
}

void tell_snapshots_show(Family& family, PageSpan span, Frame first) noexcept {
  if (trace::current() == 0) return;
  family.for_each_kept([&](const KeptTable& kept) {
    const Leaf* const leaf = kept.table.leaf_of(span.first);
    if (leaf == nullptr || !is_told(kept.table)) return;
    EntryChanges changes(kept.table);
    for (PageIndex page = span.first; page < span.last; ++page) {
      const Entry entry = (*leaf)[page];
      const bool shows_it = entry.frame() == first.after(page - span.first);
      if (shows_it) changes.add({page, page + kOnePage}, entry);
    }
  });
}

void tell_snapshots_lose(Family& family, PageIndex page, Frame frame) noexcept {
  if (trace::current() == 0) return;
  family.for_each_kept([&](const KeptTable& kept) {
    if (kept.table.entry(page).frame() == frame) {
      tell_zero_pages(kept.table, {page, page + kOnePage});
    }
  });
}

void tell_all(Family& family) noexcept {
  const TracedCall found;
  family.for_each_kept([&](KeptTable& kept) {
    if (kept.table.trace_mark().is_made && !is_told(kept.table)) {
      found.tell_made(kept.table, nullptr);
    }
  });
  family.for_each_shown([&](ShownTable& shown) {
    if (shown.table.trace_mark().is_made && !is_told(shown.table)) {
      found.tell_made(*shown.space, nullptr);
    }
  });
}

}  // namespace cow

#pragma once

#include "base/units.hpp"
#include "mm/tables/page_table.hpp"
#include "trace/writer.hpp"

namespace cow {

// What a trace is told of page tables: which entries have become what. Whoever changes the entries
// of a region's or a snapshot's table tells it, with the family's lock held: so the order of events
// is that of the changes. Where no trace is on, nothing is done. Signal context: yes.

/// Whether a trace is on that knows what `table` shows, or began before the table did.
[[nodiscard]] inline bool is_told(const PageTable& table) noexcept {
  const std::uint64_t trace = trace::current();
  return trace != 0 && table.trace_mark().told_in == trace;
}

/// The table is going to be a region's or a snapshot's: from now on its changes are told. Again,
/// where it was emptied meanwhile: what was told of it is forgotten.
void begin_telling(PageTable& table) noexcept;

/// Tells of entries that change, in runs: of one table, in ascending order.
class EntryChanges {
 public:
  explicit EntryChanges(const PageTable& table) noexcept
      : table_(is_told(table) ? &table : nullptr) {}
  ~EntryChanges() {
    if (!run_.empty()) write_run();
  }
  EntryChanges(const EntryChanges&) = delete;
  EntryChanges& operator=(const EntryChanges&) = delete;

  /// The entry of `page` was `before`.
  void note(PageIndex page, Entry before, Entry now) noexcept {
    if (table_ == nullptr || is_alike(before, now)) return;
    add({page, page + kOnePage}, now);
  }
  /// All of `span` have changed, and are a run that begins with `first`.
  void add(PageSpan span, Entry first) noexcept;

 private:
  // What else an entry has no replay can tell.
  static bool is_alike(Entry one, Entry other) noexcept {
    return one.frame() == other.frame() && one.writable() == other.writable();
  }
  void write_run() noexcept;

  const PageTable* table_;  ///< null: nobody is told
  PageSpan run_{};
  Entry first_;
};

/// All entries have become what they are. `Zeros::left_out` of a table that showed zeros before.
enum class Zeros { told, left_out };
void tell_entries(const PageTable& table, Zeros zeros) noexcept;

/// Leaf `leaf_index` of `table` is going to be that of `other`.
void tell_leaf_of(const PageTable& table, std::uint64_t leaf_index,
                  const PageTable& other) noexcept;
/// The pages of `span` are going to be zero pages.
void tell_zero_pages(const PageTable& table, PageSpan span) noexcept;

}  // namespace cow

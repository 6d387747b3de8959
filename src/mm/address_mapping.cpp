// How the kernel is told what an address space shows.

#include <cerrno>

#include "mm/address_space.hpp"
#include "mm/table_runs.hpp"

namespace cow {

int AddressSpace::show_table(std::uint64_t runs) noexcept {
  const int error = map_all(runs);
  if (error != 0) table().release();
  return error;
}

int AddressSpace::map_all(std::uint64_t runs) noexcept {
  note_protection();
  int error = 0;
  const auto map_run = [&](PageSpan run, Entry first) {
    if (error != 0 || first.is_zero_page()) return;
    if (use_ == Use::view) {
      error = range_.map_for_reading(run, first.frame());
      return;
    }
    const auto protection =
        first.writable() ? os::Protection::read_write : os::Protection::read_only;
    error = range_.map(run, first.frame(), protection);
  };
  if (runs == 1) {
    map_run({PageIndex{0}, PageIndex{table().pages().value}}, table().entry(PageIndex{0}));
  } else {
    for_each_mapping(table(), map_run);
  }
  if (error == 0) {
    range_.count_mappings(static_cast<std::int64_t>(runs - mappings()));
    return 0;
  }
  // Zeros again: until the addresses go, nobody else may get any of them. With no mapping left the
  // kernel refuses even to replace many by one.
  if (error == ENOMEM) mapping_budget::note_exhausted();
  static_cast<void>(range_.map_zeros({PageIndex{0}, PageIndex{table().pages().value}}));
  if (error == ENOMEM) mapping_budget::measure();  // keeps the spare ones again, before others do
  return error;
}

void AddressSpace::protect_again(Leaf& leaf, PageSpan span) noexcept {
  for_each_stretch(
      table(), span, [](Entry entry) { return !entry.writable(); },
      [&](PageSpan closed) {
        if (range_.protect(closed, os::Protection::read_only) == 0) return;
        edit(leaf, closed, [](PageIndex, Entry& entry) { entry.set_writable(true); });
      });
}

bool AddressSpace::show_again(PageSpan span) noexcept {
  if (range_.is_mapped(span)) return true;
  for (PageIndex page = span.first; page < span.last; ++page) {
    const Entry entry = table().entry(page);
    const auto protection =
        entry.writable() ? os::Protection::read_write : os::Protection::read_only;
    const PageSpan one{page, page + kOnePage};
    const int error = entry.is_zero_page() ? range_.map_zeros(one)
                      : is_region()        ? range_.map(one, entry.frame(), protection)
                                           : range_.map_for_reading(one, entry.frame());
    if (error != 0) return false;
  }
  return true;
}

}  // namespace cow

// How the kernel is told what an address space shows.

#include <cerrno>

#include "base/refusal.hpp"
#include "mm/space/address_space.hpp"
#include "mm/tables/table_runs.hpp"
#include "os/last_words.hpp"

namespace cow {

int AddressSpace::map_all(std::uint64_t runs) noexcept {
  note_protection();
  int error = 0;
  const auto map_run = [&](PageSpan run, Entry first) {
    if (error == 0 && !first.is_zero_page()) error = show(run, first);
  };
  if (runs == 1) {
    map_run({PageIndex{0}, PageIndex{table().pages().value}}, table().entry(PageIndex{0}));
  } else {
    for_each_mapping(table(), map_run);
  }
  if (error == 0) {
    range_.set_mappings(runs);
    return 0;
  }
  // Zeros again: until the addresses go, nobody else may get any of them. With no mapping left the
  // kernel refuses even to replace many by one.
  if (error == ENOMEM) mapping_budget::note_exhausted();
  static_cast<void>(range_.map_zeros({PageIndex{0}, PageIndex{table().pages().value}}));
  if (error == ENOMEM) mapping_budget::measure();  // keeps the spare ones again, before others do
  return error;
}

bool AddressSpace::show_table(std::uint64_t runs) {
  if (runs > mapping_budget::spendable()) return false;
  const int error = map_all(runs);
  if (error != 0 && error != ENOMEM) {
    throw_refused(error, "mmap", "the frames of a region could not be mapped again for a clone");
  }
  return error == 0;
}

void AddressSpace::protect_again(Leaf& leaf, PageSpan span) noexcept {
  for_each_stretch(
      table(), span, [](Entry entry) { return !entry.writable(); },
      [&](PageSpan closed) {
        if (range_.protect(closed, os::Protection::read_only) == 0) return;
        // They are sole owners, as edit() checks.
        edit(leaf, closed, [](PageIndex, Entry& entry) { entry.set_writable(true); });
      });
}

int AddressSpace::show(PageSpan span, Entry first) const noexcept {
  if (first.is_zero_page()) return range_.map_zeros(span);
  if (use_ == Use::view) return range_.map_for_reading(span, first.frame());
  return range_.map(span, first.frame(),
                    first.writable() ? os::Protection::read_write : os::Protection::read_only);
}

bool AddressSpace::show_again(PageSpan span) const noexcept {
  if (range_.is_mapped(span)) return true;
  for (PageIndex page = span.first; page < span.last; ++page) {
    if (show({page, page + kOnePage}, table().entry(page)) != 0) return false;
  }
  return true;
}

int AddressSpace::overwrite(PageSpan span, Frame from) const noexcept {
  const auto read = [&] {
    return family_->frames().read({from, span.count()}, address(span.first));
  };
  const int error = read();
  if (error == 0) return 0;
  // A call or a fault that failed half-way may have left the mapping read-only.
  if (error == EFAULT) static_cast<void>(range_.make_writable(span));
  return read();
}

void AddressSpace::must_show_again(PageSpan span, int error) const noexcept {
  if (!show_again(span)) os::die_of("a region could not be mapped as it was", error);
}

}  // namespace cow

#include "mm/control/touched.hpp"

#include "mm/space/copy_on_write.hpp"
#include "mm/tables/table_runs.hpp"

namespace cow {

namespace {

// A system call for pages side by side costs about as much as eight more of them.
constexpr std::uint64_t kUnitsOfRun = 8;

// What the kernel refuses to tell counts as nothing: the call will say so.
std::uint64_t unseen_stores(AddressSpace& space, std::uint64_t units_of_run) noexcept {
  std::uint64_t units = 0;
  const auto count = [&](PageSpan span) {
    units += units_of_run + span.count().value;
    return true;
  };
  static_cast<void>(
      space.copy_on_write().find_unseen_stores(space, space.all_pages(), std::ref(count)));
  return units;
}

}  // namespace

std::uint64_t writable_leaves(const AddressSpace& space) noexcept {
  std::uint64_t leaves = 0;
  space.for_each_writable_leaf([&](const Leaf&) { ++leaves; });
  return leaves;
}

std::uint64_t touched_by_sharing(AddressSpace& space) noexcept {
  return writable_leaves(space) + unseen_stores(space, 0);
}

std::uint64_t touched_by_restoring(AddressSpace& space, const PageTable& snapshot) noexcept {
  const PageTable& now = space.table();
  std::uint64_t units = 0;
  for_each_differing_leaf(now, snapshot, [&](std::uint64_t leaf_index) {
    const PageSpan span = now.span_of(leaf_index);
    bool is_in_run = false;
    for (PageIndex page = span.first; page < span.last; ++page) {
      const Entry entry = now.entry(page);
      const Entry past = snapshot.entry(page);
      const bool never_touched = entry.never_stored() && past.is_zero_page();
      const bool differs = entry.frame() != past.frame() && !never_touched;
      if (differs) units += is_in_run ? 1 : kUnitsOfRun + 1;
      is_in_run = differs;
    }
  });
  return units + unseen_stores(space, kUnitsOfRun);
}

}  // namespace cow

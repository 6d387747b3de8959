#include <cow/merge.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "api/control_call.hpp"
#include "api/snapshot_state.hpp"
#include "base/error.hpp"
#include "mm/control/table_reader.hpp"

namespace cow {

namespace {

using Pages = std::vector<std::size_t>;
using Bytes = std::span<const std::byte>;

Pages changed_pages(const Snapshot& from, const Snapshot& to) {
  Pages pages;
  for (const PageRange& range : diff(from, to)) {
    for (std::size_t i = 0; i < range.page_count; ++i) pages.push_back(range.first_page + i);
  }
  return pages;
}

std::vector<PageRange> as_ranges(const Pages& pages) {
  std::vector<PageRange> ranges;
  for (const std::size_t page : pages) {
    if (!ranges.empty() && ranges.back().first_page + ranges.back().page_count == page) {
      ++ranges.back().page_count;
    } else {
      ranges.push_back({page, 1});
    }
  }
  return ranges;
}

bool same(Bytes a, Bytes b) noexcept { return std::memcmp(a.data(), b.data(), a.size()) == 0; }

/// One page that both sides changed, as three of them show it.
class Triple {
 public:
  Triple(detail::SnapshotState& base, detail::SnapshotState& ours, detail::SnapshotState& theirs)
      : geometry_(base.family()->geometry()),
        size_bytes_(base.size_bytes()),
        base_(*base.family(), base.table()),
        ours_(*base.family(), ours.table()),
        theirs_(*base.family(), theirs.table()) {}

  void read(std::size_t page) {
    const PageIndex first{page};
    offset_ = geometry_.offset(first);
    bytes_ = std::min(geometry_.page_bytes(), size_bytes_ - offset_);
    for (TableReader* const reader : {&base_, &ours_, &theirs_}) {
      reader->read({first, first + kOnePage});
    }
  }

  [[nodiscard]] std::size_t offset() const noexcept { return offset_; }
  [[nodiscard]] Bytes base() const noexcept { return {base_.bytes(), bytes_}; }
  [[nodiscard]] Bytes ours() const noexcept { return {ours_.bytes(), bytes_}; }
  [[nodiscard]] Bytes theirs() const noexcept { return {theirs_.bytes(), bytes_}; }

 private:
  PageGeometry geometry_;
  std::size_t size_bytes_;
  TableReader base_;
  TableReader ours_;
  TableReader theirs_;
  std::size_t offset_ = 0;
  std::size_t bytes_ = 0;
};

enum class Side { ours, theirs, both };

Side side_of(Bytes base, Bytes ours, Bytes theirs) noexcept {
  if (same(ours, theirs) || same(theirs, base)) return Side::ours;
  return same(ours, base) ? Side::theirs : Side::both;
}

/// Merges one page unit by unit. Returns how often the resolver was asked.
std::size_t resolve(const Triple& page, std::size_t unit, const MergeResolver& resolver,
                    std::vector<std::byte>& result) {
  result.assign(page.ours().begin(), page.ours().end());
  const std::size_t size = result.size();
  const auto side_at = [&](std::size_t at) {
    const std::size_t length = std::min(unit, size - at);
    return side_of(page.base().subspan(at, length), page.ours().subspan(at, length),
                   page.theirs().subspan(at, length));
  };
  std::size_t asked = 0;
  for (std::size_t at = 0; at < size;) {
    const Side side = side_at(at);
    std::size_t end = at;
    while (end < size && side_at(end) == side) end = std::min(end + unit, size);
    const std::size_t length = end - at;
    if (side == Side::theirs) {
      std::copy_n(page.theirs().begin() + static_cast<std::ptrdiff_t>(at), length,
                  result.begin() + static_cast<std::ptrdiff_t>(at));
    } else if (side == Side::both) {
      resolver({page.offset() + at, page.base().subspan(at, length),
                page.ours().subspan(at, length), page.theirs().subspan(at, length),
                std::span(result).subspan(at, length)});
      ++asked;
    }
    at = end;
  }
  return asked;
}

void check_unit(std::size_t unit, std::size_t page_bytes) {
  if (std::has_single_bit(unit) && unit <= page_bytes) return;
  throw_invalid_argument("MergeOptions::unit_bytes is " + std::to_string(unit) +
                         "; it must be a power of two up to the " + std::to_string(page_bytes) +
                         " bytes of a page");
}

}  // namespace

MergeResult merge(const Snapshot& base, const Snapshot& ours, const Snapshot& theirs,
                  const MergeResolver& resolver, const MergeOptions& options) {
  check_unit(options.unit_bytes, base.page_bytes());
  if (base.size() != ours.size() || base.size() != theirs.size()) {
    throw_invalid_argument(
        "merge: the snapshots have different sizes (Region::grow), and only lines of one size can "
        "become one; restore or grow all to the same size first");
  }
  const Pages our_pages = changed_pages(base, ours);
  const Pages their_pages = changed_pages(base, theirs);
  Pages both;
  Pages only_theirs;
  std::set_intersection(our_pages.begin(), our_pages.end(), their_pages.begin(), their_pages.end(),
                        std::back_inserter(both));
  std::set_difference(their_pages.begin(), their_pages.end(), our_pages.begin(), our_pages.end(),
                      std::back_inserter(only_theirs));

  MergeResult result{Region::from_snapshot(ours), {}, 0, 0, 0};
  Pages conflicts;
  std::vector<std::byte> resolved;
  Triple page =
      retry_in_shortage([&] { return Triple(base.state(), ours.state(), theirs.state()); });
  std::size_t only_ours = our_pages.size() - both.size();
  for (const std::size_t index : both) {
    page.read(index);
    switch (side_of(page.base(), page.ours(), page.theirs())) {
      case Side::ours: ++only_ours; break;
      case Side::theirs: only_theirs.push_back(index); break;
      case Side::both: {
        conflicts.push_back(index);
        if (!resolver) break;
        result.stretches_resolved += resolve(page, options.unit_bytes, resolver, resolved);
        const WriteLease lease = result.merged.write_lease(page.offset(), resolved.size());
        std::memcpy(lease.data(), resolved.data(), lease.size());
        break;
      }
    }
  }
  std::sort(only_theirs.begin(), only_theirs.end());
  result.merged.apply(as_ranges(only_theirs), theirs);
  result.conflicts = as_ranges(conflicts);
  result.pages_from_ours = only_ours;
  result.pages_from_theirs = only_theirs.size();
  return result;
}

}  // namespace cow

#pragma once

#include <cstdint>

#include "mm/space/address_space.hpp"
#include "mm/tables/table_trace.hpp"
#include "os/host.hpp"

namespace cow {

// What a trace is told of regions and snapshots, beside their entries: see table_trace.hpp. The
// caller holds the family's lock.

/// A control call on a family, from where it is made. Where no trace is on, nothing is done.
class TracedCall {
 public:
  TracedCall() noexcept : begun_ns_(trace::current() == 0 ? 0 : os::monotonic_ns()) {}

  /// What it has done to `region`. `other`: a snapshot, or null.
  struct Done {
    trace::EventKind kind = trace::EventKind::none;
    PageSpan pages{};
    const PageTable* other = nullptr;
    std::uint64_t pages_copied = 0;
  };
  void tell(const AddressSpace& region, const Done& done) const noexcept;

  /// A region, or a snapshot of this size, is there that shows what `other` shows, but for entries
  /// that were told since begin_telling(); or zeros if that is null.
  void tell_made(AddressSpace& region, const PageTable* other,
                 PageCount copied = PageCount{0}) const noexcept;
  void tell_made(PageTable& snapshot, const PageTable* other,
                 PageCount copied = PageCount{0}) const noexcept;

 private:
  [[nodiscard]] std::uint64_t whole_ns() const noexcept {
    return begun_ns_ == 0 ? 0 : os::monotonic_ns() - begun_ns_;
  }

  std::uint64_t begun_ns_;
};

/// It is about to go.
void tell_gone(const AddressSpace& region) noexcept;
void tell_gone(const PageTable& snapshot) noexcept;

/// Every snapshot that shows frame `first` at the first page of `span`, the one beside it at the
/// next, and so on, does so since just now. `span` lies in one leaf. Cost while a trace is on:
/// O(all snapshots of the family). Signal context: yes.
void tell_snapshots_show(Family& family, PageSpan span, Frame first) noexcept;
/// Every snapshot that shows `frame` at `page` is going to show a zero page. Signal context: yes.
void tell_snapshots_lose(Family& family, PageIndex page, Frame frame) noexcept;

/// The trace that is on begins with what the regions and snapshots of this family show, as far as
/// it does not know them.
void tell_all(Family& family) noexcept;

}  // namespace cow

#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>

#include "base/thread_annotations.hpp"
#include "base/units.hpp"
#include "os/lock.hpp"

namespace cow {

class AddressSpace;

/// Holds the stores of all threads to one region off for a moment, where nothing but protection
/// could, in such a way that none waits long: the chunks of the region are protected one after the
/// other, and what is stored to meanwhile is opened again, page by page; the few pages that are
/// open in the end are protected together. From that moment on stores wait until their chunk is
/// opened, and the chunk that one waits for is the next.
///
/// The caller of all but let_pass() and reset() holds the family's lock. Protecting and opening
/// takes the kernel some 0.1 µs for each page that is present.
class StoreGate {
 public:
  enum class Passage {
    not_held_off,  ///< nothing holds stores to the region off
    open,          ///< its part was open already
    opened,        ///< it was opened, or waited for
  };
  /// What the fault handler does with a store: returns when it may be tried again. Signal context:
  /// yes, it is for that.
  [[nodiscard]] Passage let_pass(AddressSpace& space, PageIndex page) noexcept;

  /// Stores to `space` wait from now on, but those to leased pages: the kernel may be writing to
  /// them for a call that would fail. 0 or an errno value; then none does.
  [[nodiscard]] int close(AddressSpace& space) noexcept;
  /// A chunk that is still closed, best one that a store waits for; empty if there is none.
  [[nodiscard]] PageSpan next_to_open() noexcept;
  /// Stores to a chunk go on. What the kernel refuses is left to open_all().
  void open(PageSpan chunk) noexcept;
  /// Stores to all pages go on. Where the kernel refuses even this, the fault handler does it.
  void open_all() noexcept;
  /// After fork(), in the child, where nobody is in here.
  void reset() noexcept;

 private:
  static constexpr std::size_t kMostChunks = 1024;
  static constexpr std::uint64_t kFewestPages = 512;
  static constexpr std::size_t kMostReopened = 512;
  /// So few are protected while other threads' faults wait for it.
  static constexpr std::size_t kFewReopened = 8;

  [[nodiscard]] PageSpan chunk(std::size_t index) const noexcept;
  [[nodiscard]] std::size_t index_of(PageIndex page) const noexcept {
    return static_cast<std::size_t>(page.value / chunk_pages_);
  }
  [[nodiscard]] bool reopen(PageIndex page) noexcept COW_REQUIRES(lock_);
  [[nodiscard]] int protect(PageSpan span) noexcept;
  [[nodiscard]] int protect_chunks() noexcept;
  [[nodiscard]] int protect_reopened() noexcept;

  /// Held for moments, by faults, too. All below is changed under it.
  os::Lock lock_{os::LockRank::store_gate};
  os::Condition opened_;
  AddressSpace* space_ = nullptr;  ///< whose stores are held off
  bool is_closing_ = false;        ///< until then pages may be opened again
  std::uint64_t chunk_pages_ = kFewestPages;
  std::size_t chunks_ = 0;
  std::size_t next_ = 0;    ///< open() was called for all chunks before it
  std::size_t wanted_ = 0;  ///< a store waits for it
  bool may_hurry_ = false;  ///< whether there are mappings left for an order of that kind
  std::bitset<kMostChunks> was_opened_;
  std::bitset<kMostChunks> is_open_;  ///< of those, what the kernel has not refused
  std::array<PageIndex, kMostReopened> reopened_;
  std::size_t reopened_count_ = 0;
  std::size_t most_reopened_ = 0;
};

}  // namespace cow

#pragma once

/// @file
/// The allocator below a managed segment. Included by <cow/managed_region.hpp>.

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/sync/mutex_family.hpp>
#include <boost/version.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>

static_assert(BOOST_VERSION >= 107400, "cow/managed_region.hpp needs Boost 1.74 or newer");

namespace cow::detail {

/// Boost's best fit in a segment that grows when it is exhausted, as far as a limit. Whoever calls
/// it, a container's allocator too, sees one segment of the limit's size that takes memory as it is
/// used. Only what asks for nothing but more room in place is not grown for: whether growth can
/// help there depends on what lies behind.
class GrowingBestFit
    : public boost::interprocess::rbtree_best_fit<boost::interprocess::null_mutex_family> {
 public:
  using Base = boost::interprocess::rbtree_best_fit<boost::interprocess::null_mutex_family>;

  GrowingBestFit(size_type size_bytes, size_type extra_header_bytes)
      : Base(size_bytes, extra_header_bytes + sizeof(GrowingBestFit) - sizeof(Base)),
        limit_(size_bytes) {}

  static size_type get_min_size(size_type extra_header_bytes) {
    return Base::get_min_size(extra_header_bytes + sizeof(GrowingBestFit) - sizeof(Base));
  }

  [[nodiscard]] size_type limit() const { return shared_limit().load(std::memory_order_relaxed); }
  void set_limit(size_type bytes) { limit_ = bytes; }
  /// Stores nothing unless it is more. Any number of threads may do so and ask for the limit.
  void raise_limit(size_type bytes) {
    if (bytes > limit()) shared_limit().store(bytes, std::memory_order_relaxed);
  }
  /// While it is not 0, every block is aligned to it.
  void set_alignment(size_type bytes) { alignment_ = bytes; }

  void* allocate(size_type bytes) {
    if (bytes > limit()) return nullptr;  // Boost does not look out for overflow
    if (alignment_ > Alignment) return allocate_aligned(bytes, alignment_);
    return grow_until(bytes, bytes, [&] { return Base::allocate(bytes); });
  }

  void* allocate_aligned(size_type bytes, size_type alignment) {
    if (bytes > limit() || alignment > limit()) return nullptr;
    if ((alignment & (alignment - 1)) != 0) return nullptr;  // Boost asserts
    return grow_until(bytes, bytes + alignment,
                      [&] { return Base::allocate_aligned(bytes, alignment); });
  }

  void allocate_many(size_type bytes, size_type count, multiallocation_chain& chain) {
    if (bytes == 0 || count == 0 || bytes > limit() / count) return;
    append_grown(count * block_bytes(bytes), chain,
                 [&](multiallocation_chain& made) { Base::allocate_many(bytes, count, made); });
  }

  void allocate_many(const size_type* lengths, size_type count, size_type unit_bytes,
                     multiallocation_chain& chain) {
    // Boost takes no bytes for blocks of one size. No growth makes a block of none.
    if (unit_bytes == 0 || count == 0) return;
    size_type sum = 0;
    for (size_type i = 0; i < count; ++i) {
      if (lengths[i] > limit() / unit_bytes) return;
      sum += block_bytes(lengths[i] * unit_bytes);
      if (sum > limit()) return;
    }
    append_grown(sum, chain, [&](multiallocation_chain& made) {
      Base::allocate_many(lengths, count, unit_bytes, made);
    });
  }

  template <class T>
  T* allocation_command(boost::interprocess::allocation_type command, size_type least,
                        size_type& preferred_then_received, T*& reuse) {
    static_assert(alignof(T) <= Alignment,
                  "allocation_command: T is aligned to more than blocks are: allocate_aligned");
    void* raw = reuse;
    void* const made =
        raw_allocation_command(command, least, preferred_then_received, raw, sizeof(T));
    reuse = static_cast<T*>(raw);
    return static_cast<T*>(made);
  }

  void* raw_allocation_command(boost::interprocess::allocation_type command, size_type least,
                               size_type& preferred_then_received, void*& reuse,
                               size_type unit_bytes = 1) {
    using namespace boost::interprocess;
    const size_type preferred = preferred_then_received;
    void* const reused = reuse;
    const bool shrinks = (command & (shrink_in_place | try_shrink_in_place)) != 0;
    if (unit_bytes != 0 && (command & try_shrink_in_place) != 0) {
      // Boost multiplies without a look here; no block has more than the limit.
      least = std::min(least, limit() / unit_bytes);
      preferred_then_received = std::min(preferred, limit() / unit_bytes);
    }
    if (unit_bytes == 0 || (command & allocate_new) == 0 || shrinks) {
      return Base::raw_allocation_command(command, least, preferred_then_received, reuse,
                                          unit_bytes);
    }
    const size_type most = limit() / unit_bytes;
    if (least > most) return reuse = nullptr;
    const size_type wanted = std::clamp(preferred, least, most);
    const bool expands = reused != nullptr && (command & (expand_fwd | expand_bwd)) != 0;
    const size_type has = expands ? std::min(size(reused), least * unit_bytes) : 0;
    return grow_until(least * unit_bytes - has, wanted * unit_bytes, [&] {
      // Boost refuses to prefer more than all of the segment.
      preferred_then_received = std::clamp(wanted, least, std::max(least, get_size() / unit_bytes));
      reuse = reused;
      return Base::raw_allocation_command(command, least, preferred_then_received, reuse,
                                          unit_bytes);
    });
  }

  /// Throws boost::interprocess::bad_alloc beyond the limit.
  void grow(size_type bytes) {
    if (bytes > room_left()) throw boost::interprocess::bad_alloc();
    // Boost mistakes a growth of less than a block for one.
    if (bytes >= kLeastGrowth) Base::grow(bytes / Alignment * Alignment);
  }

  void shrink_to_fit() {
    // Boost looks for a rest behind the smallest block that an empty segment has to have.
    if (all_memory_deallocated() && get_free_memory() < kLeastGrowth) return;
    Base::shrink_to_fit();
  }

  // Shrinking takes off what was free at the end before, too, which is a block; only of a segment
  // with nothing in it may less be missing, and that stays away.
  void take_back_growth(size_type bytes_before) {
    if (get_size() <= bytes_before) return;
    shrink_to_fit();
    if (get_size() + kLeastBlock <= bytes_before) Base::grow(bytes_before - get_size());
  }

 private:
  static constexpr size_type kLeastGrowth = 8 * Alignment;
  // A free one: its two sizes and three pointers.
  static constexpr size_type kLeastBlock = 3 * Alignment;

  [[nodiscard]] std::atomic_ref<size_type> shared_limit() const {
    return std::atomic_ref<size_type>(const_cast<size_type&>(limit_));
  }

  [[nodiscard]] size_type room_left() const { return limit() - get_size(); }

  // What a block of so many bytes takes of the segment, at least.
  static size_type block_bytes(size_type bytes) {
    return (bytes + PayloadPerAllocation + Alignment - 1) / Alignment * Alignment;
  }

  // Doubles the segment, or gives it what is preferred, or what is left. False if that cannot serve
  // a request that takes at least so many bytes that are free now or behind the segment.
  bool grow_for(size_type least_bytes, size_type preferred_bytes) {
    const size_type room = room_left();
    if (room < kLeastGrowth || least_bytes > room + get_free_memory()) return false;
    grow(std::min(std::max(preferred_bytes + 4 * kLeastGrowth, get_size()), room));
    return true;
  }

  template <class Try>
  auto grow_until(size_type least_bytes, size_type preferred_bytes, Try&& attempt)
      -> decltype(attempt()) {
    const size_type before = get_size();
    for (;;) {
      if (auto result = attempt()) return result;
      if (!grow_for(least_bytes, preferred_bytes)) break;
    }
    take_back_growth(before);
    return {};
  }

  // A chain of its own for each attempt: when one fails, Boost gives back all of the chain.
  template <class Fill>
  void append_grown(size_type bytes, multiallocation_chain& chain, Fill&& fill) {
    grow_until(bytes, bytes, [&] {
      multiallocation_chain made;
      fill(made);
      const bool is_done = !made.empty();
      if (is_done) chain.splice_after(chain.last(), made);
      return is_done;
    });
  }

  size_type limit_;
  size_type alignment_ = 0;
};

}  // namespace cow::detail

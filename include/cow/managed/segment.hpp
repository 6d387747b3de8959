#pragma once

/// @file
/// Boost.Interprocess's segment manager, set up for a region. Included by <cow/managed_region.hpp>.

// What differs from Interprocess's own choice, and why:
// - No mutex: locking is a store, so a lookup would copy a page, and a locked mutex would be cloned
//   locked.
// - The segment grows by itself, up to a limit that lies in the segment.
// - The index of names is a map of its own nodes. In an intrusive one the object follows a hook of
//   24 bytes and is misaligned from an alignment of 16 on.
// - Types of any alignment, in objects and in containers.

#include <boost/container/map.hpp>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/offset_ptr.hpp>
#include <boost/interprocess/segment_manager.hpp>
#include <boost/interprocess/sync/mutex_family.hpp>
#include <boost/version.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

static_assert(BOOST_VERSION >= 107400, "cow/managed_region.hpp needs Boost 1.74 or newer");

namespace cow::detail {

/// Boost's best fit in a segment that grows when it is exhausted, as far as a limit. Whoever calls
/// it, a container's allocator too, sees one segment of the limit's size that takes memory as it is
/// used.
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

  [[nodiscard]] size_type limit() const { return limit_; }
  void set_limit(size_type bytes) { limit_ = bytes; }
  /// While it is not 0, every block is aligned to it.
  void set_alignment(size_type bytes) { alignment_ = bytes; }

  void* allocate(size_type bytes) {
    if (bytes > limit_) return nullptr;  // Boost does not look out for overflow
    if (alignment_ > Alignment) return allocate_aligned(bytes, alignment_);
    return grow_until(bytes, [&] { return Base::allocate(bytes); });
  }

  void* allocate_aligned(size_type bytes, size_type alignment) {
    if (bytes > limit_ || alignment > limit_) return nullptr;
    return grow_until(bytes + alignment, [&] { return Base::allocate_aligned(bytes, alignment); });
  }

  void allocate_many(size_type bytes, size_type count, multiallocation_chain& chain) {
    if (count > 0 && bytes > limit_ / count) return;
    const size_type before = chain.size();
    grow_until(count * (bytes + 2 * Alignment), [&] {
      Base::allocate_many(bytes, count, chain);
      return chain.size() > before;
    });
  }

  template <class T>
  T* allocation_command(boost::interprocess::allocation_type command, size_type least,
                        size_type& preferred_then_received, T*& reuse) {
    using boost::interprocess::allocate_new;
    const size_type preferred = std::max(preferred_then_received, least);
    T* const reused = reuse;
    const auto ask = [&](size_type count) {
      preferred_then_received = count;
      reuse = reused;
      return Base::allocation_command(command, least, preferred_then_received, reuse);
    };
    if ((command & allocate_new) == 0) return ask(preferred_then_received);
    if (preferred <= limit_ / sizeof(T)) {
      T* const found = grow_until(preferred * sizeof(T), [&] { return ask(preferred); });
      if (found != nullptr) return found;
    }
    if (least > limit_ / sizeof(T)) return nullptr;
    return grow_until(least * sizeof(T), [&] { return ask(least); });
  }

  /// Throws boost::interprocess::bad_alloc beyond the limit.
  void grow(size_type bytes) {
    if (bytes > room_left()) throw boost::interprocess::bad_alloc();
    // Boost mistakes a growth of less than a block for one.
    if (bytes >= kLeastGrowth) Base::grow(bytes / Alignment * Alignment);
  }

 private:
  static constexpr size_type kLeastGrowth = 8 * Alignment;

  [[nodiscard]] size_type room_left() const { return limit_ - get_size(); }

  // Doubles the segment, or gives it what is left. False if that cannot serve the request.
  bool grow_for(size_type bytes) {
    const size_type room = room_left();
    if (room < kLeastGrowth || bytes > limit_) return false;
    const size_type needed = bytes + 4 * kLeastGrowth;
    if (needed > room + get_free_memory()) return false;
    grow(std::min(std::max(needed, get_size()), room));
    return true;
  }

  template <class Try>
  auto grow_until(size_type bytes, Try&& attempt) -> decltype(attempt()) {
    for (;;) {
      if (auto result = attempt()) return result;
      if (!grow_for(bytes)) return {};
    }
  }

  size_type limit_;
  size_type alignment_ = 0;
};

/// Names to objects, as boost::interprocess::segment_manager wants it.
template <class Config>
using NameMap = boost::container::map<
    typename Config::key_type, typename Config::mapped_type, std::less<typename Config::key_type>,
    boost::interprocess::allocator<
        std::pair<const typename Config::key_type, typename Config::mapped_type>,
        typename Config::segment_manager_base>>;

template <class Config>
class NameIndex : public NameMap<Config> {
 public:
  explicit NameIndex(typename Config::segment_manager_base* segment)
      : NameMap<Config>(std::less<typename Config::key_type>(), segment) {}
  void reserve(std::size_t /*names*/) {}
  void shrink_to_fit() {}
};

}  // namespace cow::detail

namespace cow {

/// Lies at the start of the segment and does all the work: boost::interprocess::segment_manager.
class SegmentManager
    : public boost::interprocess::segment_manager<char, detail::GrowingBestFit, detail::NameIndex> {
 public:
  /// Interprocess's own.
  using Base =
      boost::interprocess::segment_manager<char, detail::GrowingBestFit, detail::NameIndex>;

  /// For a segment of `segment_bytes`, itself included, that may grow to `limit_bytes`.
  SegmentManager(size_type segment_bytes, size_type limit_bytes) : Base(segment_bytes) {
    algorithm().set_limit(limit_bytes);
  }

  /// Bytes the segment may grow to.
  [[nodiscard]] size_type limit() const {
    return const_cast<SegmentManager*>(this)->algorithm().limit();
  }

  /// What Interprocess's proxies call: Base's, with the alignment that T asks for.
  template <class T>
  T* generic_construct(const char* name, size_type count, bool find_first, bool may_throw,
                       boost::interprocess::ipcdetail::in_place_interface& objects) {
    // Boost's block header keeps the alignment in one byte.
    static_assert(alignof(T) <= 128, "objects aligned to more than 128 bytes: allocate_aligned");
    T* made = nullptr;
    if constexpr (alignof(T) > detail::GrowingBestFit::Alignment) {
      AlignedUntilConstructed aligned(algorithm(), objects);
      made = Base::generic_construct<T>(name, count, find_first, may_throw, aligned);
    } else {
      made = Base::generic_construct<T>(name, count, find_first, may_throw, objects);
    }
    if (made == nullptr && may_throw) {
      throw boost::interprocess::interprocess_exception(boost::interprocess::already_exists_error);
    }
    return made;
  }

 private:
  // The constructors run after the object's own memory was allocated; what they allocate is theirs.
  class AlignedUntilConstructed : public boost::interprocess::ipcdetail::in_place_interface {
   public:
    AlignedUntilConstructed(detail::GrowingBestFit& algorithm, in_place_interface& objects)
        : in_place_interface(objects), algorithm_(algorithm), objects_(objects) {
      algorithm_.set_alignment(alignment);
    }
    ~AlignedUntilConstructed() override { algorithm_.set_alignment(0); }
    AlignedUntilConstructed(const AlignedUntilConstructed&) = delete;
    AlignedUntilConstructed& operator=(const AlignedUntilConstructed&) = delete;

    void construct_n(void* memory, std::size_t count, std::size_t& constructed) override {
      algorithm_.set_alignment(0);
      objects_.construct_n(memory, count, constructed);
    }
    void destroy_n(void* memory, std::size_t count, std::size_t& destroyed) override {
      objects_.destroy_n(memory, count, destroyed);
    }

   private:
    detail::GrowingBestFit& algorithm_;
    in_place_interface& objects_;
  };

  // Only a cast in this form sees a private base; newer versions of Boost have a function for it.
  detail::GrowingBestFit& algorithm() { return (detail::GrowingBestFit&)*this; }
};

/// Boost.Interprocess's allocator with two differences: it serves types of any alignment, and as
/// the segment grows, a container is told that it is full by boost::interprocess::bad_alloc alone.
template <class T>
class allocator : public boost::interprocess::allocator<T, SegmentManager> {
  using Base = boost::interprocess::allocator<T, SegmentManager>;

 public:
  using typename Base::pointer;
  using typename Base::size_type;
  /// Containers allocate by plain `allocate` from version 1, and expand in place from version 2. A
  /// class of its own, as T may be incomplete until a container asks.
  struct version {
    /// Types of more than the usual alignment cannot be expanded in place.
    static constexpr unsigned value = alignof(T) > detail::GrowingBestFit::Alignment ? 1 : 2;
  };
  /// The same allocator for another type.
  template <class U>
  struct rebind {
    /// The allocator of U.
    using other = allocator<U>;
  };

  /// Allocates in `segment`, as `ManagedRegion::get_allocator` gives it.
  allocator(SegmentManager* segment) : Base(segment) {}  // NOLINT: as Interprocess's
  /// The same segment, for another type.
  template <class U>
  allocator(const boost::interprocess::allocator<U, SegmentManager>& other)
      : Base(other.get_segment_manager()) {}

  /// Room for `count` objects; throws boost::interprocess::bad_alloc.
  pointer allocate(size_type count, boost::interprocess::offset_ptr<const void> = nullptr) {
    if (count > max_size()) throw boost::interprocess::bad_alloc();
    SegmentManager& segment = *this->get_segment_manager();
    if constexpr (version::value == 1) {
      return static_cast<T*>(segment.allocate_aligned(count * sizeof(T), alignof(T)));
    } else {
      return static_cast<T*>(segment.allocate(count * sizeof(T)));
    }
  }
  /// Room for one.
  pointer allocate_one() { return allocate(1); }

  /// More than any segment could hold: whether there is room shows when it is asked for.
  [[nodiscard]] size_type max_size() const {
    return static_cast<size_type>(std::numeric_limits<std::ptrdiff_t>::max()) / sizeof(T);
  }
};

}  // namespace cow

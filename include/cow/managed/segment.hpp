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
#include <boost/interprocess/offset_ptr.hpp>
#include <boost/interprocess/segment_manager.hpp>
#include <boost/interprocess/smart_ptr/deleter.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <new>
#include <string>
#include <utility>

#include <cow/managed/best_fit.hpp>

namespace cow {

class SegmentManager;

}  // namespace cow

// Before anybody uses Interprocess's own: managed/allocator.hpp.
namespace boost::interprocess {
template <class T>
class allocator<T, cow::SegmentManager>;
}  // namespace boost::interprocess

namespace cow {

namespace detail {

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

/// What `construct` and `construct_it` return: Interprocess's, whose count is multiplied by each
/// `[count]`, as far as there are numbers.
template <class T, bool is_each>
class Construction {
 public:
  Construction(SegmentManager* segment, const char* name, bool find_first, bool may_throw)
      : segment_(segment), name_(name), find_first_(find_first), may_throw_(may_throw) {}

  const Construction& operator[](std::size_t count) const {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    count_ = count == 0 || count_ <= most / count ? count_ * count : most;
    return *this;
  }

  template <class... Arguments>
  T* operator()(Arguments&&... arguments) const {
    using Proxy = boost::interprocess::ipcdetail::named_proxy<SegmentManager, T, is_each>;
    const Proxy proxy(segment_, name_, find_first_, may_throw_);
    return proxy[count_](std::forward<Arguments>(arguments)...);
  }

 private:
  SegmentManager* segment_;
  const char* name_;
  mutable std::size_t count_ = 1;
  bool find_first_;
  bool may_throw_;
};

}  // namespace detail

/// What names an object: a string, `unique_instance` (the one of its type) or `anonymous_instance`.
class ObjectName : public boost::interprocess::ipcdetail::char_ptr_holder<char> {
 public:
  using char_ptr_holder::char_ptr_holder;
  /// The same from Interprocess's own type.
  ObjectName(const char_ptr_holder& name) : char_ptr_holder(name) {}  // NOLINT: as Interprocess's
  /// There are none: does not compile.
  template <std::same_as<wchar_t> Wide>
  ObjectName(const Wide* /*name*/) {  // NOLINT: as Interprocess's
    static_assert(!std::same_as<Wide, wchar_t>,
                  "names of wchar_t: a managed region keeps names of char; use a UTF-8 string");
  }
};

/// Lies at the start of the segment and does all the work: boost::interprocess::segment_manager,
/// whose functions it has. Those that are declared here as well are the same with this library's
/// rules: a name that is taken, numbers that overflow, alignment, names of wchar_t. See
/// ManagedRegion.
class SegmentManager
    : public boost::interprocess::segment_manager<char, detail::GrowingBestFit, detail::NameIndex> {
 public:
  /// Interprocess's own.
  using Base =
      boost::interprocess::segment_manager<char, detail::GrowingBestFit, detail::NameIndex>;
  /// What names an object.
  using char_ptr_holder_t = ObjectName;
  /// What `construct` returns: called with arguments, it makes the object.
  template <class T>
  struct construct_proxy {
    /// The same by Interprocess's name.
    using type = detail::Construction<T, false>;
  };
  /// What `construct_it` returns: called with iterators, it makes an array.
  template <class T>
  struct construct_iter_proxy {
    /// The same by Interprocess's name.
    using type = detail::Construction<T, true>;
  };
  /// What containers in the segment allocate with; `allocator<T>::type` is the same.
  template <class T>
  using allocator = boost::interprocess::allocator<T, SegmentManager>;
  /// Destroys an object of the segment; for smart pointers. `type` is Interprocess's.
  template <class T>
  struct deleter : boost::interprocess::deleter<T, SegmentManager> {
    /// Interprocess's own.
    using type = boost::interprocess::deleter<T, SegmentManager>;
    using type::type;
    /// The same.
    deleter(const type& other) : type(other) {}  // NOLINT: they are the same
  };

  /// For a segment of `segment_bytes`, itself included, that may grow to `limit_bytes`.
  SegmentManager(size_type segment_bytes, size_type limit_bytes) : Base(segment_bytes) {
    algorithm().set_limit(limit_bytes);
  }

  /// Bytes the segment may grow to.
  [[nodiscard]] size_type limit() const {
    return const_cast<SegmentManager*>(this)->algorithm().limit();
  }

  /// Lets it grow to more, where there is more behind it.
  void raise_limit(size_type limit_bytes) { algorithm().raise_limit(limit_bytes); }

  /// As ManagedRegion::construct.
  template <class T>
  [[nodiscard]] typename construct_proxy<T>::type construct(ObjectName name) {
    return {this, name.get(), false, true};
  }
  /// The same, with a null pointer for what it would throw.
  template <class T>
  [[nodiscard]] typename construct_proxy<T>::type construct(ObjectName name,
                                                            const std::nothrow_t& /*no_throw*/) {
    return {this, name.get(), false, false};
  }
  /// The same, unless there is such an object already: then that is returned.
  template <class T>
  [[nodiscard]] typename construct_proxy<T>::type find_or_construct(ObjectName name) {
    return {this, name.get(), true, true};
  }
  /// The same, with a null pointer for what it would throw.
  template <class T>
  [[nodiscard]] typename construct_proxy<T>::type find_or_construct(
      ObjectName name, const std::nothrow_t& /*no_throw*/) {
    return {this, name.get(), true, false};
  }
  /// Arrays whose elements take their arguments from iterators.
  template <class T>
  [[nodiscard]] typename construct_iter_proxy<T>::type construct_it(ObjectName name) {
    return {this, name.get(), false, true};
  }
  /// The same, with a null pointer for what it would throw.
  template <class T>
  [[nodiscard]] typename construct_iter_proxy<T>::type construct_it(
      ObjectName name, const std::nothrow_t& /*no_throw*/) {
    return {this, name.get(), false, false};
  }
  /// The same, unless there is such an object already.
  template <class T>
  [[nodiscard]] typename construct_iter_proxy<T>::type find_or_construct_it(ObjectName name) {
    return {this, name.get(), true, true};
  }
  /// The same, with a null pointer for what it would throw.
  template <class T>
  [[nodiscard]] typename construct_iter_proxy<T>::type find_or_construct_it(
      ObjectName name, const std::nothrow_t& /*no_throw*/) {
    return {this, name.get(), true, false};
  }

  /// The object of that name, and how many; null and 0 if there is none, as for an anonymous one.
  template <class T>
  [[nodiscard]] std::pair<T*, size_type> find(ObjectName name) {
    if (name.is_anonymous()) return {nullptr, 0};
    return Base::find<T>(name);
  }
  /// The same: there is no lock.
  template <class T>
  [[nodiscard]] std::pair<T*, size_type> find_no_lock(ObjectName name) {
    return find<T>(name);
  }
  /// Destroys the objects of that name. False if there are none, as for an anonymous one.
  template <class T>
  bool destroy(ObjectName name) {
    return !name.is_anonymous() && Base::destroy<T>(name);
  }

  /// For the constructors of containers, of whatever they contain.
  template <class T>
  [[nodiscard]] allocator<T> get_allocator() {
    return allocator<T>(this);
  }
  /// For smart pointers to what is in the segment.
  template <class T>
  [[nodiscard]] typename deleter<T>::type get_deleter() {
    return typename deleter<T>::type(this);
  }

  /// What Interprocess's proxies call: Base's, with the alignment that T asks for. A number of
  /// objects, or a name, that no segment could hold is a full one: bad_alloc, or null.
  template <class T>
  T* generic_construct(const char* name, size_type count, bool find_first, bool may_throw,
                       boost::interprocess::ipcdetail::in_place_interface& objects) {
    // Boost's block header keeps the alignment in one byte.
    static_assert(alignof(T) <= 128, "objects aligned to more than 128 bytes: allocate_aligned");
    T* made = nullptr;
    if (count > limit() / sizeof(T) || !has_room_for_name(name, objects.type_name)) {
      T* const found = find<T>(name).first;
      if (find_first) made = found;
      if (found == nullptr && may_throw) throw boost::interprocess::bad_alloc();
    } else if constexpr (alignof(T) > detail::GrowingBestFit::Alignment) {
      AlignedUntilConstructed aligned(algorithm(), objects);
      made = construct_or_shrink<T>(name, count, find_first, may_throw, aligned);
    } else {
      made = construct_or_shrink<T>(name, count, find_first, may_throw, objects);
    }
    if (made == nullptr && may_throw) {
      throw boost::interprocess::interprocess_exception(boost::interprocess::already_exists_error);
    }
    return made;
  }

 private:
  // Boost's block header keeps the length of a name in two bytes, and copies all of it.
  static bool has_room_for_name(ObjectName name, const char* type_name) {
    if (name.is_anonymous()) return true;
    const char* const text = name.is_unique() ? type_name : name.get();
    return std::char_traits<char>::length(text) <= std::numeric_limits<unsigned short>::max();
  }

  // Base's. What the segment has grown by, for the node of a name or in a constructor, it gives
  // back as far as it is free where nothing is made.
  template <class T>
  T* construct_or_shrink(const char* name, size_type count, bool find_first, bool may_throw,
                         boost::interprocess::ipcdetail::in_place_interface& objects) {
    const size_type before = get_size();
    try {
      T* const made = Base::generic_construct<T>(name, count, find_first, may_throw, objects);
      if (made == nullptr) algorithm().take_back_growth(before);
      return made;
    } catch (...) {
      algorithm().take_back_growth(before);
      throw;
    }
  }

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

}  // namespace cow

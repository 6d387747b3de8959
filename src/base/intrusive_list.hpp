#pragma once

#include <cstddef>

#include "base/check.hpp"

namespace cow {

template <class T>
class IntrusiveList;

/// The base of a T that can be in an IntrusiveList<T>, in one at a time.
template <class T>
class ListLink {
 public:
  ListLink() noexcept = default;
  ListLink(const ListLink&) = delete;
  ListLink& operator=(const ListLink&) = delete;

 private:
  friend class IntrusiveList<T>;

  T* next_ = nullptr;
  T* previous_ = nullptr;
};

/// A list of objects that lie elsewhere and hold its links themselves: it allocates nothing, owns
/// nothing, and takes any of them out at once. Not thread safe. Signal context: yes.
template <class T>
class IntrusiveList {
 public:
  IntrusiveList() noexcept = default;
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  void push_front(T& item) noexcept {
    item.previous_ = nullptr;
    item.next_ = first_;
    (first_ != nullptr ? first_->previous_ : last_) = &item;
    first_ = &item;
    ++size_;
  }
  void push_back(T& item) noexcept {
    item.next_ = nullptr;
    item.previous_ = last_;
    (last_ != nullptr ? last_->next_ : first_) = &item;
    last_ = &item;
    ++size_;
  }
  /// Precondition: it is in this list.
  void remove(T& item) noexcept {
    COW_CHECK((item.previous_ != nullptr ? item.previous_->next_ : first_) == &item);
    COW_CHECK((item.next_ != nullptr ? item.next_->previous_ : last_) == &item);
    (item.next_ != nullptr ? item.next_->previous_ : last_) = item.previous_;
    (item.previous_ != nullptr ? item.previous_->next_ : first_) = item.next_;
    --size_;
  }
  /// Precondition: not empty.
  T& pop_front() noexcept {
    COW_CHECK(first_ != nullptr);
    T& item = *first_;
    remove(item);
    return item;
  }
  /// Forgets its members without a look at them: they may be gone.
  void clear() noexcept {
    first_ = last_ = nullptr;
    size_ = 0;
  }

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// While one walks, the member that it is at stays in the list. Those that it has passed may go.
  class Iterator {
   public:
    explicit Iterator(T* at) noexcept : at_(at) {}
    [[nodiscard]] T& operator*() const noexcept { return *at_; }
    Iterator& operator++() noexcept {
      at_ = IntrusiveList::next_of(*at_);
      return *this;
    }
    friend bool operator==(Iterator, Iterator) = default;

   private:
    T* at_;
  };
  [[nodiscard]] Iterator begin() const noexcept { return Iterator(first_); }
  [[nodiscard]] Iterator end() const noexcept { return Iterator(nullptr); }

 private:
  static T* next_of(const T& item) noexcept { return item.next_; }

  T* first_ = nullptr;
  T* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace cow

#pragma once

// The keys and values: Boost's hash table and strings with libcow's allocator, in a segment. They
// refer to each other by offset pointers, so the segment's bytes are the database: saved, they can
// be loaded at any address. Reading stores nothing: a GET takes no page away from a snapshot.

#include <fnmatch.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <cow/managed_region.hpp>

class Store {
 public:
  /// The table in the segment, or a new one.
  explicit Store(cow::SegmentManager& segment)
      : segment_(&segment),
        table_(segment.find_or_construct<Table>("table")(0, Hash(), Equal(),
                                                         Table::allocator_type(&segment))) {}

  [[nodiscard]] std::size_t size() const { return table_->size(); }

  [[nodiscard]] const cow::string* find(std::string_view key) const {
    const auto found = table_->find(key, Hash(), Equal());
    return found == table_->end() ? nullptr : &found->second;
  }

  /// Throws boost::interprocess::bad_alloc where the segment may not grow further; the value is
  /// then what it was.
  void set(std::string_view key, std::string_view value) {
    const auto found = table_->find(key, Hash(), Equal());
    if (found == table_->end()) {
      table_->emplace(text(key), text(value));
    } else if (value.size() <= found->second.capacity()) {
      found->second.assign(value.begin(), value.end());  // in place: no page but its own changes
    } else {
      cow::string longer = text(value);
      found->second.swap(longer);
    }
  }

  bool erase(std::string_view key) {
    const auto found = table_->find(key, Hash(), Equal());
    if (found == table_->end()) return false;
    table_->erase(found);
    return true;
  }

  void clear() {
    table_->clear();
    table_->rehash(0);
  }

  /// Calls with each key that the pattern matches ('*', '?', '[a-z]', as the shell has them).
  template <typename Call>
  void for_each_key(const std::string& pattern, Call&& call) const {
    for (const auto& [key, value] : *table_) {
      if (pattern == "*" || ::fnmatch(pattern.c_str(), key.c_str(), 0) == 0) {
        call(std::string_view(key.data(), key.size()));
      }
    }
  }

 private:
  // Keys are looked up by the text of a command, which lies outside: to make a cow::string of it
  // would be to allocate in the segment.
  static std::string_view view(std::string_view text) { return text; }
  static std::string_view view(const cow::string& text) { return {text.data(), text.size()}; }
  struct Hash {
    template <typename Text>
    std::size_t operator()(const Text& text) const {
      return boost::hash<std::string_view>()(view(text));
    }
  };
  struct Equal {
    template <typename One, typename Other>
    bool operator()(const One& one, const Other& other) const {
      return view(one) == view(other);
    }
  };
  using Table = cow::unordered_map<cow::string, cow::string, Hash, Equal>;

  [[nodiscard]] cow::string text(std::string_view from) const {
    return cow::string(from.data(), from.size(), cow::allocator<char>(segment_));
  }

  cow::SegmentManager* segment_;
  Table* table_;
};

#pragma once

/// @file
/// Boost's containers with the region's allocator. Included by <cow/managed_region.hpp>.
///
/// Each is given `region.get_allocator<...>()` (of any type) when it is constructed; elements that
/// allocate too, such as strings in a vector, get it themselves.

#include <boost/container/deque.hpp>
#include <boost/container/flat_map.hpp>
#include <boost/container/flat_set.hpp>
#include <boost/container/list.hpp>
#include <boost/container/map.hpp>
#include <boost/container/set.hpp>
#include <boost/container/slist.hpp>
#include <boost/container/stable_vector.hpp>
#include <boost/container/string.hpp>
#include <boost/container/vector.hpp>
#include <boost/functional/hash.hpp>
#include <boost/unordered_map.hpp>
#include <boost/unordered_set.hpp>

#include <functional>
#include <string>
#include <utility>

#include <cow/managed/allocator.hpp>

namespace cow {

/// Text.
using string = boost::container::basic_string<char, std::char_traits<char>, allocator<char>>;
/// An array that grows; elements move when it does.
template <class T>
using vector = boost::container::vector<T, allocator<T>>;
/// An array that grows; elements stay where they are.
template <class T>
using stable_vector = boost::container::stable_vector<T, allocator<T>>;
/// An array that grows at both ends.
template <class T>
using deque = boost::container::deque<T, allocator<T>>;
/// A list that can be gone through both ways.
template <class T>
using list = boost::container::list<T, allocator<T>>;
/// A list that can be gone through one way.
template <class T>
using slist = boost::container::slist<T, allocator<T>>;

/// Ordered, without duplicates: a tree.
template <class Key, class Less = std::less<Key>>
using set = boost::container::set<Key, Less, allocator<Key>>;
/// Ordered, with duplicates: a tree.
template <class Key, class Less = std::less<Key>>
using multiset = boost::container::multiset<Key, Less, allocator<Key>>;
/// From keys to values, ordered: a tree.
template <class Key, class Value, class Less = std::less<Key>>
using map = boost::container::map<Key, Value, Less, allocator<std::pair<const Key, Value>>>;
/// From keys to values, ordered, with duplicates: a tree.
template <class Key, class Value, class Less = std::less<Key>>
using multimap =
    boost::container::multimap<Key, Value, Less, allocator<std::pair<const Key, Value>>>;

/// Ordered, without duplicates: a sorted array.
template <class Key, class Less = std::less<Key>>
using flat_set = boost::container::flat_set<Key, Less, allocator<Key>>;
/// From keys to values, ordered: a sorted array.
template <class Key, class Value, class Less = std::less<Key>>
using flat_map = boost::container::flat_map<Key, Value, Less, allocator<std::pair<Key, Value>>>;

/// Without duplicates: a hash table.
template <class Key, class Hash = boost::hash<Key>, class Equal = std::equal_to<Key>>
using unordered_set = boost::unordered_set<Key, Hash, Equal, allocator<Key>>;
/// From keys to values: a hash table.
template <class Key, class Value, class Hash = boost::hash<Key>, class Equal = std::equal_to<Key>>
using unordered_map =
    boost::unordered_map<Key, Value, Hash, Equal, allocator<std::pair<const Key, Value>>>;

}  // namespace cow

#pragma once

#include <cow/cow.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include <cow/options.hpp>

#include "base/error.hpp"

// Structs of C that may grow: `struct_bytes` says how much of one the program knows.

namespace cow::c {

/// The size that a struct had when it first was part of the API: a program cannot have less. It is
/// written down and never changes, while sizeof does when a struct grows.
template <class T>
inline constexpr std::size_t kFirstBytes = 0;
template <>
inline constexpr std::size_t kFirstBytes<cow_region_options> = 48;
template <>
inline constexpr std::size_t kFirstBytes<cow_load_options> = 24;
template <>
inline constexpr std::size_t kFirstBytes<cow_save_options> = 24;
template <>
inline constexpr std::size_t kFirstBytes<cow_merge_options> = 32;
template <>
inline constexpr std::size_t kFirstBytes<cow_merge_report> = 48;
template <>
inline constexpr std::size_t kFirstBytes<cow_backup_options> = 40;
template <>
inline constexpr std::size_t kFirstBytes<cow_backup_progress> = 40;
template <>
inline constexpr std::size_t kFirstBytes<cow_backup_report> = 88;
template <>
inline constexpr std::size_t kFirstBytes<cow_backup_estimate> = 56;
template <>
inline constexpr std::size_t kFirstBytes<cow_publish_options> = 16;
template <>
inline constexpr std::size_t kFirstBytes<cow_cost_estimate> = 24;
template <>
inline constexpr std::size_t kFirstBytes<cow_region_stats> = 136;
template <>
inline constexpr std::size_t kFirstBytes<cow_process_stats> = 96;

/// Throws std::invalid_argument if `given` was not begun with its macro ..._INIT.
template <class T>
void check_struct(const T& given, const char* call) {
  static_assert(kFirstBytes<T> != 0 && kFirstBytes<T> <= sizeof(T));
  if (given.struct_bytes >= kFirstBytes<T>) return;
  throw_invalid_argument(std::string(call) + ": struct_bytes is " +
                         std::to_string(given.struct_bytes) + " where at least " +
                         std::to_string(kFirstBytes<T>) +
                         " are needed; begin the struct with its macro that ends in _INIT");
}

/// The options as this library knows them: what the program left out is 0, and what this library
/// does not know has to be, as it would have to do without (E2BIG).
template <class T>
T options_of(const T* given, const char* call) {
  T options{};
  if (given == nullptr) return options;
  check_struct(*given, call);
  const std::size_t bytes = given->struct_bytes;
  std::memcpy(&options, given, std::min(bytes, sizeof(T)));
  const auto* const first = reinterpret_cast<const unsigned char*>(given);
  for (std::size_t at = sizeof(T); at < bytes; ++at) {
    if (first[at] == 0) continue;
    throw_system_error(E2BIG, call,
                       "the options ask for something that this libcow does not know yet; "
                       "use a newer one, or leave it at 0");
  }
  return options;
}

/// Gives a result to a program that may know less of it, or more, than this library.
template <class T>
void give(T& to, T result) {
  const std::size_t bytes = to.struct_bytes;
  const std::size_t known = std::min(bytes, sizeof(T));
  result.struct_bytes = bytes;
  std::memcpy(&to, &result, known);
  std::memset(reinterpret_cast<unsigned char*>(&to) + known, 0, bytes - known);
}

/// In C++'s words; null is what is usual.
RegionOptions region_options(const cow_region_options* given, const char* call);

}  // namespace cow::c

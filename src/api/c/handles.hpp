#pragma once

#include <cow/c/base.h>

#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <cow/backup.hpp>
#include <cow/lease.hpp>
#include <cow/region.hpp>
#include <cow/snapshot.hpp>

// What the handles of C are: an object of C++ each, never an empty one.

struct cow_region {
  cow::Region value;
};

struct cow_snapshot {
  cow::Snapshot value;
};

struct cow_lease {
  cow::WriteLease value;
};

struct cow_backup {
  cow::Backup value;
};

struct cow_history {
  std::vector<cow::SnapshotNode> value;
};

namespace cow::c {

/// A handle of the program's with `value`.
template <class Handle, class Value>
std::unique_ptr<Handle> make_handle(Value value) {
  return std::unique_ptr<Handle>(new Handle{std::move(value)});
}

struct FreeMemory {
  void operator()(void* memory) const noexcept { ::operator delete(memory); }
};

/// For cow_free(): null if there are none.
std::unique_ptr<cow_page_range, FreeMemory> copy_of(const std::vector<PageRange>& ranges);
std::unique_ptr<char, FreeMemory> copy_of(const std::string& text);

std::vector<PageRange> ranges_of(const cow_page_range* ranges, std::size_t count, const char* call);

}  // namespace cow::c

#include <cow/c/region.h>

#include <cstddef>
#include <string>

#include "api/c/call.hpp"
#include "api/c/handles.hpp"
#include "api/c/structs.hpp"

using cow::c::call;
using cow::c::copy_of;
using cow::c::make_handle;
using cow::c::need;
using cow::c::ranges_of;
using cow::c::region_options;

namespace {

constexpr const char* kTheRegion = "the region";
constexpr const char* kTheSnapshot = "the snapshot";
constexpr const char* kTheResult = "the pointer for the result";

cow::CloneMode clone_mode_of(int mode) {
  if (mode == COW_CLONE_LAZY) return cow::CloneMode::lazy;
  if (mode == COW_CLONE_EAGER) return cow::CloneMode::eager;
  cow::throw_invalid_argument("cow_region_clone: the mode is " + std::to_string(mode) +
                              "; take one of enum cow_clone_mode");
}

cow::SnapshotMode snapshot_mode_of(int mode) {
  if (mode == COW_SNAPSHOT_CONCURRENT) return cow::SnapshotMode::concurrent;
  if (mode == COW_SNAPSHOT_QUIESCENT) return cow::SnapshotMode::quiescent;
  cow::throw_invalid_argument("cow_region_snapshot: the mode is " + std::to_string(mode) +
                              "; take one of enum cow_snapshot_mode");
}

/// A function that gives the program a new region.
template <class Make>
int make_region(const char* name, cow_region** region, const Make& make) {
  return call(name, [&] {
    need(region, name, kTheResult);
    *region = make_handle<cow_region>(make()).release();
  });
}

}  // namespace

int cow_region_create(size_t size_bytes, const cow_region_options* options, cow_region** region) {
  constexpr const char* name = "cow_region_create";
  return make_region(
      name, region, [&] { return cow::Region::create(size_bytes, region_options(options, name)); });
}

int cow_region_open(const char* path, const cow_region_options* options, cow_region** region) {
  constexpr const char* name = "cow_region_open";
  return make_region(name, region, [&] {
    return cow::Region::open(&need(path, name, "the path"), region_options(options, name));
  });
}

int cow_region_open_fd(int descriptor, const cow_region_options* options, cow_region** region) {
  constexpr const char* name = "cow_region_open_fd";
  return make_region(name, region,
                     [&] { return cow::Region::open(descriptor, region_options(options, name)); });
}

int cow_region_from_bytes(const void* bytes, size_t byte_count, const cow_region_options* options,
                          cow_region** region) {
  constexpr const char* name = "cow_region_from_bytes";
  return make_region(name, region, [&] {
    const auto& first = need(static_cast<const std::byte*>(bytes), name, "the array of bytes");
    return cow::Region::from_bytes({&first, byte_count}, region_options(options, name));
  });
}

int cow_region_from_snapshot(const cow_snapshot* snapshot, cow_region** region) {
  constexpr const char* name = "cow_region_from_snapshot";
  return make_region(name, region, [&] {
    return cow::Region::from_snapshot(need(snapshot, name, kTheSnapshot).value);
  });
}

int cow_region_clone(const cow_region* region, int mode, cow_region** clone) {
  constexpr const char* name = "cow_region_clone";
  return make_region(
      name, clone, [&] { return need(region, name, kTheRegion).value.clone(clone_mode_of(mode)); });
}

void cow_region_destroy(cow_region* region) { delete region; }

void* cow_region_data(cow_region* region) {
  return region == nullptr ? nullptr : region->value.data();
}

size_t cow_region_size(const cow_region* region) {
  return region == nullptr ? 0 : region->value.size();
}

size_t cow_region_page_bytes(const cow_region* region) {
  return region == nullptr ? 0 : region->value.page_bytes();
}

int cow_region_snapshot(const cow_region* region, int mode, cow_snapshot** snapshot) {
  constexpr const char* name = "cow_region_snapshot";
  return call(name, [&] {
    need(snapshot, name, kTheResult);
    const cow::Region& of = need(region, name, kTheRegion).value;
    *snapshot = make_handle<cow_snapshot>(of.snapshot(snapshot_mode_of(mode))).release();
  });
}

int cow_region_restore(cow_region* region, const cow_snapshot* snapshot) {
  constexpr const char* name = "cow_region_restore";
  return call(name, [&] {
    need(region, name, kTheRegion).value.restore(need(snapshot, name, kTheSnapshot).value);
  });
}

int cow_region_apply(cow_region* region, const cow_page_range* ranges, size_t range_count,
                     const cow_snapshot* from) {
  constexpr const char* name = "cow_region_apply";
  return call(name, [&] {
    need(region, name, kTheRegion)
        .value.apply(ranges_of(ranges, range_count, name), need(from, name, kTheSnapshot).value);
  });
}

int cow_region_changed_since(const cow_region* region, const cow_snapshot* snapshot,
                             cow_page_range** ranges, size_t* range_count) {
  constexpr const char* name = "cow_region_changed_since";
  return call(name, [&] {
    need(ranges, name, kTheResult);
    need(range_count, name, kTheResult);
    const cow::Snapshot& since = need(snapshot, name, kTheSnapshot).value;
    const auto found = need(region, name, kTheRegion).value.changed_since(since);
    *ranges = copy_of(found).release();
    *range_count = found.size();
  });
}

int cow_region_discard(cow_region* region, size_t offset, size_t length) {
  constexpr const char* name = "cow_region_discard";
  return call(name, [&] { need(region, name, kTheRegion).value.discard(offset, length); });
}

int cow_region_grow(cow_region* region, size_t new_size_bytes) {
  constexpr const char* name = "cow_region_grow";
  return call(name, [&] { need(region, name, kTheRegion).value.grow(new_size_bytes); });
}

int cow_region_describe(const cow_region* region, char** text) {
  constexpr const char* name = "cow_region_describe";
  return call(name, [&] {
    need(text, name, kTheResult);
    *text = copy_of(cow::describe(need(region, name, kTheRegion).value)).release();
  });
}

int cow_region_limit_family_bytes(cow_region* region, size_t most_bytes,
                                  cow_limit_function when_reached, void* context) {
  constexpr const char* name = "cow_region_limit_family_bytes";
  return call(name, [&] {
    std::function<void(std::size_t)> function;
    if (when_reached != nullptr) {
      function = [=](std::size_t bytes_in_use) { when_reached(context, bytes_in_use); };
    }
    need(region, name, kTheRegion).value.limit_family_bytes(most_bytes, function);
  });
}

#include <cow/c/snapshot.h>

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "api/c/call.hpp"
#include "api/c/handles.hpp"

using cow::c::call;
using cow::c::copy_of;
using cow::c::make_handle;
using cow::c::need;

namespace {

constexpr const char* kTheSnapshot = "the snapshot";
constexpr const char* kTheResult = "the pointer for the result";

/// A function that asks a snapshot something.
template <class Result, class Ask>
int ask(const char* name, const cow_snapshot* snapshot, Result* result, const Ask& question) {
  return call(name, [&] {
    need(result, name, kTheResult);
    *result = question(need(snapshot, name, kTheSnapshot).value);
  });
}

}  // namespace

int cow_snapshot_copy(const cow_snapshot* snapshot, cow_snapshot** copy) {
  return ask("cow_snapshot_copy", snapshot, copy,
             [](const cow::Snapshot& of) { return make_handle<cow_snapshot>(of).release(); });
}

void cow_snapshot_destroy(cow_snapshot* snapshot) { delete snapshot; }

size_t cow_snapshot_size(const cow_snapshot* snapshot) {
  return snapshot == nullptr ? 0 : snapshot->value.size();
}

size_t cow_snapshot_page_bytes(const cow_snapshot* snapshot) {
  return snapshot == nullptr ? 0 : snapshot->value.page_bytes();
}

int cow_snapshot_bytes(const cow_snapshot* snapshot, const void** bytes) {
  return ask("cow_snapshot_bytes", snapshot, bytes,
             [](const cow::Snapshot& of) { return of.bytes().data(); });
}

int cow_snapshot_reclaimable_bytes(const cow_snapshot* snapshot, size_t* bytes) {
  return ask("cow_snapshot_reclaimable_bytes", snapshot, bytes,
             [](const cow::Snapshot& of) { return of.reclaimable_bytes(); });
}

int cow_snapshot_estimate_drop(const cow_snapshot* snapshot, int64_t* nanoseconds) {
  return ask("cow_snapshot_estimate_drop", snapshot, nanoseconds,
             [](const cow::Snapshot& of) { return of.estimate_drop().count(); });
}

int cow_snapshot_set_label(cow_snapshot* snapshot, const char* label) {
  constexpr const char* name = "cow_snapshot_set_label";
  return call(name, [&] {
    const char* const text = &need(label, name, "the label");
    need(snapshot, name, kTheSnapshot).value.set_label(text);
  });
}

int cow_snapshot_label(const cow_snapshot* snapshot, char** label) {
  return ask("cow_snapshot_label", snapshot, label,
             [](const cow::Snapshot& of) { return copy_of(of.label()).release(); });
}

int cow_snapshot_taken_at(const cow_snapshot* snapshot, int64_t* nanoseconds) {
  return ask("cow_snapshot_taken_at", snapshot, nanoseconds, [](const cow::Snapshot& of) {
    const auto since = of.taken_at().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
  });
}

int cow_diff(const cow_snapshot* from, const cow_snapshot* to, cow_page_range** ranges,
             size_t* range_count) {
  constexpr const char* name = "cow_diff";
  return call(name, [&] {
    need(ranges, name, kTheResult);
    need(range_count, name, kTheResult);
    const auto found =
        cow::diff(need(from, name, kTheSnapshot).value, need(to, name, kTheSnapshot).value);
    *ranges = copy_of(found).release();
    *range_count = found.size();
  });
}

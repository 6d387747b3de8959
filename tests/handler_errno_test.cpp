// A store that faults leaves errno alone, whatever the fault takes.

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "call_filter.hpp"
#include "catch.hpp"
#include "fault_kinds.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using support::FaultKind;
using support::FaultScene;

/// Stores to `word` with errno set to `value`; whether it is that still.
bool keeps_errno(std::uint64_t& word, int value) {
  errno = value;
  asm volatile("" ::: "memory");  // nothing about errno is known beyond this point
  *static_cast<volatile std::uint64_t*>(&word) = 7;
  asm volatile("" ::: "memory");
  return errno == value;
}

/// Takes the fault of `scene` with errno set to `value`. A complaint if errno is not that any more.
std::string changed_errno(FaultScene& scene, int value) {
  const std::uint64_t faults = scene.region.stats().faults;
  if (!keeps_errno(support::word_at(scene.region, scene.page), value)) {
    return "errno was " + std::to_string(value) + " and became " + std::to_string(errno);
  }
  return scene.region.stats().faults == faults + 1 ? "" : "the store did not take one fault";
}

/// The same with new scenes of this kind, for several values.
std::string changed_errno(const FaultKind& kind) {
  for (const int value : {0, EINTR, ENOMEM, ENOSPC, 12345, -1}) {
    FaultScene scene = kind.prepare();
    const std::string complaint = changed_errno(scene, value);
    if (!complaint.empty()) return std::string(kind.name) + ": " + complaint;
  }
  return "";
}

}  // namespace

TEST_CASE("every kind of fault keeps errno", "[fault][handler]") {
  for (const FaultKind& kind : support::fault_kinds()) {
    CHECK(changed_errno(kind) == "");
  }
}

TEST_CASE("a recorded fault keeps errno", "[fault][handler]") {
  for (const FaultKind& kind : support::fault_kinds()) {
    cow::FaultRecord record;
    const cow::FaultRecorder recorder(&record, 1);
    CHECK(changed_errno(kind) == "");
    CHECK(recorder.size() == 1);
  }
}

TEST_CASE("a fault that finds no memory for its window keeps errno", "[fault][handler]") {
  if (!support::has_call_filters()) {
    WARN("skipped: no system call can be made to fail here");
    return;
  }
  const auto result = support::run_in_child([]() -> std::string {
    support::CallFilter filter;
    if (!support::refuse_windows(filter).install_allowing()) return "the filter was refused";
    std::string complaint;
    for (const FaultKind& kind : support::fault_kinds()) complaint += changed_errno(kind);
    return complaint;
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a fault that finds no kernel mapping left keeps errno", "[fault][handler]") {
  if (support::has_thread_sanitizer || support::is_emulated()) {
    WARN("skipped: this runtime ends the process when it finds no mapping left");
    return;
  }
  for (const FaultKind& kind : support::fault_kinds()) {
    if (!support::needs_mapping(kind)) continue;
    const auto result = support::run_in_child([&]() -> std::string {
      FaultScene scene = kind.prepare();
      if (!support::use_up_mappings()) return "there are mappings left";
      return changed_errno(scene, EDOM);
    });
    CAPTURE(kind.name);
    CHECK(result.complaint == "");
    CHECK(result.exited());
  }
}

TEST_CASE("errno is kept across a million faults", "[fault][handler]") {
  constexpr std::size_t pages = 512;
  const std::size_t stores = support::scaled(1'000'000);
  Region region = Region::create(pages * support::page_bytes(), support::single_page_options());
  for (std::size_t page = 0; page < pages; ++page) support::word_at(region, page) = 1;
  const std::uint64_t before = region.stats().faults;
  std::optional<Region> clone;  // not snapshots: they would copy what is stored to every time
  std::size_t changes = 0;
  for (std::size_t i = 0; i < stores; ++i) {
    const std::size_t page = i % pages;
    if (page == 0) {
      clone = region.clone();
      // Without the clone the store copies nothing: most faults are of that kind.
      if (i / pages % 8 != 0) clone.reset();
    }
    changes += !keeps_errno(support::word_at(region, page), static_cast<int>(i % 4000));
  }
  CHECK(changes == 0);
  CHECK(region.stats().faults - before == stores);
}

#include <cow/cow.h>
#include <pthread.h>

#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <string>

#include "catch.hpp"
#include "folder.hpp"

// No exception crosses the C API, whatever C++ does in a function that it calls back. What a
// program in C may do there: tests/c/hazards_test.c.

namespace {

/// Two lines of history that differ in their first byte, as handles of C.
struct Lines {
  cow_region* ours = nullptr;
  cow_region* theirs = nullptr;
  cow_snapshot* base = nullptr;
  cow_snapshot* left = nullptr;
  cow_snapshot* right = nullptr;

  Lines() {
    REQUIRE(cow_region_create(1, nullptr, &ours) == 0);
    base = changed(ours, 1);
    REQUIRE(cow_region_clone(ours, COW_CLONE_LAZY, &theirs) == 0);
    left = changed(ours, 2);
    right = changed(theirs, 3);
  }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;
  ~Lines() {
    for (cow_snapshot* const snapshot : {base, left, right}) cow_snapshot_destroy(snapshot);
    cow_region_destroy(ours);
    cow_region_destroy(theirs);
  }

  static cow_snapshot* changed(cow_region* region, char value) {
    cow_snapshot* snapshot = nullptr;
    *static_cast<char*>(cow_region_data(region)) = value;
    REQUIRE(cow_region_snapshot(region, COW_SNAPSHOT_CONCURRENT, &snapshot) == 0);
    return snapshot;
  }

  int merge(cow_merge_resolver resolver, cow_region** merged) const {
    cow_merge_options options = COW_MERGE_OPTIONS_INIT;
    options.resolver = resolver;
    return cow_merge(base, left, right, &options, merged, nullptr);
  }
};

std::size_t live_regions() {
  cow_process_stats stats = COW_PROCESS_STATS_INIT;
  REQUIRE(cow_process_get_stats(&stats) == 0);
  return stats.regions;
}

bool says(const char* words) {
  return std::string(cow_last_error()).find(words) != std::string::npos;
}

int end_the_thread(void*, const cow_merge_conflict*) { pthread_exit(nullptr); }

}  // namespace

TEST_CASE("what a callback of C throws comes back as an error with its words", "[api]") {
  const Lines lines;
  cow_region* merged = nullptr;
  const std::size_t before = live_regions();
  CHECK(lines.merge([](void*, const cow_merge_conflict*) -> int { throw std::logic_error("no!"); },
                    &merged) == EINVAL);
  CHECK(says("no!"));
  CHECK(lines.merge([](void*, const cow_merge_conflict*) -> int { throw 7; }, &merged) == EIO);
  CHECK(says("a callback threw what is no std::exception"));
  CHECK(lines.merge([](void*, const cow_merge_conflict*) { return -5; }, &merged) == EIO);
  CHECK(merged == nullptr);
  CHECK(live_regions() == before);
}

TEST_CASE("a save and a backup whose callback throws fail, and leave no file", "[api]") {
  const Lines lines;
  const support::Folder folder;
  const std::string path = folder / "image";
  cow_save_options save = COW_SAVE_OPTIONS_INIT;
  save.progress = [](void*, const cow_save_progress*) -> int { throw std::runtime_error("full"); };
  CHECK(cow_snapshot_save(lines.base, path.c_str(), &save) == EIO);
  CHECK(says("cow_snapshot_save: full"));
  cow_backup_options options = COW_BACKUP_OPTIONS_INIT;
  options.progress = [](void*, const cow_backup_progress*) -> int { throw 7; };
  cow_backup* backup = nullptr;
  REQUIRE(cow_region_backup(lines.ours, path.c_str(), &options, &backup) == 0);
  CHECK(cow_backup_wait(backup, nullptr) == EIO);
  CHECK(cow_backup_wait(backup, nullptr) == EIO);
  cow_backup_destroy(backup);
  CHECK(folder.names().empty());
}

TEST_CASE("a thread that ends in a callback of C unwinds, and nothing of the call is left",
          "[api]") {
  Lines lines;
  const std::size_t before = live_regions();
  pthread_t thread{};
  const auto run = [](void* argument) -> void* {
    cow_region* merged = nullptr;
    static_cast<const Lines*>(argument)->merge(end_the_thread, &merged);
    return argument;
  };
  REQUIRE(pthread_create(&thread, nullptr, run, &lines) == 0);
  void* result = &thread;
  REQUIRE(pthread_join(thread, &result) == 0);
  CHECK(result == nullptr);
  CHECK(live_regions() == before);
}

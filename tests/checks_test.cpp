// What a build with COW_CHECKS does where the library's own code breaks one of its rules: it says
// which, and ends. Other builds have nothing of it.

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/check.hpp"
#include "catch.hpp"
#include "mm/frames/entry.hpp"
#include "mm/resources/metadata_array.hpp"
#include "mm/space/family.hpp"
#include "os/lock.hpp"
#include "support.hpp"

namespace {

using cow::os::Lock;
using cow::os::LockGuard;
using cow::os::LockRank;

#define SKIP_WITHOUT_CHECKS()                                 \
  if (!cow::kChecks) {                                        \
    WARN("skipped: this build does not check its own rules"); \
    return;                                                   \
  }                                                           \
  static_cast<void>(0)

/// What a child says on stderr that does `body` and dies of SIGABRT; empty if it does not.
std::string last_line_of(const std::function<void()>& body) {
  const int file = static_cast<int>(::memfd_create("stderr", MFD_CLOEXEC));
  const auto result = support::run_in_child([&]() -> std::string {
    support::die_silently_of_faults();
    ::signal(SIGABRT, SIG_DFL);
    ::dup2(file, STDERR_FILENO);
    body();
    return "it went on";
  });
  std::string said(1000, '\0');
  const ssize_t bytes = ::pread(file, said.data(), said.size(), 0);
  ::close(file);
  CHECK(result.complaint == "");
  if (!result.died_of(SIGABRT) || bytes < 0) return "";
  said.resize(static_cast<std::size_t>(bytes));
  return said;
}

bool says(const std::string& said, const std::string& what) {
  return said.rfind("libcow: ", 0) == 0 && said.find(what) != std::string::npos &&
         said.find('\n') == said.size() - 1;
}

const std::string kOrder = "lock_is_taken_in_order";

std::string said_when_taken(LockRank first, LockRank second) {
  return last_line_of([&] {
    Lock outer(first);
    Lock inner(second);
    const LockGuard holds_outer(outer);
    const LockGuard holds_inner(inner);
  });
}

bool may_be_taken(LockRank first, LockRank second) {
  Lock outer(first);
  Lock inner(second);
  const LockGuard holds_outer(outer);
  const LockGuard holds_inner(inner);
  return true;
}

}  // namespace

TEST_CASE("a check that fails ends the process with its condition and its line", "[base]") {
  SKIP_WITHOUT_CHECKS();
  int line = 0;
  const std::string said = last_line_of([&] {
    COW_CHECK(1 + 1 == 2);
    COW_CHECK(1 + 1 == 3);
  });
  line = __LINE__ - 2;
  CHECK(says(said, "checks_test.cpp:" + std::to_string(line) + ": not true: 1 + 1 == 3;"));
}

TEST_CASE("a check is not made where checks are off, and its condition is compiled", "[base]") {
  int asked = 0;
  COW_CHECK(++asked > 0);
  CHECK(asked == (cow::kChecks ? 1 : 0));
}

TEST_CASE("a precondition that is broken ends the process", "[base]") {
  SKIP_WITHOUT_CHECKS();
  CHECK(says(last_line_of([] { cow::Entry{}.set_heat(1); }), "!is_zero_page()"));
  CHECK(says(last_line_of([] {
               cow::MetadataArray<int> nowhere;
               nowhere.push(1);
             }),
             "size_ < capacity_"));
  CHECK(says(last_line_of([] {
               Lock lock(LockRank::family);
               lock.assert_held();
             }),
             "order_.is_mine()"));
}

TEST_CASE("an entry with flags and no frame, or leased and read-only, is not sound", "[base]") {
  const cow::Frame frame(cow::ExtentId{1}, cow::PageIndex{0});
  CHECK(cow::Entry{}.is_sound());
  CHECK(cow::Entry(frame).is_sound());
  cow::Entry leased(frame);
  leased.set_leased(true);
  CHECK_FALSE(leased.is_sound());
  leased.set_writable(true);
  CHECK(leased.is_sound());
  cow::Entry nothing;
  nothing.set_writable(true);
  CHECK_FALSE(nothing.is_sound());
}

TEST_CASE("an edit that leaves an entry unsound ends the process", "[base]") {
  SKIP_WITHOUT_CHECKS();
  const std::string said = last_line_of([] {
    auto leaf = std::make_unique<cow::Leaf>();
    cow::edit_leaf(*leaf, {{3}, {4}}, {{0}, {cow::kTableEntries}},
                   [](cow::PageIndex, cow::Entry& entry) { entry.set_maybe_clean(true); });
  });
  CHECK(says(said, "entry.is_sound()"));
}

TEST_CASE("locks are taken in the order of their ranks, and in no other", "[os]") {
  SKIP_WITHOUT_CHECKS();
  CHECK(may_be_taken(LockRank::registry, LockRank::readers));
  CHECK(may_be_taken(LockRank::registry, LockRank::metadata_heap));
  CHECK(may_be_taken(LockRank::family_list, LockRank::family));
  CHECK(may_be_taken(LockRank::family, LockRank::store_gate));
  CHECK(may_be_taken(LockRank::family, LockRank::spare_mappings));
  CHECK(says(said_when_taken(LockRank::family, LockRank::registry), kOrder));
  CHECK(says(said_when_taken(LockRank::family, LockRank::readers), kOrder));
  CHECK(says(said_when_taken(LockRank::family, LockRank::family_list), kOrder));
  CHECK(says(said_when_taken(LockRank::metadata_heap, LockRank::family), kOrder));
  CHECK(says(said_when_taken(LockRank::store_gate, LockRank::family), kOrder));
  CHECK(says(said_when_taken(LockRank::spare_mappings, LockRank::family), kOrder));
  CHECK(says(said_when_taken(LockRank::metadata_heap, LockRank::spare_mappings), kOrder));
  CHECK(says(said_when_taken(LockRank::registry, LockRank::registry), kOrder));
}

TEST_CASE("whoever takes a second family's lock holds the list of families", "[os]") {
  SKIP_WITHOUT_CHECKS();
  CHECK(says(said_when_taken(LockRank::family, LockRank::family), kOrder));
  Lock list(LockRank::family_list);
  const LockGuard holds_list(list);
  CHECK(may_be_taken(LockRank::family, LockRank::family));
}

TEST_CASE("a lock that another thread has is not mine, and only its holder gives it back", "[os]") {
  SKIP_WITHOUT_CHECKS();
  CHECK(says(last_line_of([] {
               Lock lock(LockRank::family);
               // Not analysed: it is meant to keep the lock.
               std::thread([&]() COW_NO_THREAD_SAFETY_ANALYSIS { lock.lock(); }).join();
               lock.assert_held();
               lock.unlock();
             }),
             "order_.is_mine()"));
}

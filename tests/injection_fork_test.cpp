// fork() among failures: the child has its own bytes, or none at all; the parent never notices.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "catch.hpp"
#include "injection.hpp"
#include "injection_world.hpp"
#include "support.hpp"

using injection::Often;
using injection::Outcome;
using injection::Plan;
using injection::Tally;
using injection::What;
using injection::Window;
using injection::World;

namespace {

/// A pipe: the child goes on when the parent says so.
struct Line {
  Line() {
    if (::pipe(ends.data()) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe");
    }
  }
  void wait_in_child() const {
    ::close(ends[1]);
    char nothing = 0;
    while (::read(ends[0], &nothing, 1) < 0 && errno == EINTR) {
    }
  }
  void let_child_go_on() const { ::close(ends[1]); }
  std::array<int, 2> ends{};
};

bool can_be_read(const std::byte* address) {
  const Line line;
  const bool readable = ::write(line.ends[1], address, 1) == 1;
  ::close(line.ends[0]);
  ::close(line.ends[1]);
  return readable;
}

/// Where there was no memory or descriptor for the child's regions, it can see none of them, and
/// make new ones.
std::string complaint_without_regions(const World& world) {
  for (const cow::Region& region : world.regions) {
    if (can_be_read(region.data())) return "a child sees a region that it was refused";
  }
  for (const World::Past& past : world.pasts) {
    if (past.seen != nullptr && can_be_read(past.seen)) {
      return "a child sees a snapshot that it was refused";
    }
  }
  World own(24);
  const std::string wrong = own.store_everywhere();
  return wrong.empty() ? own.complaint_about_unseen() : wrong;
}

std::string complaint_in_child(World& world) {
  try {
    (void)world.regions[0].stats();
  } catch (const std::system_error& error) {
    if (!support::is_sentence(error.what())) return std::string("says only ") + error.what();
    return complaint_without_regions(world);
  }
  std::string wrong = world.complaint();
  if (!wrong.empty()) return "after the parent's stores: " + wrong;
  wrong = world.store_everywhere();
  return wrong.empty() ? world.complaint_about_unseen() : wrong;
}

[[noreturn]] void be_forked_child(World& world, const Line& line) {
  line.wait_in_child();
  std::string wrong;
  try {
    wrong = complaint_in_child(world);
  } catch (const std::exception& error) {
    wrong = std::string("threw ") + error.what();
  }
  if (!wrong.empty()) wrong = "in the child: " + wrong + "\n";
  const ssize_t written = ::write(STDERR_FILENO, wrong.data(), wrong.size());
  ::_exit(written == static_cast<ssize_t>(wrong.size()) ? 0 : 1);
}

std::string complaint_about_fork(const Window& window, bool with_lease) {
  World world(24);
  const std::size_t page = support::page_bytes();
  if (with_lease) world.leases.push_back(world.regions[0].write_lease(3 * page, 4 * page));
  const Line line;
  pid_t child = -1;
  const std::exception_ptr error = window.run([&] { child = ::fork(); });
  if (error) return "fork threw";
  if (child == 0) be_forked_child(world, line);
  std::string wrong = world.complaint(window);
  if (wrong.empty()) wrong = world.store_everywhere();
  line.let_child_go_on();
  int status = 0;
  if (child > 0) ::waitpid(child, &status, 0);
  if (!wrong.empty()) return "in the parent: " + wrong;
  const bool died_of_it = WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS;
  if (status != 0 && !died_of_it) return "the child ended with " + std::to_string(status);
  if (wrong.empty()) wrong = world.complaint();
  if (wrong.empty()) wrong = world.complaint_about_unseen();
  return wrong.empty() ? world.drop_everything(window.refused("fallocate")) : wrong;
}

/// The child may end with one line when there is no way out; the parent, where the kernel copies,
/// if that has taken a mapping away for good.
std::string judge(const Plan& plan, const Outcome& outcome) {
  const bool parent_may_die = support::kernel_copies() && !plan.in_forked_child &&
                              plan.what == What::half_done && plan.often == Often::from_then_on;
  if (parent_may_die) return injection::judge_survivor_or_last_words(plan, outcome);
  const bool last_words =
      outcome.said.starts_with("libcow: ") && outcome.said.find('\n') == outcome.said.size() - 1;
  const bool in_child =
      plan.in_forked_child && (plan.often == Often::from_then_on || plan.what == What::half_done);
  Outcome without_last_words = outcome;
  if (last_words && in_child) without_last_words.said.clear();
  return injection::judge_survivor(plan, without_last_words);
}

void check(bool in_child, bool with_lease) {
  Tally all;
  for (const What what : {What::system_call, What::half_done, What::allocation}) {
    if (in_child && what == What::allocation) continue;
    for (const Often often : {Often::once, Often::from_then_on}) {
      all.add(injection::each_failure(
          {what, often, 1, in_child},
          [&](const Window& window) { return complaint_about_fork(window, with_lease); }, &judge));
    }
  }
  CHECK(all.text() == "");
  if (all.skipped.empty()) CHECK(all.runs > 0);
  if (!all.skipped.empty()) WARN("skipped: " << all.skipped);
}

}  // namespace

TEST_CASE("fork among failures in the parent keeps parent and child apart", "[api]") {
  check(false, false);
}

TEST_CASE("fork among failures in the parent keeps leased pages apart, too", "[api]") {
  check(false, true);
}

TEST_CASE("fork among failures in the child keeps parent and child apart", "[api]") {
  check(true, false);
}

TEST_CASE("fork among failures in the child keeps leased pages apart, too", "[api]") {
  check(true, true);
}

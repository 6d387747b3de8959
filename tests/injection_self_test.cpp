// That failures are injected where the plan says, and nowhere else.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "catch.hpp"
#include "injection.hpp"
#include "support.hpp"

using injection::Often;
using injection::Outcome;
using injection::Plan;
using injection::What;
using injection::Window;

namespace {

/// The outcome, or nothing of it where there is no tracing.
Outcome outcome_of(const Plan& plan, const injection::Body& body) {
  const Outcome outcome = injection::run(plan, body);
  if (!outcome.traceable) WARN("skipped: system calls cannot be traced here");
  return outcome;
}

/// One digit for each of four calls: 1 where it was refused.
std::string refused_among_four(const Window& window) {
  std::string refused;
  refused.reserve(8);
  const auto error = window.run([&] {
    for (int i = 0; i < 4; ++i) refused += ::fcntl(STDERR_FILENO, F_GETFD) < 0 ? '1' : '0';
  });
  if (error) return "threw";
  if (::fcntl(STDERR_FILENO, F_GETFD) < 0) return "a call behind the window was refused";
  return refused;
}

}  // namespace

TEST_CASE("the k-th system call of a window fails, and no other", "[tests]") {
  const Outcome outcome = outcome_of({What::system_call, Often::once, 3}, &refused_among_four);
  if (!outcome.traceable) return;
  CHECK(outcome.complaint == "0010");
  CHECK(outcome.refused == 1);
  CHECK(outcome.refused_calls == " fcntl");
}

TEST_CASE("from the k-th on, every system call of a window fails", "[tests]") {
  const Plan plan{What::system_call, Often::from_then_on, 3};
  const Outcome outcome = outcome_of(plan, &refused_among_four);
  if (!outcome.traceable) return;
  CHECK(outcome.complaint == "0011");
  CHECK(outcome.refused == 2);
}

TEST_CASE("the loop over k ends when there is nothing left to fail", "[tests]") {
  unsigned runs = 0;
  const injection::Tally tally = injection::each_failure(
      {What::system_call, Often::once}, &refused_among_four,
      [&](const Plan&, const Outcome& outcome) {
        ++runs;
        return outcome.refused == 0 && outcome.complaint == "0000" ? "the last" : std::string();
      });
  if (!tally.skipped.empty()) return;
  CHECK(runs == tally.runs + 1);
  CHECK(tally.complaints.size() == 1);
}

TEST_CASE("the k-th allocation of a window fails, and no other", "[tests]") {
  const Often often = GENERATE(Often::once, Often::from_then_on);
  const Plan plan{What::allocation, often, 2};
  if (const std::string reason = injection::reason_to_skip(plan); !reason.empty()) {
    WARN("skipped: " << reason);
    return;
  }
  const Outcome outcome = injection::run(plan, [](const Window& window) -> std::string {
    std::array<int*, 3> made{};
    const auto error = window.run([&] {
      for (int*& place : made) place = new (std::nothrow) int;
      if (made[1] == nullptr) throw std::bad_alloc();
    });
    if (!error) return "nothing was refused";
    std::string refused;
    for (int* const place : made) {
      refused += place == nullptr ? '1' : '0';
      delete place;
    }
    return refused;
  });
  CHECK(outcome.complaint == (often == Often::once ? "010" : "011"));
  CHECK(outcome.exited());
}

TEST_CASE("a call that is half done has done one half", "[tests]") {
  const auto body = [](const Window& window) -> std::string {
    const std::size_t page = support::page_bytes();
    const auto map = [&](int protection, void* where, int flags) {
      return ::mmap(where, 4 * page, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    };
    auto* const memory = static_cast<std::byte*>(map(PROT_READ | PROT_WRITE, nullptr, 0));
    bool refused = false;
    (void)window.run([&] { refused = ::mprotect(memory, 4 * page, PROT_READ) != 0; });
    const auto protected_pages = [&] {
      std::size_t count = 0;
      for (const support::Mapping& part : support::mappings(memory, 4 * page)) {
        const auto begin = std::max(part.begin, reinterpret_cast<std::uintptr_t>(memory));
        const auto end = std::min(part.end, reinterpret_cast<std::uintptr_t>(memory + 4 * page));
        if (!part.writable) count += (end - begin) / page;
      }
      return count;
    };
    if (!refused || protected_pages() != 2) return "mprotect did not do one half";
    (void)window.run([&] { refused = map(PROT_READ, memory, MAP_FIXED) == MAP_FAILED; });
    if (!refused || !support::mappings(memory, 4 * page).empty()) return "mmap left no hole";
    return "";
  };
  const Outcome outcome = outcome_of({What::half_done, Often::once, 1}, body);
  if (!outcome.traceable) return;
  CHECK(outcome.complaint == "");
  CHECK(outcome.refused == 2);  // one in each window
}

TEST_CASE("a transfer cut short moves one half, and one interrupted nothing", "[tests]") {
  const auto body = [](const Window& window) -> std::string {
    const int file = ::memfd_create("transfer", MFD_CLOEXEC);
    const char text[] = "twelve bytes";
    ssize_t first = 0;
    ssize_t second = 0;
    (void)window.run([&] {
      first = ::pwrite(file, text, 12, 0);
      if (first < 0 && errno != EINTR) first = -2;
      second = ::pwrite(file, text, 12, 0);
    });
    return std::to_string(first) + " " + std::to_string(second);
  };
  const Outcome cut = outcome_of({What::short_transfer, Often::once, 1}, body);
  if (!cut.traceable) return;
  CHECK(cut.complaint == "6 12");
  CHECK(outcome_of({What::interrupted, Often::once, 1}, body).complaint == "-1 12");
}

TEST_CASE("a child that dies, or says what it should not, is not taken for a survivor", "[tests]") {
  const Plan plan{What::system_call, Often::from_then_on, 1};
  Outcome outcome;
  CHECK(injection::judge_survivor(plan, outcome) == "");
  outcome.said = "libcow: one line\n";
  CHECK(injection::judge_survivor(plan, outcome) != "");
  outcome.wait_status = SIGBUS;
  outcome.where = "in the window";
  CHECK(injection::judge_survivor(plan, outcome) != "");
  CHECK(injection::judge_survivor_or_last_words(plan, outcome) == "");
  CHECK(injection::judge_survivor_or_last_words({What::system_call, Often::once}, outcome) != "");
  outcome.said += "libcow: another\n";
  CHECK(injection::judge_survivor_or_last_words(plan, outcome) != "");
  outcome.said = "libcow: one line\n";
  outcome.wait_status = SIGSEGV;
  CHECK(injection::judge_survivor_or_last_words(plan, outcome) != "");
}

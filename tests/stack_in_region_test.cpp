// A fiber whose stack lies in a region. Its thread needs an alternate stack for signal handlers:
// the kernel cannot put a signal frame on a page that refuses stores.

#include <signal.h>
#include <ucontext.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

#include "alternate_stack.hpp"
#include "catch.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::Snapshot;

constexpr std::size_t stack_bytes = std::size_t{1} << 20;
constexpr unsigned levels = 100;

/// Works on its stack, level by level, and returns what follows from `seed` if no store is lost.
__attribute__((noinline)) std::uint64_t climb(std::uint64_t seed, unsigned level) {
  std::array<volatile std::uint64_t, 96> words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = seed * (i + 1) + level;
  const std::uint64_t above = level == 0 ? seed : climb(seed + 1, level - 1);
  std::uint64_t sum = above;
  for (std::size_t i = 0; i < words.size(); ++i) sum = sum * 31 + words[i];
  return sum;
}

/// Runs `body` with its stack in a region, and with no TLS or other state of the thread in there.
class Fiber {
 public:
  Fiber(Region& stack, void (*body)()) {
    ::getcontext(&inside_);
    inside_.uc_stack.ss_sp = stack.data();
    inside_.uc_stack.ss_size = stack.size();
    inside_.uc_link = &outside_;
    ::makecontext(&inside_, body, 0);
  }
  void run() { ::swapcontext(&outside_, &inside_); }

 private:
  ucontext_t inside_{};
  ucontext_t outside_{};
};

std::atomic<std::size_t> climbs{0};
std::atomic<std::size_t> wrong_climbs{0};
std::atomic<bool> enough{false};
std::uint64_t expected = 0;

void climb_until_enough() {
  do {
    wrong_climbs += climb(42, levels) != expected;
    ++climbs;
  } while (!enough);
}

bool can_switch_stacks() {
  if (support::has_sanitizer) WARN("skipped: a sanitizer's runtime must be told of every stack");
  return !support::has_sanitizer;
}

}  // namespace

TEST_CASE("a fiber with its stack in a region goes on while snapshots of it are taken") {
  if (!can_switch_stacks()) return;
  Region stack = Region::create(stack_bytes, support::options());
  expected = climb(42, levels);
  climbs = 0;
  wrong_climbs = 0;
  enough = false;
  std::thread thread([&] {
    const support::AlternateStack for_handlers(support::AlternateStack::minimal_bytes() + 4096);
    Fiber fiber(stack, climb_until_enough);
    fiber.run();
  });
  std::size_t stores_seen = 0;
  while (climbs == 0) std::this_thread::yield();
  for (std::size_t i = 0; i < support::scaled(300); ++i) {
    const std::size_t before = climbs;
    const Snapshot snapshot = stack.snapshot();
    if (i % 3 == 0) stores_seen += !support::all_zero(snapshot.bytes());
    while (climbs < before + 2) std::this_thread::yield();
  }
  enough = true;
  thread.join();
  CHECK(wrong_climbs == 0);
  CHECK(stores_seen > 0);
  // Snapshots copy pages that are stored to all the time; every 33rd protects them at least.
  CHECK(stack.stats().faults >= support::scaled(300) / 33);
  CHECK(support::broken_invariant(stack) == "");
}

TEST_CASE("without an alternate stack a fiber with its stack in a region dies of SIGSEGV") {
  if (!can_switch_stacks()) return;
  const auto result = support::run_in_child([]() -> std::string {
    support::die_silently_of_faults();
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
    Region stack = Region::create(stack_bytes, support::options());
    support::fill(stack.bytes(), 1);
    enough = true;
    Fiber fiber(stack, climb_until_enough);
    const Snapshot snapshot = stack.snapshot();
    fiber.run();
    return "a signal frame found room on a stack that refuses stores";
  });
  CHECK(result.complaint == "");
  CHECK(result.died_of(SIGSEGV));
}

namespace {

Region* rolled_back = nullptr;
const Snapshot* start_of_round = nullptr;
std::size_t refusals = 0;

void restore_own_stack() {
  for (int i = 0; i < 3; ++i) {
    try {
      rolled_back->restore(*start_of_round);
    } catch (const std::logic_error&) {
      ++refusals;
    }
  }
}

}  // namespace

TEST_CASE("a rollback loop is refused on a stack that it would roll back") {
  if (!can_switch_stacks()) return;
  std::thread([] {
    const support::AlternateStack for_handlers(support::AlternateStack::minimal_bytes() + 4096);
    Region stack = Region::create(stack_bytes, support::options());
    const Snapshot start = stack.snapshot();
    rolled_back = &stack;
    start_of_round = &start;
    for (unsigned round = 0; round < 5; ++round) {  // its pages get hot
      Fiber(stack, restore_own_stack).run();
      stack.restore(start);
    }
  }).join();
  CHECK(refusals == 5 * 3);
}

// A fiber whose stack lies in a region. Its thread needs an alternate stack for signal handlers:
// the kernel cannot put a signal frame on a page that refuses stores.

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "alternate_stack.hpp"
#include "catch.hpp"
#include "kernel_call.hpp"
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
  /// The stack ends `skew` bytes below the end of the region.
  Fiber(Region& stack, void (*body)(), std::size_t skew = 0) {
    ::getcontext(&inside_);
    inside_.uc_stack.ss_sp = stack.data();
    inside_.uc_stack.ss_size = stack.size() - skew;
    inside_.uc_link = &outside_;
    ::makecontext(&inside_, body, 0);
  }
  /// Until the body returns, or pauses; then from there on.
  void run() { ::swapcontext(&outside_, &inside_); }
  void pause() { ::swapcontext(&inside_, &outside_); }

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

TEST_CASE("a fiber with its stack in a region goes on while snapshots of it are taken", "[fault]") {
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
  if (!support::kernel_copies()) CHECK(stack.stats().faults >= support::scaled(300) / 33);
  CHECK(support::broken_invariant(stack) == "");
}

namespace {

Fiber* reader = nullptr;
int source = -1;
bool arrived_whole = false;

/// As a program does that knows of no regions: the buffer is wherever the stack is.
void read_into_stack() {
  std::array<std::byte, 20'000> buffer{};
  const cow::WriteLease lease = cow::write_lease(buffer.data(), buffer.size());
  reader->pause();
  const bool complete =
      ::pread(source, buffer.data(), buffer.size(), 0) == static_cast<ssize_t>(buffer.size());
  arrived_whole = complete && lease.data() == buffer.data() && support::shows(buffer, 5);
}

}  // namespace

TEST_CASE("a buffer on a stack in a region is leased there, and a snapshot does not disturb it",
          "[fault]") {
  if (!can_switch_stacks()) return;
  const support::Descriptor file(::memfd_create("source", MFD_CLOEXEC));
  source = file;
  std::array<std::byte, 20'000> bytes{};
  support::fill(bytes, 5);
  REQUIRE(::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  const support::AlternateStack for_handlers(support::AlternateStack::minimal_bytes() + 4096);
  Region stack = Region::create(stack_bytes, support::options());
  Fiber fiber(stack, read_into_stack);
  reader = &fiber;
  arrived_whole = false;
  fiber.run();
  CHECK(stack.stats().pages_leased > 0);
  const Snapshot before = stack.snapshot();
  fiber.run();
  CHECK(arrived_whole);
  CHECK(stack.stats().pages_leased == 0);
  CHECK(support::broken_invariant(stack) == "");
}

TEST_CASE("without an alternate stack a fiber with its stack in a region dies of SIGSEGV",
          "[fault][handler]") {
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

TEST_CASE("a rollback loop is refused on a stack that it would roll back", "[fault]") {
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

namespace {

/// What a call on a stack in a region may need: other families, and members of the stack's own.
struct Others {
  std::optional<Region> region = Region::create(stack_bytes, support::options());
  std::optional<Region> clone = region->clone();
  std::optional<Snapshot> snapshot = region->snapshot();
  std::optional<cow::WriteLease> lease = region->write_lease(0, 1);
  std::optional<Snapshot> of_stack;
  std::optional<Region> clone_of_stack;
};
Others* others = nullptr;
void (*call_to_make)() = nullptr;
bool was_refused = false;

struct Call {
  const char* name;
  bool is_refused;
  void (*make)();
};
const Call calls[] = {
    {"create", true, [] { (void)Region::create(stack_bytes); }},
    {"clone", true, [] { (void)others->region->clone(); }},
    {"eager clone", true, [] { (void)others->region->clone(cow::CloneMode::eager); }},
    {"snapshot", true, [] { (void)others->region->snapshot(); }},
    {"from_snapshot", true, [] { (void)Region::from_snapshot(*others->snapshot); }},
    {"restore", true, [] { others->region->restore(*others->snapshot); }},
    {"bytes", true, [] { (void)others->snapshot->bytes(); }},
    {"diff", true, [] { (void)cow::diff(*others->snapshot, *others->snapshot); }},
    {"write_lease", true, [] { (void)others->region->write_lease(0, 1); }},
    {"apply", true,
     [] {
       others->region->apply({{0, 1}}, *others->snapshot);
     }},
    {"discard", true, [] { others->region->discard(0, stack_bytes); }},
    {"merge", true,
     [] { (void)cow::merge(*others->snapshot, *others->snapshot, *others->snapshot); }},
    {"describe", true, [] { (void)cow::describe(*others->region); }},
    {"save", true, [] { others->snapshot->save("never"); }},
    {"save_delta", true, [] { others->snapshot->save_delta(*others->snapshot, "never"); }},
    {"open", true, [] { (void)Region::open("never"); }},
    {"load", true, [] { (void)Region::load("never"); }},
    {"stats", true, [] { (void)others->region->stats(); }},
    {"process_stats", true, [] { (void)cow::process_stats(); }},
    {"reinstall_handler", true, [] { cow::reinstall_handler(); }},
    {"trim", false, [] { (void)cow::trim(); }},
    {"the end of a clone", false, [] { others->clone.reset(); }},
    {"the end of a snapshot", false, [] { others->snapshot.reset(); }},
    {"the end of a lease", false, [] { others->lease.reset(); }},
    {"the end of a snapshot of the stack", false, [] { others->of_stack.reset(); }},
    {"the end of a clone of the stack", false, [] { others->clone_of_stack.reset(); }},
    {"the end of a family", false,
     [] {
       others->lease.reset();
       others->clone.reset();
       others->snapshot.reset();
       others->region.reset();
     }},
};

void make_the_call() {
  try {
    call_to_make();
  } catch (const std::logic_error&) {
    was_refused = true;
  }
}

/// From a stack that ends `skew` bytes below the end of a region, and whose every page is shared.
std::string call_on_shared_stack(const Call& call, std::size_t skew) {
  const support::AlternateStack for_handlers(support::AlternateStack::minimal_bytes() + 4096);
  Region stack = Region::create(stack_bytes, support::options());
  support::fill(stack.bytes(), 1);
  Others all;
  all.of_stack.emplace(stack.snapshot());
  all.clone_of_stack.emplace(stack.clone());
  others = &all;
  call_to_make = call.make;
  was_refused = false;
  Fiber(stack, make_the_call, skew).run();
  if (was_refused != call.is_refused) return was_refused ? "refused" : "not refused";
  const std::string broken = support::broken_invariant(stack);
  return broken.empty() && all.region.has_value() ? support::broken_invariant(*all.region) : broken;
}

}  // namespace

TEST_CASE("on a stack in any region calls are refused, and what cannot refuse works", "[fault]") {
  if (!can_switch_stacks()) return;
  for (const Call& call : calls) {
    for (std::size_t skew = 0; skew < 4096; skew += support::is_emulated() ? 2048 : 512) {
      CAPTURE(call.name, skew);
      const auto result = support::run_in_child([&] { return call_on_shared_stack(call, skew); });
      CHECK(result.complaint == "");
      CHECK(result.exited());
    }
  }
}

TEST_CASE("fork on a stack in a region ends the process with a line", "[fault]") {
  if (!can_switch_stacks()) return;
  const auto result = support::run_in_child([]() -> std::string {
    support::die_silently_of_faults();
    ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    return call_on_shared_stack({"fork", false, [] { ::fork(); }}, 0) + "fork was made";
  });
  CHECK(result.complaint == "");
  CHECK(result.died_of(SIGBUS));
}

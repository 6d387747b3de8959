// A real client with raw pointers everywhere: an unmodified Lua 5.4 whose whole heap lives in a
// region (docs/examples/lua_heap.hpp). CMake defines COW_TEST_LUA where it is installed.

#include "catch.hpp"

#if !defined(COW_TEST_LUA)

TEST_CASE("a Lua interpreter in a region", "[examples]") {
  WARN("skipped: Lua 5.4 is not installed");
}

#else

#include "support.hpp"

#include <lua_heap.hpp>
#include <lua_scripts.hpp>

#include <new>
#include <string>
#include <utility>

using cow::ManagedSnapshot;
using examples::LuaHeap;
using examples::LuaScript;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

/// Runs some source from its start to its end: what it returned.
std::string evaluate(LuaHeap& heap, const char* source) {
  LuaScript script(heap, source);
  return run_to_end(script);
}

}  // namespace

TEST_CASE("Lua scripts rolled back half-way run to the same result again", "[examples]") {
  for (const examples::NamedScript& named : examples::lua_scripts) {
    CAPTURE(named.name);
    LuaHeap heap(64 * mib, support::options());
    LuaScript script(heap, named.source);
    const ManagedSnapshot start = heap.snapshot();
    std::size_t steps = 0;
    while (script.step()) ++steps;
    const std::string result = script.text();
    REQUIRE(!result.empty());
    REQUIRE(steps > 10);

    heap.restore(start);
    for (std::size_t step = 0; step < steps / 2; ++step) REQUIRE(script.step());
    const ManagedSnapshot half_way = heap.snapshot();
    for (int round = 0; round < 3; ++round) {
      CHECK(run_to_end(script) == result);
      heap.restore(half_way);
    }
    CHECK(heap.region().check_sanity());
    CHECK(support::broken_invariant(heap.region().region()) == "");
  }
}

TEST_CASE("a Lua script rolled back at every step gives the result it gives without",
          "[examples]") {
  for (const examples::NamedScript& named : examples::lua_scripts) {
    CAPTURE(named.name);
    LuaHeap heap(64 * mib, support::options());
    LuaScript script(heap, named.source);
    const ManagedSnapshot start = heap.snapshot();
    const std::string result = run_to_end(script);
    heap.restore(start);
    for (bool running = true; running;) {
      const ManagedSnapshot here = heap.snapshot();
      const bool ran_first = script.step();
      heap.restore(here);
      running = script.step();
      REQUIRE(running == ran_first);
    }
    CHECK(script.text() == result);
  }
}

TEST_CASE("one Lua heap goes back and forth between several pasts", "[examples]") {
  LuaHeap heap(64 * mib, support::options());
  evaluate(heap, "log = {}");
  std::vector<std::pair<ManagedSnapshot, std::string>> past;
  for (int i = 0; i < 10; ++i) {
    past.emplace_back(heap.snapshot(), evaluate(heap, "return table.concat(log, ' ')"));
    heap.restore(past.back().first);
    evaluate(heap, "log[#log + 1] = tostring({}) .. math.random(1000)");
  }
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  for (int i = 0; i < 50; ++i) {
    const auto& [snapshot, text] = past[random.below(past.size())];
    heap.restore(snapshot);
    REQUIRE(evaluate(heap, "return table.concat(log, ' ')") == text);
  }
}

TEST_CASE("a Lua script that uses up its region is told so, and rolled back it runs on",
          "[examples]") {
  LuaHeap heap(2 * mib, support::options());
  const ManagedSnapshot snapshot = heap.snapshot();
  const char* const greedy = "local t = {} for i = 1, 1e9 do t[i] = {i, tostring(i)} end";
  CHECK_THROWS_AS(evaluate(heap, greedy), std::bad_alloc);
  CHECK(evaluate(heap, "return 'Lua itself survives that'") == "Lua itself survives that");
  heap.restore(snapshot);
  CHECK_THROWS_AS(evaluate(heap, greedy), std::bad_alloc);
  heap.restore(snapshot);
  CHECK_THROWS_WITH(evaluate(heap, "error('an error', 0)"), "an error");
  CHECK(evaluate(heap, "return string.rep('x', 100000):len()") == "100000");
  CHECK(heap.region().check_sanity());
}

#endif

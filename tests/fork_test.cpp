// fork: parent and child each keep their own bytes, as with private memory.

#include "catch.hpp"
#include "support.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using cow::Region;
using cow::Snapshot;
using support::ForkedChild;
using support::Peer;

namespace {

constexpr std::size_t pages = 40;

Region filled(std::uint64_t pattern) {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  support::fill(region.bytes(), pattern);
  return region;
}

/// bytes_in_use once a control call has noticed that children are gone: `expected`, or what it
/// stays at.
std::size_t bytes_in_use_after_a_control_call(const Region& region, std::size_t expected) {
  std::size_t now = 0;
  (void)support::eventually([&] {
    (void)region.snapshot();
    (void)region.snapshot();
    now = cow::process_stats().bytes_in_use;
    return now == expected;
  });
  return now;
}

}  // namespace

TEST_CASE("a child reads what the parent had, whatever the parent stores after the fork", "[api]") {
  Region region = filled(1);
  const bool shared_before = GENERATE(false, true);
  CAPTURE(shared_before);
  std::optional<Snapshot> snapshot;
  if (shared_before) snapshot = region.snapshot();
  ForkedChild child([&](Peer& parent) -> std::string {
    if (!parent.hear()) return "the parent is gone";
    if (!support::shows(region.bytes(), 1)) return "the child sees a store of the parent";
    return support::broken_invariant(region);
  });
  support::fill(region.bytes(), 2);
  child.peer().say();
  const auto result = child.wait();
  CHECK(result.complaint == "");
  CHECK(result.exited());
  CHECK(support::shows(region.bytes(), 2));
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("the parent reads what it had, whatever a child stores", "[api]") {
  Region region = filled(1);
  const bool shared_before = GENERATE(false, true);
  CAPTURE(shared_before);
  std::optional<Snapshot> snapshot;
  if (shared_before) snapshot = region.snapshot();
  const auto result = support::run_in_child([&]() -> std::string {
    support::fill(region.bytes(), 2);
    if (!support::shows(region.bytes(), 2)) return "the child does not see its own stores";
    if (snapshot && !support::shows(snapshot->bytes(), 1)) return "the child changed the snapshot";
    return support::broken_invariant(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
  CHECK(support::shows(region.bytes(), 1));
  support::fill(region.bytes(), 3);
  CHECK(support::shows(region.bytes(), 3));
  if (snapshot) CHECK(support::shows(snapshot->bytes(), 1));
}

TEST_CASE("parent and child store to the same and to other pages in turn", "[api]") {
  Region region = filled(1);
  const std::vector<std::byte> before = support::plain_copy(region.bytes());
  // `side` stores to the pages that leave remainder 0 by side + 2, a few in each turn.
  const auto store_turn = [&](std::size_t side, std::size_t turn, std::span<std::byte> plain) {
    for (std::size_t page = 0; page < pages; page += side + 2) {
      if (page % 4 != turn) continue;
      support::store(region, page, static_cast<unsigned>(16 * side + turn), 3);
      plain[page * support::page_bytes() + 3] = static_cast<std::byte>(16 * side + turn);
    }
  };
  ForkedChild child([&](Peer& parent) -> std::string {
    std::vector<std::byte> plain = before;
    for (std::size_t turn = 0; turn < 4; ++turn) {
      if (!parent.hear()) return "the parent is gone";
      store_turn(1, turn, plain);
      const std::string complaint = support::difference(plain, region.bytes());
      if (!complaint.empty()) return "child: " + complaint;
      parent.say();
    }
    return support::broken_invariant(region);
  });
  std::vector<std::byte> plain = before;
  for (std::size_t turn = 0; turn < 4; ++turn) {
    store_turn(0, turn, plain);
    CHECK(support::difference(plain, region.bytes()) == "");
    child.peer().say();
    child.peer().hear();
    CHECK(support::difference(plain, region.bytes()) == "");
  }
  const auto result = child.wait();
  CHECK(result.complaint == "");
  CHECK(support::difference(plain, region.bytes()) == "");
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("pages that nobody stored to stay zero on the side that does not store to them",
          "[api]") {
  Region region = Region::create(pages * support::page_bytes(), support::options());
  ForkedChild child([&](Peer& parent) -> std::string {
    support::store(region, 1, 0xcc);
    parent.say();
    if (!parent.hear()) return "the parent is gone";
    if (support::load(region.bytes(), 2) != 0) return "the child sees the parent's store";
    return support::load(region.bytes(), 1) == 0xcc ? "" : "the child's own store is lost";
  });
  child.peer().hear();
  CHECK(support::all_zero(region.bytes()));
  support::store(region, 2, 0xaa);
  support::store(region, 1, 0xbb);
  child.peer().say();
  CHECK(child.wait().complaint == "");
  CHECK(support::load(region.bytes(), 1) == 0xbb);
}

TEST_CASE("clones, snapshots, restores and new regions all work in a child", "[api]") {
  Region region = filled(1);
  const Snapshot before = region.snapshot();
  support::fill(region.bytes(), 2);
  const auto result = support::run_in_child([&]() -> std::string {
    Region clone = region.clone();
    Region eager = region.clone(cow::CloneMode::eager);
    const Snapshot own = region.snapshot();
    support::fill(region.bytes(), 3);
    support::fill(clone.bytes(), 4);
    support::fill(eager.bytes(), 5);
    if (!support::shows(own.bytes(), 2)) return "a snapshot taken in the child changed";
    if (!support::shows(before.bytes(), 1)) return "a snapshot of the parent changed";
    if (!support::shows(clone.bytes(), 4)) return "a clone made in the child is wrong";
    if (!support::shows(eager.bytes(), 5)) return "an eager clone made in the child is wrong";
    if (cow::diff(before, own).empty()) return "diff sees nothing in the child";
    region.restore(before);
    if (!support::shows(region.bytes(), 1)) return "restore to the parent's snapshot is wrong";
    region.restore(own);
    if (!support::shows(region.bytes(), 2)) return "restore to the child's snapshot is wrong";
    Region past = Region::from_snapshot(before);
    support::fill(past.bytes(), 6);
    Region fresh = Region::create(10 * support::page_bytes(), support::options());
    if (!support::all_zero(fresh.bytes())) return "a new region in the child is not zero";
    support::fill(fresh.bytes(), 7);
    for (const Region* each : {&region, &clone, &eager, &past, &fresh}) {
      const std::string broken = support::broken_invariant(*each);
      if (!broken.empty()) return broken;
    }
    return "";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
  CHECK(support::shows(region.bytes(), 2));
  CHECK(support::shows(before.bytes(), 1));
}

TEST_CASE("a child that drops everything takes nothing from its parent", "[api]") {
  Region region = filled(1);
  std::optional<Region> other = region.clone();
  support::fill(other->bytes(), 2);
  std::optional<Snapshot> snapshot = region.snapshot();
  const auto result = support::run_in_child([&]() -> std::string {
    snapshot.reset();
    other.reset();
    support::fill(region.bytes(), 3);
    const Region gone = std::move(region);
    return "";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
  CHECK(support::shows(region.bytes(), 1));
  CHECK(support::shows(other->bytes(), 2));
  CHECK(support::shows(snapshot->bytes(), 1));
  support::fill(region.bytes(), 4);
  CHECK(support::shows(snapshot->bytes(), 1));
}

TEST_CASE("a child keeps its bytes when the parent drops everything and makes new regions",
          "[api]") {
  std::optional<Region> region = filled(1);
  std::optional<Snapshot> snapshot = region->snapshot();
  support::fill(region->bytes(), 2);
  ForkedChild child([&](Peer& parent) -> std::string {
    if (!parent.hear()) return "the parent is gone";
    if (!support::shows(region->bytes(), 2)) return "the child's region changed";
    if (!support::shows(snapshot->bytes(), 1)) return "the child's snapshot changed";
    support::fill(region->bytes(), 3);
    return support::shows(region->bytes(), 3) ? "" : "the child's store is lost";
  });
  region.reset();
  snapshot.reset();
  std::vector<Region> churn;
  for (std::uint64_t i = 0; i < 4; ++i) {
    churn.push_back(filled(10 + i));
    churn.push_back(churn.back().clone());
    support::fill(churn.back().bytes(), 20 + i);
  }
  child.peer().say();
  const auto result = child.wait();
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("frames that a child may still read are not used again while it lives", "[api]") {
  Region region = filled(1);
  ForkedChild child([&](Peer& parent) -> std::string {
    for (int i = 0; i < 20; ++i) {
      if (!parent.hear()) return "the parent is gone";
      if (!support::shows(region.bytes(), 1)) return "the child's bytes changed";
      parent.say();
    }
    return "";
  });
  for (std::uint64_t i = 0; i < 20; ++i) {
    Region clone = region.clone();
    support::fill(region.bytes(), 100 + i);
    support::fill(clone.bytes(), 200 + i);
    child.peer().say();
    child.peer().hear();
    CHECK(support::shows(region.bytes(), 100 + i));
    CHECK(support::shows(clone.bytes(), 200 + i));
  }
  CHECK(child.wait().complaint == "");
}

TEST_CASE("grandchildren see what their own parent had", "[api]") {
  Region region = filled(1);
  const auto result = support::run_in_child([&]() -> std::string {
    support::fill(region.bytes().first(region.size() / 2), 2);
    const std::vector<std::byte> in_child = support::plain_copy(region.bytes());
    ForkedChild grandchild([&](Peer& parent) -> std::string {
      if (!parent.hear()) return "the child is gone";
      std::string complaint = support::difference(in_child, region.bytes());
      if (!complaint.empty()) return "grandchild: " + complaint;
      const Snapshot own = region.snapshot();
      support::fill(region.bytes(), 4);
      const auto last = support::run_in_child([&]() -> std::string {
        if (!support::shows(region.bytes(), 4)) return "great-grandchild: wrong bytes";
        region.restore(own);
        return support::difference(in_child, region.bytes());
      });
      if (!last.complaint.empty()) return last.complaint;
      return support::shows(region.bytes(), 4) ? "" : "grandchild: its own stores are lost";
    });
    support::fill(region.bytes(), 3);
    grandchild.peer().say();
    const auto inner = grandchild.wait();
    if (!inner.complaint.empty()) return inner.complaint;
    if (!inner.exited()) return "the grandchild died";
    return support::shows(region.bytes(), 3) ? "" : "child: its own stores are lost";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
  CHECK(support::shows(region.bytes(), 1));
}

TEST_CASE("many children at once each keep the bytes of their own moment", "[api]") {
  Region region = filled(0);
  std::vector<std::unique_ptr<ForkedChild>> children;
  for (std::uint64_t i = 0; i < 12; ++i) {
    support::fill(region.bytes(), i);
    children.push_back(std::make_unique<ForkedChild>([&region, i](Peer& parent) -> std::string {
      if (!parent.hear()) return "the parent is gone";
      if (!support::shows(region.bytes(), i)) return "child " + std::to_string(i) + " is wrong";
      support::fill(region.bytes(), 100 + i);
      return support::shows(region.bytes(), 100 + i) ? "" : "a child's stores are lost";
    }));
  }
  support::fill(region.bytes(), 50);
  for (auto& child : children) child->peer().say();
  for (auto& child : children) CHECK(child->wait().complaint == "");
  CHECK(support::shows(region.bytes(), 50));
}

TEST_CASE("what was kept for children is given back once they are gone", "[api][handler]") {
  const std::size_t before = cow::process_stats().bytes_in_use;
  {
    Region region = filled(1);
    support::settle(region);
    const std::size_t in_use = cow::process_stats().bytes_in_use;
    for (std::uint64_t round = 0; round < 5; ++round) {
      ForkedChild child(
          [&](Peer& parent) -> std::string { return parent.hear() ? "" : "the parent is gone"; });
      support::fill(region.bytes(), 10 + round);
      child.peer().say();
      CHECK(child.wait().exited());
      CHECK(bytes_in_use_after_a_control_call(region, in_use) == in_use);
      CHECK(support::shows(region.bytes(), 10 + round));
    }
    CHECK(support::broken_invariant(region) == "");
  }
  // The family is gone; another one's control call must be enough to notice the rest.
  const Region other = Region::create(1, support::options());
  CHECK(bytes_in_use_after_a_control_call(other, before) == before);
}

TEST_CASE("forks beside threads that fault neither hang nor mix up the bytes", "[api]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  constexpr std::size_t threads = 4;
  Region region = Region::create(pages * support::page_bytes(), support::options());
  std::atomic<bool> stopping{false};
  std::atomic<std::size_t> started{0};
  std::vector<std::uint64_t> added(threads);
  std::vector<std::thread> crew;
  for (std::size_t i = 0; i < threads; ++i) {
    crew.emplace_back([&, i] {
      support::Random random(seed + i);
      ++started;
      while (!stopping.load(std::memory_order_relaxed)) {
        auto& word = support::word_at(region, random.below(pages), 8 * i);
        std::atomic_ref<std::uint64_t>(word).fetch_add(1, std::memory_order_relaxed);
        ++added[i];
      }
    });
  }
  // A sanitizer sets up a thread with locks held, which a child forked meanwhile would never get.
  while (started < threads) std::this_thread::yield();
  // Calls visit(atomic word, its offset) for each word that a thread counts in.
  const auto each_word = [&](auto visit) {
    for (std::size_t page = 0; page < pages; ++page) {
      for (std::size_t i = 0; i < threads; ++i) {
        visit(std::atomic_ref<std::uint64_t>(support::word_at(region, page, 8 * i)),
              page * support::page_bytes() + 8 * i);
      }
    }
  };
  std::size_t wrong = 0;
  std::string complaint;
  for (std::size_t round = 0; round < support::scaled(100); ++round) {
    std::vector<Snapshot> held;
    if (round % 3 == 0) held.push_back(region.snapshot());
    const auto result = support::run_in_child([&]() -> std::string {
      ::alarm(300);  // rather than hang for ever
      std::vector<std::uint64_t> at_fork;
      each_word([&](auto word, std::size_t) { at_fork.push_back(word.load()); });
      const Snapshot own = region.snapshot();
      each_word([&](auto word, std::size_t) {
        word.store(~std::uint64_t{round}, std::memory_order_relaxed);
      });
      std::size_t lost = 0;
      std::size_t changed = 0;
      std::size_t index = 0;
      each_word([&](auto word, std::size_t offset) {
        lost += word.load() != ~std::uint64_t{round};
        changed += support::read_word(own.bytes(), offset) != at_fork[index++];
      });
      if (lost != 0) return "the child's stores are lost";
      return changed != 0 ? "the child's snapshot is not the moment of the fork" : "";
    });
    wrong += !result.exited();
    if (!result.complaint.empty()) complaint = result.complaint;
  }
  stopping = true;
  for (std::thread& thread : crew) thread.join();
  CHECK(wrong == 0);
  CHECK(complaint == "");
  for (std::size_t i = 0; i < threads; ++i) {
    std::uint64_t total = 0;
    for (std::size_t page = 0; page < pages; ++page) {
      total += support::read_word(region.bytes(), page * support::page_bytes() + 8 * i);
    }
    CHECK(total == added[i]);
  }
  CHECK(support::broken_invariant(region) == "");
}

// The tree of a family's snapshots: labels, times, parents, and the way back to any of them.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;
using cow::SnapshotNode;
using support::filled;

namespace {

Snapshot labelled(const Region& region, const std::string& label) {
  Snapshot snapshot = region.snapshot();
  snapshot.set_label(label);
  return snapshot;
}

/// The tree in one line: "parent/child", "-" for none.
std::string tree_of(const Region& region) {
  const std::vector<SnapshotNode> nodes = region.snapshots();
  std::string text;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const std::ptrdiff_t parent = nodes[i].parent;
    if (parent < -1 || parent >= static_cast<std::ptrdiff_t>(i)) return "a parent comes later";
    text += text.empty() ? "" : " ";
    text += parent < 0 ? "-" : nodes[static_cast<std::size_t>(parent)].snapshot.label();
    text += "/" + nodes[i].snapshot.label();
  }
  return text;
}

}  // namespace

TEST_CASE("a snapshot has a label and a time, the same for all handles of it", "[api]") {
  const Region region = filled(3, 1);
  const auto before = std::chrono::system_clock::now();
  Snapshot snapshot = region.snapshot();
  const auto after = std::chrono::system_clock::now();
  CHECK(snapshot.label() == "");
  CHECK(snapshot.taken_at() >= before);
  CHECK(snapshot.taken_at() <= after);
  const Snapshot copy = snapshot;
  snapshot.set_label("a label that is too long for a string to hold by itself");
  CHECK(copy.label() == "a label that is too long for a string to hold by itself");
  CHECK(copy.taken_at() == snapshot.taken_at());
  CHECK(region.snapshots().at(0).snapshot.label() == copy.label());
  snapshot.set_label("");
  CHECK(copy.label() == "");
}

TEST_CASE("snapshots taken one after the other hang on one another", "[api]") {
  const Region region = filled(3, 1);
  CHECK(tree_of(region) == "");
  const Snapshot a = labelled(region, "a");
  const Snapshot b = labelled(region, "b");
  const Snapshot c = labelled(region, "c");
  CHECK(tree_of(region) == "-/a a/b b/c");
}

TEST_CASE("after a restore the next snapshot is a branch", "[api]") {
  Region region = filled(3, 1);
  const Snapshot a = labelled(region, "a");
  support::fill(region.bytes(), 2);
  const Snapshot b = labelled(region, "b");
  region.restore(a);
  support::fill(region.bytes(), 3);
  const Snapshot c = labelled(region, "c");
  CHECK(tree_of(region) == "-/a a/b a/c");
  region.restore(b);
  const Snapshot d = labelled(region, "d");
  CHECK(tree_of(region) == "-/a a/b b/d a/c");
}

TEST_CASE("what is taken of a clone hangs where the clone was made", "[api]") {
  const Region region = filled(3, 1);
  const Snapshot a = labelled(region, "a");
  const Region lazy = region.clone();
  const Region eager = region.clone(cow::CloneMode::eager);
  const Snapshot b = labelled(region, "b");
  const Region past = Region::from_snapshot(a);
  const Snapshot c = labelled(lazy, "c");
  const Snapshot d = labelled(eager, "d");
  const Snapshot e = labelled(past, "e");
  std::string tree = tree_of(region);
  CHECK(tree == tree_of(past));
  for (const char* each : {"-/a", "a/b", "a/c", "a/d", "a/e"}) {
    CAPTURE(tree, each);
    CHECK(tree.find(each) != std::string::npos);
  }
}

TEST_CASE("when a snapshot goes its children hang on its parent, in the order of time", "[api]") {
  Region region = filled(3, 1);
  const Snapshot a = labelled(region, "a");
  Snapshot b = labelled(region, "b");
  const Snapshot c = labelled(region, "c");
  region.restore(b);
  const Snapshot d = labelled(region, "d");
  region.restore(a);
  const Snapshot e = labelled(region, "e");
  CHECK(tree_of(region) == "-/a a/b b/c b/d a/e");
  b = {};
  CHECK(tree_of(region) == "-/a a/c a/d a/e");
}

TEST_CASE("a snapshot with very many children leaves them all to its parent, in the order of time",
          "[api]") {
  Region region = filled(1, 1);
  const Snapshot root = labelled(region, "root");
  Snapshot middle = labelled(region, "middle");
  constexpr std::size_t children = 1500;  // some times what is moved, or found, in one piece
  std::vector<Snapshot> kept;
  for (std::size_t i = 0; i < children; ++i) {
    region.restore(middle);
    kept.push_back(labelled(region, std::to_string(i)));
  }
  region.restore(root);
  const Snapshot last = labelled(region, "last");
  middle = {};
  const std::vector<SnapshotNode> nodes = region.snapshots();
  REQUIRE(nodes.size() == children + 2);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < children; ++i) {
    const SnapshotNode& node = nodes[i + 1];
    wrong += node.parent != 0 || node.snapshot.label() != std::to_string(i) ? 1 : 0;
  }
  CHECK(wrong == 0);
  CHECK(nodes.back().snapshot.label() == "last");
  CHECK(nodes.back().parent == 0);
}

TEST_CASE("a walk in pieces finds parents before children while snapshots with many children go",
          "[api]") {
  Region region = filled(1, 1);
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) {
      Snapshot middle = region.snapshot();
      std::vector<Snapshot> below;
      for (int i = 0; i < 600; ++i) {
        region.restore(middle);
        below.push_back(region.snapshot());
      }
      middle = {};
    }
  });
  std::string complaint;
  for (std::size_t walk = 0; walk < support::scaled(500) + 20 && complaint.empty(); ++walk) {
    const std::vector<SnapshotNode> nodes = region.snapshots();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (!nodes[i].snapshot) complaint = "no snapshot";
      if (nodes[i].parent >= static_cast<std::ptrdiff_t>(i)) complaint = "a parent comes later";
    }
  }
  stop = true;
  other.join();
  CHECK(complaint == "");
  CHECK(tree_of(region) == "");
}

TEST_CASE("a region whose snapshot is gone goes on from the one before that", "[api]") {
  Region region = filled(3, 1);
  Snapshot a = labelled(region, "a");
  (void)labelled(region, "lost");
  const Snapshot b = labelled(region, "b");
  CHECK(tree_of(region) == "-/a a/b");
  a = {};
  const Snapshot c = labelled(region, "c");
  CHECK(tree_of(region) == "-/b b/c");
}

TEST_CASE("a region returns to any node of the tree", "[api]") {
  Region region = filled(3, 0);
  std::vector<Snapshot> kept;
  for (std::size_t i = 1; i <= 8; ++i) {
    if (i % 3 == 0) region.restore(kept[i / 2 - 1]);
    support::fill(region.bytes(), i);
    kept.push_back(labelled(region, std::to_string(i)));
  }
  for (const SnapshotNode& node : region.snapshots()) {
    region.restore(node.snapshot);
    CHECK(support::shows(region.bytes(), std::stoull(node.snapshot.label())));
  }
  CHECK(support::broken_invariant(region) == "");
}

TEST_CASE("the handles of a walk keep their snapshots alive", "[api]") {
  const Region region = filled(3, 1);
  Snapshot a = labelled(region, "a");
  std::vector<SnapshotNode> nodes = region.snapshots();
  a = {};
  CHECK(tree_of(region) == "-/a");
  CHECK(support::shows(nodes[0].snapshot.bytes(), 1));
  nodes.clear();
  CHECK(tree_of(region) == "");
}

TEST_CASE("apply, discard and diff move nothing in the tree", "[api]") {
  Region region = filled(3, 1);
  const Snapshot a = labelled(region, "a");
  support::fill(region.bytes(), 2);
  const Snapshot b = labelled(region, "b");
  region.apply({{0, 1}}, a);
  region.discard(0, region.page_bytes());
  (void)cow::diff(a, b);
  CHECK(tree_of(region) == "-/a a/b");
  const Snapshot c = labelled(region, "c");
  CHECK(tree_of(region) == "-/a a/b b/c");
}

TEST_CASE("a loop of snapshots that are dropped leaves nothing behind", "[api]") {
  Region region = filled(3, 1);
  const Snapshot first = labelled(region, "first");
  Snapshot last;
  const auto round = [&] {
    support::flip(region, 1);
    last = region.snapshot();
  };
  for (int i = 0; i < 100; ++i) round();
  const cow::ProcessStats before = cow::process_stats();
  for (std::size_t i = 0; i < support::scaled(1'000'000); ++i) round();
  const cow::ProcessStats after = cow::process_stats();
  CHECK(after.bytes_metadata <= before.bytes_metadata);
  CHECK(after.bytes_in_use == before.bytes_in_use);
  last.set_label("last");
  CHECK(tree_of(region) == "-/first first/last");
}

TEST_CASE("random histories are the trees that a plain model says", "[api]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  support::Random random(seed);
  struct LiveRegion {
    Region region;
    std::size_t origin = 0;  // the number of a snapshot, 0: none
  };
  std::vector<LiveRegion> regions;
  regions.push_back({filled(2, 1)});
  std::map<std::size_t, Snapshot> living;
  std::vector<std::size_t> parents{0};  // of every snapshot there ever was
  const auto any_snapshot = [&] {
    return std::next(living.begin(), static_cast<std::ptrdiff_t>(random.below(living.size())));
  };
  const auto tree_of_model = [&] {
    std::vector<std::string> edges;
    for (const auto& [number, snapshot] : living) {
      std::size_t parent = parents[number];
      while (parent != 0 && living.count(parent) == 0) parent = parents[parent];
      edges.push_back((parent == 0 ? "-" : std::to_string(parent)) + "/" + std::to_string(number));
    }
    std::sort(edges.begin(), edges.end());
    return edges;
  };
  const auto edges_of = [](const std::string& tree) {
    std::vector<std::string> edges;
    for (std::size_t at = 0; at < tree.size();) {
      const std::size_t end = std::min(tree.find(' ', at), tree.size());
      edges.push_back(tree.substr(at, end - at));
      at = end + 1;
    }
    std::sort(edges.begin(), edges.end());
    return edges;
  };
  for (std::size_t step = 0; step < support::scaled(20'000); ++step) {
    CAPTURE(step);
    LiveRegion& live = regions[random.below(regions.size())];
    const std::size_t dice = random.below(10);
    if (dice < 4 && living.size() < 40) {
      const std::size_t number = parents.size();
      parents.push_back(live.origin);
      living.emplace(number, labelled(live.region, std::to_string(number)));
      live.origin = number;
    } else if (dice < 6 && !living.empty()) {
      const auto past = any_snapshot();
      live.region.restore(past->second);
      live.origin = past->first;
    } else if (dice < 8 && !living.empty()) {
      living.erase(any_snapshot());
    } else if (dice < 9 && regions.size() < 6) {
      const bool is_of_past = !living.empty() && random.one_in(2);
      const auto past = is_of_past ? any_snapshot() : living.end();
      LiveRegion made{is_of_past ? Region::from_snapshot(past->second) : live.region.clone(),
                      is_of_past ? past->first : live.origin};
      regions.push_back(std::move(made));
    } else if (regions.size() > 1) {
      regions.erase(regions.begin() + static_cast<std::ptrdiff_t>(random.below(regions.size())));
    }
    REQUIRE(edges_of(tree_of(regions.front().region)) == tree_of_model());
  }
}

TEST_CASE("a walk meets whole snapshots alone while other threads take and drop them", "[api]") {
  Region region = filled(2, 1);
  const Snapshot first = labelled(region, "first");
  std::atomic<bool> stop{false};
  std::vector<std::thread> others;
  for (int i = 0; i < 3; ++i) {
    others.emplace_back([&] {
      std::vector<Snapshot> ring(8);
      for (std::size_t round = 0; !stop; ++round) {
        Snapshot& place = ring[round * 5 % ring.size()];
        place = region.snapshot();
        place.set_label("one of them, with a label of some length");
        (void)place.label();
      }
    });
  }
  std::size_t seen = 0;
  std::string complaint;
  for (std::size_t walk = 0; walk < support::scaled(2000) && complaint.empty(); ++walk) {
    const std::vector<SnapshotNode> nodes = region.snapshots();
    seen += nodes.size();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (!nodes[i].snapshot || nodes[i].snapshot.size() != region.size())
        complaint = "no snapshot";
      if (nodes[i].parent >= static_cast<std::ptrdiff_t>(i)) complaint = "a parent comes later";
    }
    if (nodes.empty() || nodes[0].snapshot.label() != "first") complaint = "the first is missing";
  }
  stop = true;
  for (std::thread& other : others) other.join();
  CHECK(complaint == "");
  CHECK(seen > 0);
  CHECK(tree_of(region) == "-/first");
}

TEST_CASE("a forked child has the tree, and makes its own of it", "[api]") {
  Region region = filled(2, 1);
  const Snapshot a = labelled(region, "a");
  const auto result = support::run_in_child([&]() -> std::string {
    const Snapshot b = labelled(region, "b");
    return tree_of(region) == "-/a a/b" ? "" : tree_of(region);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
  CHECK(tree_of(region) == "-/a");
}

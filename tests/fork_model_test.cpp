// The model test across fork: processes of several generations do random things to what they
// inherited and to each other's past, all at the same time, held against plain vectors of bytes.

#include "catch.hpp"
#include "support.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using cow::Region;
using cow::Snapshot;
using support::ForkedChild;

namespace {

using Bytes = std::vector<std::byte>;
constexpr std::size_t most_objects = 6;
constexpr unsigned patience_s = 300;  // a process that hangs longer is ended by SIGALRM

/// How many children a process of each generation has, the first one first.
constexpr std::array<std::size_t, 4> children_of{6, 3, 1, 0};

struct LiveRegion {
  Region region;
  Bytes plain;
};

struct LiveSnapshot {
  Snapshot snapshot;
  Bytes plain;
};

/// One family as a process sees it: regions and snapshots, and what each has to show.
class Household {
 public:
  Household(std::uint64_t seed, std::size_t size) : random_(seed) {
    Region region = Region::create(size, options());
    support::fill(region.bytes().first(size / 2), seed);
    Bytes plain = support::plain_copy(region.bytes());
    regions_.push_back({std::move(region), std::move(plain)});
  }

  /// Does random things, forks children that do the same, drops all. Empty, or what is wrong.
  std::string live(std::size_t generation, std::size_t steps) {
    std::vector<std::unique_ptr<ForkedChild>> children;
    std::string complaint;
    const std::size_t turns = children_of[generation] + 1;
    for (std::size_t turn = 0; turn < turns && complaint.empty(); ++turn) {
      for (std::size_t i = 0; i < steps && complaint.empty(); ++i) complaint = step();
      if (complaint.empty()) complaint = sweep();
      if (!complaint.empty() || turn + 1 == turns) break;
      const std::uint64_t seed = random_.word();
      children.push_back(std::make_unique<ForkedChild>([&, seed](support::Peer&) -> std::string {
        ::alarm(patience_s);
        random_ = support::Random(seed);
        std::string inherited = sweep();
        if (!inherited.empty()) return "generation " + number(generation + 1) + " " + inherited;
        return live(generation + 1, steps);
      }));
    }
    // Some outlive what their parents have, others do not.
    if (complaint.empty() && random_.one_in(2)) complaint = drop_all();
    for (auto& child : children) {
      const auto result = child->wait();
      if (complaint.empty()) complaint = result.complaint;
      if (complaint.empty() && !result.exited()) complaint = "a child died or hung";
    }
    if (complaint.empty()) complaint = drop_all();
    if (complaint.empty() || complaint.starts_with("generation")) return complaint;
    return "generation " + number(generation) + " after " + operation_ + ": " + complaint;
  }

 private:
  static std::string number(std::size_t n) { return std::to_string(n); }
  cow::RegionOptions options() {
    return random_.one_in(2) ? support::options() : support::single_page_options();
  }

  std::string step() {
    const std::size_t dice = random_.below(100);
    if (dice < 50) return store();
    if (dice < 60) return clone();
    if (dice < 72) return take_snapshot();
    if (dice < 82) return restore();
    if (dice < 88) return from_snapshot();
    if (dice < 94) return drop(regions_, "drop of a region");
    return drop(snapshots_, "drop of a snapshot");
  }

  LiveRegion& any_region() { return regions_[random_.below(regions_.size())]; }
  LiveSnapshot& any_snapshot() { return snapshots_[random_.below(snapshots_.size())]; }

  static std::string check(const LiveRegion& live) {
    return support::difference(live.plain, live.region.bytes());
  }

  [[nodiscard]] std::string sweep() const {
    for (const LiveRegion& live : regions_) {
      std::string complaint = check(live);
      if (complaint.empty()) complaint = support::broken_invariant(live.region);
      if (!complaint.empty()) return "region: " + complaint;
    }
    for (const LiveSnapshot& live : snapshots_) {
      const std::string complaint = support::difference(live.plain, live.snapshot.bytes());
      if (!complaint.empty()) return "snapshot: " + complaint;
    }
    return "";
  }

  std::string store() {
    operation_ = "store";
    LiveRegion& live = any_region();
    const std::size_t offset = random_.below(live.plain.size());
    const std::size_t most = random_.one_in(5) ? 4 * support::page_bytes() : 16;
    const std::size_t length = std::min(random_.between(1, most), live.plain.size() - offset);
    const Bytes bytes(length, static_cast<std::byte>(random_.word()));
    std::memcpy(live.region.data() + offset, bytes.data(), length);
    std::memcpy(live.plain.data() + offset, bytes.data(), length);
    return check(live);
  }

  std::string clone() {
    operation_ = "clone";
    if (regions_.size() == most_objects) return drop(regions_, "drop of a region");
    const LiveRegion& live = any_region();
    const auto mode = random_.one_in(4) ? cow::CloneMode::eager : cow::CloneMode::lazy;
    regions_.push_back(LiveRegion{live.region.clone(mode), live.plain});
    return check(regions_.back());
  }

  std::string take_snapshot() {
    operation_ = "snapshot";
    if (snapshots_.size() == most_objects) return drop(snapshots_, "drop of a snapshot");
    const LiveRegion& live = any_region();
    snapshots_.push_back({live.region.snapshot(), live.plain});
    return check(live);
  }

  std::string restore() {
    if (snapshots_.empty()) return take_snapshot();
    operation_ = "restore";
    const LiveSnapshot& past = any_snapshot();
    LiveRegion& live = any_region();
    live.region.restore(past.snapshot);
    live.plain = past.plain;
    return check(live);
  }

  std::string from_snapshot() {
    if (snapshots_.empty() || regions_.size() == most_objects) return store();
    operation_ = "from_snapshot";
    const LiveSnapshot& past = any_snapshot();
    regions_.push_back({Region::from_snapshot(past.snapshot), past.plain});
    return check(regions_.back());
  }

  /// Never the last region, which the next step needs.
  template <typename Live>
  std::string drop(std::vector<Live>& living, const char* operation) {
    operation_ = operation;
    const std::size_t fewest = std::is_same_v<Live, LiveRegion> ? 1 : 0;
    if (living.size() <= fewest) return store();
    living.erase(living.begin() + static_cast<std::ptrdiff_t>(random_.below(living.size())));
    return check(any_region());
  }

  std::string drop_all() {
    operation_ = "the drop of everything";
    while (!regions_.empty() || !snapshots_.empty()) {
      const bool region = snapshots_.empty() || (!regions_.empty() && random_.one_in(2));
      if (region) {
        regions_.erase(regions_.begin() +
                       static_cast<std::ptrdiff_t>(random_.below(regions_.size())));
      } else {
        snapshots_.erase(snapshots_.begin() +
                         static_cast<std::ptrdiff_t>(random_.below(snapshots_.size())));
      }
      const std::string complaint = random_.one_in(4) ? sweep() : "";
      if (!complaint.empty()) return complaint;
    }
    return "";
  }

  support::Random random_;
  std::vector<LiveRegion> regions_;
  std::vector<LiveSnapshot> snapshots_;
  std::string operation_ = "create";
};

}  // namespace

TEST_CASE("random operations in processes of four generations match plain copies of bytes",
          "[api]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  const std::size_t in_use = cow::process_stats().bytes_in_use;
  for (std::size_t round = 0; round < support::scaled(5); ++round) {
    CAPTURE(round);
    const std::size_t pages = round % 5 == 4 ? 700 : 24;  // sometimes more than one leaf
    Household first(seed + round, pages * support::page_bytes() - round % 3);
    REQUIRE(first.live(0, pages > 100 ? 3 : 25) == "");
    // A child that has ended may be kept for a moment by whoever looks at it in /proc.
    REQUIRE(support::eventually([&] { return cow::process_stats().bytes_in_use == in_use; }));
  }
}

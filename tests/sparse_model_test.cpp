// Random loads, clones, restores, applies and merges of data with zeros between it, with next to no
// kernel mappings left, held against plain vectors of bytes. None may be refused.

#include <cow/cow.hpp>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "eaten_mappings.hpp"
#include "folder.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using cow::PageRange;
using cow::Region;
using cow::Snapshot;

namespace {

using Bytes = std::vector<std::byte>;
using Paths = std::vector<std::filesystem::path>;

constexpr std::size_t pages = 3 * 512 + 100;

struct LiveRegion {
  Region region;
  Bytes bytes;
  std::size_t family;
};

struct LiveSnapshot {
  Snapshot snapshot;
  Bytes bytes;
  std::size_t family;
};

struct Chain {
  Paths paths;
  Bytes bytes;
};

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {
    add_region(Region::create(pages * support::page_bytes(), support::options()),
               Bytes(pages * support::page_bytes()), 0);
    for (int i = 0; i < 4; ++i) {
      scatter(regions_[0]);
      const Snapshot base = regions_[0].region.snapshot();
      Chain chain{{new_file()}, regions_[0].bytes};
      base.save(chain.paths[0]);
      chains_.push_back(chain);
      scatter(regions_[0]);
      chain.paths.push_back(new_file());
      chain.bytes = regions_[0].bytes;
      regions_[0].region.snapshot().save_delta(base, chain.paths[1]);
      chains_.push_back(chain);
    }
  }

  /// One random operation. Empty, or what is wrong.
  std::string step() {
    const std::size_t dice = random_.below(12);
    if (regions_.size() > 5) return drop();
    if (regions_.empty() || dice < 2) return load();
    if (dice < 4) return clone();
    if (dice < 5) return scatter(any(regions_));
    if (snapshots_.size() > 5) {
      snapshots_.erase(snapshots_.begin());
      return "";
    }
    if (snapshots_.empty() || dice < 7) return take_snapshot();
    if (dice < 8) return from_snapshot();
    if (dice < 9) return restore();
    if (dice < 10) return apply();
    if (dice < 11) return merge();
    return support::difference(snapshots_[0].bytes, snapshots_[0].snapshot.bytes());
  }

  [[nodiscard]] std::string broken_invariant() const {
    for (const LiveRegion& live : regions_) {
      const std::string broken = support::broken_invariant(live.region);
      if (!broken.empty()) return broken;
    }
    return "";
  }
  [[nodiscard]] const char* operation() const { return operation_; }

 private:
  template <class T>
  T& any(std::vector<T>& of) {
    return of[random_.below(of.size())];
  }
  std::filesystem::path new_file() { return folder_ / ("image" + std::to_string(files_++)); }

  std::string add_region(Region region, Bytes bytes, std::size_t family) {
    regions_.push_back({std::move(region), std::move(bytes), family});
    return check(regions_.back());
  }
  static std::string check(const LiveRegion& live) {
    return support::difference(live.bytes, live.region.bytes());
  }

  /// Stores to pages that lie a random number of pages apart, zeros too.
  std::string scatter(LiveRegion& live) {
    operation_ = "stores";
    const std::size_t page = support::page_bytes();
    const std::size_t apart = random_.one_in(3) ? 2 : random_.between(1, 300);
    for (std::size_t i = random_.below(pages); i < pages; i += random_.between(1, 2 * apart - 1)) {
      const std::vector<std::byte> bytes(page,
                                         static_cast<std::byte>(random_.one_in(4) ? 0 : i % 255));
      std::memcpy(live.region.data() + i * page, bytes.data(), page);
      std::memcpy(live.bytes.data() + i * page, bytes.data(), page);
    }
    return check(live);
  }

  std::string load() {
    operation_ = "load";
    const Chain& chain = any(chains_);
    cow::LoadOptions options;
    options.region = support::options();
    options.mode = random_.one_in(2) ? cow::LoadMode::mapped : cow::LoadMode::copied;
    return add_region(Region::load(chain.paths, options), chain.bytes, ++families_);
  }

  std::string clone() {
    const LiveRegion& from = any(regions_);
    const bool eager = random_.one_in(2);
    operation_ = eager ? "eager clone" : "clone";
    Region made = from.region.clone(eager ? cow::CloneMode::eager : cow::CloneMode::lazy);
    return add_region(std::move(made), Bytes(from.bytes), from.family);
  }

  std::string take_snapshot() {
    operation_ = "snapshot";
    const LiveRegion& from = any(regions_);
    snapshots_.push_back({from.region.snapshot(), from.bytes, from.family});
    return "";
  }

  std::string from_snapshot() {
    operation_ = "from_snapshot";
    const LiveSnapshot& from = any(snapshots_);
    return add_region(Region::from_snapshot(from.snapshot), Bytes(from.bytes), from.family);
  }

  std::string restore() {
    operation_ = "restore";
    LiveRegion& live = any(regions_);
    const LiveSnapshot& past = any(snapshots_);
    if (past.family != live.family) return "";
    live.region.restore(past.snapshot);
    live.bytes = past.bytes;
    return check(live);
  }

  std::string apply() {
    operation_ = "apply";
    LiveRegion& live = any(regions_);
    const LiveSnapshot& from = any(snapshots_);
    std::vector<PageRange> ranges;
    const std::size_t apart = random_.between(1, 40);
    for (std::size_t i = random_.below(pages); i < pages; i += random_.between(1, 2 * apart)) {
      ranges.push_back({i, std::min(random_.between(1, apart), pages - i)});
    }
    live.region.apply(ranges, from.snapshot);
    for (const PageRange& range : ranges) {
      const std::size_t begin = range.first_page * support::page_bytes();
      std::memcpy(live.bytes.data() + begin, from.bytes.data() + begin,
                  range.page_count * support::page_bytes());
    }
    return check(live);
  }

  std::string merge() {
    operation_ = "merge";
    const LiveSnapshot& base = any(snapshots_);
    const LiveSnapshot& ours = any(snapshots_);
    const LiveSnapshot& theirs = any(snapshots_);
    if (base.family != ours.family || base.family != theirs.family) return "";
    Bytes expected = ours.bytes;
    const std::size_t page = support::page_bytes();
    for (std::size_t at = 0; at < expected.size(); at += page) {
      if (std::memcmp(ours.bytes.data() + at, base.bytes.data() + at, page) != 0) continue;
      std::memcpy(expected.data() + at, theirs.bytes.data() + at, page);
    }
    cow::MergeResult result = cow::merge(base.snapshot, ours.snapshot, theirs.snapshot);
    return add_region(std::move(result.merged), std::move(expected), base.family);
  }

  std::string drop() {
    operation_ = "drop";
    regions_.erase(regions_.begin() + static_cast<std::ptrdiff_t>(random_.below(regions_.size())));
    return "";
  }

  support::Random random_;
  support::Folder folder_;
  std::size_t files_ = 0;
  std::vector<Chain> chains_;
  std::vector<LiveRegion> regions_;
  std::vector<LiveSnapshot> snapshots_;
  std::size_t families_ = 0;
  const char* operation_ = "";
};

}  // namespace

TEST_CASE("with few mappings left, random operations on sparse regions match plain copies",
          "[mm]") {
  const std::uint64_t seed = support::seed();
  CAPTURE(seed);
  // A sanitizer maps memory of its own whenever it likes.
  const std::size_t rounds = support::has_sanitizer ? 1 : 4;
  for (std::size_t round = 0; round < rounds; ++round) {
    const auto result = support::run_in_child([&]() -> std::string {
      Model model(seed + round);
      // From as many as one region can want to a few for each, and for its page tables.
      const support::EatenMappings eaten(4000 >> round);
      for (std::size_t step = 0; step < support::scaled(300); ++step) {
        const std::string at = "step " + std::to_string(step) + ", ";
        try {
          std::string complaint = model.step();
          if (complaint.empty() && step % 16 == 0) complaint = model.broken_invariant();
          if (!complaint.empty()) return at + model.operation() + ": " + complaint;
        } catch (const std::exception& error) {
          return at + model.operation() + " throws " + error.what();
        }
      }
      return "";
    });
    CAPTURE(round);
    CHECK(result.complaint == "");
    CHECK(result.exited());
  }
}

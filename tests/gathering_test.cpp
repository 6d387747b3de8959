// Others take the kernel's mappings while libcow's regions are in many pieces. A control call then
// brings them together: none fails for the mappings that libcow itself uses.

#include <algorithm>
#include <cow/cow.hpp>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "eaten_mappings.hpp"
#include "folder.hpp"
#include "support.hpp"

namespace {

using cow::Region;
using cow::Snapshot;

// Several leaves, if the pages are not large.
const std::size_t pages =
    std::clamp<std::size_t>((std::size_t{8} << 20) / support::page_bytes(), 300, 1600);

/// Regions and a view in many pieces, with copies of what they show.
class Pieces {
 public:
  Pieces()
      : region_(Region::create(pages * support::page_bytes(), support::single_page_options())) {
    support::fill(region_.bytes(), 1);
    before_ = region_.snapshot();
    (void)before_->bytes();  // seen, so that pages have to move
    scatter(region_);
    past_ = region_.snapshot();
    (void)past_->bytes();
    scatter(region_);
    shown_ = support::plain_copy(region_.bytes());
    past_shown_ = support::plain_copy(past_->bytes());
    before_shown_ = support::plain_copy(before_->bytes());
  }

  Region& region() { return region_; }
  Snapshot& past() { return *past_; }
  Snapshot& before() { return *before_; }
  [[nodiscard]] std::size_t mappings() const { return region_.stats().mappings; }

  /// What differs from what it was, in words.
  [[nodiscard]] std::string complaint() const {
    if (!support::same_bytes(past_shown_, past_->bytes())) return "a snapshot changed";
    if (!support::same_bytes(before_shown_, before_->bytes())) return "an older snapshot changed";
    const std::string difference = support::difference(shown_, region_.bytes());
    return difference.empty() ? support::broken_invariant(region_) : difference;
  }
  void expect(std::vector<std::byte> bytes) { shown_ = std::move(bytes); }
  [[nodiscard]] const std::vector<std::byte>& past_bytes() const { return past_shown_; }

 private:
  static void scatter(Region& region) {
    for (std::size_t page = 0; page < pages; page += 2) support::flip(region, page);
  }

  Region region_;
  std::optional<Snapshot> before_{};
  std::optional<Snapshot> past_{};
  std::vector<std::byte> shown_{};
  std::vector<std::byte> past_shown_{};
  std::vector<std::byte> before_shown_{};
};

struct Call {
  const char* name;
  std::function<std::string(Pieces&, const support::Folder&)> run;
};

std::string shows(std::span<const std::byte> bytes, const std::vector<std::byte>& expected) {
  return support::same_bytes(bytes, expected) ? "" : "the result shows something else";
}

const std::vector<Call> calls = {
    {"Region::create",
     [](Pieces&, const support::Folder&) {
       return support::all_zero(Region::create(support::page_bytes()).bytes()) ? "" : "no zeros";
     }},
    {"snapshot",
     [](Pieces& pieces, const support::Folder&) {
       const auto expected = support::plain_copy(pieces.region().bytes());
       const Snapshot snapshot = pieces.region().snapshot();
       support::flip(pieces.region(), 1);
       const std::string complaint = shows(snapshot.bytes(), expected);
       support::flip(pieces.region(), 1);
       return complaint;
     }},
    {"clone",
     [](Pieces& pieces, const support::Folder&) {
       return shows(pieces.region().clone().bytes(), support::plain_copy(pieces.region().bytes()));
     }},
    {"an eager clone",
     [](Pieces& pieces, const support::Folder&) {
       return shows(pieces.region().clone(cow::CloneMode::eager).bytes(),
                    support::plain_copy(pieces.region().bytes()));
     }},
    {"from_snapshot",
     [](Pieces& pieces, const support::Folder&) {
       return shows(Region::from_snapshot(pieces.past()).bytes(), pieces.past_bytes());
     }},
    {"restore",
     [](Pieces& pieces, const support::Folder&) {
       pieces.region().restore(pieces.past());
       pieces.expect(pieces.past_bytes());
       return std::string();
     }},
    {"apply",
     [](Pieces& pieces, const support::Folder&) {
       pieces.region().apply(cow::diff(pieces.past(), pieces.region().snapshot()), pieces.past());
       pieces.expect(pieces.past_bytes());
       return std::string();
     }},
    {"merge",
     [](Pieces& pieces, const support::Folder&) {
       const auto merged = cow::merge(pieces.before(), pieces.before(), pieces.past());
       return shows(merged.merged.bytes(), pieces.past_bytes());
     }},
    {"write_lease",
     [](Pieces& pieces, const support::Folder&) {
       const cow::WriteLease lease = pieces.region().write_lease(0, pieces.region().size() / 2);
       return lease.size() == pieces.region().size() / 2 ? "" : "the lease is short";
     }},
    {"save, load and open",
     [](Pieces& pieces, const support::Folder& folder) {
       pieces.past().save(folder / "image");
       std::string complaint = shows(Region::load(folder / "image").bytes(), pieces.past_bytes());
       if (!complaint.empty()) return complaint;
       support::write_file(folder / "bytes", pieces.past_bytes());
       return shows(Region::open(folder / "bytes").bytes(), pieces.past_bytes());
     }},
};

}  // namespace

TEST_CASE("no control call fails for libcow's own mappings when others have taken the rest",
          "[mm][handler]") {
  for (const Call& call : calls) {
    CAPTURE(call.name);
    const auto result = support::run_in_child([&]() -> std::string {
      const support::Folder folder;
      Pieces pieces;
      if (pieces.mappings() < pages / 2) return "the region is not in pieces";
      const support::EatenMappings eaten(support::spared_for_heap());
      std::string complaint = call.run(pieces, folder);
      if (complaint.empty()) complaint = pieces.complaint();
      if (!complaint.empty()) return complaint;
      // And stores go on.
      for (std::size_t page = 0; page < pages; ++page) support::flip(pieces.region(), page);
      return support::broken_invariant(pieces.region());
    });
    CHECK(result.complaint == "");
    CHECK(result.exited());
  }
}

TEST_CASE("a child keeps its regions when others have taken all mappings but libcow's own",
          "[mm][handler]") {
  const auto result = support::run_in_child([]() -> std::string {
    Pieces pieces;
    const support::EatenMappings eaten(support::spared_for_heap());
    const auto expected = support::plain_copy(pieces.region().bytes());
    const auto in_child = support::run_in_child([&]() -> std::string {
      if (!pieces.complaint().empty()) return pieces.complaint();
      for (std::size_t page = 0; page < pages; ++page) support::flip(pieces.region(), page);
      return support::broken_invariant(pieces.region());
    });
    if (!in_child.complaint.empty() || !in_child.exited()) return "child: " + in_child.complaint;
    for (std::size_t page = 0; page < pages; page += 3) support::flip(pieces.region(), page);
    for (std::size_t page = 0; page < pages; page += 3) support::flip(pieces.region(), page);
    return shows(pieces.region().bytes(), expected);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("what was leased stays where it is when regions are brought together", "[mm][handler]") {
  if (support::spared_for_heap() > 0) {
    WARN("skipped: a sanitizer or an emulator needs mappings of its own");
    return;
  }
  const auto result = support::run_in_child([]() -> std::string {
    Pieces pieces;
    const cow::WriteLease lease = pieces.region().write_lease(support::page_bytes(), 1);
    const support::EatenMappings eaten(support::spared_for_heap());
    const Snapshot snapshot = pieces.region().snapshot();
    if (pieces.mappings() > pages / 8) return std::to_string(pieces.mappings()) + " mappings";
    if (pieces.region().stats().pages_leased != 1) return "the lease is gone";
    *lease.data() = std::byte{0xee};  // as the kernel might: it must not fault
    return pieces.region().stats().pages_leased == 1 ? "" : "the lease is gone";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("regions of other families are brought together, too, and so are views",
          "[mm][handler]") {
  if (support::spared_for_heap() > 0) {
    WARN("skipped: a sanitizer or an emulator needs mappings of its own");
    return;
  }
  const auto result = support::run_in_child([]() -> std::string {
    Pieces first;
    Pieces second;
    const support::EatenMappings eaten(support::spared_for_heap());
    const std::size_t before = cow::process_stats().mappings_in_use;
    const Region clone = first.region().clone();
    const std::size_t now = cow::process_stats().mappings_in_use;
    if (now > before / 4) return std::to_string(now) + " of " + std::to_string(before);
    for (const Pieces* pieces : {&first, &second}) {
      if (!pieces->complaint().empty()) return pieces->complaint();
    }
    return "";
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

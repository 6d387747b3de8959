// Which regions ManagedRegion::open takes, and what it says to the others.

#include "catch.hpp"
#include "support.hpp"
#include "template_support.hpp"

#include <cow/managed_region.hpp>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

using cow::ManagedRegion;
using cow::ManagedSnapshot;
using cow::Region;

namespace {

ManagedRegion small_region() {
  ManagedRegion region = ManagedRegion::create(std::size_t{64} << 10, support::options());
  region.construct<int>("n")(41);
  return region;
}

/// The first `bytes` of a region in a new one, as a file would bring them.
Region copy_of(const Region& region, std::size_t bytes) {
  Region copy = Region::create(bytes, support::options());
  std::copy_n(region.data(), std::min(bytes, region.size()), copy.data());
  return copy;
}

std::string refusal(Region& region) {
  try {
    (void)ManagedRegion::open(std::move(region));
  } catch (const std::invalid_argument& error) {
    CHECK(region.size() > 0);  // it is the caller's still
    try {
      (void)ManagedSnapshot::open(region.snapshot());
    } catch (const std::invalid_argument& same) {
      CHECK(support::is_sentence(same.what()));
      return error.what();
    }
    return "a snapshot of it was opened";
  }
  return "it was opened";
}

/// Where it has a number of 32 bits at `offset`, plus one.
Region with_another(std::size_t offset) {
  Region region = small_region().release();
  std::uint32_t number = 0;
  std::memcpy(&number, region.data() + offset, sizeof number);
  ++number;
  std::memcpy(region.data() + offset, &number, sizeof number);
  return region;
}

bool says(const std::string& text, const char* part) {
  return support::is_sentence(text) && text.find(part) != std::string::npos;
}

}  // namespace

#if defined(COW_TEST_BOOST_VERSION)
TEST_CASE("these tests were compiled with the Boost they are meant for", "[managed]") {
  CHECK(BOOST_VERSION == COW_TEST_BOOST_VERSION);
}
#endif

TEST_CASE("a region that holds a managed segment is opened, wherever it lies", "[managed]") {
  ManagedRegion original = small_region();
  Region plain = original.region().clone();
  ManagedRegion clone = ManagedRegion::open(std::move(plain));
  CHECK(*clone.find<int>("n").first == 41);

  ManagedRegion copy = ManagedRegion::open(copy_of(original.region(), original.region().size()));
  CHECK(*copy.find<int>("n").first == 41);
  CHECK(copy.construct<int>("m")(1) != nullptr);
  CHECK(copy.check_sanity());

  const ManagedSnapshot snapshot = ManagedSnapshot::open(original.region().snapshot());
  CHECK(*snapshot.find<int>("n").first == 41);

  Region given = std::move(original).release();
  ManagedRegion taken = ManagedRegion::open(std::move(given));
  CHECK(*taken.find<int>("n").first == 41);
}

TEST_CASE("a segment has the layout that it has had since the first, so that images stay readable",
          "[managed]") {
  const cow::detail::ManagedLayout layout = cow::detail::managed_layout();
  CHECK(layout.manager_bytes == 19 * sizeof(void*));
  CHECK(layout.block_alignment == 2 * sizeof(void*));
  ManagedRegion region = small_region();
  CHECK(static_cast<void*>(region.get_segment_manager()) ==
        static_cast<std::byte*>(region.get_address()) + 64);
}

TEST_CASE("a region without a managed segment is not opened, and says so", "[managed]") {
  Region empty = Region::create(std::size_t{64} << 10, support::options());
  CHECK(says(refusal(empty), "holds no managed segment"));
  support::fill(empty.bytes(), 1);
  CHECK(says(refusal(empty), "holds no managed segment"));
  Region tiny = copy_of(small_region().region(), 32);
  CHECK(says(refusal(tiny), "holds no managed segment"));
}

TEST_CASE("a managed segment of another version is not opened, and says so", "[managed]") {
  Region format = with_another(8);
  CHECK(says(refusal(format), "of version 2 and this is libcow for version 1"));
  Region boost = with_another(16);
  CHECK(says(refusal(boost), "made with Boost 1."));
  Region manager = with_another(24);
  CHECK(says(refusal(manager), "a segment manager of"));
}

TEST_CASE("a part of a managed segment is not opened, and says so", "[managed]") {
  const ManagedRegion whole = small_region();
  for (const std::size_t bytes :
       {std::size_t{64}, whole.region().size() / 2, whole.region().size() - 1}) {
    CAPTURE(bytes);
    Region part = copy_of(whole.region(), bytes);
    CHECK(says(refusal(part), "truncated"));
  }
  Region longer = copy_of(whole.region(), whole.region().size() + 100);
  CHECK(*ManagedRegion::open(std::move(longer)).find<int>("n").first == 41);
}

TEST_CASE("a managed segment with impossible sizes is not opened, and says so", "[managed]") {
  ManagedRegion region = small_region();
  const std::uint64_t size = region.get_segment_manager()->get_size();
  Region damaged = std::move(region).release();
  // Wherever the segment manager keeps its size: both words that have this value.
  const auto head = damaged.bytes().first(512);
  std::size_t changed = 0;
  for (std::size_t at = cow::detail::managed_header_bytes; at + sizeof size <= head.size();
       at += sizeof size) {
    std::uint64_t word = 0;
    std::memcpy(&word, &head[at], sizeof word);
    if (word != size) continue;
    word *= 2;
    std::memcpy(&head[at], &word, sizeof word);
    ++changed;
  }
  CHECK(changed == 2);
  CHECK(says(refusal(damaged), "damaged"));
}

TEST_CASE("objects in a template are found and changed in a process that attaches it",
          "[managed]") {
  const support::TemplateName name;
  support::ForkedChild child([&](support::Peer& peer) -> std::string {
    if (!peer.hear()) return "nobody published";
    ManagedRegion region = ManagedRegion::open(cow::attach(name, support::options()));
    auto* const numbers = region.find<cow::vector<int>>("numbers").first;
    if (numbers == nullptr || numbers->size() != 5000) return "no numbers";
    for (int& number : *numbers) ++number;
    numbers->resize(9000, 1);
    region.construct<int>("m")(1);
    if (!region.check_sanity()) return "its books are not in order";
    return numbers->front() == 8 && *region.find<int>("n").first == 41 ? "" : "other objects";
  });
  {
    ManagedRegion region =
        ManagedRegion::create(std::size_t{64} << 10, std::size_t{64} << 20, support::options());
    region.construct<int>("n")(41);
    region.construct<cow::vector<int>>("numbers")(std::size_t{5000}, 7,
                                                  region.get_allocator<int>());
    cow::publish(name, region.region().snapshot());
  }
  child.peer().say();
  CHECK(child.wait().complaint == "");
  ManagedRegion again = ManagedRegion::open(cow::attach(name, support::options()));
  CHECK(again.find<cow::vector<int>>("numbers").first->size() == 5000);
  CHECK(again.find<int>("m").first == nullptr);
}

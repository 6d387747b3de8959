// What a region that begins with a file cannot, to grow, one can that begins with a copy of it.

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include <cow/managed_region.hpp>

#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

using cow::Region;

namespace {

cow::RegionOptions growing_to(std::size_t most_bytes) {
  cow::RegionOptions options = support::options();
  options.mechanism = cow::Mechanism::handler;
  options.most_bytes = most_bytes;
  return options;
}

cow::LoadOptions mapped() { return {cow::LoadMode::mapped, support::options()}; }

/// The recipe of docs/history.md.
Region growing_copy(const Region& file, std::size_t most_bytes) {
  return Region::from_bytes(file.bytes(), growing_to(most_bytes));
}

}  // namespace

TEST_CASE("a copy of a region that was loaded or opened grows, as the file's own does not",
          "[api]") {
  const std::size_t page = support::page_bytes();
  const support::Folder folder;
  Region written = Region::create(3 * page + 100, support::options());
  support::fill(written.bytes(), 7);
  written.snapshot().save(folder / "image");
  support::write_file(folder / "file", support::plain_copy(written.bytes()));
  const std::string refused = support::words_of<std::invalid_argument>(
      [&] { (void)Region::open(folder / "file", growing_to(10 * page)); });
  CHECK(refused.find("create a region and copy the file") != std::string::npos);

  for (const bool is_image : {true, false}) {
    CAPTURE(is_image);
    Region region = growing_copy(is_image ? Region::load(folder / "image", mapped())
                                          : Region::open(folder / "file", support::options()),
                                 10 * page);
    CHECK(support::difference(support::plain_copy(written.bytes()), region.bytes()) == "");
    region.grow(10 * page);
    CHECK(support::all_zero(region.bytes().subspan(written.size())));
    CHECK(support::shows(region.bytes().first(written.size()), 7));
    support::fill(region.bytes(), 8);
    CHECK(support::shows(region.bytes(), 8));
    CHECK(support::shows(written.bytes(), 7));
  }
}

TEST_CASE("objects in a copy of an image grow beyond the image's size", "[api]") {
  constexpr std::size_t kib = 1024;
  const support::Folder folder;
  {
    cow::ManagedRegion written = cow::ManagedRegion::create(64 * kib, support::options());
    written.construct<cow::vector<int>>("v")(3, 7, written.get_allocator<int>());
    written.snapshot().snapshot().save(folder / "image");
  }
  cow::ManagedRegion region =
      cow::ManagedRegion::open(growing_copy(Region::load(folder / "image", mapped()), 1024 * kib));
  cow::vector<int>& numbers = *region.find<cow::vector<int>>("v").first;
  CHECK_THROWS_AS(numbers.resize(100 * kib), boost::interprocess::bad_alloc);
  region.region().grow(1024 * kib);
  region.grow(0);
  numbers.resize(100 * kib, 7);
  CHECK(std::count(numbers.begin(), numbers.end(), 7) == static_cast<std::ptrdiff_t>(100 * kib));
  CHECK(region.check_sanity());
}

// Image files that were cut, changed, forged or mixed up: each is refused in a sentence that names
// it, and nothing is left behind.

#include <cow/cow.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <system_error>
#include <vector>

#include "api/image_format.hpp"
#include "catch.hpp"
#include "folder.hpp"
#include "support.hpp"

using cow::ImageHeader;
using cow::LoadMode;
using cow::Region;
using cow::Snapshot;
using support::Folder;

namespace {

using Bytes = std::vector<std::byte>;
using Paths = std::vector<std::filesystem::path>;

/// Empty if loading is refused as it should be, and leaves nothing behind.
std::string complaint_about_refusal(const Paths& paths, const std::string& culprit) {
  const std::size_t descriptors = support::open_descriptors();
  const cow::ProcessStats before = cow::process_stats();
  std::string wrong;
  try {
    (void)Region::load(paths);
    return "was loaded";
  } catch (const std::system_error& error) {
    const std::string words = error.what();
    if (error.code().value() != EBADMSG) wrong = "another error: " + words;
    if (words.find(culprit) == std::string::npos) wrong = "names another file: " + words;
    if (!support::is_sentence(words)) wrong = "no sentence: " + words;
  }
  const cow::ProcessStats after = cow::process_stats();
  if (support::open_descriptors() != descriptors) wrong = "descriptors are left";
  if (after.regions != before.regions || after.families != before.families ||
      after.bytes_in_use != before.bytes_in_use ||
      after.mappings_in_use != before.mappings_in_use) {
    wrong = "something is left";
  }
  return wrong;
}

/// A full image and a delta, in a folder.
struct Chain {
  Chain() {
    Region region = Region::create(20 * support::page_bytes(), support::options());
    for (const std::size_t page : {1u, 2u, 9u}) support::store(region, page, 5);
    const Snapshot first = region.snapshot();
    support::store(region, 1, 6);
    support::store(region, 2, 0);
    const Snapshot second = region.snapshot();
    support::store(region, 15, 6);
    first.save(full);
    second.save_delta(first, delta);
    region.snapshot().save_delta(second, next);
  }
  Folder folder;
  std::filesystem::path full = folder / "full";
  std::filesystem::path delta = folder / "delta";
  std::filesystem::path next = folder / "next";
};

ImageHeader header_of(const Bytes& file) {
  ImageHeader header{};
  std::memcpy(&header, file.data(), sizeof(header));
  return header;
}

/// A forger knows the format and makes every checksum right again.
void put_header(Bytes& file, ImageHeader header) {
  const std::size_t index_bytes =
      header.index_offset < file.size() ? file.size() - header.index_offset : 0;
  header.index_checksum =
      cow::checksum128({file.data() + (file.size() - index_bytes), index_bytes});
  header.header_checksum = cow::checksum128(
      {reinterpret_cast<const std::byte*>(&header), offsetof(ImageHeader, header_checksum)});
  std::memcpy(file.data(), &header, sizeof(header));
}

}  // namespace

TEST_CASE("an image with any bit flipped is refused", "[api]") {
  const Chain chain;
  support::Random random(support::seed());
  for (const auto& [path, paths] : {std::pair{chain.full, Paths{chain.full}},
                                    std::pair{chain.delta, Paths{chain.full, chain.delta}}}) {
    const Bytes good = support::read_file(path);
    const ImageHeader header = header_of(good);
    std::vector<std::size_t> places;
    for (std::size_t at = 0; at < sizeof(ImageHeader); ++at) places.push_back(at);
    for (std::size_t at = header.index_offset; at < good.size(); ++at) places.push_back(at);
    for (std::size_t i = 0; i < support::scaled(300); ++i) {
      places.push_back(random.below(good.size()));
    }
    for (const std::size_t at : places) {
      Bytes bad = good;
      bad[at] ^= std::byte{1} << random.below(8);
      support::write_file(path, bad);
      CAPTURE(path, at);
      REQUIRE(complaint_about_refusal(paths, path.filename().string()) == "");
    }
    support::write_file(path, good);
    CHECK(Region::load(paths).size() == 20 * support::page_bytes());
  }
}

TEST_CASE("an image that was cut anywhere, or has something added, is refused", "[api]") {
  const Chain chain;
  support::Random random(support::seed());
  const Bytes good = support::read_file(chain.full);
  std::vector<std::size_t> lengths{0, 1, 8, 255, 256, 257, good.size() - 1, good.size() + 1};
  for (std::size_t i = 0; i < support::scaled(100); ++i)
    lengths.push_back(random.below(good.size()));
  for (const std::size_t length : lengths) {
    Bytes bad = good;
    bad.resize(length);
    support::write_file(chain.full, bad);
    CAPTURE(length);
    REQUIRE(complaint_about_refusal({chain.full}, "full") == "");
  }
}

TEST_CASE("files that are no images are refused, and others say what they are", "[api]") {
  const Chain chain;
  support::write_file(chain.folder / "text", Bytes(1000, std::byte{'a'}));
  CHECK(complaint_about_refusal({chain.folder / "text"}, "text") == "");
  CHECK(support::words_of<std::system_error>([&] {
          (void)Region::load(chain.folder / "missing");
        }).find("missing") != std::string::npos);
  CHECK(support::words_of<std::system_error>([&] {
          (void)Region::load(chain.folder.path());
        }).find("is a folder") != std::string::npos);
}

TEST_CASE("a chain in another order, with a gap, or of strangers is refused", "[api]") {
  const Chain chain;
  const Chain other;
  CHECK(Region::load(Paths{chain.full, chain.delta, chain.next}).size() > 0);
  CHECK(complaint_about_refusal({chain.delta}, "delta") == "");
  CHECK(complaint_about_refusal({chain.full, chain.next}, "next") == "");
  CHECK(complaint_about_refusal({chain.full, chain.next, chain.delta}, "next") == "");
  CHECK(complaint_about_refusal({chain.full, chain.delta, chain.delta}, "delta") == "");
  CHECK(complaint_about_refusal({chain.full, chain.full}, "full") == "");
  CHECK(complaint_about_refusal({chain.full, other.delta}, "delta") == "");
  CHECK(complaint_about_refusal({other.full, other.delta, chain.next}, "next") == "");
}

TEST_CASE("a forged header, its checksums right, is refused", "[api]") {
  const Chain chain;
  const std::vector<std::function<void(ImageHeader&)>> forgeries{
      [](ImageHeader& h) { h.size_bytes = 0; },
      [](ImageHeader& h) { h.size_bytes = std::uint64_t{1} << 62; },
      [](ImageHeader& h) { h.size_bytes += h.page_bytes; },
      [](ImageHeader& h) { h.page_bytes = 0; },
      [](ImageHeader& h) { h.page_bytes = 3; },
      [](ImageHeader& h) { h.page_bytes = 1; },
      [](ImageHeader& h) { h.page_bytes *= 2; },
      [](ImageHeader& h) { h.page_bytes = std::uint64_t{1} << 40; },
      [](ImageHeader& h) { h.data_offset = 0; },
      [](ImageHeader& h) { h.data_offset = UINT64_MAX - 10; },
      [](ImageHeader& h) { h.data_pages += 1; },
      [](ImageHeader& h) { h.data_pages = UINT64_MAX / 8; },
      [](ImageHeader& h) { h.data_runs = UINT64_MAX / 16; },
      [](ImageHeader& h) { h.zero_runs = UINT64_MAX / 16 + 1; },
      [](ImageHeader& h) { h.zero_runs += 1; },
      [](ImageHeader& h) { h.index_offset = 0; },
      [](ImageHeader& h) { h.index_offset = UINT64_MAX; },
      [](ImageHeader& h) { h.file_bytes = 0; },
      [](ImageHeader& h) { h.kind = static_cast<cow::ImageKind>(3); },
      [](ImageHeader& h) { h.version = 2; },
      [](ImageHeader& h) { h.version = 0; },
      [](ImageHeader& h) { h.header_bytes = 4; },
      [](ImageHeader& h) { h.reserved = 1; },
  };
  for (const auto& [path, paths] : {std::pair{chain.full, Paths{chain.full}},
                                    std::pair{chain.delta, Paths{chain.full, chain.delta}}}) {
    const Bytes good = support::read_file(path);
    for (std::size_t i = 0; i < forgeries.size(); ++i) {
      Bytes bad = good;
      ImageHeader header = header_of(good);
      forgeries[i](header);
      put_header(bad, header);
      support::write_file(path, bad);
      CAPTURE(path, i);
      CHECK(complaint_about_refusal(paths, path.filename().string()) == "");
    }
    support::write_file(path, good);
  }
}

TEST_CASE("a forged list of pages, its checksums right, is refused", "[api]") {
  const Chain chain;
  const Bytes good = support::read_file(chain.full);
  const ImageHeader header = header_of(good);
  REQUIRE(header.data_runs == 2);  // pages 1 and 2, page 9
  const auto forge = [&](std::size_t word, std::uint64_t value) {
    Bytes bad = good;
    std::memcpy(bad.data() + header.index_offset + 8 * word, &value, sizeof(value));
    put_header(bad, header);
    support::write_file(chain.full, bad);
    return complaint_about_refusal({chain.full}, "full");
  };
  CHECK(forge(0, 2) == "");           // pages 2 and 3 are others
  CHECK(forge(0, 8) == "");           // runs in disorder
  CHECK(forge(0, UINT64_MAX) == "");  // past the end, and round
  CHECK(forge(1, 3) == "");           // more pages than checksums
  CHECK(forge(1, 0) == "");
  CHECK(forge(1, UINT64_MAX) == "");
  CHECK(forge(2, 1) == "");   // twice the same page
  CHECK(forge(2, 20) == "");  // past the end
  CHECK(forge(4, 0) == "");   // a page's checksum
}

TEST_CASE("an image of holes that claims pages takes no memory for them", "[api]") {
  const Chain chain;
  const Bytes good = support::read_file(chain.full);
  ImageHeader header = header_of(good);
  Bytes bad = good;
  std::fill(bad.begin() + static_cast<std::ptrdiff_t>(header.data_offset),
            bad.begin() + static_cast<std::ptrdiff_t>(header.index_offset), std::byte{0});
  const Bytes zeros(support::page_bytes());
  const std::uint64_t pages[] = {1, 2, 9};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::uint64_t checksum = cow::page_checksum({pages[i]}, zeros.data(), zeros.size());
    std::memcpy(bad.data() + header.index_offset + 32 + 8 * i, &checksum, sizeof(checksum));
  }
  put_header(bad, header);
  support::write_file(chain.full, bad);
  CHECK(complaint_about_refusal({chain.full}, "full") == "");

  // A list of pages in a hole of a file that takes next to no room on the disk.
  header.data_pages = (std::uint64_t{1} << 40) / support::page_bytes();
  header.size_bytes = std::uint64_t{1} << 40;
  header.index_offset = header.data_offset + header.size_bytes;
  header.file_bytes = header.index_offset + 32 + 8 * header.data_pages;
  bad.assign(sizeof(header), std::byte{0});
  put_header(bad, header);
  support::write_file(chain.full, bad);
  std::error_code too_large;
  std::filesystem::resize_file(chain.full, header.file_bytes, too_large);
  if (too_large) {
    WARN("skipped because this file system has no files of a tebibyte");
  } else {
    CHECK(complaint_about_refusal({chain.full}, "full") == "");
  }
}

TEST_CASE("mapped, an image is checked up to its pages, and a delta in full", "[api]") {
  const Chain chain;
  cow::LoadOptions mapped;
  mapped.mode = LoadMode::mapped;
  const Paths paths{chain.full, chain.delta};
  const Bytes full = support::read_file(chain.full);
  const Bytes delta = support::read_file(chain.delta);
  const auto flip = [](Bytes bytes, std::size_t at) {
    bytes[at] ^= std::byte{4};
    return bytes;
  };
  support::write_file(chain.full, flip(full, header_of(full).index_offset + 3));
  CHECK_THROWS_AS(Region::load(paths, mapped), std::system_error);
  support::write_file(chain.full,
                      flip(full, header_of(full).data_offset + 9 * support::page_bytes() + 1));
  const Region region = Region::load(paths, mapped);
  CHECK(support::load(region.bytes(), 9, 1) == 4);  // as promised: not held against its checksum
  support::write_file(chain.delta, flip(delta, header_of(delta).data_offset + 1));
  CHECK_THROWS_AS(Region::load(paths, mapped), std::system_error);
}

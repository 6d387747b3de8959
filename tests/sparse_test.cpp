// Data with zeros between it: no load, clone or copy fails for want of mappings while fewer would
// do, and nothing takes memory or time for what is not there.

#include <cow/cow.hpp>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "api/image_format.hpp"
#include "catch.hpp"
#include "eaten_mappings.hpp"
#include "folder.hpp"
#include "sanitizer.hpp"
#include "support.hpp"

using cow::CloneMode;
using cow::LoadMode;
using cow::Region;
using cow::Snapshot;
using support::EatenMappings;
using support::Folder;

namespace {

using Bytes = std::vector<std::byte>;
using Paths = std::vector<std::filesystem::path>;

constexpr std::size_t leaf_pages = 512;

Region load(const Paths& paths, LoadMode mode = LoadMode::copied) {
  cow::LoadOptions options;
  options.mode = mode;
  options.region = support::options();
  return Region::load(paths, options);
}

/// A region of whole leaves in which every `step`th page was stored to.
Region every(std::size_t step, std::size_t leaves) {
  Region region = Region::create(leaves * leaf_pages * support::page_bytes(), support::options());
  for (std::size_t page = 0; page < leaves * leaf_pages; page += step) {
    support::store(region, page, static_cast<unsigned>(page % 251 + 1));
  }
  return region;
}

/// Empty if `region` is one mapping and shows `expected`.
std::string complaint_about(const Region& region, const Bytes& expected) {
  const std::size_t mappings = support::count_mappings(region);
  if (mappings != 1) return std::to_string(mappings) + " mappings";
  const std::string difference = support::difference(expected, region.bytes());
  return difference.empty() ? support::broken_invariant(region) : difference;
}

/// A complete image of holes and a delta that names all of its pages as zeros: some kilobytes.
Paths forged_chain(const Folder& folder, std::uint64_t pages) {
  const auto write = [&](const char* name, cow::ImageKind kind, const Bytes& index) {
    cow::ImageHeader header =
        cow::new_header(kind, pages * support::page_bytes(), support::page_bytes());
    (kind == cow::ImageKind::full ? header.id : header.base).fill(std::byte{7});
    if (kind == cow::ImageKind::delta) header.id.fill(std::byte{8});
    header.zero_runs = index.size() / sizeof(cow::ImageRun);
    header.index_offset = cow::index_offset_of(header, 0);
    header.file_bytes = header.index_offset + index.size();
    header.index_checksum = cow::checksum128(index);
    header.header_checksum = cow::checksum128(
        {reinterpret_cast<const std::byte*>(&header), offsetof(cow::ImageHeader, header_checksum)});
    Bytes file(sizeof(header));
    std::memcpy(file.data(), &header, sizeof(header));
    if (kind == cow::ImageKind::delta) {
      file.resize(header.index_offset);
      file.insert(file.end(), index.begin(), index.end());
    }
    support::write_file(folder / name, file);
    std::filesystem::resize_file(folder / name, header.file_bytes);
    return folder / name;
  };
  const cow::ImageRun all{0, pages};
  Bytes index(sizeof(all));
  std::memcpy(index.data(), &all, sizeof(all));
  return {write("full", cow::ImageKind::full, {}), write("delta", cow::ImageKind::delta, index)};
}

}  // namespace

TEST_CASE("data with zeros between it is loaded, cloned and copied in one mapping", "[mm]") {
  const Folder folder;
  for (const std::size_t step : {2u, 3u, 64u, 511u}) {
    CAPTURE(step);
    Region made = every(step, 3);
    const Bytes expected = support::plain_copy(made.bytes());
    const Snapshot snapshot = made.snapshot();
    snapshot.save(folder / "image");
    CHECK(complaint_about(made.clone(CloneMode::eager), expected) == "");
    Region loaded = load({folder / "image"});
    CHECK(complaint_about(loaded, expected) == "");
    CHECK(complaint_about(loaded.clone(), expected) == "");
    CHECK(complaint_about(loaded.clone(CloneMode::eager), expected) == "");
    CHECK(complaint_about(Region::from_snapshot(loaded.snapshot()), expected) == "");
    CHECK(support::count_mappings(loaded.snapshot().bytes()) == 1);
  }
}

TEST_CASE("zeros that have no mapping of their own take no memory, nor room in an image", "[mm]") {
  const Folder folder;
  Region made = every(8, 2);
  made.snapshot().save(folder / "first");
  const std::size_t before = cow::process_stats().bytes_in_use;
  const std::size_t data = 2 * leaf_pages / 8 * support::page_bytes();
  const Region loaded = load({folder / "first"});
  CHECK(cow::process_stats().bytes_in_use == before + data);
  const Snapshot snapshot = loaded.snapshot();
  snapshot.save(folder / "second");
  CHECK(support::bytes_on_disk(folder / "second") == support::bytes_on_disk(folder / "first"));
  CHECK(cow::diff(snapshot, loaded.snapshot()).empty());
  const Region copy = loaded.clone(CloneMode::eager);
  CHECK(cow::process_stats().bytes_in_use == before + 2 * data);
  CHECK(cow::diff(snapshot, copy.snapshot()).empty());
}

TEST_CASE("the first store to zeros of a loaded region opens all zeros around it",
          "[mm][handler]") {
  const Folder folder;
  every(64, 1).snapshot().save(folder / "image");
  Region loaded = load({folder / "image"});
  for (std::size_t page = 1; page < 64; ++page) support::store(loaded, page, 9);
  CHECK(loaded.stats().faults == 1);
  support::store(loaded, 64, 9);
  CHECK(loaded.stats().faults == 2);
  CHECK(support::broken_invariant(loaded) == "");
}

TEST_CASE("a frame that held data shows zeros when a copy has zeros there", "[mm]") {
  const Folder folder;
  Region made = every(2, 1);
  for (unsigned round = 0; round < 3; ++round) {
    Region clone = made.clone();
    support::fill(clone.bytes(), round);  // in the home that the next clone takes over
    { const Region gone = std::move(clone); }
    CHECK(complaint_about(made.clone(CloneMode::eager), support::plain_copy(made.bytes())) == "");
  }
}

TEST_CASE("what lies between leaves with data takes page tables only when mappings are short",
          "[mm][handler]") {
  const auto result = support::run_in_child([]() -> std::string {
    const Folder folder;
    constexpr std::size_t leaves = 400;
    const Region made = every(2 * leaf_pages, leaves);
    made.snapshot().save(folder / "image");
    const auto complaint = [&](const Region& region, std::size_t most) -> std::string {
      const std::size_t mappings = region.stats().mappings;
      if (mappings > most) return std::to_string(mappings) + " mappings";
      for (std::size_t page = 0; page < leaves * leaf_pages; page += leaf_pages) {
        const unsigned expected =
            page % (2 * leaf_pages) == 0 ? static_cast<unsigned>(page % 251 + 1) : 0;
        if (support::load(region.bytes(), page) != expected) return "wrong bytes";
      }
      return "";
    };
    const Region alone = load({folder / "image"});
    if (alone.stats().mappings != leaves) return "gaps were filled for nothing";
    std::string wrong = complaint(alone, leaves);
    const Snapshot snapshot = alone.snapshot();
    const EatenMappings eaten(200);
    if (wrong.empty()) wrong = complaint(load({folder / "image"}), 100);
    if (wrong.empty()) wrong = complaint(load({folder / "image"}, LoadMode::mapped), 1);
    if (wrong.empty()) wrong = complaint(alone.clone(), 100);
    if (wrong.empty()) wrong = complaint(alone.clone(CloneMode::eager), 100);
    if (wrong.empty()) wrong = complaint(Region::from_snapshot(snapshot), 100);
    if (wrong.empty() && support::count_mappings(snapshot.bytes()) > 100) wrong = "a view";
    return wrong;
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("of a mapped image with scattered deltas, the pages between are copied when need be",
          "[mm][handler]") {
  const auto result = support::run_in_child([]() -> std::string {
    const Folder folder;
    Region made = Region::create(4 * leaf_pages * support::page_bytes(), support::options());
    support::fill(made.bytes(), 1);
    const Snapshot base = made.snapshot();
    base.save(folder / "full");
    for (std::size_t page = 0; page < 4 * leaf_pages; page += 2) {
      const auto bytes = made.bytes().subspan(page * made.page_bytes(), made.page_bytes());
      std::fill(bytes.begin(), bytes.end(), std::byte{page % 6 == 0});
    }
    made.snapshot().save_delta(base, folder / "delta");
    const Bytes expected = support::plain_copy(made.bytes());
    const Paths paths{folder / "full", folder / "delta"};
    const Region plenty = load(paths, LoadMode::mapped);
    if (plenty.stats().mappings != 4 * leaf_pages) return "pages were copied for nothing";
    const EatenMappings eaten(200);
    const Region few = load(paths, LoadMode::mapped);
    for (const Region* const region : {&plenty, &few}) {
      const std::string wrong = support::difference(expected, region->bytes());
      if (!wrong.empty()) return wrong;
      const Region clone = region->clone();
      if (clone.stats().mappings > 100) return "a clone has many mappings";
      if (!support::same_bytes(expected, clone.bytes())) return "a clone is wrong";
      const std::string broken = support::broken_invariant(clone);
      if (!broken.empty()) return broken;
    }
    return few.stats().mappings > 100 ? "many mappings" : support::broken_invariant(few);
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("a forged chain of a few kilobytes takes no memory in proportion to what it names",
          "[mm]") {
  const Folder folder;
  Paths chain;
  // Beside several regions of a tebibyte neither a sanitizer nor an emulator has room for itself.
  const bool has_little_room = support::has_thread_sanitizer || support::is_emulated();
  const std::uint64_t size = std::uint64_t{1} << (has_little_room ? 34 : 40);
  try {
    chain = forged_chain(folder, size / support::page_bytes());
  } catch (const std::filesystem::filesystem_error&) {
    WARN("skipped because this file system has no files of a tebibyte");
    return;
  }
  constexpr std::size_t little = std::size_t{64} << 10;
  constexpr std::size_t some = std::size_t{16} << 20;  // of the gigabytes that all leaves take
  for (const LoadMode mode : {LoadMode::copied, LoadMode::mapped}) {
    Region loaded = load(chain, mode);
    CHECK(loaded.stats().bytes_metadata < little);
    CHECK(loaded.stats().mappings == 1);
    const Snapshot before = loaded.snapshot();
    support::store(loaded, 3 * leaf_pages, 1);
    const Snapshot after = loaded.snapshot();
    CHECK(cow::diff(before, after).size() == 1);
    const std::size_t bytes = loaded.stats().bytes_metadata;
    loaded.apply({{0, loaded.size() / loaded.page_bytes()}}, before);
    CHECK(support::load(loaded.bytes(), 3 * leaf_pages) == 0);
    const cow::MergeResult merged = cow::merge(before, before, after);
    CHECK(support::load(merged.merged.bytes(), 3 * leaf_pages) == 1);
    after.save_delta(before, folder / "small");
    CHECK(loaded.stats().bytes_metadata < bytes + some);
    if (mode == LoadMode::mapped) continue;  // an eager clone is independent of the file
    const Region copy = merged.merged.clone(CloneMode::eager);
    CHECK(support::load(copy.bytes(), 3 * leaf_pages) == 1);
    CHECK(loaded.stats().bytes_metadata < bytes + some);
  }
}

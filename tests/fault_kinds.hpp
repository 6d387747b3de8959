// Every way in which a store to a region can fault, set up so that the next store takes it.
#pragma once

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "call_filter.hpp"
#include "mm/space/mapped_range.hpp"
#include "support.hpp"

namespace support {

/// A region about to fault, and the others of its family that make it fault in that way.
struct FaultScene {
  cow::Region region;
  std::size_t page;  ///< the page to store to
  std::vector<cow::Region> clones = {};
  std::vector<cow::Snapshot> snapshots = {};
};

struct FaultKind {
  const char* name;
  FaultScene (*prepare)();
  // Pages that the fault must treat in this way, at least; 0 stands for none at all.
  std::size_t zero_filled;
  std::size_t copied;
  std::size_t upgraded;
};

inline constexpr std::size_t scene_pages = 300;

/// The first word of every page of a scene, unless it is all zero pages.
inline std::uint64_t scene_word(std::size_t page) { return 0x5eed000000000000u + page; }

inline cow::Region stored_to_everywhere(const cow::RegionOptions& with = options()) {
  cow::Region region = cow::Region::create(scene_pages * page_bytes(), with);
  for (std::size_t page = 0; page < scene_pages; ++page) word_at(region, page) = scene_word(page);
  return region;
}

/// Shared with a clone, so that a store moves the page to another frame.
inline FaultScene scene_of_clone() {
  FaultScene scene{stored_to_everywhere(), 150};
  scene.clones.push_back(scene.region.clone());
  return scene;
}

/// Shared with a snapshot nobody mapped, so that a store leaves the page where it is.
inline FaultScene scene_of_snapshot() {
  FaultScene scene{stored_to_everywhere(), 150};
  scene.snapshots.push_back(scene.region.snapshot());
  return scene;
}

inline FaultScene scene_of_mapped_snapshot() {
  FaultScene scene = scene_of_snapshot();
  (void)scene.snapshots.back().bytes();
  return scene;
}

inline FaultScene scene_of_many_snapshots() {
  FaultScene scene{stored_to_everywhere(), 150};
  for (std::size_t i = 0; i < 20; ++i) {
    scene.snapshots.push_back(scene.region.snapshot());
    word_at(scene.region, 2 * i) = scene_word(2 * i);  // so that each has page tables of its own
  }
  return scene;
}

inline FaultScene scene_of_zeros() {
  return {cow::Region::create(scene_pages * page_bytes(), options()), 150};
}

inline cow::RegionOptions with_reserved_frames() {
  cow::RegionOptions result = options();
  result.reserve_frames = true;
  return result;
}

inline FaultScene scene_of_reserved_zeros() {
  return {cow::Region::create(scene_pages * page_bytes(), with_reserved_frames()), 150};
}

inline FaultScene scene_of_reserved_clone() {
  FaultScene scene{stored_to_everywhere(with_reserved_frames()), 150};
  scene.clones.push_back(scene.region.clone());
  return scene;
}

inline FaultScene scene_of_reserved_snapshot() {
  FaultScene scene{stored_to_everywhere(with_reserved_frames()), 150};
  scene.snapshots.push_back(scene.region.snapshot());
  return scene;
}

/// The copy goes to a frame that the clone before this one left behind.
inline FaultScene scene_of_recycled_frame() {
  cow::Region original = stored_to_everywhere();
  {
    cow::Region clone = original.clone();
    for (std::size_t page = 0; page < scene_pages; ++page) word_at(clone, page, 8) = 99;
  }
  FaultScene scene{original.clone(), 150};
  scene.clones.push_back(std::move(original));
  return scene;
}

/// A snapshot gets its copy in a frame that held one for the snapshot before.
inline FaultScene scene_of_recycled_packed_frame() {
  FaultScene scene{stored_to_everywhere(), 150};
  {
    const cow::Snapshot snapshot = scene.region.snapshot();
    for (std::size_t page = 0; page < scene_pages; ++page) word_at(scene.region, page, 16) = 99;
  }
  scene.snapshots.push_back(scene.region.snapshot());
  return scene;
}

inline FaultScene scene_of_sole_owner() {
  FaultScene scene = scene_of_clone();
  scene.clones.clear();
  return scene;
}

/// The pages before the one to store to are private, as after stores in order: a window.
inline FaultScene with_a_run(FaultScene scene) {
  scene.page = 128;
  for (std::size_t page = 0; page < scene.page; ++page) {
    word_at(scene.region, page) = scene_word(page);
  }
  return scene;
}

/// So many pages of one block were stored to that the next takes the rest along.
inline FaultScene with_a_block_that_paid(FaultScene scene) {
  const std::size_t faults = cow::kBlockPages / cow::FaultPrices().into_new_frames_in_copies;
  for (std::size_t i = 0; i + 1 < faults; ++i) {
    word_at(scene.region, 192 + 5 * i) = scene_word(192 + 5 * i);
  }
  scene.page = 254;
  return scene;
}

inline FaultScene scene_of_block_that_moves() { return with_a_block_that_paid(scene_of_clone()); }

inline FaultScene scene_of_block_that_stays() {
  return with_a_block_that_paid(scene_of_snapshot());
}

inline std::span<const FaultKind> fault_kinds() {
  // As many large pages as 256 KiB are; and no block of them is dearer than its faults here.
  static const std::size_t run = longest_window();
  static const std::size_t block = copies_of_a_page() <= 1 ? 40 : 1;
  static const std::array<FaultKind, 15> kinds{{
      {"a zero page", scene_of_zeros, 1, 0, 0},
      {"a page shared with a clone", scene_of_clone, 0, 1, 0},
      {"a page shared with a snapshot nobody mapped", scene_of_snapshot, 0, 1, 0},
      {"a page shared with a mapped snapshot", scene_of_mapped_snapshot, 0, 1, 0},
      {"a page shared with many snapshots", scene_of_many_snapshots, 0, 1, 0},
      {"a page that is the only owner of its frame", scene_of_sole_owner, 0, 0, 1},
      {"a zero page with a reserved frame", scene_of_reserved_zeros, 1, 0, 0},
      {"a page shared with a clone, with reserved frames", scene_of_reserved_clone, 0, 1, 0},
      {"a page shared with a snapshot, with reserved frames", scene_of_reserved_snapshot, 0, 1, 0},
      {"a page that moves to a recycled frame", scene_of_recycled_frame, 0, 1, 0},
      {"a page whose copy goes to a recycled frame", scene_of_recycled_packed_frame, 0, 1, 0},
      {"a run of pages that move", [] { return with_a_run(scene_of_clone()); }, 0, run, 0},
      {"a run of pages that stay", [] { return with_a_run(scene_of_snapshot()); }, 0, run, 0},
      {"a block that moves", scene_of_block_that_moves, 0, block, 0},
      {"a block that stays", scene_of_block_that_stays, 0, block, 0},
  }};
  return kinds;
}

/// Whether the fault cannot do without another kernel mapping: one page in the middle of others.
inline bool needs_mapping(const FaultKind& kind) { return kind.copied + kind.upgraded == 1; }

/// The store that the scene was made for, and nothing besides.
inline void take_the_fault(FaultScene& scene) {
  std::uint64_t* const target = &word_at(scene.region, scene.page) + 1;
  *static_cast<volatile std::uint64_t*>(target) = 7;
}

/// What is wrong after a store that should have faulted as `kind` says; empty if nothing is.
inline std::string complaint_about(FaultScene& scene, const FaultKind& kind,
                                   const cow::RegionStats& before) {
  const cow::RegionStats now = scene.region.stats();
  const auto is_as_said = [](std::uint64_t count, std::size_t least) {
    return least == 0 ? count == 0 : count >= least;
  };
  const bool as_said =
      now.faults == before.faults + 1 &&
      is_as_said(now.pages_zero_filled - before.pages_zero_filled, kind.zero_filled) &&
      is_as_said(now.pages_copied - before.pages_copied, kind.copied) &&
      is_as_said(now.pages_upgraded - before.pages_upgraded, kind.upgraded);
  if (!as_said) return std::string(kind.name) + ": the fault was of another kind";
  const bool zeros = kind.zero_filled != 0;
  const auto shows = [&](std::span<const std::byte> bytes, std::uint64_t second_word) {
    const std::size_t at = scene.page * page_bytes();
    return read_word(bytes, at) == (zeros ? 0 : scene_word(scene.page)) &&
           read_word(bytes, at + 8) == second_word;
  };
  if (!shows(scene.region.bytes(), 7)) return std::string(kind.name) + ": bytes are lost";
  for (const cow::Region& clone : scene.clones) {
    if (!shows(clone.bytes(), 0)) return std::string(kind.name) + ": the store reached a clone";
  }
  for (const cow::Snapshot& snapshot : scene.snapshots) {
    if (!shows(snapshot.bytes(), 0)) return std::string(kind.name) + ": a snapshot changed";
  }
  return broken_invariant(scene.region);
}

// ---- What can go wrong inside of a fault. For children: none of it is taken back. ---------------

/// Leaves the kernel no mapping for this process. False if that cannot be done.
inline bool use_up_mappings() {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t pages = max_map_count() + 2;
  void* const memory =
      ::mmap(nullptr, pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  auto* const at = static_cast<std::byte*>(memory);
  // Every page that is made to differ from its neighbours costs two mappings.
  std::size_t eaten = 1;
  while (eaten < pages && ::mprotect(at + eaten * page, page, PROT_READ) == 0) eaten += 2;
  return eaten < pages;
}

/// Adds to `filter` that there is no memory for more than one page at once.
inline CallFilter& refuse_windows(CallFilter& filter) {
  constexpr unsigned length = 2;
  const auto page = static_cast<std::uint32_t>(page_bytes());
  return filter.refuse(SYS_pwrite64, {is_above(length, page)}, ENOSPC);
}

}  // namespace support

// What the kernel was told about a mapping is lost when a page moves, as its new mapping is another
// one. RegionOptions::keep_out_of_cores is told to every mapping; mlockall() to all those to come.

#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cow/cow.hpp>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "catch.hpp"
#include "folder.hpp"
#include "sanitizer.hpp"
#include "smaps.hpp"
#include "support.hpp"

using cow::Region;
using cow::Snapshot;

namespace {

constexpr std::size_t pages = 256;

cow::RegionOptions kept_out(bool reserve_frames = false) {
  cow::RegionOptions options = support::single_page_options();
  options.keep_out_of_cores = true;
  options.reserve_frames = reserve_frames;
  return options;
}

Region filled(const cow::RegionOptions& options) {
  Region region = Region::create(pages * support::page_bytes(), options);
  support::fill(region.bytes(), 1);
  return region;
}

void store_to_every_third(Region& region, unsigned value) {
  for (std::size_t page = 0; page < pages; page += 3) support::store(region, page, value);
}

bool are_flags_told() {
  if (!support::is_emulated() && !support::flagged_mappings().empty()) return true;
  WARN("skipped: nobody tells the flags of mappings here");
  return false;
}

/// Whether the kernel wrote the byte at `address` to a core: it lies in a segment with contents.
bool holds(const std::vector<std::byte>& core, const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  ElfW(Ehdr) header;
  if (core.size() < sizeof(header)) return false;
  std::memcpy(&header, core.data(), sizeof(header));
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    ElfW(Phdr) segment;
    std::memcpy(&segment, core.data() + header.e_phoff + i * sizeof(segment), sizeof(segment));
    if (segment.p_type == PT_LOAD && at >= segment.p_vaddr &&
        at < segment.p_vaddr + segment.p_filesz) {
      return true;
    }
  }
  return false;
}

/// Whether the kernel writes cores as files into the folder in which a process dies.
bool are_cores_files() {
  std::string pattern;
  std::ifstream("/proc/sys/kernel/core_pattern") >> pattern;
  rlimit limit{};
  ::getrlimit(RLIMIT_CORE, &limit);
  return !support::is_emulated() && !support::has_sanitizer && !pattern.empty() &&
         pattern.find('/') == std::string::npos && pattern[0] != '|' &&
         limit.rlim_max == RLIM_INFINITY;
}

/// What a core would hold of these bytes, and of mappings of frames anywhere else.
std::string found_in_cores(std::span<const std::byte> bytes) {
  const std::size_t kept = support::bytes_with("dd", bytes.data(), bytes.size());
  const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t mapped = (bytes.size() + page - 1) / page * page;
  if (kept < bytes.size() || kept > mapped) {
    return std::to_string(kept) + " of " + std::to_string(bytes.size()) + " bytes are kept out";
  }
  for (const support::FlaggedMapping& mapping : support::flagged_mappings()) {
    if (mapping.shows_frames && !mapping.has("dd")) return "frames are mapped elsewhere, too";
  }
  return "";
}

}  // namespace

TEST_CASE("what is kept out of cores stays so in every mapping that libcow makes", "[os]") {
  if (!are_flags_told()) return;
  const bool reserve_frames = GENERATE(false, true);
  CAPTURE(reserve_frames);
  // In a child, which has no other regions.
  const auto result = support::run_in_child([&]() -> std::string {
    Region region = Region::create(pages * support::page_bytes(), kept_out(reserve_frames));
    std::string wrong;
    const auto look = [&](const char* when, std::span<const std::byte> bytes) {
      if (wrong.empty()) wrong = found_in_cores(bytes);
      if (!wrong.empty() && !wrong.starts_with("after")) wrong = "after " + (when + (": " + wrong));
    };
    look("create", region.bytes());
    support::fill(region.bytes(), 1);
    look("the first stores", region.bytes());
    Region clone = region.clone();
    store_to_every_third(region, 2);
    store_to_every_third(clone, 3);
    look("stores to both sides", region.bytes());
    look("stores to both sides", clone.bytes());
    const Snapshot past = region.snapshot();
    look("a look at a snapshot", past.bytes());
    for (unsigned round = 0; round < 8; ++round) {
      store_to_every_third(region, 4 + round);
      region.restore(past);
    }
    look("restores", region.bytes());
    region.discard(0, 40 * support::page_bytes());
    look("a discard", region.bytes());
    Region again = Region::from_snapshot(past);
    store_to_every_third(again, 5);
    look("a clone of the past", again.bytes());
    const Region copy = region.clone(cow::CloneMode::eager);
    look("an eager clone", copy.bytes());
    if (wrong.empty()) wrong = support::broken_invariant(region);  // neighbours merge all the same
    if (wrong.empty()) wrong = support::broken_invariant(again);
    const auto child = support::run_in_child([&]() -> std::string {
      store_to_every_third(region, 6);
      return found_in_cores(region.bytes());
    });
    return wrong.empty() ? child.complaint : wrong;
  });
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

TEST_CASE("an opened file and a loaded image are kept out of cores, too", "[os]") {
  if (!are_flags_told()) return;
  const support::Folder folder;
  const Region source = filled(support::single_page_options());
  source.snapshot().save(folder / "image");
  support::write_file(folder / "file", source.bytes());
  Region opened = Region::open(folder / "file", kept_out());
  Region loaded = Region::load(folder / "image", {.region = kept_out()});
  for (Region* const region : {&opened, &loaded}) {
    store_to_every_third(*region, 2);
    CHECK(support::bytes_with("dd", region->data(), region->size()) == region->size());
  }
}

TEST_CASE("a core holds regions, and snapshots if the filter says so, and nothing that is kept out",
          "[os][handler]") {
  if (!are_cores_files()) {
    WARN("skipped: the kernel does not write cores into the folder where a process dies");
    return;
  }
  const bool keep_out = GENERATE(false, true);
  const bool private_files = GENERATE(false, true);  // bit 2 of coredump_filter: see core(5)
  CAPTURE(keep_out, private_files);
  const support::Folder folder;
  const Region region = filled(keep_out ? kept_out() : support::single_page_options());
  const Snapshot past = region.snapshot();
  const std::byte* const view = past.bytes().data();
  const auto result = support::run_in_child([&]() -> std::string {
    std::ofstream("/proc/self/coredump_filter") << (private_files ? "0x37" : "0x33");
    const rlimit all{RLIM_INFINITY, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_CORE, &all) != 0 || ::chdir(folder.path().c_str()) != 0)
      return "refused";
    std::signal(SIGQUIT, SIG_DFL);
    ::raise(SIGQUIT);
    return "it did not die";
  });
  REQUIRE(result.complaint == "");
  if (folder.names().empty()) {
    WARN("skipped: the kernel wrote no core");
    return;
  }
  const std::vector<std::byte> core = support::read_file(folder / folder.names()[0]);
  CHECK(holds(core, region.data()) == !keep_out);
  CHECK(holds(core, view) == (!keep_out && private_files));
}

TEST_CASE("what a program tells the kernel about a region's mapping is lost when a page moves",
          "[os][handler]") {
  if (!are_flags_told()) return;
  Region region = filled(support::single_page_options());
  REQUIRE(::madvise(region.data(), region.size(), MADV_DONTDUMP) == 0);
  REQUIRE(::madvise(region.data(), region.size(), MADV_DONTFORK) == 0);
  const bool may_lock = ::mlock(region.data(), region.size()) == 0;
  const Region clone = region.clone();
  for (std::size_t page = 0; page < pages; ++page) support::store(region, page, 2);
  CHECK(support::bytes_with("dd", region.data(), region.size()) == 0);
  CHECK(support::bytes_with("dc", region.data(), region.size()) == 0);
  if (may_lock) CHECK(support::bytes_with("lo", region.data(), region.size()) == 0);
}

TEST_CASE("mlockall with MCL_FUTURE and MCL_ONFAULT locks what regions show, whatever moves",
          "[os]") {
  if (support::has_sanitizer) {
    WARN("skipped: a sanitizer's runtime makes nothing of mlockall");
    return;
  }
  if (!are_flags_told()) return;
  const auto result = support::run_in_child([]() -> std::string {
    if (::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) return "skipped";
    try {
      Region region = filled(support::single_page_options());
      const Region clone = region.clone();
      store_to_every_third(region, 2);
      const Snapshot past = region.snapshot();
      store_to_every_third(region, 3);
      region.restore(past);
      region.discard(0, 10 * support::page_bytes());
      const std::size_t locked = support::bytes_with("lo", region.data(), region.size());
      if (locked != region.size()) return std::to_string(locked) + " bytes are locked";
      return support::broken_invariant(region);
    } catch (const std::system_error&) {
      return "skipped";
    }
  });
  if (result.complaint == "skipped") {
    WARN("skipped: this process may not lock so much memory");
    return;
  }
  CHECK(result.complaint == "");
  CHECK(result.exited());
}

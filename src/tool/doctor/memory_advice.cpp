// Memory, mappings, huge pages, and the file systems that may be missing.

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "tool/doctor/subjects.hpp"
#include "tool/quantity.hpp"

namespace cow::tool {

using measure::Findings;
using measure::MemoryFacts;

namespace {

constexpr std::uint64_t kFewMappings = 20'000;  // a third of what is usual

void add_mappings(const MemoryFacts& memory, Lines& lines) {
  const std::string remedy = "Raise it: sysctl vm.max_map_count=1000000; or take larger granules.";
  if (!memory.max_map_count) {
    lines.push_back({Level::note, "mappings",
                     "vm.max_map_count cannot be read: libcow takes it for 65,530, the kernel's "
                     "own value.",
                     "Mount /proc, if it is another one here."});
    return;
  }
  const std::uint64_t limit = *memory.max_map_count;
  const std::uint64_t used = memory.mappings_used.value_or(0);
  const std::string counts = fmt::format("A process may have {} mappings; this one has {}.",
                                         with_commas(limit), with_commas(used));
  if (limit < used + kFewMappings) {
    lines.push_back({Level::limits, "mappings",
                     counts + " With so few, scattered stores to clones take neighbours along, and "
                              "memory grows faster.",
                     remedy});
    return;
  }
  lines.push_back({Level::ok, "mappings", counts, ""});
}

void add_overcommit(const MemoryFacts& memory, Lines& lines) {
  if (!memory.overcommit_memory) return;
  if (*memory.overcommit_memory != 2) {
    lines.push_back({Level::ok, "overcommit",
                     fmt::format("vm.overcommit_memory is {}: what is not stored to takes nothing.",
                                 *memory.overcommit_memory),
                     ""});
    return;
  }
  const std::string left =
      memory.commit_limit_bytes && memory.committed_bytes
          ? fmt::format(" {} of {} are promised.", bytes_text(*memory.committed_bytes),
                        bytes_text(*memory.commit_limit_bytes))
          : "";
  lines.push_back(
      {Level::limits, "overcommit",
       "vm.overcommit_memory is 2: a region with Mechanism::kernel counts in full, from its "
       "first snapshot on at the latest, and so does each clone; with the handler what is "
       "stored to counts." +
           left,
       "Take the handler for large regions, raise vm.overcommit_ratio, or set "
       "vm.overcommit_memory=0."});
}

void add_large_region(const measure::Regions& regions, Lines& lines) {
  if (!regions.large.was_tried || !regions.handler.trial.worked) return;
  const std::string size = bytes_text(regions.large_bytes);
  if (regions.large.worked) {
    lines.push_back({Level::ok, "a large region",
                     fmt::format("One of {}, this machine's memory, can be made.", size), ""});
    return;
  }
  lines.push_back({Level::limits, "a large region",
                   fmt::format("One of {} is refused: {}.", size, reason_of(regions.large)),
                   "Make smaller ones, or raise what is limited: ulimit -v, vm.overcommit_ratio, "
                   "ulimit -f."});
}

void add_huge_pages(const MemoryFacts& memory, Lines& lines) {
  if (memory.huge_pages.worked) {
    lines.push_back({Level::ok, "huge pages",
                     "Shared memory gets them: RegionOptions::huge_pages has an effect.", ""});
    return;
  }
  if (memory.huge_pages.error != ENODATA && memory.huge_pages.error != ENOTSUP) return;
  const std::string said =
      memory.shmem_huge_pages
          ? fmt::format("/sys/kernel/mm/transparent_hugepage/shmem_enabled says '{}'",
                        *memory.shmem_huge_pages)
          : "no setting for them can be read here";
  lines.push_back(
      {Level::note, "huge pages",
       fmt::format("Shared memory that asked for one got small pages: {}. "
                   "RegionOptions::huge_pages does nothing then.",
                   said),
       memory.shmem_huge_pages && *memory.shmem_huge_pages != "never"
           ? "The machine may have none free; try again after: sysctl vm.compact_memory=1."
           : "As root: echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled."});
}

void add_file_systems(const MemoryFacts& memory, Lines& lines) {
  if (!memory.has_proc) {
    lines.push_back({Level::limits, "/proc",
                     "It is not mounted here, as in a bare chroot. Regions do without; "
                     "Mechanism::kernel does not, and what is read there is missing below.",
                     "In the chroot: mount -t proc proc /proc."});
  }
  if (!memory.has_dev_shm) {
    lines.push_back({Level::note, "/dev/shm",
                     "It is not there. libcow does not use it: its files have no name.",
                     "Nothing, for libcow; shm_open of other programs needs: mount -t tmpfs "
                     "tmpfs /dev/shm."});
  }
}

void add_memfd(const Findings& findings, Lines& lines) {
  for (const measure::Call& call : findings.calls) {
    if (call.name != "memfd_create" || !call.trial.worked) continue;
    const measure::Number& noexec = findings.memory.memfd_noexec;
    lines.push_back({Level::ok, "memory files",
                     "memfd_create works; libcow's files are sealed and not executable" +
                         (noexec ? fmt::format(", so vm.memfd_noexec ({}) is no matter.", *noexec)
                                 : std::string(".")),
                     ""});
  }
}

}  // namespace

void add_memory_lines(const Findings& findings, Lines& lines) {
  const bool is_known = std::find(findings.unknown.begin(), findings.unknown.end(), "memory") ==
                        findings.unknown.end();
  if (is_known) {
    add_file_systems(findings.memory, lines);
    add_mappings(findings.memory, lines);
    add_overcommit(findings.memory, lines);
  }
  add_large_region(findings.regions, lines);
  add_memfd(findings, lines);
  add_huge_pages(findings.memory, lines);
}

}  // namespace cow::tool

#include <cow/region.hpp>
#include <cow/stats.hpp>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <string>

#include "api/control_call.hpp"
#include "api/region_state.hpp"
#include "base/refusal.hpp"
#include "mm/resources/metadata_array.hpp"
#include "mm/space/address_space.hpp"
#include "mm/tables/table_runs.hpp"

namespace cow {

namespace {

/// Pages in a row that are alike and, where they have frames, lie side by side in their file.
struct Run {
  PageSpan pages;
  Entry first;
  const char* place = "";
  std::uint64_t offset_bytes = 0;
  std::uint32_t references = 0;  ///< to each frame, with those of snapshots and children
  bool is_shared = false;
  bool is_leased = false;
};

class Runs {
 public:
  explicit Runs(const AddressSpace& space) noexcept
      : space_(space), frames_(space.family().frames()) {}

  /// Of the whole table, with the family's lock held. False without memory.
  [[nodiscard]] bool find() noexcept {
    bool complete = true;
    for_each_mapping(space_.table(), [&](PageSpan span, Entry first) {
      // A mapping without leaves is one run: there may be any number of pages in it.
      const bool is_plain = space_.table().leaf_of(span.first) == nullptr &&
                            space_.table().leaf_of(span.last - kOnePage) == nullptr;
      for (PageIndex page = span.first; complete && page < span.last;) {
        const PageIndex end = is_plain || first.is_zero_page() ? span.last : end_of_run(page, span);
        complete = list_.reserve(list_.size() + 1);
        if (complete) list_.push(run(page, end));
        page = end;
      }
    });
    return complete;
  }

  [[nodiscard]] const MetadataArray<Run>& list() const noexcept { return list_; }

 private:
  [[nodiscard]] Run run(PageIndex first, PageIndex end) const noexcept {
    const Entry entry = space_.table().entry(first);
    Run run{.pages = {first, end}, .first = entry};
    run.place = place_of(entry);
    run.is_leased = space_.is_leased(first);
    if (entry.is_zero_page()) return run;
    run.offset_bytes = frames_.offset(entry.frame()).bytes;
    run.is_shared = is_shared(first);
    run.references = frames_.is_foreign(entry.frame()) ? 0 : frames_.references(entry.frame());
    return run;
  }

  [[nodiscard]] PageIndex end_of_run(PageIndex page, PageSpan span) const noexcept {
    PageIndex end = page + kOnePage;
    while (end < span.last && alike(page, end)) ++end;
    return end;
  }

  [[nodiscard]] bool alike(PageIndex a, PageIndex b) const noexcept {
    const Entry x = space_.table().entry(a);
    const Entry y = space_.table().entry(b);
    const auto count = [&](Entry entry) {
      return frames_.is_foreign(entry.frame()) ? 0 : frames_.references(entry.frame());
    };
    return space_.is_leased(a) == space_.is_leased(b) && x.never_stored() == y.never_stored() &&
           is_shared(a) == is_shared(b) && count(x) == count(y);
  }

  [[nodiscard]] bool is_shared(PageIndex page) const noexcept {
    const Frame frame = space_.table().entry(page).frame();
    return frames_.is_foreign(frame) || frames_.references(frame) > 1 ||
           !space_.table().owns_leaf(page);
  }

  [[nodiscard]] const char* place_of(Entry entry) const noexcept {
    if (entry.is_zero_page()) return "zeros";
    if (frames_.is_of_users_file(entry.frame())) return "file";
    const Extent& extent = frames_.extent(entry.frame().extent());
    if (extent.foreign) return "parent";
    if (extent.packed) return "packed";
    return extent.owner == &space_ ? "home" : "relative";
  }

  const AddressSpace& space_;
  const FrameStore& frames_;
  MetadataArray<Run> list_;
};

std::string line_of(const Run& run, std::uintptr_t begin, PageGeometry geometry) {
  const Entry entry = run.first;
  const char sharing = entry.is_zero_page() ? 'z' : run.is_shared ? 'c' : 'p';
  char text[160];
  int length =
      std::snprintf(text, sizeof text, "%012" PRIxPTR "-%012" PRIxPTR " r%c%c%c %10" PRIu64 " %s",
                    begin + geometry.offset(run.pages.first),
                    begin + geometry.offset(run.pages.last), entry.writable() ? 'w' : '-',
                    run.is_leased ? 'l' : '-', sharing, run.pages.count().value, run.place);
  std::string line(text, static_cast<std::size_t>(length));
  if (entry.is_zero_page()) return line + "\n";
  length = std::snprintf(text, sizeof text, " at %" PRIx64, run.offset_bytes);
  line.append(text, static_cast<std::size_t>(length));
  if (run.references > 0) line += ", references " + std::to_string(run.references);
  if (entry.never_stored()) line += entry.writable() ? ", open" : ", a hole";
  if (entry.hot()) line += ", hot";
  return line + "\n";
}

}  // namespace

std::string describe(const Region& region) {
  const RegionStats stats = region.stats();
  AddressSpace& space = region.state().space();
  Runs runs(space);
  bool complete = false;
  {
    const Section section(space.family(), Section::Intent::look);
    complete = runs.find();
  }
  if (!complete) throw_refused(ENOMEM, "mmap", "a region could not be described");
  // Text is made without the lock: the program's own heap may lie in a region.
  std::string text =
      std::to_string(stats.pages) + " pages of " + std::to_string(stats.page_bytes) +
      " bytes: " + std::to_string(stats.pages_zero) + " zero, " +
      std::to_string(stats.pages_shared) + " shared, " + std::to_string(stats.pages_private) +
      " private, " + std::to_string(stats.pages_writable) + " of them writable; " +
      std::to_string(stats.mappings) + " mappings, " + std::to_string(stats.faults) + " faults\n";
  const auto begin = reinterpret_cast<std::uintptr_t>(space.begin());
  for (const Run& run : runs.list()) text += line_of(run, begin, space.family().geometry());
  return text;
}

}  // namespace cow

#include "mm/space/invariants.hpp"

#include <cinttypes>
#include <cstdio>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "mm/tables/table_runs.hpp"
#include "os/system_file.hpp"

namespace cow {

namespace {

struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool writable = false;
  bool shared = false;
  std::uint64_t offset = 0;
};

std::vector<Mapping> kernel_mappings(const AddressSpace& space) {
  const auto begin = reinterpret_cast<std::uintptr_t>(space.begin());
  const auto end = reinterpret_cast<std::uintptr_t>(space.end());
  std::vector<Mapping> mappings;
  std::string all;
  os::read_system_file("/proc/self/maps",
                       [&](const char* text, std::size_t size) { all.append(text, size); });
  std::istringstream maps(all);
  for (std::string line; std::getline(maps, line);) {
    Mapping mapping;
    char flags[5] = "";
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s %" SCNx64, &mapping.begin,
                    &mapping.end, flags, &mapping.offset) != 4 ||
        mapping.end <= begin || mapping.begin >= end) {
      continue;
    }
    mapping.writable = flags[1] == 'w';
    mapping.shared = flags[3] == 's';
    mappings.push_back(mapping);
  }
  return mappings;
}

class Checker {
 public:
  explicit Checker(AddressSpace& space) : space_(space), frames_(space.family().frames()) {}

  std::string run() {
    count_references();
    compare_references();
    check_slots();
    check_leaves();
    compare_mappings();
    return wrong_;
  }

 private:
  template <class... Words>
  void wrong(const Words&... words) {
    if (!wrong_.empty()) return;  // the first finding says most
    const auto put = [&](const auto& word) {
      if constexpr (requires { std::to_string(word); }) {
        wrong_ += std::to_string(word);
      } else {
        wrong_ += word;
      }
    };
    (put(words), ...);
  }

  void count_references() {
    space_.family().for_each_directory([&](std::uint64_t index, const Directory& directory) {
      if (directories_[&directory]++ > 0) return;
      for (std::size_t i = 0; i < kTableEntries; ++i) {
        const Leaf* const leaf = directory.leaves[i];
        if (leaf == nullptr) continue;
        if (leaf->index != index * kTableEntries + i) wrong("leaf ", leaf->index, " is lost");
        if (leaves_[leaf]++ > 0) continue;
        for (const Entry entry : leaf->entries) {
          const Frame frame = entry.frame();
          if (!entry.is_zero_page()) ++references_[{frame.extent().value, frame.slot().value}];
        }
      }
    });
  }

  void compare_references() {
    for (const auto& [directory, count] : directories_) {
      if (directory->references != count)
        wrong("a directory counts ", directory->references, " references, there are ", count);
    }
    for (const auto& [leaf, count] : leaves_) {
      if (leaf->references != count)
        wrong("leaf ", leaf->index, " counts ", leaf->references, " references, there are ", count);
    }
    for (const auto& [name, count] : references_) {
      const Frame frame(ExtentId{name.first}, PageIndex{name.second});
      if (frames_.references(frame) != count) {
        wrong("frame ", name.first, ":", name.second, " counts ", frames_.references(frame),
              " references, there are ", count);
      }
    }
    const std::uint64_t leaves = space_.family().store().leaves.in_use();
    if (leaves != leaves_.size()) wrong(leaves, " leaves are in use, ", leaves_.size(), " reached");
    if (frames_.used() != references_.size()) {
      wrong(frames_.used(), " frames are in use, ", references_.size(), " are referenced");
    }
  }

  // Every free slot is a hole or a recycled frame, counted, and in the list of its packed extent.
  void check_slots() {
    std::uint64_t all_used = 0;
    std::uint64_t all_recycled = 0;
    for (std::uint32_t i = 1; i < frames_.extent_count(); ++i) {
      const Extent& extent = frames_.extent({i});
      if (extent.slots == nullptr) continue;  // forgotten
      std::uint64_t used = 0;
      std::uint64_t recycled = 0;
      for (PageIndex slot{0}; slot.value < frames_.slots().value; ++slot) {
        used += extent.slots[slot.value].references() > 0 ? 1 : 0;
        recycled += check_slot(extent, {{i}, slot}) ? 1 : 0;
      }
      if (used != extent.used) wrong("extent ", i, " counts ", extent.used, " frames, not ", used);
      if (recycled != extent.recycled) {
        wrong("extent ", i, " counts ", extent.recycled, " recycled frames, not ", recycled);
      }
      if (extent.packed && listed(extent) != recycled) wrong("recycled frames are not listed");
      all_used += used;
      all_recycled += recycled;
    }
    if (all_recycled != frames_.recycling().frames()) wrong("recycled frames are miscounted");
    if (all_used < frames_.used()) wrong("frames in use are miscounted");
  }

  // Whether it is recycled.
  bool check_slot(const Extent& extent, Frame frame) {
    const PageIndex slot = frame.slot();
    const SlotState state = extent.slots[slot.value];
    if (state.unpunched() && extent.owner != nullptr) wrong("a home has unpunched slots");
    if (state.keeps_frame() && !extent.foreign &&
        !extent.kept.test(slot.value / Extent::kGroupSlots)) {
      wrong("slot ", frame.extent().value, ":", slot.value,
            " keeps a frame that will not be found");
    }
    if (!state.recycled() || extent.foreign) return false;
    check_is_no_hole(frame);
    return true;
  }

  void check_is_no_hole(Frame recycled) {
    const std::uint64_t begin = frames_.offset(recycled).bytes;
    if (os::next_data(frames_.file(recycled), begin) != begin) wrong("a recycled frame is a hole");
  }

  static std::uint64_t listed(const Extent& packed) {
    std::uint64_t count = 0;
    for (std::uint32_t at = packed.next_recycled; at != SlotState::kEndOfList; ++count) {
      if (!packed.slots[at].recycled() || count > packed.recycled) return count + 1;
      at = packed.slots[at].next_recycled();
    }
    return count;
  }

  void check_leaves() {
    for (const auto& [leaf, count] : leaves_) {
      check_counts(*leaf);
      for (const Entry entry : leaf->entries) check_entry(*leaf, count, entry);
      if (leaf->newer->older != leaf || leaf->older->newer != leaf) wrong("the ring is broken");
    }
    std::size_t listed = 0;
    space_.for_each_writable_leaf([&](const Leaf& leaf) { listed += leaf.writable; });
    std::size_t writable = 0;
    for (std::uint64_t leaf_index = 0; leaf_index < leaves_for(space_.table().pages());
         ++leaf_index) {
      const Leaf* const leaf = space_.table().leaf_at(leaf_index);
      if (leaf != nullptr) writable += leaf->writable;
    }
    check_leases();
    if (listed != writable) wrong("leaves with writable entries are missing from the list");
    if (space_.writable_pages() != writable) {
      wrong("a space counts ", space_.writable_pages(), " writable pages, there are ", writable);
    }
  }

  void check_leases() {
    if (space_.range().watched() != nullptr) return;  // its entries do not say
    for (PageIndex page{0}; page.value < space_.table().pages().value; ++page) {
      bool leased = false;
      for (const PageSpan lease : space_.leases()) leased = leased || lease.contains(page);
      if (space_.table().entry(page).leased() != leased) wrong("page ", page.value, " and leases");
    }
  }

  void check_counts(const Leaf& leaf) {
    const std::size_t valid = space_.table().span_of(leaf.index).count().value;
    std::uint32_t writable = 0;
    Boundaries boundaries;
    for (std::size_t i = 0; i < kTableEntries; ++i) {
      const Entry entry = leaf.entries[i];
      if (i >= valid && !entry.is_zero_page()) wrong("an entry lies beyond the last page");
      if (i > 0 && i < valid) boundaries += Boundaries::between(leaf.entries[i - 1], entry);
      if (entry.writable()) ++writable;
    }
    if (writable != leaf.writable) wrong("leaf ", leaf.index, " miscounts writable entries");
    if (boundaries != leaf.boundaries) {
      wrong("leaf ", leaf.index, " miscounts boundaries: ", leaf.boundaries.frames, " + ",
            leaf.boundaries.permissions, ", there are ", boundaries.frames, " + ",
            boundaries.permissions);
    }
  }

  void check_entry(const Leaf& leaf, std::uint64_t leaf_references, Entry entry) {
    if (entry.never_stored() && !leaf.any_never_stored) wrong("a leaf forgot a hole");
    if (entry.leased() && !entry.writable()) wrong("a leased page is not writable");
    if (!entry.writable()) return;
    if (leaf_references > 1) wrong("leaf ", leaf.index, " is shared and has a writable entry");
    if (frames_.references(entry.frame()) != 1) wrong("a writable frame is shared");
    if (frames_.is_foreign(entry.frame())) wrong("a writable frame belongs to a parent process");
  }

  void compare_mappings() {
    const std::vector<Mapping> mappings = kernel_mappings(space_);
    if (space_.range().watched() != nullptr) {
      if (mappings.size() > space_.mappings()) {
        wrong("the kernel has ", mappings.size(), " mappings, counted were ", space_.mappings());
      }
      if (!space_.watched().is_filling()) compare_unstored_pages();
      return;
    }
    std::size_t index = 0;
    for_each_mapping(space_.table(), [&](PageSpan run, Entry first) {
      if (index >= mappings.size()) {
        ++index;
        return;
      }
      const Mapping& mapping = mappings[index++];
      const auto begin = reinterpret_cast<std::uintptr_t>(space_.address(run.first));
      const auto end = reinterpret_cast<std::uintptr_t>(space_.address(run.last));
      const bool same =
          mapping.begin == begin && mapping.end == end && mapping.writable == first.writable() &&
          mapping.shared != first.is_zero_page() &&
          (first.is_zero_page() || mapping.offset == frames_.offset(first.frame()).bytes);
      if (same) return;
      wrong("pages ", run.first.value, " to ", run.last.value,
            first.writable() ? " are writable" : " are not",
            " and mapped otherwise: ", space_.page_at(mapping.begin).value, " to ",
            space_.page_at(mapping.end).value, mapping.writable ? ", writable" : ", not", ", at ",
            mapping.offset);
    });
    if (index != mappings.size() || index != space_.mappings()) {
      wrong("the page table has ", index, " runs, the kernel ", mappings.size(),
            " mappings, counted were ", space_.mappings());
    }
  }

  // Where the kernel copies, what it has not copied is the frame of the entry, and not known as
  // one.
  void compare_unstored_pages() {
    space_.for_each_writable_leaf([&](const Leaf&) { wrong("an entry is writable"); });
    std::vector<bool> copied(space_.table().pages().value);
    std::vector<os::AddressRun> runs(copied.size());
    const os::WriteWatch::Found found = space_.watched().find_copies(
        space_.watched().addresses(space_.all_pages()), runs, os::WriteWatch::Where::in_memory);
    if (found.error != 0) wrong("copies cannot be looked for");
    for (std::size_t i = 0; i < found.runs; ++i) {
      const PageSpan span = space_.pages_of(runs[i]);
      for (PageIndex page = span.first; page < span.last; ++page) copied[page.value] = true;
    }
    for (PageIndex page{0}; page.value < copied.size(); ++page) {
      const Frame frame = space_.table().entry(page).frame();
      if (!copied[page.value] && space_.watched().are_known_copies({page, page + kOnePage})) {
        wrong("page ", page.value, " is no copy");
      }
      if (frame == Frame{}) continue;  // a hole may be below: see end_filling()
      if (copied[page.value] || space_.watched().is_below({page, page + kOnePage}, frame)) continue;
      wrong("page ", page.value, " shows another frame than the page table says");
    }
  }

  AddressSpace& space_;
  const FrameStore& frames_;
  std::map<const Directory*, std::uint64_t> directories_;
  std::map<const Leaf*, std::uint64_t> leaves_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> references_;
  std::string wrong_;
};

}  // namespace

std::string check_family(AddressSpace& space) {
  const Section section(space.family(), Section::Intent::look);
  return Checker(space).run();
}

}  // namespace cow

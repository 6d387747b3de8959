#include "tool/trace/event_words.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "tool/quantity.hpp"

namespace cow::tool {

using trace::EntryLook;
using trace::Event;
using trace::EventKind;

namespace {

std::string pages_text(const Event& event) {
  if (event.page_count == 1) return fmt::format("page {}", with_commas(event.first_page));
  return fmt::format(
      "pages {} to {}", with_commas(event.first_page),
      with_commas(event.first_page + std::max<std::uint64_t>(event.page_count, 1) - 1));
}

std::string own_name(const WalkedStep& walked) {
  return space_name(walked.of_snapshot, walked.event->space);
}

std::string other_name(const WalkedStep& walked) {
  return space_name(walked.from_snapshot, walked.event->other);
}

// The page kept its frame: what was copied went to others, which are snapshots that nobody reads.
bool others_got_the_copy(const WalkedStep& walked) {
  if (!walked.before.run.has_value()) return false;
  const FrameId frame = walked.before.run->frame;
  return std::any_of(walked.entries.begin(), walked.entries.end(), [&](const Event* entries) {
    if (entries->space != walked.event->space || entries->look != EntryLook::writable) {
      return false;
    }
    const std::uint64_t offset = *walked.page - entries->first_page;
    return offset < entries->page_count && entries->frame_file == frame.file &&
           entries->frame_slot + offset == frame.slot;
  });
}

std::string cause_of(const WalkedStep& walked) {
  const std::uint64_t others = walked.before.pages_that_show_it;
  if (!walked.before.run.has_value()) {
    return "The page had no frame and showed zeros: it gets one, and nothing is copied.";
  }
  if (walked.before.run->writable) {
    return "The page was writable by then: another thread's fault had been first.";
  }
  if (others <= 1 && walked.event->pages_copied > 0) {
    return "The page was read-only, as another process or a file may show its frame: it is copied "
           "into a frame of its own.";
  }
  if (others <= 1) {
    return "Nobody else showed its frame any more: the page is made writable, and nothing is "
           "copied.";
  }
  const std::string shown =
      fmt::format("The page was read-only, as {} other page{} showed its frame", others - 1,
                  others == 2 ? "" : "s");
  if (others_got_the_copy(walked)) {
    return shown + ": they get a copy of it, and the page keeps its frame.";
  }
  return shown + ": it is copied into a frame of its own.";
}

// Only a recorder of faults allocates apart from the copy.
std::string parts_text(const Event& event) {
  const std::string copy = event.allocate_ns == 0
                               ? fmt::format("allocate and copy {}", time_text(event.copy_ns))
                               : fmt::format("allocate {}, copy {}", time_text(event.allocate_ns),
                                             time_text(event.copy_ns));
  return fmt::format("locate {}, {}, map {}", time_text(event.locate_ns), copy,
                     time_text(event.map_ns));
}

std::string fault_sentence(const WalkedStep& walked) {
  const Event& event = *walked.event;
  std::string text = cause_of(walked);
  if (event.page_count > 1) {
    text += fmt::format(" Neighbours are taken along: {} become writable, {} of them copied.",
                        counted(event.page_count, "page"), with_commas(event.pages_copied));
  }
  return text + fmt::format(" It took {}: {}.", time_text(event.whole_ns), parts_text(event));
}

// Without bytes: a region may have larger pages than its machine, and the trace does not say.
std::string made_sentence(const WalkedStep& walked) {
  const Event& event = *walked.event;
  const std::string size = counted(walked.space_pages, "page");
  if (event.other == 0) {
    const bool has_frames = walked.family_after.frames > walked.family_before.frames;
    return fmt::format("It has {}, {}", size,
                       has_frames ? "which show frames that are there already."
                                  : "none of which has a frame: they show zeros until a store.");
  }
  if (event.pages_copied > 0) {
    return fmt::format(
        "It has {}; {} copied now.", size,
        event.pages_copied == 1 ? "1 was" : with_commas(event.pages_copied) + " of them were");
  }
  return fmt::format("It has {} and shows the same frames: nothing is copied before a store.",
                     size);
}

std::string given_back_sentence(const WalkedStep& walked) {
  const std::uint64_t before = walked.family_before.frames;
  const std::uint64_t after = walked.family_after.frames;
  if (after >= before) return "No frame is given back: it had none that it alone showed.";
  return fmt::format("{} given back.", before - after == 1
                                           ? "1 frame is"
                                           : with_commas(before - after) + " frames are");
}

std::string copied_sentence(const Event& event) {
  if (event.pages_copied == 0) return "Nothing is copied.";
  return fmt::format("{} copied.", event.pages_copied == 1
                                       ? "1 page is"
                                       : with_commas(event.pages_copied) + " pages are");
}

std::string what_happened(const WalkedStep& walked) {
  const Event& event = *walked.event;
  switch (event.kind) {
    case EventKind::fault: return fault_sentence(walked);
    case EventKind::region_made:
    case EventKind::snapshot_made: return made_sentence(walked);
    case EventKind::region_gone:
    case EventKind::snapshot_gone:
    case EventKind::discarded: return given_back_sentence(walked);
    case EventKind::restored:
      return "It shows the snapshot's bytes again. " + copied_sentence(event);
    case EventKind::lease_begun:
      return "They are writable until the lease ends, for the kernel, too. " +
             copied_sentence(event);
    case EventKind::lease_ended: return "What shares these pages may protect them again.";
    case EventKind::merged: return "Pages that were changed there are shown here, too.";
    case EventKind::collected:
      return fmt::format("The kernel had copied {} that were stored to; libcow learned it now.",
                         counted(event.pages_copied, "page"));
    case EventKind::process_begun:
      if (event.first_page == 0) return "It inherits none of its parent's regions.";
      [[fallthrough]];
    case EventKind::process_forked:
      return "Parent and child show the same frames, read-only: whoever stores first gets a copy.";
    case EventKind::none:
    case EventKind::entries: break;
  }
  return {};
}

}  // namespace

const char* name_of(EventKind kind) noexcept {
  switch (kind) {
    case EventKind::none: return "none";
    case EventKind::entries: return "entries";
    case EventKind::region_made: return "region_made";
    case EventKind::region_gone: return "region_gone";
    case EventKind::snapshot_made: return "snapshot_made";
    case EventKind::snapshot_gone: return "snapshot_gone";
    case EventKind::fault: return "fault";
    case EventKind::restored: return "restored";
    case EventKind::discarded: return "discarded";
    case EventKind::lease_begun: return "lease_begun";
    case EventKind::lease_ended: return "lease_ended";
    case EventKind::merged: return "merged";
    case EventKind::collected: return "collected";
    case EventKind::process_forked: return "process_forked";
    case EventKind::process_begun: return "process_begun";
  }
  return "unknown";
}

const char* name_of(EntryLook look) noexcept {
  switch (look) {
    case EntryLook::zero: return "zero";
    case EntryLook::read_only: return "read_only";
    case EntryLook::writable: return "writable";
  }
  return "unknown";
}

std::string space_name(bool is_snapshot, std::uint32_t space) {
  return fmt::format("{} {}", is_snapshot ? "snapshot" : "region", space);
}

std::string title_of(const WalkedStep& walked) {
  const Event& event = *walked.event;
  const std::string own = own_name(walked);
  switch (event.kind) {
    case EventKind::fault:
      return fmt::format("Store to page {} of {}", with_commas(*walked.page), own);
    case EventKind::region_made:
      if (event.other == 0) return fmt::format("Region {} is made", event.space);
      return fmt::format("Region {} is cloned from {}", event.space, other_name(walked));
    case EventKind::snapshot_made:
      return fmt::format("Snapshot {} of {}", event.space, other_name(walked));
    case EventKind::region_gone: return fmt::format("Region {} is gone", event.space);
    case EventKind::snapshot_gone: return fmt::format("Snapshot {} is gone", event.space);
    case EventKind::restored:
      return fmt::format("Region {} goes back to {}", event.space, other_name(walked));
    case EventKind::discarded: return fmt::format("{} discards {}", own, pages_text(event));
    case EventKind::lease_begun:
      return fmt::format("A lease of {} of {} begins", pages_text(event), own);
    case EventKind::lease_ended:
      return fmt::format("A lease of {} of {} ends", pages_text(event), own);
    case EventKind::merged:
      return fmt::format("Changes of {} are applied to {}", other_name(walked), own);
    case EventKind::collected: return fmt::format("What the kernel copied in {}", own);
    case EventKind::process_forked: return fmt::format("Process {} calls fork()", event.pid);
    case EventKind::process_begun:
      return fmt::format("Process {} begins, a child of {}", event.pid, event.other);
    case EventKind::none:
    case EventKind::entries: break;
  }
  return name_of(event.kind);
}

std::string sentence_of(const WalkedStep& walked) {
  std::string text = what_happened(walked);
  const Event& event = *walked.event;
  const bool is_timed = event.kind != EventKind::fault && event.whole_ns > 0;
  if (is_timed) text += fmt::format(" It took {}.", time_text(event.whole_ns));
  if (!walked.fits) text += " The trace does not fit here: what came before it is missing.";
  return text;
}

}  // namespace cow::tool

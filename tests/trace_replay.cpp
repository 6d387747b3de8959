#include "trace_replay.hpp"

#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "mm/space/address_space.hpp"

namespace support {

using cow::trace::EntryLook;

TraceReplay::TraceReplay(const std::filesystem::path& file) : file_(file, std::ios::binary) {
  if (!file_.read(reinterpret_cast<char*>(&header_), sizeof(header_))) {
    throw std::runtime_error("'" + file.string() + "' has no header");
  }
  if (header_.magic != cow::trace::kMagic || header_.version != cow::trace::kVersion ||
      header_.event_bytes != sizeof(Event) || header_.header_bytes != cow::trace::kHeaderBytes) {
    throw std::runtime_error("'" + file.string() + "' is no trace of this version");
  }
}

std::string TraceReplay::advance(Writers writers) {
  file_.clear();
  file_.seekg(0);
  file_.read(reinterpret_cast<char*>(&header_), sizeof(header_));
  end_ = std::min(header_.claimed, header_.capacity);
  file_.seekg(static_cast<std::streamoff>(header_.header_bytes + read_ * sizeof(Event)));
  for (; read_ < end_; ++read_) {
    Event event{};
    if (!file_.read(reinterpret_cast<char*>(&event), sizeof(event))) return "the file is too short";
    if (event.number == 0) {
      if (writers == Writers::running) break;
      ++unfinished_;
      continue;
    }
    if (event.number != read_ + 1) wrong(event, "stands at another place");
    events_.push_back(event);
    apply(event);
  }
  return wrong_;
}

std::size_t TraceReplay::count(EventKind kind) const {
  return static_cast<std::size_t>(std::count_if(
      events_.begin(), events_.end(), [&](const Event& event) { return event.kind == kind; }));
}

void TraceReplay::wrong(const Event& event, const std::string& what) {
  if (!wrong_.empty()) return;
  wrong_ = "event " + std::to_string(event.number) + " of kind " +
           std::to_string(static_cast<unsigned>(event.kind)) + " and space " +
           std::to_string(event.space) + ": " + what;
}

ReplayedSpace* TraceReplay::known(const Event& event) {
  const auto found = spaces_.find({event.pid, event.space});
  if (found != spaces_.end()) return &found->second;
  wrong(event, "of a space that is not known");
  return nullptr;
}

void TraceReplay::apply(const Event& event) {
  const Name name{event.pid, event.space};
  switch (event.kind) {
    case EventKind::none: return wrong(event, "has no kind");
    case EventKind::entries: {
      const auto space = spaces_.find(name);
      if (space == spaces_.end()) {
        pending_[name].push_back(event);
      } else {
        change_entries(space->second, event);
      }
      return;
    }
    case EventKind::region_made: return make(event, true);
    case EventKind::snapshot_made: return make(event, false);
    case EventKind::process_forked:
      forked_[event.number];  // of no space, perhaps
      for (const auto& [of, space] : spaces_) {
        if (of.first == event.pid) forked_[event.number][of] = space;
      }
      return;
    case EventKind::process_begun: return begin_process(event);
    default: break;
  }
  ReplayedSpace* const space = known(event);
  if (space == nullptr) return;
  if (space->is_region && space->writable != event.writable_after) {
    wrong(event, "the replay has " + std::to_string(space->writable) + " writable pages, not " +
                     std::to_string(event.writable_after));
  }
  if (event.kind == EventKind::region_gone || event.kind == EventKind::snapshot_gone) {
    spaces_.erase(name);
  }
}

void TraceReplay::make(const Event& event, bool is_region) {
  const Name name{event.pid, event.space};
  if (spaces_.contains(name)) return wrong(event, "made twice");
  ReplayedSpace space;
  if (event.other == 0) {
    space.pages.resize(event.page_count);
  } else {
    const auto other = spaces_.find({event.pid, event.other});
    if (other == spaces_.end()) return wrong(event, "made of a space that is not known");
    space.pages = other->second.pages;
    for (ReplayedPage& page : space.pages) {
      if (page.look == EntryLook::writable) page.look = EntryLook::read_only;
    }
  }
  if (space.pages.size() != event.page_count) wrong(event, "has another number of pages");
  space.is_region = is_region;
  apply_pending(name, space);
  if (is_region && space.writable != event.writable_after) {
    wrong(event, "has another number of writable pages");
  }
  spaces_.emplace(name, std::move(space));
}

void TraceReplay::begin_process(const Event& event) {
  if (event.first_page == 0) return;
  if (!forked_.contains(event.first_page)) return wrong(event, "of a fork that is not known");
  for (const auto& [of, space] : forked_[event.first_page]) {
    if (of.first != event.other) wrong(event, "the child of another process");
    const Name name{event.pid, of.second};
    ReplayedSpace mine = space;
    apply_pending(name, mine);
    spaces_[name] = std::move(mine);
  }
}

void TraceReplay::apply_pending(const Name& name, ReplayedSpace& space) {
  for (const Event& entries : pending_[name]) change_entries(space, entries);
  pending_.erase(name);
}

void TraceReplay::change_entries(ReplayedSpace& space, const Event& event) {
  if (event.first_page + event.page_count > space.pages.size() || event.page_count == 0) {
    return wrong(event, "entries that are not in its space");
  }
  for (std::uint64_t i = 0; i < event.page_count; ++i) {
    ReplayedPage& page = space.pages[event.first_page + i];
    space.writable -= page.look == EntryLook::writable ? 1 : 0;
    const bool has_frame = event.look != EntryLook::zero;
    page = {event.look, event.frame_file, has_frame ? event.frame_slot + i : 0};
    space.writable += page.look == EntryLook::writable ? 1 : 0;
  }
}

namespace {

ReplayedPage page_of(cow::Entry entry) {
  if (entry.is_zero_page()) return {};
  return {entry.writable() ? EntryLook::writable : EntryLook::read_only,
          entry.frame().extent().value, entry.frame().slot().value};
}

std::string in_words(const ReplayedPage& page) {
  return std::to_string(page.file) + ":" + std::to_string(page.slot) + " (" +
         std::to_string(static_cast<unsigned>(page.look)) + ")";
}

std::string difference(const cow::PageTable& table, const ReplayedSpace& space) {
  if (space.pages.size() != table.pages().value) return "the replay has another number of pages";
  for (std::uint64_t i = 0; i < space.pages.size(); ++i) {
    const ReplayedPage shown = page_of(table.entry(cow::PageIndex{i}));
    if (shown == space.pages[i]) continue;
    return "page " + std::to_string(i) + " shows " + in_words(shown) + ", in the replay " +
           in_words(space.pages[i]);
  }
  return "";
}

}  // namespace

std::string TraceReplay::entries_of_none(const std::set<std::uint32_t>& in_the_making) const {
  for (const auto& [of, entries] : pending_) {
    const auto& [pid, space] = of;
    if (pid != static_cast<std::uint32_t>(::getpid()) || in_the_making.contains(space)) continue;
    return std::to_string(entries.size()) + " events, from " +
           std::to_string(entries.front().number) + " on, are entries of space " +
           std::to_string(space) + ", which is none";
  }
  return "";
}

std::string TraceReplay::difference_from_tables(Unmade unmade) const {
  const auto pid = static_cast<std::uint32_t>(::getpid());
  std::string complaint;
  std::size_t there = 0;
  std::set<std::uint32_t> in_the_making;
  const auto compare = [&](const char* kind, const cow::PageTable& table) {
    if (!table.trace_mark().is_made) in_the_making.insert(table.trace_mark().number);
    if (!table.trace_mark().is_made || !complaint.empty()) return;
    ++there;
    const auto found = spaces_.find({pid, table.trace_mark().number});
    const std::string wrong =
        found == spaces_.end() ? "the replay does not know it" : difference(table, found->second);
    if (wrong.empty()) return;
    complaint = std::string(kind) + " " + std::to_string(table.trace_mark().number) + ": " + wrong;
  };
  cow::FamilyList::instance().for_each([&](cow::Family& family) {
    const cow::Section section(family, cow::Section::Intent::look);
    family.for_each_shown([&](cow::ShownTable& shown) {
      if (shown.space->is_region()) return compare("region", shown.table);
      const std::uint32_t number = shown.table.trace_mark().number;
      if (number != 0) complaint = "a view is told of, as space " + std::to_string(number);
    });
    family.for_each_kept([&](cow::KeptTable& kept) { compare("snapshot", kept.table); });
  });
  if (complaint.empty() && unmade == Unmade::wrong) complaint = entries_of_none(in_the_making);
  const auto known = static_cast<std::size_t>(std::count_if(
      spaces_.begin(), spaces_.end(), [&](const auto& one) { return one.first.first == pid; }));
  if (complaint.empty() && known != there) {
    complaint = "the replay knows " + std::to_string(known) + " regions and snapshots, there are " +
                std::to_string(there);
  }
  return complaint;
}

}  // namespace support

#pragma once

// What a chapter of `cow demo` leaves behind: steps of plain data. Nothing here knows of a display,
// and nothing of it changes once it is recorded: a screen shows it, a text tells it, JSON keeps it.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cow::demo {

/// What a page is to the region that shows it.
enum class PageLook : std::uint8_t {
  unmapped,      ///< nothing is at this address in this process
  zero,          ///< read-only, no frame yet
  shared,        ///< read-only, others show the same frame
  sole_owner,    ///< read-only, nobody else shows the frame any more
  private_page,  ///< writable, a frame of its own
  leased,        ///< writable, and stays so for the kernel
  kept,          ///< read-only for good: a snapshot's
};

/// Which frame: a page of a file, as /proc/self/maps names it, or a page of physical memory.
struct FrameId {
  std::uint64_t file = 0;    ///< its inode; 0 for physical memory
  std::uint64_t number = 0;  ///< of the page in the file, or of the physical page

  friend auto operator<=>(const FrameId&, const FrameId&) = default;
};

struct PageView {
  PageLook look = PageLook::unmapped;
  std::optional<FrameId> frame;

  friend bool operator==(const PageView&, const PageView&) = default;
};

/// Some pages in a row of a region, a snapshot, or another process's memory.
struct RegionView {
  std::string name;
  std::uint64_t address = 0;    ///< of its first page
  std::size_t pages = 0;        ///< that it has in all
  std::size_t first_page = 0;   ///< of those that are shown
  std::vector<PageView> shown;  ///< in order
};

struct FrameView {
  FrameId id;
  std::size_t owners = 0;  ///< regions, snapshots and processes that show it; 0: nobody any more
};

/// A line of /proc/self/maps with what to look at in it.
struct MappingView {
  std::string text;
  std::size_t mark_column = 0;
  std::size_t mark_width = 0;
};

/// What a step is about: the textbook's names.
enum class Focus : std::uint8_t {
  overview,     ///< all of it
  before,       ///< the page before the store
  instruction,  ///< the store that is about to run
  fault,        ///< what the processor reported
  allocate,     ///< a frame for the copy
  copy,         ///< the bytes
  map,          ///< the page shows the new frame
  again,        ///< the same instruction once more
  after,        ///< the page after the store
  event,        ///< a call: clone, snapshot, drop, ...
  table,        ///< numbers
};

struct Fact {
  std::string name;
  std::string value;
};

/// One of the parts of a whole that was measured.
struct TimedPart {
  std::string name;
  std::uint64_t ns = 0;
  bool is_now = false;  ///< the part that this step is about
};

/// Asked before something happens, and answered when it has.
struct Question {
  std::string text;
  std::string answer;
};

/// Which page to look at.
struct Mark {
  std::string region;
  std::size_t page = 0;
};

struct Step {
  Focus focus = Focus::overview;
  std::string title;
  std::string sentence;  ///< the narration
  std::vector<Fact> facts;
  std::vector<TimedPart> times;
  std::vector<std::string> table;    ///< lines of columns, for a fixed-width type
  std::optional<Question> question;  ///< what this step asks: nothing has happened since the last
  std::optional<Question> answered;  ///< what was asked, and this step shows the answer to
  std::optional<Mark> mark;
  std::optional<MappingView> mapping;
  std::vector<RegionView> regions;
  std::vector<FrameView> frames;
};

struct Recording {
  std::string chapter;
  std::string title;
  std::vector<Step> steps;
};

[[nodiscard]] const char* name_of(PageLook look) noexcept;
[[nodiscard]] const char* name_of(Focus focus) noexcept;

}  // namespace cow::demo

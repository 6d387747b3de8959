#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "base/units.hpp"
#include "mm/space/family.hpp"
#include "os/frame_window.hpp"

namespace cow {

/// Reads the bytes behind a page table that is kept, a snapshot's, while faults go on. Its frames
/// may move at any time, so they are found and copied with the family's lock held, a stretch at a
/// time: a fault waits for that, never for what is done with the bytes. It maps the frames, not
/// the snapshot, so nothing is shown that was not before.
class TableReader {
 public:
  static constexpr std::size_t kMostPages = 64;  ///< at once, whatever their size

  /// Throws std::system_error.
  TableReader(Family& family, const PageTable& table);

  /// The most pages that one read() can take, of a family with pages of that size.
  [[nodiscard]] static PageCount most_pages(PageGeometry geometry) noexcept;
  [[nodiscard]] PageCount most_pages() const noexcept { return most_pages_; }

  /// Where the next stretch of pages begins, in `span`, that may show something else than zeros,
  /// and how long it is, up to most_pages(); empty if there is none. Takes the family's lock.
  [[nodiscard]] PageSpan next(PageSpan span) const noexcept;

  /// Copies the bytes of `span` to bytes(), `at` pages from its beginning. Takes the family's lock.
  /// Throws std::system_error. Precondition: they fit, see most_pages().
  void read(PageSpan span, PageCount at = {});
  [[nodiscard]] const std::byte* bytes() const noexcept { return buffer_.begin(); }

  /// Instead of read(): in two steps, of which the first is made by a caller who holds the family's
  /// lock. `pages` in any order, at most most_pages(). Between the two the pages may not leave the
  /// table if has_foreign(). 0 or an errno value, for finish() to throw.
  [[nodiscard]] int begin(std::span<const PageIndex> pages) noexcept;
  [[nodiscard]] bool has_foreign() const noexcept { return piece_count_ > 0; }
  void finish(int error);

 private:
  /// A stretch of foreign frames, to be read when the lock is free again: that may take long where
  /// they are a user's file, and they never move.
  struct Piece {
    os::DescriptorName file;
    os::FileOffset from;
    std::byte* to;
    std::size_t bytes;
  };

  [[nodiscard]] PageIndex past_zeros(PageSpan span) const noexcept;
  int copy(PageSpan span, std::byte* to) noexcept;
  int copy_run(FrameRun run, std::byte* to) noexcept;
  [[nodiscard]] const std::byte* mapped(Frame frame) noexcept;

  static constexpr std::size_t kBufferBytes = std::size_t{256} << 10;
  static constexpr std::size_t kMostWindows = 16;

  struct Window {
    ExtentId extent;
    os::FrameWindow frames;
  };

  Family& family_;
  const PageTable& table_;
  PageCount most_pages_;
  os::Buffer buffer_;
  std::array<Piece, kMostPages> pieces_{};
  std::size_t piece_count_ = 0;
  std::array<Window, kMostWindows> windows_;  ///< whole extents
  std::size_t oldest_window_ = 0;
  const char* call_ = "";  ///< the last that copy_run() needed
};

}  // namespace cow

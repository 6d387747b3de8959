// A few regions and snapshots with a history, a plain copy of each, and the control call that is
// made to fail among them.
#pragma once

#include <cow/cow.hpp>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "folder.hpp"
#include "injection.hpp"

namespace injection {

/// What a process has of the kernel and of libcow, beside bytes.
struct Held {
  std::size_t descriptors = 0;
  std::size_t families = 0;
  std::size_t regions = 0;

  static Held now();
  /// Empty if both are alike, else a sentence.
  [[nodiscard]] std::string difference(const Held& later) const;
};

class World {
 public:
  /// Regions of `pages` pages, two families: written pages, zero pages that are open and others
  /// that are not, a clone that diverged, an eager clone, snapshots of two of them, one of them
  /// mapped.
  explicit World(std::size_t pages, bool reserve_frames = false);

  /// Every second of the first `pages` pages of region 0 shared with a clone.
  void break_into_pieces(std::size_t pages);
  /// Forks a child that keeps what it can see until the world ends.
  void hold_by_child();
  /// Makes libcow think that it has used up its mappings.
  void run_short_of_mappings();

  /// Takes over the region; what it shows now is what it will have to show.
  void add(cow::Region region);
  void keep(cow::Snapshot snapshot, const std::vector<std::byte>& bytes, bool mapped);
  void store(std::size_t region, std::size_t page, unsigned value);

  // Complaints, empty if all is well.

  /// Every region and mapped snapshot shows the bytes it should.
  [[nodiscard]] std::string complaint_about_bytes() const;
  /// And the books are in order.
  [[nodiscard]] std::string complaint() const;
  /// The same right after a window. Where a protection could not be changed back, the books may say
  /// that a page is writable that is not yet: the next store to it makes it so.
  [[nodiscard]] std::string complaint(const Window& window) const;
  /// The same for snapshots that nobody has looked at.
  [[nodiscard]] std::string complaint_about_unseen() const;
  /// Stores to every page of every region, and looks at all of them.
  [[nodiscard]] std::string store_everywhere();
  /// Drops all but region 0, all of whose pages have been stored to: no other frame may be left,
  /// unless memory could not be given back. Then drops that.
  [[nodiscard]] std::string drop_everything(bool memory_may_stay);

  struct Past {
    cow::Snapshot snapshot;
    std::vector<std::byte> bytes;
    bool mapped = false;
    const std::byte* seen = nullptr;  ///< where, if it is mapped
  };

  std::vector<cow::Region> regions;
  std::vector<std::vector<std::byte>> plain;  ///< what each region should show
  std::vector<Past> pasts;

  std::vector<cow::Region> extras;  ///< kept, not looked at
  std::vector<cow::WriteLease> leases;

  // Where a call puts what it made, for a look at it after the window.
  std::optional<cow::Region> made;
  std::optional<cow::Snapshot> taken;
  std::vector<cow::PageRange> ranges;
  cow::ProcessStats process_stats;

 private:
  int line_to_child_ = -1;
  int child_ = -1;
  bool reserve_frames_;
  std::size_t page_bytes_ = 0;
  std::size_t claimed_mappings_ = 0;
  std::size_t bytes_before_ = cow::process_stats().bytes_in_use;
};

/// One control call.
struct Scenario {
  void (*prepare)(World&);
  void (*call)(World&);
  /// After the call went well: a complaint about what it made. Puts what it made into the world.
  std::string (*verify)(World&);
  std::size_t pages = 24;
  /// False where stores would not work before the call went well.
  bool stores_in_between = true;
  bool reserve_frames = false;
};

/// What becomes of a call that is refused something: an error of the right type with everything as
/// it was, or success; then the same call again, without failures. `stores_first`: the regions are
/// stored to in between.
std::string complaint_about_call(const Scenario& scenario, const Window& window, bool stores_first);

/// The same in a world that is there already.
std::string complaint_in(World& world, const Scenario& scenario, const Window& window,
                         bool stores_first);

/// A call that writes an image of `bytes` to a file.
struct Writing {
  const support::Folder& folder;   ///< that the file is in
  std::vector<std::string> names;  ///< of all that is to be in there, "image" the last one
  std::vector<std::filesystem::path> chain;  ///< to load
  const std::vector<std::byte>& bytes;
  std::function<void()> call;
};

/// What becomes of the file when the call is refused something: it is the one before, which this
/// makes, or, where only the folder's entry could not be made durable, the new one. Then the same
/// call again, without failures.
std::string complaint_about_writing(World& world, const Writing& writing, const Window& window);

}  // namespace injection

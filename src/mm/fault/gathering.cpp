#include "mm/fault/gathering.hpp"

#include <cerrno>
#include <exception>

#include "mm/fault/write_protection.hpp"
#include "mm/space/address_space.hpp"
#include "mm/space/copy_on_write.hpp"
#include "mm/tables/table_runs.hpp"

namespace cow {

namespace {

// So few are not worth a copy of everything.
constexpr std::size_t kFewMappings = 8;

/// Redirects what one address space shows to one of its homes. Nothing of it is writable, but for
/// leased pages, which stay.
class Gathering {
 public:
  Gathering(AddressSpace& space, Frame home) noexcept
      : space_(space), frames_(space.family().frames()), home_(home) {}

  /// 0 or an errno value; what was redirected until then holds.
  int run() noexcept {
    int error = 0;
    const auto is_ours = [](Entry entry) { return !entry.leased(); };
    const PageTable& table = space_.table();
    for_each_leaf(table, [&](const Leaf& leaf) {
      for_each_stretch(table, space_.open_pages_of(leaf.index), is_ours, [&](PageSpan span) {
        if (error == 0) error = redirect(space_.table().own_leaf(span.first), span);
      });
    });
    return error;
  }

 private:
  [[nodiscard]] FrameRun target_of(PageSpan span) const noexcept {
    return {home_.after({span.first.value}), span.count()};
  }

  int redirect(Leaf& leaf, PageSpan span) noexcept {
    for (PageIndex page = span.first; page < span.last; ++page) {
      frames_.take(home_.after({page.value}));
    }
    int error = fill(span);
    if (error == 0) error = show(span);
    if (error != 0) {
      frames_.drop_references(target_of(span), 1);
      return error;
    }
    space_.edit(leaf, span, [&](PageIndex page, Entry& entry) {
      const Entry old = entry;
      entry = Entry(home_.after({page.value}));
      entry.set_heat(old.heat());
      entry.set_never_stored(old.shows_zeros());
      entry.set_maybe_clean(!old.shows_zeros());
      entry.set_writable(space_.is_region());
      frames_.drop_reference(old);
    });
    return 0;
  }

  // Frames without what a recycled one held, and with the bytes that are shown.
  [[nodiscard]] int fill(PageSpan span) noexcept {
    if (!frames_.show_zeros(target_of(span))) return EIO;
    int error = 0;
    const auto has_data = [](Entry entry) { return !entry.shows_zeros(); };
    for_each_stretch(space_.table(), span, has_data, [&](PageSpan run) {
      if (error == 0) error = frames_.fill(target_of(run), space_.address(run.first));
    });
    return error;
  }

  [[nodiscard]] int show(PageSpan span) noexcept {
    const Frame first = target_of(span).first;
    const int error = space_.is_region()
                          ? space_.range().map(span, first, os::Protection::read_write)
                          : space_.range().map_for_reading(span, first);
    if (error != 0) space_.must_show_again(span, error);
    return error;
  }

  AddressSpace& space_;
  FrameStore& frames_;
  Frame home_;
};

}  // namespace

// What fails is for the caller's next attempt to tell: it lacks what this would have given.
void bring_together(AddressSpace& space) noexcept {
  if (space.mappings() <= kFewMappings) return;
  try {
    space.family().ensure_reserve({.tables = 1});
    const Frame home = space.homes().empty_one();
    write_protect(space);
    static_cast<void>(Gathering(space, home).run());
    space.prepare_if_kept();
  } catch (const std::exception&) {
  }
}

// Not beyond a backup's limit: all pages would be copied, and the backup would have the old ones.
void bring_together(Family& family) noexcept {
  if (family.past_limit().is_limited()) return;
  family.for_each_shown([](ShownTable& shown) {
    AddressSpace& space = *shown.space;
    // Nobody stores to a view, so none has a mechanism.
    space.is_region() ? space.copy_on_write().bring_together(space) : bring_together(space);
  });
}

}  // namespace cow

#include "demo/view/memory_picture.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "demo/record/recorder.hpp"
#include "tool/quantity.hpp"

namespace cow::demo {
namespace {

constexpr std::size_t gap = 3;          ///< between pages; a line for each of so many frames
constexpr std::size_t most_pitch = 16;  ///< from one page to the next

/// A frame that the page in question has in some of the regions, and its line.
struct Lane {
  FrameId id;
  std::size_t column = 0;
  std::size_t first_row = 0;
};

/// Where everything goes.
class Picture {
 public:
  Picture(Canvas& canvas, const Step& step, std::size_t row, std::size_t room)
      : canvas_(canvas), step_(step), left_(name_columns(canvas.columns())), row_(row) {
    for (const RegionView& region : step.regions) pages_ = std::max(pages_, region.shown.size());
    pitch_ = std::min(most_pitch, (canvas.columns() - left_) / std::max<std::size_t>(pages_, 1));
    lanes_ = find_lanes();
    const std::size_t rest = 1 + band_rows() + 2;
    const std::size_t regions = std::max<std::size_t>(step.regions.size(), 1);
    if (room >= rest + 2 * regions) region_pitch_ = 2;
  }

  std::size_t draw() {
    draw_page_numbers();
    for (std::size_t i = 0; i < step_.regions.size(); ++i) draw_region(i);
    draw_frames();
    draw_lanes();
    return frames_row() + 2;
  }

 private:
  [[nodiscard]] std::size_t region_row(std::size_t index) const {
    return row_ + 1 + index * region_pitch_;
  }
  [[nodiscard]] std::size_t band_row() const { return region_row(step_.regions.size()); }
  [[nodiscard]] std::size_t band_rows() const { return lanes_.size() + 1; }
  [[nodiscard]] std::size_t frames_row() const { return band_row() + band_rows(); }
  [[nodiscard]] std::size_t page_column(std::size_t index) const { return left_ + index * pitch_; }
  [[nodiscard]] std::size_t page_width() const { return pitch_ > gap + 3 ? pitch_ - gap : 3; }

  // The page that is looked at, among those that `region` shows.
  [[nodiscard]] std::optional<std::size_t> marked_index(const RegionView& region) const {
    if (!step_.mark.has_value() || step_.mark->page < region.first_page) return std::nullopt;
    const std::size_t index = step_.mark->page - region.first_page;
    if (index >= region.shown.size()) return std::nullopt;
    return index;
  }

  [[nodiscard]] std::vector<Lane> find_lanes() const {
    std::vector<Lane> lanes;
    for (std::size_t i = 0; i < step_.regions.size(); ++i) {
      const auto index = marked_index(step_.regions[i]);
      if (!index.has_value() || !step_.regions[i].shown[*index].frame.has_value()) continue;
      const FrameId id = *step_.regions[i].shown[*index].frame;
      const auto known =
          std::find_if(lanes.begin(), lanes.end(), [&](const Lane& lane) { return lane.id == id; });
      if (known != lanes.end() || lanes.size() == gap) continue;
      // The first lane is the outer one: a lower region's line need not cross it.
      lanes.push_back({id, page_column(*index) + page_width() + gap - 1 - lanes.size(), i});
    }
    return lanes;
  }

  void draw_page_numbers() {
    canvas_.put(row_, 1, "page", Ink::dim);
    for (std::size_t i = 0; i < pages_; ++i) {
      const std::size_t page = step_.regions.front().first_page + i;
      canvas_.put(row_, page_column(i), fmt::format("{:>{}}", page, page_width() - 1), Ink::dim);
    }
  }

  void draw_region(std::size_t index) {
    const RegionView& region = step_.regions[index];
    const std::size_t row = region_row(index);
    std::string name = region.name;
    if (left_ > 20) name = fmt::format("{:<9}{}", name, tool::hex(region.address));
    const bool is_marked = step_.mark.has_value() && step_.mark->region == region.name;
    canvas_.put(row, 1, name.substr(0, left_ - 2), is_marked ? Ink::strong : Ink::plain);
    for (std::size_t i = 0; i < region.shown.size(); ++i) {
      const PageView& page = region.shown[i];
      const std::string frame = page.frame.has_value() ? frame_text(*page.frame) : "-";
      const std::string text =
          fmt::format("{:>{}}{}", frame, page_width() - 1, letter_of(page.look));
      const bool in_focus = is_marked && marked_index(region) == i;
      canvas_.put(row, page_column(i), text.substr(text.size() - page_width()),
                  in_focus ? Ink::marked : ink_of(page.look));
    }
  }

  [[nodiscard]] std::size_t frame_pitch() const {
    const std::size_t room = canvas_.columns() - left_;
    return std::clamp<std::size_t>(room / std::max<std::size_t>(step_.frames.size(), 1), 5, pitch_);
  }
  [[nodiscard]] std::size_t frame_column(std::size_t index) const {
    return left_ + index * frame_pitch();
  }
  [[nodiscard]] std::size_t frame_width() const {
    return std::min(frame_pitch() - 1, page_width());
  }

  void draw_frames() {
    const std::size_t row = frames_row();
    canvas_.put(row, 1, "frame", Ink::dim);
    canvas_.put(row + 1, 1, "owners", Ink::dim);
    for (std::size_t i = 0; i < step_.frames.size(); ++i) {
      const FrameView& frame = step_.frames[i];
      Ink ink = frame.owners > 1 ? Ink::shared : Ink::private_page;
      if (frame.owners == 0) ink = Ink::unmapped;
      const std::string text = fmt::format("{:>{}} ", frame_text(frame.id), frame_width() - 1);
      canvas_.put(row, frame_column(i), text, ink);
      canvas_.put(row + 1, frame_column(i), fmt::format("{:>{}}", frame.owners, frame_width() - 1),
                  is_in_focus(frame.id) ? Ink::strong : Ink::dim);
    }
  }

  [[nodiscard]] bool is_in_focus(const FrameId& id) const {
    return std::any_of(lanes_.begin(), lanes_.end(),
                       [&](const Lane& lane) { return lane.id == id; });
  }

  void draw_lanes() {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      const Lane& lane = lanes_[i];
      const std::size_t turn = band_row() + lanes_.size() - 1 - i;
      for (const RegionView& region : step_.regions) {
        const auto index = marked_index(region);
        if (!index.has_value() || region.shown[*index].frame != lane.id) continue;
        const auto row = region_row(static_cast<std::size_t>(&region - step_.regions.data()));
        canvas_.horizontal(row, page_column(*index) + page_width(), lane.column);
      }
      canvas_.vertical(lane.column, region_row(lane.first_row), turn);
      for (std::size_t k = 0; k < step_.frames.size(); ++k) {
        if (step_.frames[k].id != lane.id) continue;
        const std::size_t target = frame_column(k) + frame_width() / 2;
        canvas_.horizontal(turn, lane.column, target);
        canvas_.vertical(target, turn, frames_row() - 1);
      }
    }
  }

  Canvas& canvas_;
  const Step& step_;
  std::size_t left_;
  std::size_t row_;
  std::size_t pages_ = 0;
  std::size_t pitch_ = 0;
  std::size_t region_pitch_ = 1;
  std::vector<Lane> lanes_;
};

}  // namespace

std::size_t draw_memory(Canvas& canvas, const Step& step, std::size_t row, std::size_t room) {
  return Picture(canvas, step, row, room).draw();
}

std::size_t name_columns(std::size_t columns) noexcept { return columns >= 120 ? 26 : 10; }

char letter_of(PageLook look) noexcept {
  switch (look) {
    case PageLook::unmapped: return ' ';
    case PageLook::zero: return 'z';
    case PageLook::shared: return 's';
    case PageLook::sole_owner: return 'o';
    case PageLook::private_page: return 'w';
    case PageLook::leased: return 'l';
    case PageLook::kept: return 'k';
  }
  return ' ';
}

Ink ink_of(PageLook look) noexcept {
  switch (look) {
    case PageLook::unmapped: return Ink::unmapped;
    case PageLook::zero: return Ink::zero;
    case PageLook::shared: return Ink::shared;
    case PageLook::sole_owner: return Ink::sole_owner;
    case PageLook::private_page: return Ink::private_page;
    case PageLook::leased: return Ink::leased;
    case PageLook::kept: return Ink::kept;
  }
  return Ink::plain;
}

}  // namespace cow::demo

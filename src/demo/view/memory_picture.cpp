#include "demo/view/memory_picture.hpp"

#include <algorithm>
#include <numeric>
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

/// From where a line comes down to where it goes on.
struct Route {
  std::size_t from = 0;
  std::size_t to = 0;
};

bool lies_within(std::size_t column, const Route& route) {
  return std::min(route.from, route.to) < column && column < std::max(route.from, route.to);
}

// How often the lines cross where each turns on the row that `turns` gives it.
std::size_t crossings(const std::vector<Route>& routes, const std::vector<std::size_t>& turns) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    for (std::size_t k = 0; k < routes.size(); ++k) {
      if (turns[k] > turns[i] && lies_within(routes[k].from, routes[i])) ++count;
      if (turns[k] < turns[i] && lies_within(routes[k].to, routes[i])) ++count;
    }
  }
  return count;
}

// A row for each line to turn on, from 0, so that they cross least. They are few: all are tried.
std::vector<std::size_t> turns_without_crossings(const std::vector<Route>& routes) {
  std::vector<std::size_t> turns(routes.size());
  std::iota(turns.begin(), turns.end(), std::size_t{0});
  std::vector<std::size_t> best = turns;
  while (std::next_permutation(turns.begin(), turns.end())) {
    if (crossings(routes, turns) < crossings(routes, best)) best = turns;
  }
  return best;
}

/// Where everything goes.
class Picture {
 public:
  Picture(Canvas& canvas, const Step& step, std::size_t row, std::size_t region_pitch)
      : canvas_(canvas),
        step_(step),
        left_(name_columns(canvas.columns())),
        row_(row),
        region_pitch_(region_pitch) {
    for (const RegionView& region : step.regions) pages_ = std::max(pages_, region.shown.size());
    // A screen that was made smaller shows fewer of them.
    pages_ = std::min(pages_, (canvas.columns() - left_) / least_pitch);
    pitch_ = std::min(most_pitch, (canvas.columns() - left_) / std::max<std::size_t>(pages_, 1));
    lanes_ = find_lanes();
  }

  void draw() {
    draw_page_numbers();
    for (std::size_t i = 0; i < step_.regions.size(); ++i) draw_region(i);
    draw_frames();
    draw_lanes();
  }

 private:
  [[nodiscard]] std::size_t region_row(std::size_t index) const {
    return row_ + 1 + index * region_pitch_;
  }
  [[nodiscard]] std::size_t band_row() const { return region_row(step_.regions.size()); }
  [[nodiscard]] std::size_t frames_row() const {
    return row_ + memory_rows(step_.regions.size(), region_pitch_) - 2;
  }
  [[nodiscard]] std::size_t page_column(std::size_t index) const { return left_ + index * pitch_; }
  [[nodiscard]] std::size_t page_width() const { return pitch_ - gap; }

  // The page that is looked at, among those that `region` shows.
  [[nodiscard]] std::optional<std::size_t> marked_index(const RegionView& region) const {
    if (!step_.mark.has_value() || step_.mark->page < region.first_page) return std::nullopt;
    const std::size_t index = step_.mark->page - region.first_page;
    if (index >= std::min(region.shown.size(), pages_)) return std::nullopt;
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

  // A frame of another file than the first one's, a child's, has a + before its number.
  [[nodiscard]] std::string label_of(const FrameId& id) const {
    const bool is_first = step_.frames.empty() || step_.frames.front().id.file == id.file;
    return (is_first ? "" : "+") + frame_text(id);
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
    for (std::size_t i = 0; i < std::min(region.shown.size(), pages_); ++i) {
      const PageView& page = region.shown[i];
      const std::string frame = page.frame.has_value() ? label_of(*page.frame) : "-";
      const std::string text =
          fmt::format("{:>{}}{}", frame, page_width() - 1, letter_of(page.look));
      const bool in_focus = is_marked && marked_index(region) == i;
      canvas_.put(row, page_column(i), text.substr(text.size() - page_width()), ink_of(page.look));
      if (in_focus) canvas_.put(row, page_column(i) - 1, ">", Ink::marked);
    }
  }

  [[nodiscard]] std::size_t frame_pitch() const {
    // Some room from the start, so that frames stay where they are when others come.
    const std::size_t places = std::max(step_.frames.size(), pages_ + 2);
    return std::clamp<std::size_t>((canvas_.columns() - left_) / places, 5, pitch_);
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
      const std::string text = fmt::format("{:>{}} ", label_of(frame.id), frame_width() - 1);
      canvas_.put(row, frame_column(i), text, ink);
      canvas_.put(row + 1, frame_column(i), fmt::format("{:>{}}", frame.owners, frame_width() - 1),
                  is_in_focus(frame.id) ? Ink::strong : Ink::dim);
    }
  }

  [[nodiscard]] bool is_in_focus(const FrameId& id) const {
    return std::any_of(lanes_.begin(), lanes_.end(),
                       [&](const Lane& lane) { return lane.id == id; });
  }

  // Where the lane goes down to its frame; nothing where that one is not drawn.
  [[nodiscard]] std::optional<std::size_t> target_of(const Lane& lane) const {
    for (std::size_t k = 0; k < step_.frames.size(); ++k) {
      if (step_.frames[k].id == lane.id) return frame_column(k) + frame_width() / 2;
    }
    return std::nullopt;
  }

  void draw_lanes() {
    std::vector<Route> routes;
    for (const Lane& lane : lanes_) {
      routes.push_back({lane.column, target_of(lane).value_or(lane.column)});
    }
    const std::vector<std::size_t> turns = turns_without_crossings(routes);
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      const Lane& lane = lanes_[i];
      const std::size_t turn = band_row() + turns[i];
      for (std::size_t k = 0; k < step_.regions.size(); ++k) {
        const RegionView& region = step_.regions[k];
        const auto index = marked_index(region);
        if (!index.has_value() || region.shown[*index].frame != lane.id) continue;
        canvas_.horizontal(region_row(k), page_column(*index) + page_width(), lane.column);
      }
      canvas_.vertical(lane.column, region_row(lane.first_row), turn);
      canvas_.horizontal(turn, lane.column, routes[i].to);
      canvas_.vertical(routes[i].to, turn, frames_row() - 1);
    }
  }

  Canvas& canvas_;
  const Step& step_;
  std::size_t left_;
  std::size_t row_;
  std::size_t region_pitch_;
  std::size_t pages_ = 0;
  std::size_t pitch_ = 0;
  std::vector<Lane> lanes_;
};

}  // namespace

std::size_t memory_rows(std::size_t regions, std::size_t pitch) noexcept {
  const std::size_t lanes = std::min(regions, gap);
  return 1 + regions * pitch + lanes + 1 + 2;  // pages, regions, lines, frames and owners
}

void draw_memory(Canvas& canvas, const Step& step, std::size_t row, std::size_t pitch) {
  Picture(canvas, step, row, pitch).draw();
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

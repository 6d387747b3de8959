#include "demo/view/player_pages.hpp"

#include <fmt/format.h>

#include "demo/chapters/chapter.hpp"
#include "demo/view/memory_picture.hpp"
#include "demo/view/stage.hpp"

namespace cow::demo {
namespace {

struct Line {
  const char* name;
  const char* meaning;
};

constexpr Line key_lines[] = {
    {"space, right", "forward: what is shown next happens then"},
    {"backspace, left", "back, to what has happened; the first line says so"},
    {"a", "the answer, where something is asked"},
    {"n, p", "the next chapter, the one before"},
    {"m", "the menu"},
    {"q, Ctrl-C", "ends it"},
    {"in free play", "arrows move; Enter stores; c s r d f do what they say"},
};

struct LookLine {
  PageLook look;
  const char* meaning;
};

constexpr LookLine look_lines[] = {
    {PageLook::shared, "read-only: others show the same frame"},
    {PageLook::private_page, "writable: nobody else shows the frame"},
    {PageLook::sole_owner, "read-only, though nobody else shows the frame any more"},
    {PageLook::zero, "read-only, no frame yet: it shows zeros"},
    {PageLook::leased, "writable, and stays so for the kernel"},
    {PageLook::kept, "a snapshot's: read-only for good"},
};

}  // namespace

bool is_too_small(const Canvas& canvas) {
  return canvas.rows() < least_rows || canvas.columns() < least_columns;
}

void draw_too_small(Canvas& canvas) {
  if (canvas.rows() == 0 || canvas.columns() == 0) return;
  canvas.put_words(0, 0, canvas.columns(), canvas.rows(),
                   fmt::format("Too small: {} rows of {} columns are needed. Make it larger, or "
                               "q ends it.",
                               least_rows, least_columns));
}

void draw_menu(Canvas& canvas, std::size_t chosen) {
  canvas.put(0, 1, "cow demo: copy-on-write on this machine", Ink::title);
  canvas.rule(1);
  // Twice the room where there is.
  const std::size_t pitch = canvas.rows() >= 2 * chapters().size() + 6 ? 2 : 1;
  std::size_t row = 3;
  for (std::size_t i = 0; i < chapters().size(); ++i) {
    const Chapter& chapter = chapters()[i];
    const Ink ink = i == chosen ? Ink::strong : Ink::plain;
    canvas.put(row, 2,
               fmt::format("{} {:<15}{}", i == chosen ? ">" : " ", chapter.name, chapter.title),
               ink);
    canvas.put(row, 44, chapter.about, i == chosen ? Ink::strong : Ink::dim);
    row += pitch;
  }
  canvas.put(canvas.rows() - 1, 1, "up down choose  Enter starts  ? help  q quit", Ink::dim);
}

void draw_help(Canvas& canvas) {
  canvas.put(0, 1, "Keys, and the letters of pages", Ink::title);
  canvas.rule(1);
  std::size_t row = 3;
  for (const Line& line : key_lines) {
    canvas.put(row, 3, line.name, Ink::strong);
    canvas.put(row++, 20, line.meaning);
  }
  ++row;
  canvas.put(row++, 3, "A page has its frame's number and a letter:", Ink::dim);
  for (const LookLine& line : look_lines) {
    canvas.put(row, 3, fmt::format(" 204{} ", letter_of(line.look)), ink_of(line.look));
    canvas.put(row++, 20, line.meaning);
  }
  canvas.put(canvas.rows() - 1, 1, "any key goes on", Ink::dim);
}

std::optional<std::size_t> choose_chapter(FullScreen& screen, std::size_t first) {
  using Kind = Key::Kind;
  std::size_t chosen = first;
  const std::size_t count = chapters().size();
  while (true) {
    Canvas canvas = screen.blank();
    if (is_too_small(canvas)) {
      draw_too_small(canvas);
    } else {
      draw_menu(canvas, chosen);
    }
    screen.show(canvas);
    const Key key = screen.read(std::nullopt);
    if (key.kind == Kind::closed || key.character == 'q') return std::nullopt;
    if (key.kind == Kind::enter || key.kind == Kind::right || key.character == ' ') return chosen;
    if (key.kind == Kind::down || key.character == 'n') chosen = (chosen + 1) % count;
    if (key.kind == Kind::up || key.character == 'p') chosen = (chosen + count - 1) % count;
    if (key.character == '?') show_help(screen);
  }
}

void show_help(FullScreen& screen) {
  while (true) {
    Canvas canvas = screen.blank();
    if (is_too_small(canvas)) {
      draw_too_small(canvas);
    } else {
      draw_help(canvas);
    }
    screen.show(canvas);
    if (screen.read(std::nullopt).kind != Key::Kind::resized) return;
  }
}

}  // namespace cow::demo

#include "demo/view/full_screen.hpp"

#include <utility>

#ifdef COW_WITH_NCURSES
#define NCURSES_NOMACROS 1
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <langinfo.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstring>
#endif

namespace cow::demo {

#ifdef COW_WITH_NCURSES

namespace {

/// How an ink looks: colours that can be read on dark and on light screens, and what stands for
/// them where there are none.
struct Look {
  short foreground;
  short background;
  attr_t with_color;
  attr_t without;
};

constexpr short none = -1;

Look look_of(Ink ink) {
  switch (ink) {
    case Ink::plain: break;
    case Ink::title: return {none, none, A_BOLD, A_BOLD};
    case Ink::question:
    case Ink::strong: return {COLOR_MAGENTA, none, A_BOLD, A_BOLD};
    case Ink::dim:
    case Ink::unmapped:
    case Ink::zero: return {none, none, A_DIM, A_NORMAL};
    case Ink::shared: return {COLOR_WHITE, COLOR_BLUE, A_BOLD, A_NORMAL};
    case Ink::sole_owner: return {COLOR_BLACK, COLOR_YELLOW, A_NORMAL, A_UNDERLINE};
    case Ink::private_page: return {COLOR_BLACK, COLOR_GREEN, A_NORMAL, A_REVERSE};
    case Ink::leased: return {COLOR_WHITE, COLOR_MAGENTA, A_BOLD, A_REVERSE};
    case Ink::kept: return {COLOR_BLACK, COLOR_CYAN, A_NORMAL, A_NORMAL};
    case Ink::marked: return {COLOR_RED, none, A_BOLD, A_BOLD};
    case Ink::line: return {COLOR_MAGENTA, none, A_NORMAL, A_NORMAL};
    case Ink::past: return {COLOR_BLACK, COLOR_YELLOW, A_NORMAL, A_REVERSE};
  }
  return {none, none, A_NORMAL, A_NORMAL};
}

bool speaks_utf8() {
  const char* const codeset = ::nl_langinfo(CODESET);
  return codeset != nullptr && std::strcmp(codeset, "UTF-8") == 0;
}

// Ctrl-backslash would end the program without anybody putting the terminal back.
void ignore_quit_key() {
  termios settings{};
  if (::tcgetattr(STDIN_FILENO, &settings) != 0) return;
  settings.c_cc[VQUIT] = _POSIX_VDISABLE;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &settings);
  ::def_prog_mode();
}

Key key_of(wint_t code) {
  using Kind = Key::Kind;
  switch (code) {
    case KEY_UP: return {Kind::up};
    case KEY_DOWN: return {Kind::down};
    case KEY_LEFT: return {Kind::left};
    case KEY_RIGHT: return {Kind::right};
    case KEY_ENTER: return {Kind::enter};
    case KEY_BACKSPACE: return {Kind::backspace};
    case KEY_RESIZE: return {Kind::resized};
    default: return {Kind::nothing};
  }
}

Key key_of_character(wint_t code) {
  using Kind = Key::Kind;
  if (code == L'\n' || code == L'\r') return {Kind::enter};
  if (code == 0x7f || code == 0x08) return {Kind::backspace};
  if (code > 0 && code < 0x7f) return {Kind::character, static_cast<char>(code)};
  return {Kind::nothing};
}

}  // namespace

struct FullScreen::Curses {
  SCREEN* screen = nullptr;
  bool colored = false;
  bool ascii = true;
};

bool FullScreen::is_built_in() noexcept { return true; }

std::unique_ptr<FullScreen> FullScreen::open(bool colored) {
  std::setlocale(LC_CTYPE, "");
  auto curses = std::make_unique<Curses>();
  curses->screen = ::newterm(nullptr, stdout, stdin);
  if (curses->screen == nullptr) return nullptr;
  const bool can_move = ::tigetstr("cup") != nullptr && ::tigetstr("clear") != nullptr;
  if (!can_move) {
    ::endwin();
    ::delscreen(curses->screen);
    return nullptr;
  }
  curses->ascii = !speaks_utf8();
  ::cbreak();  // Ctrl-C stays a signal: ncurses then ends the screen and the program
  ::noecho();
  ::nonl();
  ignore_quit_key();
  ::keypad(stdscr, TRUE);
  ::set_escdelay(50);
  ::curs_set(0);
  if (colored && ::has_colors() && ::start_color() == OK) {
    curses->colored = ::use_default_colors() == OK;
    for (std::size_t i = 0; curses->colored && i < ink_count; ++i) {
      const Look look = look_of(static_cast<Ink>(i));
      ::init_pair(static_cast<short>(i + 1), look.foreground, look.background);
    }
  }
  return std::unique_ptr<FullScreen>(new FullScreen(std::move(curses)));
}

FullScreen::FullScreen(std::unique_ptr<Curses> curses) : curses_(std::move(curses)) {}

FullScreen::~FullScreen() {
  ::endwin();
  ::delscreen(curses_->screen);
}

Canvas FullScreen::blank() const {
  return {static_cast<std::size_t>(getmaxy(stdscr)), static_cast<std::size_t>(getmaxx(stdscr))};
}

void FullScreen::show(const Canvas& canvas) {
  ::werase(stdscr);
  for (std::size_t row = 0; row < canvas.rows(); ++row) {
    for (std::size_t column = 0; column < canvas.columns(); ++column) {
      const Canvas::Cell cell = canvas.cell(row, column, curses_->ascii);
      if (cell.glyph == U' ' && cell.ink == Ink::plain) continue;
      const wchar_t text[] = {static_cast<wchar_t>(cell.glyph), L'\0'};
      const Look look = look_of(cell.ink);
      const auto pair = static_cast<short>(static_cast<int>(cell.ink) + 1);
      cchar_t character{};
      ::setcchar(&character, text, curses_->colored ? look.with_color : look.without,
                 curses_->colored ? pair : static_cast<short>(0), nullptr);
      ::mvwadd_wch(stdscr, static_cast<int>(row), static_cast<int>(column), &character);
    }
  }
  ::wrefresh(stdscr);
}

Key FullScreen::read(std::optional<int> milliseconds) {
  ::wtimeout(stdscr, milliseconds.value_or(-1));
  wint_t code = 0;
  errno = 0;
  const int result = ::wget_wch(stdscr, &code);
  if (result == KEY_CODE_YES) return key_of(code);
  if (result == OK) return key_of_character(code);
  if (errno == EINTR) return {Key::Kind::resized};  // stopped and continued: it is drawn again
  // The end of the input, or nobody pressed anything in time.
  return {milliseconds.has_value() ? Key::Kind::nothing : Key::Kind::closed};
}

#else

struct FullScreen::Curses {};

bool FullScreen::is_built_in() noexcept { return false; }

std::unique_ptr<FullScreen> FullScreen::open(bool /*colored*/) { return nullptr; }

FullScreen::FullScreen(std::unique_ptr<Curses> curses) : curses_(std::move(curses)) {}

FullScreen::~FullScreen() = default;

Canvas FullScreen::blank() const { return {0, 0}; }

void FullScreen::show(const Canvas& /*canvas*/) {}

Key FullScreen::read(std::optional<int> /*milliseconds*/) { return {Key::Kind::closed}; }

#endif

}  // namespace cow::demo

#include "tool/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace cow::tool {

Terminal Terminal::of(std::FILE* file) {
  // Narrower than this nothing can be laid out.
  constexpr std::size_t fewest_columns = 40;
  Terminal terminal;
  const int descriptor = ::fileno(file);
  if (::isatty(descriptor) != 1) return terminal;
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return terminal;
  terminal.columns = std::max<std::size_t>(size.ws_col, fewest_columns);
  terminal.rows = size.ws_row;
  terminal.can_wait = terminal.rows > 1 && ::isatty(STDIN_FILENO) == 1;
  return terminal;
}

}  // namespace cow::tool

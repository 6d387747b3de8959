#include "tool/bench/progress_line.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "measure/host/clock.hpp"
#include "tool/bench/text.hpp"
#include "tool/quantity.hpp"
#include "tool/terminal.hpp"

namespace cow::tool {
namespace {

constexpr std::size_t bar_columns = 20;
constexpr double redraw_ns = 2e8;  // what is drawn takes time from what is measured

}  // namespace

std::string progress_text(const measure::Progress& progress, std::size_t columns) {
  const double done = std::clamp(progress.done, 0.0, 1.0);
  const auto filled = static_cast<std::size_t>(done * bar_columns);
  const auto left_s = static_cast<long>(std::ceil(std::max(0.0, progress.left_s)));
  const std::string text =
      fmt::format("[{}{}] {:>3} %  {}:{:02} left  {}: {}", std::string(filled, '#'),
                  std::string(bar_columns - filled, '.'), static_cast<int>(done * 100), left_s / 60,
                  left_s % 60, progress.experiment, progress.workload);
  return cut_to(printable(text), columns);
}

ProgressLine::ProgressLine(std::FILE* file, bool is_wanted) : file_(file), is_wanted_(is_wanted) {
  const Terminal terminal = Terminal::of(file);
  is_wanted_ = is_wanted && terminal.rows > 0;
  // In the last column some terminals begin a new line.
  columns_ = std::min<std::size_t>(terminal.columns, 80) - 1;
}

ProgressLine::~ProgressLine() {
  if (drawn_ns_ == 0) return;
  std::fputs("\r\x1b[K", file_);
  std::fflush(file_);
}

void ProgressLine::show(const measure::Progress& progress) {
  if (!is_wanted_ || (drawn_ns_ != 0 && measure::elapsed_ns(drawn_ns_) < redraw_ns)) return;
  drawn_ns_ = measure::now_ns();
  const std::string line = "\r" + progress_text(progress, columns_) + "\x1b[K";
  std::fwrite(line.data(), 1, line.size(), file_);
  std::fflush(file_);
}

}  // namespace cow::tool

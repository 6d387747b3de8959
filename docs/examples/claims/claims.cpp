#include "claims.hpp"

#include <cow/cow.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>
#include <system_error>

#include "../measured.hpp"

namespace claims {

std::string kernel_is_missing() {
  static const std::string reason = [] {
    try {
      static_cast<void>(cow::Region::create(1, {.mechanism = cow::Mechanism::kernel}));
      return std::string();
    } catch (const std::system_error& error) {
      return std::string(error.what());
    }
  }();
  return reason;
}

std::vector<double> in_process(const std::function<std::vector<double>()>& find) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    try {
      const std::vector<double> figures = find();
      const std::size_t bytes = figures.size() * sizeof(double);
      const ssize_t written = ::write(ends[1], figures.data(), bytes);
      std::_Exit(written == static_cast<ssize_t>(bytes) ? 0 : 1);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      std::_Exit(1);
    }
  }
  ::close(ends[1]);
  std::vector<double> figures(32);
  const ssize_t bytes = ::read(ends[0], figures.data(), figures.size() * sizeof(double));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  examples::claim(status == 0 && bytes >= 0, "a measurement comes to its end");
  figures.resize(static_cast<std::size_t>(bytes) / sizeof(double));
  return figures;
}

Figures of_every_way(const std::function<std::vector<double>(Way)>& find) {
  Figures figures;
  for (const Way way : every_way) {
    if (way == Way::kernel && !kernel_is_missing().empty()) continue;
    figures[static_cast<std::size_t>(way)] = in_process([&] { return find(way); });
  }
  return figures;
}

void for_both_mechanisms(const Figures& figures,
                         const std::function<void(const std::vector<double>&)>& check) {
  for (const Way way : {Way::handler, Way::kernel}) {
    const auto& found = figures[static_cast<std::size_t>(way)];
    if (found) check(*found);
  }
}

void print_head(const std::string& title) {
  std::printf("%-32s%12s%12s%12s%12s\n", title.c_str(), "handler", "kernel", "fork()", "copy");
}

void print_row(const std::string& name, const Figures& figures, std::size_t which,
               const char* format, double unit) {
  std::printf("%-32s", name.c_str());
  for (const Way way : every_way) {
    const auto& figure = figures[static_cast<std::size_t>(way)];
    std::array<char, 32> text{"-"};
    if (way == Way::kernel) text = {"not here"};
    if (figure) std::snprintf(text.data(), text.size(), format, (*figure)[which] / unit);
    std::printf("%12s", text.data());
  }
  std::printf("\n");
}

void print_text(const std::string& text) {
  std::istringstream words(text);
  std::string line;
  for (std::string word; words >> word;) {
    if (!line.empty() && line.size() + 1 + word.size() > 80) {
      std::printf("%s\n", line.c_str());
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  std::printf("%s\n", line.c_str());
}

}  // namespace claims

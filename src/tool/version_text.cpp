#include "tool/version_text.hpp"

#include <fmt/format.h>

#include <CLI/Version.hpp>
#include <cow/version.hpp>
#include <nlohmann/json.hpp>
#include <string_view>

#if defined(COW_WITH_NCURSES)
#define NCURSES_NOMACROS 1
#include <curses.h>
#endif
#if defined(COW_WITH_CAPSTONE)
#include <capstone/capstone.h>
#endif

namespace cow::tool {

std::string version_text() {
  std::string text = "cow " COW_VERSION_STRING "\n";
  // A shared library may be another than the one this program was built with: its own line stays.
  text += build_info();
  text += "CLI11: " CLI11_VERSION "\n";
  text += fmt::format("fmt: {}.{}.{}\n", FMT_VERSION / 10000, FMT_VERSION / 100 % 100,
                      FMT_VERSION % 100);
  text += fmt::format("nlohmann-json: {}.{}.{}\n", NLOHMANN_JSON_VERSION_MAJOR,
                      NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH);
#if defined(COW_WITH_CAPSTONE)
  int major = 0;
  int minor = 0;
  (void)cs_version(&major, &minor);
  text += fmt::format("Capstone: {}.{}\n", major, minor);
#else
  text += "Capstone: none\n";
#endif
#if defined(COW_WITH_NCURSES)
  std::string_view ncurses = curses_version();  // "ncurses 6.4.20221231"
  ncurses.remove_prefix(ncurses.find(' ') + 1);
  text += fmt::format("ncurses: {}\n", ncurses);
#else
  text += "ncurses: none\n";
#endif
  if (text.ends_with('\n')) text.pop_back();  // CLI11 adds it
  return text;
}

}  // namespace cow::tool

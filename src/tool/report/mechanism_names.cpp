#include "tool/report/mechanism_names.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace cow::tool {
namespace {

using Title = std::pair<std::string_view, std::string_view>;

// Shorter than measure/mechanisms has them: a legend has little room. Then those of single
// experiments.
constexpr std::array titles = {Title{"eager", "eager copy"},
                               Title{"handler", "libcow, handler"},
                               Title{"kernel", "libcow, kernel"},
                               Title{"fork", "fork()"},
                               Title{"private", "MAP_PRIVATE"},
                               Title{"boost-private", "MAP_PRIVATE, Boost"},
                               Title{"uffd-signal", "userfaultfd, signal"},
                               Title{"uffd-thread", "userfaultfd, thread"},
                               Title{"mprotect", "mprotect, SIGSEGV"},
                               Title{"handler-clone", "libcow, handler, clone"},
                               Title{"kernel-clone", "libcow, kernel, clone"},
                               Title{"processes", "fork(), all store"},
                               Title{"read", "read() into memory"},
                               Title{"fork-child", "fork(), in the child"},
                               Title{"bare-remap", "a bare SIGSEGV, remapped"},
                               Title{"bare-fault", "a bare SIGSEGV"},
                               Title{"bare-signal", "a bare signal"},
                               Title{"plain-upgraded", "plain memory, upgraded"},
                               Title{"plain-untouched", "plain memory, untouched"},
                               Title{"plain-zero-page", "plain memory, zero page"},
                               Title{"plain-writable", "plain memory, writable"},
                               Title{"handler-upgraded", "libcow, handler, upgraded"}};

const Title* title_of(const std::string& mechanism) {
  return std::find_if(titles.begin(), titles.end(),
                      [&](const Title& title) { return title.first == mechanism; });
}

}  // namespace

std::string mechanism_title(const std::string& mechanism) {
  if (const Title* const title = title_of(mechanism); title != titles.end()) {
    return std::string(title->second);
  }
  // "handler, 64 KiB"
  const std::size_t comma = mechanism.find(", ");
  if (comma == std::string::npos) return mechanism;
  const Title* const title = title_of(mechanism.substr(0, comma));
  return title == titles.end() ? mechanism : std::string(title->second) + mechanism.substr(comma);
}

std::size_t mechanism_order(const std::string& mechanism) {
  return static_cast<std::size_t>(title_of(mechanism) - titles.begin());
}

bool is_known_mechanism(const std::string& mechanism) {
  return title_of(mechanism) != titles.end();
}

}  // namespace cow::tool

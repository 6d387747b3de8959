#pragma once

#include <optional>
#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own name
class App;
}

namespace cow::tool {

/// The one of `names` that `word` may have been meant to be: a prefix, or a letter or two away.
[[nodiscard]] std::optional<std::string> nearest(const std::string& word,
                                                 const std::vector<std::string>& names);

/// What the first command or option that `app` does not have was meant to be, as a sentence;
/// nothing if all are there.
[[nodiscard]] std::optional<std::string> unknown_word(const CLI::App& app,
                                                      const std::vector<std::string>& arguments);

}  // namespace cow::tool

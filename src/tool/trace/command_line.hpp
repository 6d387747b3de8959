#pragma once

#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own name
class App;
}

namespace cow::tool {

/// The arguments of `cow trace` behind "--", which are another program's; they are taken out of
/// `arguments`. Nothing is taken from another subcommand. Throws ToolError if "--" was forgotten.
[[nodiscard]] std::vector<std::string> take_command(std::vector<std::string>& arguments);

/// Adds `cow trace`, which runs `command`. It sets `exit_code` when it has run.
void add_trace(CLI::App& app, const std::vector<std::string>& command, int& exit_code);

}  // namespace cow::tool

#pragma once

#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own name
class App;
}

namespace cow::tool {

/// Adds `cow bench`. `arguments` are all of the program's: a result says which it was made with.
/// Sets `exit_code` when the subcommand was chosen and has run.
void add_bench(CLI::App& app, const std::vector<std::string>& arguments, int& exit_code);

}  // namespace cow::tool

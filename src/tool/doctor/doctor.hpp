#pragma once

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own name
class App;
}

namespace cow::tool {

/// Adds `cow doctor`. `exit_code` is set when it was chosen and has run: 0 where regions can be
/// made, 1 where not.
void add_doctor(CLI::App& app, int& exit_code);

}  // namespace cow::tool

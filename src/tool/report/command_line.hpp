#pragma once

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own name
class App;
}

namespace cow::tool {

/// Adds `cow report`. It sets `exit_code` when it has run.
void add_report(CLI::App& app, int& exit_code);

}  // namespace cow::tool

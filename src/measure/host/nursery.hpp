#pragma once

// A small process that others are forked from.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "measure/host/child_process.hpp"

namespace cow::measure {

/// fork() copies the page tables of who calls it, so a child has those of all that its parent ever
/// allocated. Children of the nursery have what was there when it was made, and nothing since: it
/// forks for us, and does nothing else.
class Nursery {
 public:
  using Body = std::function<void(const std::string& request, const Channel& channel)>;

  /// Forks it. `body` is what its children do. Throws std::system_error.
  explicit Nursery(Body body);

  /// A child of this process, as every ChildProcess. Throws std::exception where none can be had.
  [[nodiscard]] std::unique_ptr<ChildProcess> make(const std::string& request,
                                                   std::optional<int> processor);

 private:
  [[nodiscard]] pid_t ask(const std::string& request, std::optional<int> processor,
                          const ChildProcess::Ends& ends);

  Guardian guardian_;  ///< its children become ours when their parent, a process between, ends
  ChildProcess process_;
};

}  // namespace cow::measure

// Everything that the threads of a run share.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "folder.hpp"
#include "soak/figures.hpp"
#include "soak/foreign_client.hpp"
#include "soak/options.hpp"
#include "soak/rendezvous.hpp"
#include "soak/shared_region.hpp"
#include "soak/shortages.hpp"
#include "soak/verdict.hpp"

namespace soak {

struct World {
  explicit World(const Options& chosen);

  Options options;
  Figures figures;
  Verdict verdict;
  Rendezvous rendezvous;
  Shortages shortages;
  ForeignClient foreign;  // before there are regions, so that its handler is the earlier one
  std::vector<std::unique_ptr<SharedRegion>> regions;
  support::Folder folder;  ///< for files
  /// Held while a child is made: pipes must not be inherited by the children of others.
  std::mutex fork_lock;
};

/// Makes a control call, again and again as long as an injected shortage refuses it. A refusal
/// without a shortage is a violation. Throws Stopped when the run ends.
template <class Call>
auto persist(World& world, const Call& call) {
  const auto refused = [&](Shortages::Moment before, const char* what) {
    if (!world.shortages.any_since(before)) {
      world.verdict.violation(std::string("a control call failed without a shortage: ") + what);
    }
    if (world.verdict.stopping()) throw Stopped();
    add(world.figures.refusals);
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  };
  for (;;) {
    const Shortages::Moment before = world.shortages.now();
    try {
      return call();
    } catch (const std::system_error& error) {
      refused(before, error.what());
    } catch (const std::bad_alloc& error) {
      refused(before, error.what());
    }
  }
}

}  // namespace soak

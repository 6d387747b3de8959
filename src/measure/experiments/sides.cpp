#include "measure/experiments/sides.hpp"

#include <string>
#include <utility>

namespace cow::measure {

Side side_of(const Mechanism& mechanism, const MemoryOptions& options, TurnOf turn) {
  return {.mechanism = std::string(mechanism.name),
          .prepare = [&mechanism, options, turn = std::move(turn)] {
            if (const std::string why = mechanism.why_not(); !why.empty()) throw Unavailable(why);
            return turn(mechanism.make(options));
          }};
}

Side side_without(const Mechanism& mechanism, std::string why) {
  return {.mechanism = std::string(mechanism.name),
          .prepare = [why = std::move(why)]() -> Turn { throw Unavailable(why); }};
}

Side side_that_goes_back(const Mechanism& mechanism, const MemoryOptions& options,
                         const TurnOf& turn) {
  return mechanism.rolls_back
             ? side_of(mechanism, options, turn)
             : side_without(mechanism, "it has no way back to the bytes of before");
}

std::vector<Side> sides_of_all(const MemoryOptions& options, const TurnOf& turn) {
  std::vector<Side> sides;
  for (const Mechanism& mechanism : mechanisms()) {
    sides.push_back(side_of(mechanism, options, turn));
  }
  return sides;
}

std::vector<Side> sides_that_keep(const MemoryOptions& options, const TurnOf& turn) {
  std::vector<Side> sides;
  for (const Mechanism& mechanism : mechanisms()) {
    sides.push_back(mechanism.keeps_stores
                        ? side_of(mechanism, options, turn)
                        : side_without(mechanism, "stores go to a clone, and are gone with it: the "
                                                  "next round would not start from them"));
  }
  return sides;
}

std::vector<Side> sides_that_go_back(const MemoryOptions& options, const TurnOf& turn) {
  std::vector<Side> sides;
  for (const Mechanism& mechanism : mechanisms()) {
    sides.push_back(side_that_goes_back(mechanism, options, turn));
  }
  return sides;
}

}  // namespace cow::measure

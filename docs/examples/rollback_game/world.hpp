#pragma once

// A simulation as a game has it: units that two players steer walk over a world of cells, dig
// there, and push each other. Integers alone and nothing from outside, so that the same inputs make
// the same bytes: what rollback needs, with or without libcow.

#include <cstddef>
#include <cstdint>
#include <span>

namespace examples {

/// What each player holds down in a frame: bits for left, right, up, down.
using Input = std::uint8_t;

struct Inputs {
  Input here = 0;   ///< of the player at this machine, known at once
  Input there = 0;  ///< of the other one, which comes late
  bool operator==(const Inputs&) const = default;
};

/// All of it lies in the memory that it is given, and points nowhere.
class World {
 public:
  /// With so many units; what memory is left is cells.
  static void build(std::span<std::byte> memory, std::size_t units) {
    auto* const head = reinterpret_cast<Head*>(memory.data());
    *head = {.frame = 0,
             .random = 1,
             .units = units,
             .cells = (memory.size() - sizeof(Head) - units * sizeof(Unit)) / sizeof(Cell)};
    World world(memory);
    for (std::size_t i = 0; i < units; ++i) {
      Unit& unit = world.units_[i];
      unit = {.at = world.random() % head->cells, .speed = 0, .dug = 0, .player = i % 2};
    }
    for (std::size_t i = 0; i < head->cells; ++i) world.cells_[i] = {i, 100};
  }

  explicit World(std::span<std::byte> memory)
      : head_(reinterpret_cast<Head*>(memory.data())),
        units_(reinterpret_cast<Unit*>(memory.data() + sizeof(Head))),
        cells_(
            reinterpret_cast<Cell*>(memory.data() + sizeof(Head) + head_->units * sizeof(Unit))) {}

  /// One frame further. `weather` changes every cell, as a game with a simulated sea does.
  void advance(Inputs inputs, bool weather) {
    for (std::size_t i = 0; i < head_->units; ++i) {
      Unit& unit = units_[i];
      const Input input = unit.player == 0 ? inputs.here : inputs.there;
      if ((input & 1U) != 0) unit.speed -= 3;
      if ((input & 2U) != 0) unit.speed += 3;
      if ((input & 4U) != 0) unit.speed /= 2;
      if (random() % 16 == 0) unit.speed += static_cast<std::int64_t>(random() % 201) - 100;
      const auto cells = static_cast<std::int64_t>(head_->cells);
      const std::int64_t moved = (static_cast<std::int64_t>(unit.at) + unit.speed) % cells;
      unit.at = static_cast<std::uint64_t>(moved < 0 ? moved + cells : moved);
      dig(unit, input);
    }
    for (std::size_t i = 0; weather && i < head_->cells; ++i) cells_[i].height ^= head_->frame;
    ++head_->frame;
  }

 private:
  struct Head {
    std::uint64_t frame;
    std::uint64_t random;
    std::uint64_t units;
    std::uint64_t cells;
  };
  struct Unit {
    std::uint64_t at;
    std::int64_t speed;
    std::uint64_t dug;
    std::uint64_t player;
  };
  struct Cell {
    std::uint64_t kind;
    std::uint64_t height;
  };

  void dig(Unit& unit, Input input) {
    if ((input & 8U) == 0) return;
    Cell& cell = cells_[unit.at];
    cell.height = cell.height * 3 + static_cast<std::uint64_t>(unit.speed);
    unit.dug += cell.height % 7;
  }

  /// xorshift64: its state is a part of the world.
  std::uint64_t random() {
    head_->random ^= head_->random << 13U;
    head_->random ^= head_->random >> 7U;
    head_->random ^= head_->random << 17U;
    return head_->random;
  }

  Head* head_;
  Unit* units_;
  Cell* cells_;
};

}  // namespace examples

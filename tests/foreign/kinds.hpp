// The kinds of faults and sent signals.
#pragma once

#include <span>

#include "handler.hpp"

namespace foreign {

std::span<const Kind> fault_kinds();
std::span<const Kind> sent_kinds();

/// Puts the instructions that the kinds jump to into the arena.
void place_instructions();

}  // namespace foreign

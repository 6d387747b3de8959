#pragma once

// Numbers as people read them: what measure says them with, too.

#include "measure/quantity.hpp"

namespace cow::tool {

using measure::bytes_text;
using measure::counted;
using measure::fixed;
using measure::hex;
using measure::printable;
using measure::time_cell;
using measure::time_text;
using measure::wide_control_bytes;
using measure::with_commas;

}  // namespace cow::tool

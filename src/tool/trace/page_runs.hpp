#pragma once

#include "measure/trace/page_runs.hpp"

namespace cow::tool {

using measure::for_each_unlike;
using measure::FrameId;
using measure::PageRun;
using measure::PageRuns;
using measure::pieces_of;

}  // namespace cow::tool

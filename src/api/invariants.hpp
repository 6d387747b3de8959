#pragma once

#include <cow/region.hpp>  // declares cow::detail::check_invariants

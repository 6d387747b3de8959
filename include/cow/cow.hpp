#pragma once

// The whole library.

#include <cow/fault.hpp>
#include <cow/lease.hpp>
#include <cow/options.hpp>
#include <cow/region.hpp>
#include <cow/snapshot.hpp>
#include <cow/stats.hpp>
#include <cow/version.hpp>

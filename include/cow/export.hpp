#pragma once

/// @file
/// What a shared library shows of itself.

/// Marks what programs may use. Everything else in the library is hidden.
#define COW_API __attribute__((visibility("default")))

#pragma once

// Everything else in the library is hidden.
#define COW_API __attribute__((visibility("default")))

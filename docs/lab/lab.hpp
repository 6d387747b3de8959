// What the grader calls, and your file implements.
#pragma once

#include <cstddef>

namespace lab {

/// A range of pages, with addresses and a page table of its own.
struct Space;

/// A new space of so many pages: zeros, writable, each page with a frame of its own.
Space* create(std::size_t pages);

/// Another space with the same content at other addresses. Nothing is copied: both show the same
/// frames, read-only, until somebody stores.
Space* clone(Space* from);

/// Ends a space: its addresses are free, its frames have one reference less.
void destroy(Space* space);

/// Its first byte.
std::byte* data(const Space* space);

/// The size of a page, the host's.
std::size_t page_bytes();

}  // namespace lab

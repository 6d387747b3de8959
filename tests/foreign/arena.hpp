// Memory at the same addresses in both programs, so that their fault addresses can be compared.
#pragma once

#include <cstddef>
#include <cstdint>

namespace foreign {

/// Places in the arena, one host page each.
enum class Place : std::size_t {
  none,       ///< no access
  read_only,  ///< zeros
  data,       ///< readable and writable; holds a return instruction
  code,       ///< readable and executable; holds the instructions of code.cpp
  file,       ///< the one page of a file, shared
  past_file,  ///< the page behind the end of that file, mapped too
  guard,      ///< no access; the end of the stack that is to overflow
  stack,      ///< the first of the pages of that stack
};

std::size_t page_bytes();

/// Maps the arena. False, after a line on stdout, if the addresses are taken.
bool make_arena();

std::byte* address_of(Place place);
std::size_t stack_bytes();

/// Changes what is allowed on one page: PROT_READ and so on.
void protect(Place place, int protection);

/// Makes the file one page, or two, long.
void set_file_pages(std::size_t pages);

/// An address in words that do not depend on where the program was loaded.
struct AddressName {
  char text[32];
};
AddressName name_of(const void* address);

}  // namespace foreign

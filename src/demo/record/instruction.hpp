#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace cow::demo {

/// A store instruction of this program.
struct Instruction {
  std::uintptr_t address = 0;
  std::string bytes;          ///< "40 88 37"
  std::string text;           ///< "mov byte ptr [rdi], sil"
  std::string base_register;  ///< "rdi" where it alone holds the address, else ""
};

/// The instruction at `address`, disassembled; nothing where this build has no disassembler, or
/// what stands there is no instruction.
[[nodiscard]] std::optional<Instruction> disassemble(std::uintptr_t address);

}  // namespace cow::demo

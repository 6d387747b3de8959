#include "demo/record/instruction.hpp"

#ifdef COW_WITH_CAPSTONE
#include <capstone/capstone.h>

#include <fmt/format.h>
#endif

namespace cow::demo {

#ifdef COW_WITH_CAPSTONE

namespace {

#if defined(__x86_64__)
constexpr cs_arch this_arch = CS_ARCH_X86;
constexpr cs_mode this_mode = CS_MODE_64;
constexpr std::size_t longest_instruction = 15;

// A memory operand that is one register and nothing else.
std::string base_register_of(csh handle, const cs_detail& detail) {
  for (std::uint8_t i = 0; i < detail.x86.op_count; ++i) {
    const cs_x86_op& operand = detail.x86.operands[i];
    if (operand.type != X86_OP_MEM) continue;
    if (operand.mem.index != X86_REG_INVALID || operand.mem.disp != 0) return {};
    const char* const name = cs_reg_name(handle, operand.mem.base);
    return name == nullptr ? std::string() : std::string(name);
  }
  return {};
}
#else
constexpr cs_arch this_arch = CS_ARCH_ARM64;
constexpr cs_mode this_mode = CS_MODE_ARM;
constexpr std::size_t longest_instruction = 4;

std::string base_register_of(csh handle, const cs_detail& detail) {
  for (std::uint8_t i = 0; i < detail.arm64.op_count; ++i) {
    const cs_arm64_op& operand = detail.arm64.operands[i];
    if (operand.type != ARM64_OP_MEM) continue;
    if (operand.mem.index != ARM64_REG_INVALID || operand.mem.disp != 0) return {};
    const char* const name = cs_reg_name(handle, operand.mem.base);
    return name == nullptr ? std::string() : std::string(name);
  }
  return {};
}
#endif

/// A disassembler for as long as it is used.
class Disassembler {
 public:
  Disassembler() : is_open_(cs_open(this_arch, this_mode, &handle_) == CS_ERR_OK) {
    if (is_open_) cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
  }
  ~Disassembler() {
    if (is_open_) cs_close(&handle_);
  }
  Disassembler(const Disassembler&) = delete;
  Disassembler& operator=(const Disassembler&) = delete;

  [[nodiscard]] bool is_open() const { return is_open_; }
  [[nodiscard]] csh handle() const { return handle_; }

 private:
  csh handle_ = 0;
  bool is_open_;
};

}  // namespace

std::optional<Instruction> disassemble(std::uintptr_t address) {
  const Disassembler disassembler;
  if (!disassembler.is_open()) return std::nullopt;
  cs_insn* found = nullptr;
  const auto* const code = reinterpret_cast<const std::uint8_t*>(address);
  if (cs_disasm(disassembler.handle(), code, longest_instruction, address, 1, &found) == 0) {
    return std::nullopt;
  }
  Instruction instruction;
  instruction.address = address;
  for (std::uint16_t i = 0; i < found->size; ++i) {
    instruction.bytes += fmt::format("{}{:02x}", i == 0 ? "" : " ", found->bytes[i]);
  }
  instruction.text = fmt::format("{} {}", found->mnemonic, found->op_str);
  instruction.base_register = base_register_of(disassembler.handle(), *found->detail);
  cs_free(found, 1);
  return instruction;
}

#else

std::optional<Instruction> disassemble(std::uintptr_t /*address*/) { return std::nullopt; }

#endif

}  // namespace cow::demo

#pragma once

// An interpreter for RV32I, the base integer instruction set of RISC-V: all of its forty
// instructions, and no extension ("The RISC-V Instruction Set Manual", volume I, chapter 2 and the
// table of encodings in chapter 24). What a program may not do is a Trap: a sentence, with the
// processor as it was before the instruction.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>

namespace examples::rv32i {

static_assert(std::endian::native == std::endian::little, "memory is read as the host does");

/// All of a processor that is not memory. A copy of it is a second processor in the same state.
struct Hart {
  std::array<std::uint32_t, 32> x{};  ///< the integer registers; x[0] stays 0
  std::uint32_t pc = 0;               ///< the instruction to run next: a multiple of 4
  std::uint64_t executed = 0;         ///< instructions so far
};

/// What a guest has for memory: `bytes`, which it sees from the address `base` on.
struct Memory {
  std::span<std::byte> bytes;
  std::uint32_t base = 0;
};

/// Why `run` came back.
enum class Stop { steps, ecall, ebreak };

/// An instruction that cannot be run. The program counter is that of the instruction, and no
/// register or byte has changed.
class Trap : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

namespace detail {

inline std::string hex(std::uint32_t value) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%08x", value);
  return text.data();
}

/// An instruction, taken apart. Immediate values are extended by their sign to 32 bits, with which
/// arithmetic modulo 2^32 is right.
struct Instruction {
  std::uint32_t word = 0;

  [[nodiscard]] std::uint32_t opcode() const { return word & 0x7f; }
  [[nodiscard]] std::uint32_t rd() const { return (word >> 7) & 31; }
  [[nodiscard]] std::uint32_t funct3() const { return (word >> 12) & 7; }
  [[nodiscard]] std::uint32_t rs1() const { return (word >> 15) & 31; }
  [[nodiscard]] std::uint32_t rs2() const { return (word >> 20) & 31; }
  [[nodiscard]] std::uint32_t funct7() const { return word >> 25; }

  /// The word shifted to the right with its sign.
  [[nodiscard]] std::uint32_t signed_from(int bit) const {
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(word) >> bit);
  }
  [[nodiscard]] std::uint32_t immediate_i() const { return signed_from(20); }
  [[nodiscard]] std::uint32_t immediate_s() const { return (signed_from(25) << 5) | rd(); }
  [[nodiscard]] std::uint32_t immediate_b() const {
    return (signed_from(31) << 12) | ((word << 4) & 0x800) | ((word >> 20) & 0x7e0) |
           ((word >> 7) & 0x1e);
  }
  [[nodiscard]] std::uint32_t immediate_u() const { return word & 0xfffff000; }
  [[nodiscard]] std::uint32_t immediate_j() const {
    return (signed_from(31) << 20) | (word & 0xff000) | ((word >> 9) & 0x800) |
           ((word >> 20) & 0x7fe);
  }
};

enum Opcode : std::uint32_t {
  kLoad = 0x03,
  kMiscMem = 0x0f,
  kOpImm = 0x13,
  kAuipc = 0x17,
  kStore = 0x23,
  kOp = 0x33,
  kLui = 0x37,
  kBranch = 0x63,
  kJalr = 0x67,
  kJal = 0x6f,
  kSystem = 0x73,
};

constexpr std::uint32_t kEcall = 0x00000073;
constexpr std::uint32_t kEbreak = 0x00100073;
constexpr std::uint32_t kAlternate = 0x20;  // funct7 of sub, sra and srai

/// One processor at one instruction.
class Step {
 public:
  Step(Hart& hart, const Memory& memory) : hart_(hart), memory_(memory), next_pc_(hart.pc + 4) {
    in_.word = load<std::uint32_t>(hart.pc, "an instruction fetch");
  }

  /// Runs the instruction, or throws Trap and has changed nothing.
  Stop run() {
    Stop stop = Stop::steps;
    std::uint32_t result = 0;
    std::uint32_t rd = in_.rd();
    switch (in_.opcode()) {
      case kLui: result = in_.immediate_u(); break;
      case kAuipc: result = hart_.pc + in_.immediate_u(); break;
      case kOpImm: result = computed(rs1(), in_.immediate_i(), shift_form()); break;
      case kOp: result = computed(rs1(), rs2(), register_form()); break;
      case kLoad: result = loaded(rs1() + in_.immediate_i()); break;
      case kJal: result = jump(hart_.pc + in_.immediate_j()); break;
      case kJalr:
        if (in_.funct3() != 0) illegal();
        result = jump((rs1() + in_.immediate_i()) & ~std::uint32_t{1});
        break;
      case kBranch:
        rd = 0;
        if (is_taken()) jump(hart_.pc + in_.immediate_b());
        break;
      case kStore:
        rd = 0;
        store(rs1() + in_.immediate_s());
        break;
      case kMiscMem:  // fence: one hart sees its own stores in order
        rd = 0;
        if (in_.funct3() != 0) illegal();
        break;
      case kSystem:
        rd = 0;
        stop = called();
        break;
      default: illegal();
    }
    hart_.x[rd] = result;
    hart_.x[0] = 0;
    hart_.pc = next_pc_;
    ++hart_.executed;
    return stop;
  }

 private:
  [[nodiscard]] std::uint32_t rs1() const { return hart_.x[in_.rs1()]; }
  [[nodiscard]] std::uint32_t rs2() const { return hart_.x[in_.rs2()]; }

  [[noreturn]] void trap(const std::string& what) const {
    throw Trap(what + ", at pc " + hex(hart_.pc));
  }
  [[noreturn]] void illegal() const { trap("illegal instruction " + hex(in_.word)); }

  /// Where the guest's address lies here, if all of a T does, aligned.
  template <typename T>
  [[nodiscard]] std::byte* at(std::uint32_t address, const char* what) const {
    const std::uint32_t offset = address - memory_.base;
    if (std::uint64_t{offset} + sizeof(T) > memory_.bytes.size()) {
      trap(std::string(what) + " at " + hex(address) + ", where there is no memory");
    }
    if (address % sizeof(T) != 0) {
      trap(std::string(what) + " at " + hex(address) + ", which is not a multiple of " +
           std::to_string(sizeof(T)));
    }
    return memory_.bytes.data() + offset;
  }
  template <typename T>
  [[nodiscard]] T load(std::uint32_t address, const char* what = "a load") const {
    T value;
    std::memcpy(&value, at<T>(address, what), sizeof(T));
    return value;
  }
  template <typename T>
  void store_as(std::uint32_t address, std::uint32_t value) const {
    const T part = static_cast<T>(value);
    std::memcpy(at<T>(address, "a store"), &part, sizeof(T));
  }

  [[nodiscard]] std::uint32_t loaded(std::uint32_t address) const {
    switch (in_.funct3()) {
      case 0: return static_cast<std::uint32_t>(std::int32_t{load<std::int8_t>(address)});
      case 1: return static_cast<std::uint32_t>(std::int32_t{load<std::int16_t>(address)});
      case 2: return load<std::uint32_t>(address);
      case 4: return load<std::uint8_t>(address);
      case 5: return load<std::uint16_t>(address);
      default: illegal();
    }
  }

  void store(std::uint32_t address) const {
    switch (in_.funct3()) {
      case 0: return store_as<std::uint8_t>(address, rs2());
      case 1: return store_as<std::uint16_t>(address, rs2());
      case 2: return store_as<std::uint32_t>(address, rs2());
      default: illegal();
    }
  }

  [[nodiscard]] bool is_taken() const {
    const std::uint32_t left = rs1();
    const std::uint32_t right = rs2();
    switch (in_.funct3()) {
      case 0: return left == right;
      case 1: return left != right;
      case 4: return static_cast<std::int32_t>(left) < static_cast<std::int32_t>(right);
      case 5: return static_cast<std::int32_t>(left) >= static_cast<std::int32_t>(right);
      case 6: return left < right;
      case 7: return left >= right;
      default: illegal();
    }
  }

  /// Goes on at `target`; returns where the instruction behind this one is.
  std::uint32_t jump(std::uint32_t target) {
    if (target % 4 != 0) trap("a jump to " + hex(target) + ", which is not a multiple of 4");
    const std::uint32_t behind = next_pc_;
    next_pc_ = target;
    return behind;
  }

  /// Whether an instruction with an immediate value is srai. A shift's upper bits must be zero but
  /// for that; others have a part of the value there.
  [[nodiscard]] bool shift_form() const {
    if (in_.funct3() == 5 && in_.funct7() == kAlternate) return true;
    if ((in_.funct3() == 1 || in_.funct3() == 5) && in_.funct7() != 0) illegal();
    return false;
  }
  /// Whether an instruction with two registers is sub or sra.
  [[nodiscard]] bool register_form() const {
    if (in_.funct7() == 0) return false;
    if (in_.funct7() != kAlternate || (in_.funct3() != 0 && in_.funct3() != 5)) illegal();
    return true;
  }

  [[nodiscard]] std::uint32_t computed(std::uint32_t left, std::uint32_t right,
                                       bool alternate) const {
    const std::uint32_t places = right & 31;
    switch (in_.funct3()) {
      case 0: return alternate ? left - right : left + right;
      case 1: return left << places;
      case 2: return static_cast<std::int32_t>(left) < static_cast<std::int32_t>(right) ? 1 : 0;
      case 3: return left < right ? 1 : 0;
      case 4: return left ^ right;
      case 5:
        return alternate ? static_cast<std::uint32_t>(static_cast<std::int32_t>(left) >> places)
                         : left >> places;
      case 6: return left | right;
      default: return left & right;
    }
  }

  [[nodiscard]] Stop called() const {
    if (in_.word == kEcall) return Stop::ecall;
    if (in_.word == kEbreak) return Stop::ebreak;
    illegal();
  }

  Hart& hart_;
  const Memory& memory_;
  Instruction in_;
  std::uint32_t next_pc_;
};

}  // namespace detail

/// Runs at most `most_steps` instructions, up to the first ecall or ebreak; the program counter is
/// then behind it. Throws Trap.
inline Stop run(Hart& hart, const Memory& memory, std::uint64_t most_steps) {
  for (std::uint64_t step = 0; step < most_steps; ++step) {
    const Stop stop = detail::Step(hart, memory).run();
    if (stop != Stop::steps) return stop;
  }
  return Stop::steps;
}

}  // namespace examples::rv32i

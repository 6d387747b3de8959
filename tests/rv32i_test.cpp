#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "../docs/examples/virtual_machines/rv32i.hpp"
#include "catch.hpp"

// The interpreter of docs/examples/virtual_machines: each instruction with operands at the edges,
// and each reason to refuse one. The words are those of LLVM's assembler (llvm-mc -triple=riscv32),
// which knows nothing of this decoder.

namespace {

namespace rv32i = examples::rv32i;

constexpr std::uint32_t base = 0x80000000;

/// A processor whose instructions are at `base`, and data at `base` + 64.
struct Machine {
  std::vector<std::byte> bytes = std::vector<std::byte>(128);
  rv32i::Hart hart;

  explicit Machine(std::uint32_t word) {
    hart.pc = base;
    put(0, word);
  }
  [[nodiscard]] rv32i::Memory memory() { return {bytes, base}; }
  void put(std::size_t offset, std::uint32_t word) { std::memcpy(&bytes[offset], &word, 4); }
  [[nodiscard]] std::uint32_t get(std::size_t offset) const {
    std::uint32_t word = 0;
    std::memcpy(&word, &bytes[offset], 4);
    return word;
  }
  rv32i::Stop step() { return rv32i::run(hart, memory(), 1); }
};

/// a0 = the instruction of a1 and a2.
struct Computation {
  const char* text;
  std::uint32_t word;
  std::uint32_t a1;
  std::uint32_t a2;
  std::uint32_t a0;
};

const Computation computations[] = {
    {"lui a0, 0x12345", 0x12345537, 0, 0, 0x12345000},
    {"lui a0, 0xfffff", 0xfffff537, 0, 0, 0xfffff000},
    {"auipc a0, 0x1", 0x00001517, 0, 0, 0x80001000},
    {"auipc a0, 0x80000", 0x80000517, 0, 0, 0},
    {"addi a0, a1, 2047", 0x7ff58513, 1, 0, 0x00000800},
    {"addi a0, a1, -2048", 0x80058513, 0, 0, 0xfffff800},
    {"addi a0, a1, 1", 0x00158513, 0xffffffff, 0, 0},
    {"slti a0, a1, -1", 0xfff5a513, 0x80000000, 0, 1},
    {"slti a0, a1, -1", 0xfff5a513, 0xffffffff, 0, 0},
    {"slti a0, a1, 5", 0x0055a513, 0xffffffff, 0, 1},
    {"slti a0, a1, 5", 0x0055a513, 6, 0, 0},
    {"sltiu a0, a1, -1", 0xfff5b513, 5, 0, 1},
    {"sltiu a0, a1, -1", 0xfff5b513, 0xffffffff, 0, 0},
    {"sltiu a0, a1, 1", 0x0015b513, 0, 0, 1},
    {"sltiu a0, a1, 1", 0x0015b513, 0x80000000, 0, 0},
    {"xori a0, a1, -1", 0xfff5c513, 0x0f0f0f0f, 0, 0xf0f0f0f0},
    {"xori a0, a1, 0x555", 0x5555c513, 0x00000fff, 0, 0x00000aaa},
    {"ori a0, a1, -256", 0xf005e513, 0x00000012, 0, 0xffffff12},
    {"ori a0, a1, 0x70", 0x0705e513, 0x0000000f, 0, 0x0000007f},
    {"andi a0, a1, -16", 0xff05f513, 0x1234567f, 0, 0x12345670},
    {"andi a0, a1, 0xf", 0x00f5f513, 0x00000abc, 0, 0x0000000c},
    {"slli a0, a1, 0", 0x00059513, 0x00000081, 0, 0x00000081},
    {"slli a0, a1, 31", 0x01f59513, 3, 0, 0x80000000},
    {"slli a0, a1, 4", 0x00459513, 0x12345678, 0, 0x23456780},
    {"srli a0, a1, 31", 0x01f5d513, 0x80000000, 0, 1},
    {"srli a0, a1, 4", 0x0045d513, 0xf0000000, 0, 0x0f000000},
    {"srai a0, a1, 31", 0x41f5d513, 0x80000000, 0, 0xffffffff},
    {"srai a0, a1, 4", 0x4045d513, 0xf0000000, 0, 0xff000000},
    {"srai a0, a1, 4", 0x4045d513, 0x70000000, 0, 0x07000000},
    {"add a0, a1, a2", 0x00c58533, 0xffffffff, 1, 0},
    {"add a0, a1, a2", 0x00c58533, 0x7fffffff, 1, 0x80000000},
    {"sub a0, a1, a2", 0x40c58533, 0, 1, 0xffffffff},
    {"sub a0, a1, a2", 0x40c58533, 0x80000000, 1, 0x7fffffff},
    {"sub a0, a1, a2", 0x40c58533, 7, 7, 0},
    {"sll a0, a1, a2", 0x00c59533, 1, 0x0000001f, 0x80000000},
    {"sll a0, a1, a2", 0x00c59533, 1, 0x00000020, 1},
    {"sll a0, a1, a2", 0x00c59533, 0x00000081, 0xffffffff, 0x80000000},
    {"slt a0, a1, a2", 0x00c5a533, 0x80000000, 0x7fffffff, 1},
    {"slt a0, a1, a2", 0x00c5a533, 0x7fffffff, 0x80000000, 0},
    {"slt a0, a1, a2", 0x00c5a533, 3, 3, 0},
    {"sltu a0, a1, a2", 0x00c5b533, 0x80000000, 0x7fffffff, 0},
    {"sltu a0, a1, a2", 0x00c5b533, 0, 0xffffffff, 1},
    {"sltu a0, a1, a2", 0x00c5b533, 3, 3, 0},
    {"xor a0, a1, a2", 0x00c5c533, 0xff00ff00, 0x0f0f0f0f, 0xf00ff00f},
    {"srl a0, a1, a2", 0x00c5d533, 0x80000000, 0x0000001f, 1},
    {"srl a0, a1, a2", 0x00c5d533, 0x80000000, 0x00000021, 0x40000000},
    {"sra a0, a1, a2", 0x40c5d533, 0x80000000, 0x0000001f, 0xffffffff},
    {"sra a0, a1, a2", 0x40c5d533, 0x80000000, 0x00000021, 0xc0000000},
    {"sra a0, a1, a2", 0x40c5d533, 0x7fffffff, 0x0000001e, 1},
    {"or a0, a1, a2", 0x00c5e533, 0xff00ff00, 0x0f0f0f0f, 0xff0fff0f},
    {"and a0, a1, a2", 0x00c5f533, 0xff00ff00, 0x0f0f0f0f, 0x0f000f00},
    {"fence", 0x0ff0000f, 5, 0, 0},
    {"fence rw, w", 0x0310000f, 5, 0, 0},
};

/// Where an instruction goes on, with a1 and a2; and what it leaves in a0, which was 1.
struct Jump {
  const char* text;
  std::uint32_t word;
  std::uint32_t a1;
  std::uint32_t a2;
  std::uint32_t pc;
  std::uint32_t a0;
};

const Jump jumps[] = {
    {"beq a1, a2, 64", 0x04c58063, 7, 7, 0x80000040, 1},
    {"beq a1, a2, 64", 0x04c58063, 7, 8, 0x80000004, 1},
    {"bne a1, a2, 64", 0x04c59063, 7, 8, 0x80000040, 1},
    {"bne a1, a2, 64", 0x04c59063, 7, 7, 0x80000004, 1},
    {"blt a1, a2, 64", 0x04c5c063, 0xffffffff, 0, 0x80000040, 1},
    {"blt a1, a2, 64", 0x04c5c063, 0, 0xffffffff, 0x80000004, 1},
    {"blt a1, a2, 64", 0x04c5c063, 3, 3, 0x80000004, 1},
    {"bge a1, a2, 64", 0x04c5d063, 0, 0xffffffff, 0x80000040, 1},
    {"bge a1, a2, 64", 0x04c5d063, 3, 3, 0x80000040, 1},
    {"bge a1, a2, 64", 0x04c5d063, 0xffffffff, 0, 0x80000004, 1},
    {"bltu a1, a2, 64", 0x04c5e063, 0, 0xffffffff, 0x80000040, 1},
    {"bltu a1, a2, 64", 0x04c5e063, 0xffffffff, 0, 0x80000004, 1},
    {"bltu a1, a2, 64", 0x04c5e063, 3, 3, 0x80000004, 1},
    {"bgeu a1, a2, 64", 0x04c5f063, 0xffffffff, 0, 0x80000040, 1},
    {"bgeu a1, a2, 64", 0x04c5f063, 3, 3, 0x80000040, 1},
    {"bgeu a1, a2, 64", 0x04c5f063, 0, 0xffffffff, 0x80000004, 1},
    {"beq a1, a2, -4096", 0x80c58063, 0, 0, 0x7ffff000, 1},
    {"beq a1, a2, 4092", 0x7ec58ee3, 0, 0, 0x80000ffc, 1},
    {"beq a1, a2, 2048", 0x00c580e3, 0, 0, 0x80000800, 1},
    {"bne a1, a2, -8", 0xfec59ce3, 0, 1, 0x7ffffff8, 1},
    {"bne a1, a2, 6", 0x00c59363, 5, 5, 0x80000004, 1},
    {"jal a0, 0x800", 0x0010056f, 0, 0, 0x80000800, 0x80000004},
    {"jal a0, -4", 0xffdff56f, 0, 0, 0x7ffffffc, 0x80000004},
    {"jal a0, 0xff000", 0x000ff56f, 0, 0, 0x800ff000, 0x80000004},
    {"jal a0, -0x100000", 0x8000056f, 0, 0, 0x7ff00000, 0x80000004},
    {"jal zero, 0x7fc", 0x7fc0006f, 0, 0, 0x800007fc, 1},
    {"jalr a0, -4(a1)", 0xffc58567, 0x80000104, 0, 0x80000100, 0x80000004},
    {"jalr a0, 1(a1)", 0x00158567, 0x80000100, 0, 0x80000100, 0x80000004},
    {"jalr a0, 2047(a1)", 0x7ff58567, 1, 0, 0x00000800, 0x80000004},
    {"jalr a1, 0(a1)", 0x000585e7, 0x80000040, 0, 0x80000040, 1},
    {"jalr a0, -2048(a1)", 0x80058567, 0, 0, 0xfffff800, 0x80000004},
};

/// What an instruction with a1 = base + 68 and a2 makes of a0, which was 1, and of the word there,
/// which was 0x84838281.
struct Access {
  const char* text;
  std::uint32_t word;
  std::uint32_t a2;
  std::uint32_t a0;
  std::uint32_t stored;
};

const Access accesses[] = {
    {"lb a0, 0(a1)", 0x00058503, 0, 0xffffff81, 0x84838281},
    {"lb a0, 3(a1)", 0x00358503, 0, 0xffffff84, 0x84838281},
    {"lb a0, -1(a1)", 0xfff58503, 0, 0, 0x84838281},
    {"lbu a0, 1(a1)", 0x0015c503, 0, 0x00000082, 0x84838281},
    {"lh a0, 0(a1)", 0x00059503, 0, 0xffff8281, 0x84838281},
    {"lh a0, 2(a1)", 0x00259503, 0, 0xffff8483, 0x84838281},
    {"lhu a0, 2(a1)", 0x0025d503, 0, 0x00008483, 0x84838281},
    {"lw a0, 0(a1)", 0x0005a503, 0, 0x84838281, 0x84838281},
    {"lw a0, -4(a1)", 0xffc5a503, 0, 0, 0x84838281},
    {"lw zero, 0(a1)", 0x0005a003, 0, 1, 0x84838281},
    {"sb a2, 0(a1)", 0x00c58023, 0x000001ff, 1, 0x848382ff},
    {"sb a2, 3(a1)", 0x00c581a3, 0xaabbccdd, 1, 0xdd838281},
    {"sh a2, 2(a1)", 0x00c59123, 0xaabbccdd, 1, 0xccdd8281},
    {"sh a2, 0(a1)", 0x00c59023, 0xaabbccdd, 1, 0x8483ccdd},
    {"sw a2, 0(a1)", 0x00c5a023, 0xaabbccdd, 1, 0xaabbccdd},
};

/// What cannot be run, and a part of what is said of it.
struct Refused {
  const char* text;
  std::uint32_t word;
  std::uint32_t a1;
  const char* sentence;
};

const Refused refused[] = {
    {"all zeros", 0x00000000, 0, "illegal instruction"},
    {"all ones", 0xffffffff, 0, "illegal instruction"},
    {"mul a0, a1, a2", 0x02c58533, 0x80000044, "illegal instruction 0x02c58533"},
    {"divu a0, a1, a2", 0x02c5d533, 0x80000044, "illegal instruction 0x02c5d533"},
    {"fence.i", 0x0000100f, 0x80000044, "illegal instruction 0x0000100f"},
    {"csrr a0, mstatus", 0x30002573, 0x80000044, "illegal instruction 0x30002573"},
    {"amoadd.w a0, a2, (a1)", 0x00c5a52f, 0x80000044, "illegal instruction 0x00c5a52f"},
    {"flw fa0, 0(a1)", 0x0005a507, 0x80000044, "illegal instruction 0x0005a507"},
    {"mret", 0x30200073, 0x80000044, "illegal instruction 0x30200073"},
    {"slli with bit 30 set", 0x40359513, 0, "illegal instruction"},
    {"srli of 64 bits: a shift of 33", 0x0215d513, 0, "illegal instruction"},
    {"xor with bit 30 set", 0x40c5c533, 0, "illegal instruction"},
    {"ld a0, 0(a1), of 64 bits", 0x0005b503, 0x80000040, "illegal instruction"},
    {"sd a2, 0(a1), of 64 bits", 0x00c5b023, 0x80000040, "illegal instruction"},
    {"a branch of kind 2", 0x04c5a063, 0, "illegal instruction"},
    {"jalr of kind 1", 0x00059567, 0x80000000, "illegal instruction"},
    {"lw a0, 0(a1)", 0x0005a503, 0x80000042, "a load at 0x80000042, which is not a multiple of 4"},
    {"lh a0, 0(a1)", 0x00059503, 0x80000041, "which is not a multiple of 2"},
    {"sw a2, 0(a1)", 0x00c5a023, 0x80000041, "a store at 0x80000041, which is not a multiple of 4"},
    {"sh a2, 0(a1)", 0x00c59023, 0x80000043, "which is not a multiple of 2"},
    {"lb a0, 0(a1)", 0x00058503, 0x80000080, "a load at 0x80000080, where there is no memory"},
    {"lbu a0, -1(a1)", 0xfff5c503, 0x80000000, "a load at 0x7fffffff, where there is no memory"},
    {"lw a0, 0(a1)", 0x0005a503, 0, "a load at 0x00000000, where there is no memory"},
    {"sw a2, 0(a1)", 0x00c5a023, 0x8000007e, "a store at 0x8000007e, where there is no memory"},
    {"sb a2, -1(a1)", 0xfec58fa3, 0, "a store at 0xffffffff, where there is no memory"},
    {"jal a0, 6", 0x0060056f, 0, "a jump to 0x80000006, which is not a multiple of 4"},
    {"jalr a0, 3(a1)", 0x00358567, 0x80000000,
     "a jump to 0x80000002, which is not a multiple of 4"},
    {"bge a1, zero, 6", 0x0005d363, 5, "a jump to 0x80000006, which is not a multiple of 4"},
};

std::string trap_of(Machine& machine) {
  try {
    machine.step();
  } catch (const rv32i::Trap& trap) {
    return trap.what();
  }
  return "no trap";
}

}  // namespace

TEST_CASE("every RV32I instruction that computes gives what the manual says", "[examples]") {
  for (const Computation& one : computations) {
    INFO(one.text << ", a1 " << one.a1 << ", a2 " << one.a2);
    Machine machine(one.word);
    machine.hart.x[11] = one.a1;
    machine.hart.x[12] = one.a2;
    CHECK(machine.step() == rv32i::Stop::steps);
    CHECK(machine.hart.x[10] == one.a0);
    CHECK(machine.hart.pc == base + 4);
    CHECK(machine.hart.x[11] == one.a1);
    CHECK(machine.hart.x[12] == one.a2);
  }
}

TEST_CASE("every RV32I jump and branch goes where the manual says", "[examples]") {
  for (const Jump& one : jumps) {
    INFO(one.text << ", a1 " << one.a1 << ", a2 " << one.a2);
    Machine machine(one.word);
    machine.hart.x[10] = 1;
    machine.hart.x[11] = one.a1;
    machine.hart.x[12] = one.a2;
    machine.step();
    CHECK(machine.hart.pc == one.pc);
    CHECK(machine.hart.x[10] == one.a0);
  }
}

TEST_CASE("every RV32I load extends and every store cuts off as the manual says", "[examples]") {
  for (const Access& one : accesses) {
    INFO(one.text);
    Machine machine(one.word);
    machine.hart.x[10] = 1;
    machine.hart.x[11] = base + 68;
    machine.hart.x[12] = one.a2;
    machine.put(68, 0x84838281);
    machine.step();
    CHECK(machine.hart.x[10] == one.a0);
    CHECK(machine.get(68) == one.stored);
    CHECK(machine.get(64) == 0);
    CHECK(machine.get(72) == 0);
  }
}

TEST_CASE("what RV32I does not have is a trap that says so and changes nothing", "[examples]") {
  for (const Refused& one : refused) {
    INFO(one.text);
    Machine machine(one.word);
    machine.hart.x[11] = one.a1;
    machine.hart.x[12] = 0x12345678;
    const rv32i::Hart before = machine.hart;
    const std::vector<std::byte> bytes = machine.bytes;
    const std::string sentence = trap_of(machine);
    CAPTURE(sentence);
    CHECK(sentence.find(one.sentence) != std::string::npos);
    CHECK(sentence.find("at pc 0x80000000") != std::string::npos);
    CHECK(machine.hart.x == before.x);
    CHECK(machine.hart.pc == before.pc);
    CHECK(machine.bytes == bytes);
  }
}

TEST_CASE("an instruction is fetched from memory, or it is a trap", "[examples]") {
  Machine machine(0);
  machine.hart.pc = base + 128;
  CHECK(trap_of(machine) ==
        "an instruction fetch at 0x80000080, where there is no memory, at pc 0x80000080");
  machine.hart.pc = base - 4;
  CHECK(trap_of(machine).find("no memory") != std::string::npos);
}

TEST_CASE("RV32I's x0 stays zero, whatever is computed into it", "[examples]") {
  Machine machine(0x00158013);  // addi zero, a1, 1
  machine.hart.x[11] = 6;
  machine.step();
  CHECK(machine.hart.x[0] == 0);
}

TEST_CASE("ecall and ebreak come back to the host, behind the instruction", "[examples]") {
  Machine calls(0x00000073);
  CHECK(rv32i::run(calls.hart, calls.memory(), 10) == rv32i::Stop::ecall);
  CHECK(calls.hart.pc == base + 4);
  Machine breaks(0x00100073);
  CHECK(rv32i::run(breaks.hart, breaks.memory(), 10) == rv32i::Stop::ebreak);
  CHECK(breaks.hart.executed == 1);
}

TEST_CASE("a run ends after as many steps as were allowed", "[examples]") {
  Machine machine(0x0000006f);  // j . : for ever
  CHECK(rv32i::run(machine.hart, machine.memory(), 1'000) == rv32i::Stop::steps);
  CHECK(machine.hart.executed == 1'000);
  CHECK(machine.hart.pc == base);
}

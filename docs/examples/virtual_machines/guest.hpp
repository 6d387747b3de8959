#pragma once

// A guest: one processor, its memory, and the three calls that it may make of its host.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include <cow/region.hpp>

#include "../anonymous_memory.hpp"
#include "elf_file.hpp"
#include "rv32i.hpp"

namespace examples {

class Guest {
 public:
  static constexpr std::size_t kMemoryBytes = std::size_t{2} << 20;
  static constexpr std::uint32_t kBase = 0x80000000;  // where RISC-V machines have their memory

  static constexpr std::uint64_t kSlice = 1'000;  // instructions, then another guest has its turn

  enum class Event { slice, ready, left };
  using Owner = std::variant<cow::Region, AnonymousMemory>;

  /// Loads a program into memory, which is zeros, and runs it up to its word that it has booted.
  static Guest boot(Owner memory, const ElfFile& program) {
    Guest guest(std::move(memory), rv32i::Hart());
    guest.hart_.pc = program.load(guest.memory_);
    guest.hart_.x[kStackPointer] = kBase + kMemoryBytes;
    Event event = Event::slice;
    while (event == Event::slice) event = guest.run(kSlice);
    if (event != Event::ready) throw std::runtime_error("the guest left before it was ready");
    return guest;
  }
  /// In the state of another one: with a copy of its memory, and of its processor.
  Guest(Owner memory, const rv32i::Hart& hart)
      : owner_(std::move(memory)), memory_{owned_bytes(), kBase}, hart_(hart) {}

  /// Runs until the guest calls its host, or for so many instructions. Throws rv32i::Trap, and
  /// std::runtime_error for a call that there is not.
  Event run(std::uint64_t most_steps) {
    switch (rv32i::run(hart_, memory_, most_steps)) {
      case rv32i::Stop::steps: return Event::slice;
      case rv32i::Stop::ecall: return answer_call();
      case rv32i::Stop::ebreak: break;
    }
    throw std::runtime_error("the guest stopped at an ebreak");
  }

  /// What the call `ready` returns to a guest that has booted.
  struct Task {
    std::uint32_t seed = 0;
    std::uint32_t questions = 0;
    bool wipes = false;  ///< clears its tables before it leaves
  };
  void give_task(const Task& task) {
    hart_.x[kA0] = task.seed;
    hart_.x[kA0 + 1] = task.questions;
    hart_.x[kA0 + 2] = task.wipes ? 1 : 0;
  }

  /// Goes on from where another guest stands, with a copy of its memory.
  void become(const Guest& other) {
    std::memcpy(memory_.bytes.data(), other.memory_.bytes.data(), kMemoryBytes);
    hart_ = other.hart_;
  }

  [[nodiscard]] const rv32i::Hart& hart() const { return hart_; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return memory_.bytes; }
  [[nodiscard]] const std::string& printed() const { return printed_; }
  /// The region that its memory is; null if it is none.
  [[nodiscard]] const cow::Region* region() const { return std::get_if<cow::Region>(&owner_); }

 private:
  static constexpr std::size_t kStackPointer = 2;
  static constexpr std::size_t kA0 = 10;
  static constexpr std::size_t kA7 = 17;

  [[nodiscard]] std::span<std::byte> owned_bytes() {
    return std::visit([](auto& memory) { return memory.bytes(); }, owner_);
  }

  /// The number of a call is in a7, as on Linux, where 64 and 93 mean the same.
  Event answer_call() {
    const std::uint32_t first = hart_.x[kA0];
    switch (hart_.x[kA7]) {
      case 64: print(hart_.x[kA0 + 1], hart_.x[kA0 + 2]); return Event::slice;
      case 93:
        if (first != 0) throw std::runtime_error("the guest gave up: " + std::to_string(first));
        return Event::left;
      case 1000: return Event::ready;
      default: break;
    }
    throw std::runtime_error("the guest made a call that there is not: " +
                             std::to_string(hart_.x[kA7]));
  }

  void print(std::uint32_t address, std::uint32_t length) {
    const std::uint32_t offset = address - kBase;
    if (std::uint64_t{offset} + length > kMemoryBytes) {
      throw std::runtime_error("the guest printed what is not in its memory");
    }
    printed_.append(reinterpret_cast<const char*>(memory_.bytes.data() + offset), length);
    hart_.x[kA0] = length;
  }

  Owner owner_;
  rv32i::Memory memory_;
  rv32i::Hart hart_;
  std::string printed_;
};

}  // namespace examples

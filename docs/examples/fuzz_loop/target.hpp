#pragma once

// What is fuzzed: the interpreter of a small language of stacks, scopes and names. It has a state
// that lasts, as programs have that were never meant to run twice: a dictionary that it builds when
// it starts, an arena from which nothing is given back, variables. Input changes all of them.
// It has one bug, planted: where scopes lie deep, a name that is too long is written past its end.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace examples {

/// What the fuzzer learns of a run: which pairs of features of the input followed each other.
struct Coverage {
  std::array<std::uint8_t, 4096> seen{};
  std::uint32_t last = 0;

  void visit(std::uint32_t feature) {
    seen[(last * 64 + feature) % seen.size()] = 1;
    last = feature;
  }
};

enum class Outcome { good, refused, corrupted };

/// All of it lies in the memory that it is given, and points nowhere.
class Target {
 public:
  /// What starting the program takes: it fills half of the memory with a dictionary.
  static void build(std::span<std::byte> memory) {
    std::memset(memory.data(), 0, memory.size());
    Target target(memory);
    target.head_->slots = memory.size() / 2 / sizeof(Word);
    std::uint64_t word = 1;
    for (std::size_t i = 0; i < target.head_->slots / 2; ++i) {
      word = word * 6364136223846793005U + 1442695040888963407U;
      target.look_up(word);
    }
  }

  explicit Target(std::span<std::byte> memory)
      : memory_(memory),
        head_(reinterpret_cast<Head*>(memory.data())),
        words_(reinterpret_cast<Word*>(memory.data() + memory.size() / 2)) {}

  /// Runs an input from the state that there is.
  Outcome run(std::span<const std::uint8_t> input, Coverage& coverage) {
    for (std::size_t at = 0; at < input.size(); ++at) {
      const std::uint8_t code = input[at];
      bool good = true;
      if (code >= '0' && code <= '9') {
        coverage.visit(1);
        good = push(code - '0');
      } else if (code >= 'a' && code <= 'z') {
        std::size_t length = 1;
        while (at + length < input.size() && input[at + length] >= 'a' &&
               input[at + length] <= 'z') {
          ++length;
        }
        good = name(input.subspan(at, length), coverage);
        at += length - 1;
      } else {
        good = code == '*' || step(code, coverage);
        if (code == '*') touch_everything();
        if (head_->corrupted != 0) return Outcome::corrupted;
      }
      if (!good) return Outcome::refused;
    }
    return Outcome::good;
  }

 private:
  struct Head {
    std::uint64_t slots;  ///< of the dictionary
    std::uint64_t arena_used;
    std::uint64_t depth;
    std::uint64_t stacked;
    std::uint64_t corrupted;
    std::array<std::uint64_t, 64> stack;
    std::array<std::uint64_t, 16> scopes;  ///< where they lie in the arena
  };
  struct Word {
    std::uint64_t hash;
    std::uint64_t uses;
  };
  struct Scope {
    std::array<std::uint8_t, 8> name;
    std::uint64_t guard;  ///< what an overflow of the name overwrites
    std::uint64_t stacked;
  };
  static constexpr std::uint64_t guard_value = 0x5afe5afe5afe5afe;
  static constexpr std::size_t arena_begin = 4096;

  bool push(std::uint64_t value) {
    if (head_->stacked == head_->stack.size()) return false;
    head_->stack[head_->stacked++] = value;
    return true;
  }

  bool step(std::uint8_t code, Coverage& coverage) {
    switch (code) {
      case '(': return open();
      case ')': return close(coverage);
      case '+':
      case '-': {
        coverage.visit(2);
        if (head_->stacked < 2) return false;
        const std::uint64_t right = head_->stack[--head_->stacked];
        std::uint64_t& left = head_->stack[head_->stacked - 1];
        left = code == '+' ? left + right : left - right;
        return true;
      }
      default: coverage.visit(3); return code == ' ';
    }
  }

  bool open() {
    const std::size_t most = memory_.size() / 2 - arena_begin;
    if (head_->depth == head_->scopes.size() || head_->arena_used + sizeof(Scope) > most) {
      return false;
    }
    const std::uint64_t at = arena_begin + head_->arena_used;
    head_->arena_used += sizeof(Scope);
    head_->scopes[head_->depth++] = at;
    *reinterpret_cast<Scope*>(memory_.data() + at) = {{}, guard_value, head_->stacked};
    return true;
  }

  bool close(Coverage& coverage) {
    if (head_->depth == 0) return false;
    const Scope& scope = innermost();
    coverage.visit(4 + static_cast<std::uint32_t>(head_->depth));
    if (scope.guard != guard_value) head_->corrupted = 1;
    head_->stacked = scope.stacked;
    --head_->depth;
    return true;
  }

  bool name(std::span<const std::uint8_t> letters, Coverage& coverage) {
    std::uint64_t hash = 14695981039346656037U;
    for (const std::uint8_t letter : letters) hash = (hash ^ letter) * 1099511628211U;
    look_up(hash);
    if (head_->depth == 0) return push(hash);
    Scope& scope = innermost();
    const bool fits = letters.size() <= scope.name.size();
    const auto depth = static_cast<std::uint32_t>(head_->depth);
    coverage.visit(20 + depth);
    coverage.visit(40 + static_cast<std::uint32_t>(letters.size() < 12 ? letters.size() : 12));
    if (!fits && depth < 4) return false;  // the bug: it should be refused at any depth
    const std::size_t room = sizeof(Scope) - sizeof(scope.stacked);
    std::memcpy(memory_.data() + head_->scopes[head_->depth - 1], letters.data(),
                letters.size() < room ? letters.size() : room);
    return true;
  }

  /// Finds a word, or adds it: each input leaves something behind.
  void look_up(std::uint64_t hash) {
    const std::uint64_t mask = head_->slots - 1;
    std::uint64_t slot = hash & mask;
    for (std::uint64_t tries = 0; tries < 64; ++tries, slot = (slot + 1) & mask) {
      if (words_[slot].hash == hash || words_[slot].hash == 0) break;
    }
    words_[slot].hash = hash;
    ++words_[slot].uses;
  }

  /// A command that stores to every page there is, as a collection of garbage does.
  void touch_everything() {
    for (std::uint64_t slot = 0; slot < head_->slots; slot += 16) ++words_[slot].uses;
    const std::size_t unused = arena_begin + head_->arena_used;
    for (std::size_t at = unused; at < memory_.size() / 2; at += 256) memory_[at] ^= std::byte{1};
  }

  Scope& innermost() {
    return *reinterpret_cast<Scope*>(memory_.data() + head_->scopes[head_->depth - 1]);
  }

  std::span<std::byte> memory_;
  Head* head_;
  Word* words_;
};

}  // namespace examples

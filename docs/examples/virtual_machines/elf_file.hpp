#pragma once

// Loads a program for RV32I from an ELF file, as an operating system's `exec` does: each segment
// of type PT_LOAD to the address that it asks for, and zeros behind what the file has of it.

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "rv32i.hpp"

namespace examples {

class ElfFile {
 public:
  /// Reads all of a file. Throws std::runtime_error with its name if it is no program for RV32I.
  explicit ElfFile(const std::string& path) : path_(path) {
    std::ifstream file(path, std::ios::binary);
    content_.assign(std::istreambuf_iterator<char>(file), {});
    if (!file) refuse("cannot be read");
    header_ = at<Elf32_Ehdr>(0);
    const unsigned char* const ident = header_.e_ident;
    if (std::memcmp(ident, ELFMAG, SELFMAG) != 0) refuse("is no ELF file");
    if (ident[EI_CLASS] != ELFCLASS32 || ident[EI_DATA] != ELFDATA2LSB ||
        header_.e_machine != EM_RISCV || header_.e_type != ET_EXEC) {
      refuse("is no executable for 32-bit RISC-V");
    }
    if ((header_.e_flags & EF_RISCV_RVC) != 0) refuse("has compressed instructions");
    if (header_.e_phentsize != sizeof(Elf32_Phdr)) refuse("has program headers of another size");
  }

  /// Puts the program into memory; returns where it begins. Throws std::runtime_error.
  [[nodiscard]] std::uint32_t load(const rv32i::Memory& memory) const {
    for (std::size_t i = 0; i < header_.e_phnum; ++i) {
      const auto segment = at<Elf32_Phdr>(header_.e_phoff + i * sizeof(Elf32_Phdr));
      if (segment.p_type == PT_LOAD) load(segment, memory);
    }
    return header_.e_entry;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw std::runtime_error(path_ + " " + why);
  }

  template <typename T>
  [[nodiscard]] T at(std::size_t offset) const {
    if (offset > content_.size() || content_.size() - offset < sizeof(T)) refuse("is cut off");
    T value{};
    std::memcpy(&value, content_.data() + offset, sizeof(T));
    return value;
  }

  void load(const Elf32_Phdr& segment, const rv32i::Memory& memory) const {
    if (segment.p_offset > content_.size() ||
        content_.size() - segment.p_offset < segment.p_filesz) {
      refuse("is cut off");
    }
    const std::uint32_t offset = segment.p_vaddr - memory.base;
    if (segment.p_filesz > segment.p_memsz || offset > memory.bytes.size() ||
        memory.bytes.size() - offset < segment.p_memsz) {
      refuse("has a segment that does not fit into the guest's memory");
    }
    // What a guest's memory begins as is zeros: to store them again would take memory for them.
    std::memcpy(memory.bytes.data() + offset, content_.data() + segment.p_offset, segment.p_filesz);
  }

  std::string path_;
  std::vector<char> content_;
  Elf32_Ehdr header_{};
};

}  // namespace examples

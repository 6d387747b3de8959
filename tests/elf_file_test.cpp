#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "../docs/examples/virtual_machines/elf_file.hpp"
#include "catch.hpp"
#include "folder.hpp"

// The loader of docs/examples/virtual_machines: what it loads, and what it refuses with a sentence
// that names the file.

namespace {

using examples::ElfFile;

constexpr std::uint32_t base = 0x80000000;

/// A program of one segment: four bytes at `base` + 8, and zeros behind them.
struct Program {
  Elf32_Ehdr header{};
  Elf32_Phdr segment{};
  std::uint32_t code = 0x00000073;

  Program() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS32;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_EXEC;
    header.e_machine = EM_RISCV;
    header.e_entry = base + 8;
    header.e_phoff = sizeof(Elf32_Ehdr);
    header.e_phentsize = sizeof(Elf32_Phdr);
    header.e_phnum = 1;
    segment.p_type = PT_LOAD;
    segment.p_offset = sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr);
    segment.p_vaddr = base + 8;
    segment.p_filesz = sizeof(code);
    segment.p_memsz = 16;
  }

  /// Loads it, from a file, into 32 bytes of memory; returns where it begins.
  std::uint32_t load(std::vector<std::byte>& memory) const {
    const support::Folder folder;
    const auto path = folder / "program.elf";
    std::vector<std::byte> bytes(sizeof(header) + sizeof(segment) + sizeof(code));
    std::memcpy(bytes.data(), &header, sizeof(header));
    std::memcpy(bytes.data() + sizeof(header), &segment, sizeof(segment));
    std::memcpy(bytes.data() + sizeof(header) + sizeof(segment), &code, sizeof(code));
    support::write_file(path, bytes);
    return ElfFile(path).load({memory, base});
  }

  /// What is said against it.
  [[nodiscard]] std::string refusal() const {
    std::vector<std::byte> memory(32);
    return support::words_of<std::runtime_error>([&] { (void)load(memory); });
  }
};

bool ends_with(const std::string& text, const std::string& end) { return text.ends_with(end); }

}  // namespace

TEST_CASE("a segment of an ELF file goes where it asks to", "[examples]") {
  std::vector<std::byte> memory(32);
  const Program program;
  CHECK(program.load(memory) == base + 8);
  std::vector<std::byte> expected(32);
  std::memcpy(&expected[8], &program.code, sizeof(program.code));
  CHECK(memory == expected);
}

TEST_CASE("a file that is no program for RV32I is refused by its name", "[examples]") {
  CHECK(support::words_of<std::runtime_error>([] { ElfFile("/nowhere/guest.elf"); }) ==
        "/nowhere/guest.elf cannot be read");
  CHECK(support::words_of<std::runtime_error>([] { ElfFile("/proc/self/exe"); }) ==
        "/proc/self/exe is no executable for 32-bit RISC-V");
  Program text;
  text.header.e_ident[0] = 'E';
  CHECK(ends_with(text.refusal(), "program.elf is no ELF file"));
  Program compressed;
  compressed.header.e_flags = EF_RISCV_RVC;
  CHECK(ends_with(compressed.refusal(), "has compressed instructions"));
}

TEST_CASE("an ELF file whose headers lead out of it, or out of memory, is refused", "[examples]") {
  Program headers_behind_the_end;
  headers_behind_the_end.header.e_phoff = 0xfffffff0;
  CHECK(ends_with(headers_behind_the_end.refusal(), "is cut off"));
  Program bytes_behind_the_end;
  bytes_behind_the_end.segment.p_filesz = 5;
  CHECK(ends_with(bytes_behind_the_end.refusal(), "is cut off"));
  const std::string too_large = "has a segment that does not fit into the guest's memory";
  Program beyond_memory;
  beyond_memory.segment.p_memsz = 25;
  CHECK(ends_with(beyond_memory.refusal(), too_large));
  Program below_memory;
  below_memory.segment.p_vaddr = base - 4;
  CHECK(ends_with(below_memory.refusal(), too_large));
  Program longer_in_the_file;
  longer_in_the_file.segment.p_memsz = 3;
  CHECK(ends_with(longer_in_the_file.refusal(), too_large));
}

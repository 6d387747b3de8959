#pragma once

// What the CPU says about a fault, in words. Pure functions of the recorded number.
//
//   x86-64  the page-fault error code (Intel SDM vol. 3, "Interrupt 14: Page-Fault Exception"),
//           which Linux hands to a signal handler as REG_ERR
//   arm64   ESR_EL1 (Arm ARM, "ESR_EL1, Exception Syndrome Register"), which Linux hands over as
//           an esr_context record

#include <cstdint>
#include <string>
#include <vector>

#include <cow/fault.hpp>

#include "tool/quantity.hpp"

namespace cow::tool {

enum class Architecture { x86_64, arm64, other };

/// The architecture this program was compiled for.
[[nodiscard]] constexpr Architecture this_architecture() noexcept {
#if defined(__x86_64__)
  return Architecture::x86_64;
#elif defined(__aarch64__)
  return Architecture::arm64;
#else
  return Architecture::other;
#endif
}

[[nodiscard]] inline const char* name_of(Architecture architecture) noexcept {
  switch (architecture) {
    case Architecture::x86_64: return "x86-64";
    case Architecture::arm64: return "arm64";
    case Architecture::other: break;
  }
  return "another architecture";
}

/// What the architecture calls the number: "error code" or "ESR".
[[nodiscard]] inline const char* error_code_name(Architecture architecture) noexcept {
  return architecture == Architecture::arm64 ? "ESR" : "error code";
}

/// One field of the number.
struct FaultField {
  std::string name;         ///< as the manual has it: "W", "DFSC"
  std::uint64_t value = 0;  ///< the field's bits, moved down to bit 0
  unsigned width = 1;       ///< bits in the field
  std::string meaning;      ///< what this value says

  friend bool operator==(const FaultField&, const FaultField&) = default;
};

/// Bits 0, 1, 2 and 4 always; the rare ones only where they are set.
[[nodiscard]] inline std::vector<FaultField> decode_x86_error_code(std::uint64_t code) {
  const auto bit = [code](unsigned position) { return (code >> position) & 1; };
  std::vector<FaultField> fields;
  fields.push_back({"P", bit(0), 1,
                    bit(0) != 0 ? "the page is present: its protection said no"
                                : "no page-table entry yet: never touched at this address"});
  fields.push_back({"W", bit(1), 1, bit(1) != 0 ? "the access was a write" : "it was a read"});
  fields.push_back({"U", bit(2), 1, bit(2) != 0 ? "made in user mode" : "made in kernel mode"});
  if (bit(3) != 0) fields.push_back({"RSVD", 1, 1, "a reserved bit is set in a page table"});
  fields.push_back(
      {"I", bit(4), 1, bit(4) != 0 ? "it was an instruction fetch" : "not an instruction fetch"});
  if (bit(5) != 0) fields.push_back({"PK", 1, 1, "a protection key said no"});
  if (bit(6) != 0) fields.push_back({"SS", 1, 1, "it was a shadow-stack access"});
  if (bit(15) != 0) fields.push_back({"SGX", 1, 1, "the rules of an SGX enclave said no"});
  if (bit(31) != 0) fields.push_back({"RMP", 1, 1, "the SEV-SNP page map said no"});
  return fields;
}

/// The data fault status code, ESR_EL1.DFSC.
[[nodiscard]] inline std::string describe_dfsc(std::uint64_t dfsc) {
  const std::string level = ", level " + std::to_string(dfsc & 3);
  switch (dfsc >> 2) {
    case 0: return "address size fault" + level;
    case 1: return "translation fault" + level + ": no page-table entry yet";
    case 2: return "access flag fault" + level;
    case 3: return "permission fault" + level + ": the protection said no";
    default: break;
  }
  switch (dfsc) {
    case 0x10: return "synchronous external abort";
    case 0x11: return "synchronous tag check fault";
    case 0x21: return "alignment fault";
    case 0x30: return "TLB conflict abort";
    default: return "another fault";
  }
}

/// EC, WnR and DFSC, which say what happened; CM where it is set, as WnR is 1 then for a mere
/// cache maintenance instruction.
[[nodiscard]] inline std::vector<FaultField> decode_arm64_esr(std::uint64_t esr) {
  const std::uint64_t ec = (esr >> 26) & 0x3f;
  std::vector<FaultField> fields;
  std::string meaning = "not a data abort";
  if (ec == 0x24) meaning = "data abort from user mode";
  if (ec == 0x25) meaning = "data abort from kernel mode";
  if (ec == 0x20) meaning = "instruction abort from user mode";
  fields.push_back({"EC", ec, 6, meaning});
  if (ec != 0x24 && ec != 0x25) return fields;

  const std::uint64_t wnr = (esr >> 6) & 1;
  const std::uint64_t cm = (esr >> 8) & 1;
  const std::uint64_t dfsc = esr & 0x3f;
  fields.push_back({"WnR", wnr, 1, wnr != 0 ? "the access was a write" : "it was a read"});
  if (cm != 0) fields.push_back({"CM", 1, 1, "by a cache maintenance instruction"});
  fields.push_back({"DFSC", dfsc, 6, describe_dfsc(dfsc)});
  return fields;
}

[[nodiscard]] inline std::vector<FaultField> decode_fault(Architecture architecture,
                                                          std::uint64_t error_code) {
  switch (architecture) {
    case Architecture::x86_64: return decode_x86_error_code(error_code);
    case Architecture::arm64: return decode_arm64_esr(error_code);
    case Architecture::other: break;
  }
  return {};
}

/// "P = 1", "DFSC = 0x0f": wide fields in hexadecimal, with all their digits.
[[nodiscard]] inline std::string assignment_text(const FaultField& field) {
  std::string value = std::to_string(field.value);
  if (field.width > 1) {
    value = hex(field.value);
    const std::size_t digits = 2 + (field.width + 3) / 4;
    if (value.size() < digits) value.insert(2, digits - value.size(), '0');
  }
  return field.name + " = " + value;
}

/// The state's name, as docs and JSON have it.
[[nodiscard]] inline const char* name_of(PageState state) noexcept {
  switch (state) {
    case PageState::zero: return "zero";
    case PageState::shared: return "shared";
    case PageState::sole_owner: return "sole owner";
    case PageState::private_page: return "private";
  }
  return "unknown";
}

/// What the state means for the page.
[[nodiscard]] inline const char* describe(PageState state) noexcept {
  switch (state) {
    case PageState::zero: return "read-only, no frame yet";
    case PageState::shared: return "read-only, others use the same frame";
    case PageState::sole_owner: return "read-only, nobody else uses the frame";
    case PageState::private_page: return "writable, a frame of its own";
  }
  return "not a state this program knows";
}

}  // namespace cow::tool

#pragma once

// What a trace knows was copied, and not by which stores.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "measure/trace/trace_file.hpp"

namespace cow::measure {

/// A process and one of its families.
using TracedFamily = std::pair<std::uint32_t, std::uint32_t>;

/// Pages that faults made writable. A window takes neighbours along, which have no fault of their
/// own then.
struct CopiedAlong {
  std::uint64_t copied = 0;        ///< pages, by faults
  std::uint64_t copied_along = 0;  ///< of these, without a fault of their own
  std::uint64_t opened_along = 0;  ///< without one, and without a copy: zeros as a rule

  void add(const trace::Event& fault);
};

/// Of a family for which the kernel copies: control calls find afterwards how many pages it were.
struct KernelCopied {
  std::uint64_t pages = 0;
  std::uint64_t told = 0;  ///< of these, which ones; a frame that nothing shares stays the same

  [[nodiscard]] bool are_all_told() const { return pages > 0 && told == pages; }
};

/// All families for which the kernel copied.
[[nodiscard]] std::map<TracedFamily, KernelCopied> kernel_copied(const TraceFile& trace);

/// "3 of 4 copied pages had no fault of their own"; nothing where all had one.
[[nodiscard]] std::string copied_along_words(std::uint64_t along, std::uint64_t copied);

/// "the kernel copied 3 pages for 1 family of regions"; nothing for no family.
[[nodiscard]] std::string kernel_copied_words(std::uint64_t families, std::uint64_t pages);

/// How to have the handler copy, whoever has chosen the kernel: a part of a sentence.
[[nodiscard]] std::string ask_for_handler_words();

/// What of all that a trace tells is of no known store: sentences.
[[nodiscard]] std::vector<std::string> unseen_stores(const TraceFile& trace);

}  // namespace cow::measure

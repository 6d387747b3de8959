#include "figures.hpp"
#include "kernel_rows.hpp"
#include "textbook.hpp"

namespace cow_bench {

const std::vector<TextbookClaim>& textbook_claims() {
  static const std::vector<TextbookClaim> claims = {
      {"memory", "Less memory", "What nobody has stored to is there once, however many share it.",
       measure_memory},
      {"creation", "Faster creation",
       "A copy is made by sharing pages, so its size hardly matters.", measure_creation},
      {"lazy", "Lazy allocation", "Memory is taken when it is stored to, not when it is asked for.",
       measure_lazy},
      {"copies", "Fewer copies", "Only pages that are stored to are copied.", measure_copies},
      {"overhead", "Fault overhead",
       "The first store to a page takes a page fault, which costs far more than a store.",
       measure_overhead},
      {"fragmentation", "Fragmentation",
       "Pages that lay side by side no longer do once they were copied one by one.",
       measure_fragments},
      {"complexity", "Complexity",
       "Someone must handle faults, count references and keep the page tables right.",
       measure_complexity},
      {"isolation", "Isolation between sharers",
       "No sharer sees another's stores; but a sharer may notice that it shares.",
       measure_isolation},
  };
  return claims;
}

const std::string& kernel_is_missing() {
  static const std::string why = why_no_kernel_mechanism();
  return why;
}

Cell word_cell(std::string text) { return {std::move(text), {}}; }

Cell count_cell(double count) { return {count_text(static_cast<std::uint64_t>(count)), {count}}; }

Cell bytes_cell(double bytes) { return {bytes_text(bytes), {bytes}}; }

Cell time_cell(const Samples& samples) { return {time_text(samples.median()), samples.values()}; }

Cell time_cell(double ns) { return {time_text(ns), {ns}}; }

Cell percent_cell(double share) { return {percent_text(share), {share}}; }

Cell absent_cell() { return word_cell("not here"); }

}  // namespace cow_bench

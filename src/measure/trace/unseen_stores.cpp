#include "measure/trace/unseen_stores.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "measure/quantity.hpp"

namespace cow::measure {

using trace::Event;
using trace::EventKind;

namespace {

/// A thread of a process: entries are part of what it writes next.
using Writer = std::pair<std::uint32_t, std::uint32_t>;

/// Pages of which it was told, by their space.
using Told = std::map<std::uint32_t, std::uint64_t>;

}  // namespace

void CopiedAlong::add(const Event& fault) {
  if (fault.page_count == 0) return;  // another thread's fault had done it
  // A page that was copied for several snapshots is one.
  const std::uint64_t pages = std::min(fault.pages_copied, fault.page_count);
  copied += pages;
  copied_along += pages - std::min<std::uint64_t>(pages, 1);
  opened_along += fault.page_count - std::max<std::uint64_t>(pages, 1);
}

std::map<TracedFamily, KernelCopied> kernel_copied(const TraceFile& trace) {
  std::map<TracedFamily, KernelCopied> families;
  std::map<Writer, Told> told;
  for (const Event& event : trace.events) {
    const Writer writer(event.pid, event.tid);
    if (event.kind == EventKind::entries) {
      told[writer][event.space] += event.page_count;
      continue;
    }
    if (event.kind == EventKind::collected) {
      KernelCopied& family = families[{event.pid, event.family}];
      family.pages += event.pages_copied;
      // More have changed than were copied: which of them were is not known.
      const std::uint64_t changed = told[writer][event.space];
      family.told += changed > event.pages_copied ? 0 : changed;
    }
    told.erase(writer);
  }
  // What is put back was stored to, and stays in its frame.
  for (const Event& event : trace.events) {
    const auto family = families.find({event.pid, event.family});
    if (event.kind != EventKind::restored || family == families.end()) continue;
    family->second.pages += event.pages_copied;
  }
  return families;
}

std::string copied_along_words(std::uint64_t along, std::uint64_t copied) {
  if (along == 0) return "";
  return fmt::format("{} of {} copied pages had no fault of their own", with_commas(along),
                     with_commas(copied));
}

std::string kernel_copied_words(std::uint64_t families, std::uint64_t pages) {
  if (families == 0) return "";
  return fmt::format("the kernel copied {} for {} of regions", counted(pages, "page"),
                     families == 1 ? "1 family" : with_commas(families) + " families");
}

std::string ask_for_handler_words() {
  return "record it again with the handler: with COW_MECHANISM=handler where the program names no "
         "mechanism; where it names Mechanism::kernel or automatic, which that variable does not "
         "change, have it name Mechanism::handler";
}

std::vector<std::string> unseen_stores(const TraceFile& trace) {
  CopiedAlong along;
  for (const Event& event : trace.events) {
    if (event.kind == EventKind::fault) along.add(event);
  }
  std::vector<std::string> sentences;
  if (along.copied_along > 0) {
    sentences.push_back(copied_along_words(along.copied_along, along.copied) +
                        ": libcow copied them along with a neighbour, whether the program stored "
                        "to them or not");
  }
  std::uint64_t families = 0;
  KernelCopied all;
  for (const auto& [key, family] : kernel_copied(trace)) {
    if (family.pages == family.told) continue;
    ++families;
    all.pages += family.pages;
    all.told += family.told;
  }
  if (families > 0) {
    sentences.push_back(fmt::format("{} without a fault, and of {} the trace does not tell "
                                    "which they were",
                                    kernel_copied_words(families, all.pages),
                                    with_commas(all.pages - all.told)));
  }
  return sentences;
}

}  // namespace cow::measure

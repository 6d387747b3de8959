// Isolation: what one sharer stores no other one sees, and no frame shows what it held before.

#include <cow/cow.hpp>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <system_error>

#include "../kernel_counts.hpp"
#include "../measured.hpp"
#include "claims.hpp"
#include "family.hpp"

namespace claims {

namespace {

constexpr std::size_t sharers = 8;
constexpr std::byte at_first{1};

// ---- Stores that others must not see ------------------------------------------------------------

/// Each sharer stores bytes of its own to every page, at the same places as the others.
void store_own(std::byte* memory, std::size_t bytes, std::size_t sharer) {
  for (std::size_t i = 0; i < bytes; i += 256) memory[i] = static_cast<std::byte>(100 + sharer);
}

/// Bytes that are neither its own nor what was there at first.
std::size_t leaked_to(const std::byte* memory, std::size_t bytes, std::size_t sharer) {
  std::size_t leaked = 0;
  for (std::size_t i = 0; i < bytes; ++i) {
    const auto own = static_cast<std::byte>(100 + sharer);
    leaked += memory[i] != (i % 256 == 0 ? own : at_first) ? 1U : 0U;
  }
  return leaked;
}

double leaked_among(const std::vector<std::byte*>& memories, std::size_t bytes) {
  for (std::size_t i = 0; i < memories.size(); ++i) store_own(memories[i], bytes, i);
  std::size_t leaked = 0;
  for (std::size_t i = 0; i < memories.size(); ++i) leaked += leaked_to(memories[i], bytes, i);
  return static_cast<double>(leaked);
}

/// Seven children and their parent, each of which looks when all have stored.
double leaked_after_fork(std::size_t bytes) {
  std::vector<std::byte> memory(bytes, at_first);
  std::array<int, 2> stored{};
  std::array<int, 2> go{};
  if (::pipe(stored.data()) != 0 || ::pipe(go.data()) != 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  char byte = 0;
  std::vector<pid_t> children;
  for (std::size_t i = 1; i < sharers; ++i) {
    children.push_back(::fork());
    if (children.back() < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (children.back() > 0) continue;
    store_own(memory.data(), bytes, i);
    const bool waited = ::write(stored[1], &byte, 1) == 1 && ::read(go[0], &byte, 1) == 1;
    std::_Exit(waited && leaked_to(memory.data(), bytes, i) == 0 ? 0 : 1);
  }
  store_own(memory.data(), bytes, 0);
  for (std::size_t i = 1; i < sharers; ++i) {
    examples::claim(::read(stored[0], &byte, 1) == 1, "each child has stored");
  }
  for (std::size_t i = 1; i < sharers; ++i) {
    examples::claim(::write(go[1], &byte, 1) == 1, "each child is told to look");
  }
  std::size_t leaked = leaked_to(memory.data(), bytes, 0);
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    leaked += status == 0 ? 0U : 1U;
  }
  return static_cast<double>(leaked);
}

double leaked_by(Way way, std::size_t bytes) {
  std::vector<std::byte*> memories;
  if (way == Way::fork) return leaked_after_fork(bytes);
  if (way == Way::copy) {
    std::vector<std::vector<std::byte>> copies(sharers, std::vector<std::byte>(bytes, at_first));
    for (auto& copy : copies) memories.push_back(copy.data());
    return leaked_among(memories, bytes);
  }
  const auto mechanism = way == Way::handler ? cow::Mechanism::handler : cow::Mechanism::kernel;
  std::vector<cow::Region> regions;
  regions.push_back(cow::Region::create(bytes, {.mechanism = mechanism}));
  std::ranges::fill(regions[0].bytes(), at_first);
  // A tree: each is a clone of an earlier one.
  while (regions.size() < sharers) regions.push_back(regions[regions.size() / 2].clone());
  for (cow::Region& region : regions) memories.push_back(region.data());
  return leaked_among(memories, bytes);
}

/// The same memory for all: what the count has to find, or it would prove nothing.
double leaked_without_copies(std::size_t bytes) {
  std::vector<std::byte> memory(bytes, at_first);
  return leaked_among(std::vector<std::byte*>(sharers, memory.data()), bytes);
}

// ---- Frames that are used again -----------------------------------------------------------------

constexpr std::uint64_t secret = 0x5ec2e75ec2e75ec2;

std::size_t secrets_in(const cow::Region& region) {
  std::size_t found = 0;
  const auto* const words = reinterpret_cast<const std::uint64_t*>(region.data());
  for (std::size_t i = 0; i < region.size() / sizeof secret; ++i)
    found += words[i] == secret ? 1U : 0U;
  return found;
}

void fill_with_secrets(cow::Region& region) {
  auto* const words = reinterpret_cast<std::uint64_t*>(region.data());
  std::fill(words, words + region.size() / sizeof secret, secret);
}

enum Reuse : std::size_t { before, recycled, after };

/// A clone is filled with secrets and dropped. Then every page that its relatives take anew, and
/// those of a region that is new, are searched for them.
std::vector<double> secrets_after(cow::Mechanism mechanism, std::size_t bytes) {
  const std::size_t pages = bytes / examples::page_size();
  cow::Region original = cow::Region::create(bytes, {.mechanism = mechanism});
  store_to(original.data(), {.first = 0, .step = 1, .count = pages / 2});  // the rest shows zeros
  std::vector<double> figures(3);
  {
    cow::Region clone = original.clone();
    fill_with_secrets(clone);
    static_cast<void>(clone.snapshot());
    figures[before] = static_cast<double>(secrets_in(clone));
  }
  figures[recycled] = static_cast<double>(cow::process_stats().frames_recycled);
  std::size_t found = 0;
  cow::Region next = original.clone();
  cow::Region other = cow::Region::create(bytes, {.mechanism = mechanism});
  for (cow::Region* region : {&original, &next, &other}) {
    store_to(region->data(), {.first = 0, .step = 1, .count = pages});
    found += secrets_in(*region);
  }
  fill_with_secrets(next);
  next.discard(0, bytes);
  store_to(next.data(), {.first = 0, .step = 1, .count = pages});
  figures[after] = static_cast<double>(found + secrets_in(next));
  return figures;
}

// ---- What a clock tells -------------------------------------------------------------------------

enum Told : std::size_t { still_shown, stored_to };

/// ns of a first store, page by page, where the one other sharer still shows the page, and where it
/// has stored to it before: medians of turns.
std::vector<double> times_of_stores(cow::Mechanism mechanism, std::size_t bytes) {
  const std::size_t pages = bytes / examples::page_size();
  const Stride every{.first = 0, .step = 1, .count = pages};
  std::array<std::vector<double>, 2> ns;
  for (std::size_t turn = 0; turn < 10; ++turn) {
    cow::Region other = cow::Region::create(bytes, {.max_window_pages = 1, .mechanism = mechanism});
    store_to(other.data(), every);
    cow::Region mine = other.clone();
    load_from(mine.data(), pages);
    if (turn % 2 == stored_to) store_to(other.data(), every);
    const double seconds = store_to(mine.data(), every).seconds;
    ns.at(turn % 2).push_back(seconds * 1e9 / static_cast<double>(pages));
  }
  return {examples::median(ns[still_shown]), examples::median(ns[stored_to])};
}

/// For libcow's mechanisms alone.
Figures of_both_mechanisms(const std::function<std::vector<double>(cow::Mechanism)>& find) {
  Figures figures;
  for (const Way way : {Way::handler, Way::kernel}) {
    if (way == Way::kernel && !kernel_is_missing().empty()) continue;
    const auto mechanism = way == Way::handler ? cow::Mechanism::handler : cow::Mechanism::kernel;
    figures[static_cast<std::size_t>(way)] = in_process([&] { return find(mechanism); });
  }
  return figures;
}

}  // namespace

void isolation(bool quick) {
  const std::size_t bytes = quick ? mib : 8 * mib;
  const Figures leaked =
      of_every_way([bytes](Way way) -> std::vector<double> { return {leaked_by(way, bytes)}; });
  const Figures reused = of_both_mechanisms(
      [bytes](cow::Mechanism mechanism) { return secrets_after(mechanism, bytes); });
  const Figures times = of_both_mechanisms(
      [bytes](cow::Mechanism mechanism) { return times_of_stores(mechanism, bytes); });
  const double control = leaked_without_copies(bytes);
  std::printf("Isolation: %zu sharers of %zu MiB each store to every page, at the same places\n\n",
              sharers, bytes / mib);
  print_head("");
  print_row("bytes of others that they see", leaked, 0, "%.0f");
  std::printf("Where all have the same memory, and nothing is copied, that count is %.0f.\n\n",
              control);
  std::printf("Frames that are used again: a clone full of secrets (words of 8 bytes) is\n"
              "dropped; its relatives, and a new region, then store a byte to each page\n\n");
  print_head("");
  print_row("secrets in the clone", reused, before, "%.0f");
  print_row("its frames that are kept", reused, recycled, "%.0f");
  print_row("secrets that are seen later", reused, after, "%.0f");
  std::printf("\n");
  print_head("a first store, ns, to a page");
  print_row("  the other still shows", times, still_shown, "%.0f");
  print_row("  the other has stored to", times, stored_to, "%.0f");
  examples::claim(control > 0, "the count finds bytes where nothing is copied");
  for (const auto& each : leaked) {
    examples::claim(!each || (*each)[0] == 0, "no sharer sees what another one stored");
  }
  for_both_mechanisms(reused, [&](const std::vector<double>& found) {
    const std::size_t words = bytes / sizeof secret;
    examples::claim(found[before] == static_cast<double>(words),
                    "the search finds all secrets where they are");
    examples::claim(found[after] == 0, "no page shows what its frame held before");
  });
  examples::claim((*reused[0])[recycled] > 0, "frames of the clone were kept to be used again");
  std::printf("\n");
  print_text("It holds for bytes, in every way to share. It does not hold for time: a store to a "
             "page that is shared takes longer than one to a page of one's own (fault_overhead), "
             "and where libcow copies, longer than one to a page that the others have stored to. "
             "So one sharer can tell something of another one by a clock.");
}

}  // namespace claims

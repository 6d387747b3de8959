// Isolation between sharers: bytes that leak, which are counted, and time that does.

#include <cow/cow.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "comparison.hpp"
#include "figures.hpp"
#include "forking.hpp"
#include "guessing.hpp"
#include "kernel_rows.hpp"
#include "machine.hpp"
#include "plain_memory.hpp"
#include "textbook.hpp"

namespace cow_bench {

namespace {

// ---- Bytes --------------------------------------------------------------------------------------

constexpr std::size_t sharers = 8;

std::size_t shared_bytes() { return full_or_quick(mib, 128 * kib); }
std::size_t stores() { return full_or_quick<std::size_t>(20'000, 1'000); }

/// What one sharer stores, and where.
struct OneStore {
  std::size_t sharer;
  std::size_t offset;
  std::byte value;
};

std::vector<OneStore> random_stores() {
  std::mt19937_64 generator(1);
  std::vector<OneStore> all(stores());
  for (OneStore& store : all) {
    store = {generator() % sharers, generator() % shared_bytes(),
             static_cast<std::byte>(generator())};
  }
  return all;
}

void store_to(std::byte* memory, const OneStore& store) {
  *static_cast<volatile std::byte*>(memory + store.offset) = store.value;
}

/// Bytes that differ from what `sharer` had at first and has stored itself.
std::size_t leaked_to(const std::byte* memory, const std::vector<std::byte>& at_first,
                      std::size_t sharer, const std::vector<OneStore>& all) {
  std::vector<std::byte> expected = at_first;
  for (const OneStore& store : all) {
    if (store.sharer == sharer) expected[store.offset] = store.value;
  }
  std::size_t leaked = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) leaked += memory[i] != expected[i] ? 1 : 0;
  return leaked;
}

std::vector<std::byte> content_of(const std::byte* memory) {
  return {memory, memory + shared_bytes()};
}

/// All sharers in this process.
double leaked_among(const std::vector<std::byte*>& memories) {
  const std::vector<std::byte> at_first = content_of(memories[0]);
  const std::vector<OneStore> all = random_stores();
  for (const OneStore& store : all) store_to(memories[store.sharer], store);
  std::size_t leaked = 0;
  for (std::size_t i = 0; i < memories.size(); ++i) {
    leaked += leaked_to(memories[i], at_first, i, all);
  }
  return static_cast<double>(leaked);
}

/// A tree: each is a clone of an earlier one.
double leaked_by(cow::Mechanism mechanism) {
  std::vector<cow::Region> regions;
  regions.push_back(protected_region(shared_bytes(), copied_by(mechanism)));
  while (regions.size() < sharers) regions.push_back(regions[regions.size() / 2].clone());
  std::vector<std::byte*> memories(regions.size());
  std::ranges::transform(regions, memories.begin(),
                         [](cow::Region& region) { return region.data(); });
  return leaked_among(memories);
}

/// The same memory for everybody: what the count must find.
double leaked_without_copies() {
  const FilledMemfd file(shared_bytes());
  std::vector<PlainMemory> views;
  std::vector<std::byte*> memories;
  for (std::size_t i = 0; i < sharers; ++i) {
    views.push_back(file.map_shared());
    memories.push_back(views.back().data());
  }
  return leaked_among(memories);
}

double leaked_after_fork() {
  const PlainMemory memory = PlainMemory::anonymous(shared_bytes());
  const std::vector<std::byte> at_first = content_of(memory.data());
  const std::vector<OneStore> all = random_stores();
  std::vector<std::unique_ptr<SideProcess>> children;
  const auto store_own = [&](std::size_t sharer) {
    for (const OneStore& store : all) {
      if (store.sharer == sharer) store_to(memory.data(), store);
    }
  };
  for (std::size_t i = 1; i < sharers; ++i) {
    children.push_back(std::make_unique<SideProcess>(1, [&, i]() -> SideProcess::Measure {
      store_own(i);
      return [&, i] {
        return Samples({static_cast<double>(leaked_to(memory.data(), at_first, i, all))});
      };
    }));
  }
  store_own(0);
  auto leaked = static_cast<double>(leaked_to(memory.data(), at_first, 0, all));
  for (const auto& child : children) leaked += child->measure().median();
  return leaked;
}

double leaked_to_copies() {
  std::vector<PlainMemory> copies;
  std::vector<std::byte*> memories;
  for (std::size_t i = 0; i < sharers; ++i) {
    copies.push_back(PlainMemory::anonymous(shared_bytes()));
    memories.push_back(copies.back().data());
  }
  return leaked_among(memories);
}

// ---- Time ---------------------------------------------------------------------------------------

std::size_t trials() { return full_or_quick<std::size_t>(4'000, 200); }

/// A coin for each page, the same in every process.
std::vector<bool> coins() {
  std::mt19937_64 generator(2);
  std::vector<bool> all(trials());
  std::generate(all.begin(), all.end(), [&generator] { return generator() % 2 == 0; });
  return all;
}

void store_where(const Pages& pages, const std::vector<bool>& coin, bool side) {
  for (std::size_t page = 0; page < coin.size(); ++page) {
    if (coin[page] == side) pages.store(page, 1);
  }
}

/// One store to each page, in random order; the times by page.
std::vector<double> time_by_page(const Pages& pages) {
  const auto order = choose_pages(pages.count, pages.count, Order::random, 3);
  const Samples times = time_each_store(pages, order, 2);
  std::vector<double> by_page(pages.count);
  for (std::size_t i = 0; i < order.size(); ++i) by_page[order[i]] = times.values()[i];
  return by_page;
}

/// Page by page, so that no store spares another one its fault.
cow::RegionOptions page_by_page(cow::Mechanism mechanism) {
  return {.max_window_pages = 1, .mechanism = mechanism};
}

/// Where the coin says so the other one has not stored, so that the page is still shared.
Guesses time_whether_other_stored(cow::Mechanism mechanism) {
  cow::Region other = protected_region(trials() * host_page_bytes(), page_by_page(mechanism));
  cow::Region mine = other.clone();
  load_all(pages_of(mine));
  store_where(pages_of(other), coins(), false);
  return guess(time_by_page(pages_of(mine)), coins());
}

/// Where the coin says so the page is shared; the others are private, as after an eager copy.
Guesses time_whether_shared(cow::Mechanism mechanism) {
  const cow::Region other = protected_region(trials() * host_page_bytes(), page_by_page(mechanism));
  cow::Region mine = other.clone();
  load_all(pages_of(mine));
  store_where(pages_of(mine), coins(), false);
  return guess(time_by_page(pages_of(mine)), coins());
}

Guesses time_after_fork(bool child_stores) {
  const PlainMemory memory = PlainMemory::anonymous(trials() * host_page_bytes());
  const SideProcess child(1, [&]() -> SideProcess::Measure {
    if (child_stores) store_where(memory.pages(), coins(), false);
    return [] { return Samples({0}); };
  });
  if (!child_stores) store_where(memory.pages(), coins(), false);
  return guess(time_by_page(memory.pages()), coins());
}

Table time_table(const IsolationValues& values) {
  Table table{.title = "A store timed by one who shares (medians), and how often its time alone "
                       "says rightly which it was (a coin: 50 %):",
              .columns = {"handler", "kernel", "fork()"},
              .note = "Copied memory is shared with nobody: there is nothing to tell."};
  const auto add = [&](const char* what, const Guesses& handler,
                       const std::optional<Guesses>& kernel, const Guesses& fork,
                       Cell (*cell)(const Guesses&)) {
    table.rows.push_back(
        {what, {cell(handler), kernel ? cell(*kernel) : absent_cell(), cell(fork)}});
  };
  const auto slower = [](const Guesses& g) { return Cell{time_text(g.slower_ns), {g.slower_ns}}; };
  const auto faster = [](const Guesses& g) { return Cell{time_text(g.faster_ns), {g.faster_ns}}; };
  const auto right = [](const Guesses& g) { return percent_cell(g.right); };
  const auto& shared = values.handler_is_shared;
  add("a shared page", shared, values.kernel_is_shared, values.fork_is_shared, slower);
  add("a private page", shared, values.kernel_is_shared, values.fork_is_shared, faster);
  add("  told apart", shared, values.kernel_is_shared, values.fork_is_shared, right);
  const auto& stored = values.handler_has_stored;
  add("the other had not stored", stored, values.kernel_has_stored, values.fork_has_stored, slower);
  add("the other had stored", stored, values.kernel_has_stored, values.fork_has_stored, faster);
  add("  told apart", stored, values.kernel_has_stored, values.fork_has_stored, right);
  return table;
}

}  // namespace

Evidence measure_isolation() {
  IsolationValues values{.control = leaked_without_copies(),
                         .stores = static_cast<double>(stores())};
  // First what forks: there are no regions yet.
  values.leaked.fork = leaked_after_fork();
  values.leaked.copy = leaked_to_copies();
  values.fork_is_shared = time_after_fork(false);
  values.fork_has_stored = time_after_fork(true);
  values.leaked.handler = leaked_by(cow::Mechanism::handler);
  values.handler_is_shared = time_whether_shared(cow::Mechanism::handler);
  values.handler_has_stored = time_whether_other_stored(cow::Mechanism::handler);
  if (kernel_is_missing().empty()) {
    values.leaked.kernel = leaked_by(cow::Mechanism::kernel);
    values.kernel_is_shared = time_whether_shared(cow::Mechanism::kernel);
    values.kernel_has_stored = time_whether_other_stored(cow::Mechanism::kernel);
  }
  Table bytes{.title = count_text(stores()) + " random stores by " + count_text(sharers) +
                       " sharers of " + bytes_text(static_cast<double>(shared_bytes())) +
                       "; bytes that one of them should not see:",
              .columns = {"handler", "kernel", "fork()", "copies", "MAP_SHARED"},
              .note = "MAP_SHARED copies nothing: there the count must find something."};
  bytes.rows.push_back(
      {"leaked",
       {count_cell(values.leaked.handler), cell_or_absent(values.leaked.kernel, count_cell),
        count_cell(values.leaked.fork), count_cell(values.leaked.copy),
        count_cell(values.control)}});
  return {{bytes, time_table(values)}, read_isolation(values)};
}

}  // namespace cow_bench

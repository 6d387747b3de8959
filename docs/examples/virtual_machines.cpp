// Many guests from one that has booted: virtual machines as clones.
//
// A guest is a RISC-V processor (virtual_machines/rv32i.hpp) and 2 MiB of memory, and runs a
// program compiled from C (virtual_machines/guest.c). To boot takes it millions of instructions, in
// which it fills most of its memory. So one guest boots, a snapshot is taken, and all others begin
// where it stood: a clone of its memory and a copy of its registers. Each then gets a task of its
// own.
//
// Beside it, in turns: guests with a copy of the booted memory, and guests that boot themselves.

#include <unistd.h>

#include <cow/cow.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "anonymous_memory.hpp"
#include "measured.hpp"
#include "memory.hpp"
#include "virtual_machines/elf_file.hpp"
#include "virtual_machines/guest.hpp"
#include "virtual_machines/prime_index.hpp"

namespace {

using examples::AnonymousMemory;
using examples::claim;
using examples::ElfFile;
using examples::Guest;

/// A guest at the moment when it had booted.
struct Template {
  cow::Snapshot memory;
  examples::rv32i::Hart hart;
};

Template boot_template(const ElfFile& program, cow::Mechanism mechanism) {
  cow::RegionOptions options;
  options.mechanism = mechanism;
  const Guest guest = Guest::boot(cow::Region::create(Guest::kMemoryBytes, options), program);
  return {guest.region()->snapshot(), guest.hart()};
}

Guest copy_of(const Guest& booted) {
  AnonymousMemory memory(Guest::kMemoryBytes);
  std::memcpy(memory.bytes().data(), booted.bytes().data(), Guest::kMemoryBytes);
  return {std::move(memory), booted.hart()};
}

/// Each guest in its turn runs a slice, until all have left.
void run_all(std::vector<Guest>& guests) {
  std::vector<Guest*> running(guests.size());
  std::transform(guests.begin(), guests.end(), running.begin(), [](Guest& one) { return &one; });
  while (!running.empty()) {
    std::erase_if(running,
                  [](Guest* guest) { return guest->run(Guest::kSlice) == Guest::Event::left; });
  }
}

/// A task, and the line that a guest has to print for it.
struct Exercise {
  Guest::Task task;
  std::string expected;
};

/// A way to have guests, and what it took in each turn, for each guest.
struct Way {
  Way(std::string title, std::size_t most, std::function<Guest()> starts)
      : name(std::move(title)), most_guests(most), start(std::move(starts)) {}

  std::string name;
  std::size_t most_guests;
  std::function<Guest()> start;
  std::vector<double> start_us, finish_us, kibibytes;
  std::size_t mappings = 0;
};

/// What one guest stored shows in no other: each has, byte for byte, the memory that it would have
/// if it had run alone, from a copy of the booted memory.
void claim_isolation(const std::vector<Guest>& guests, const std::vector<Exercise>& tasks,
                     const Guest& booted) {
  Guest alone = copy_of(booted);
  for (std::size_t i = 0; i < guests.size(); ++i) {
    alone.become(booted);
    alone.give_task(tasks[i].task);
    while (alone.run(Guest::kSlice) == Guest::Event::slice) continue;
    claim(std::memcmp(alone.bytes().data(), guests[i].bytes().data(), Guest::kMemoryBytes) == 0,
          "guest " + std::to_string(i) + " has the memory that it would have alone");
  }
}

/// What libcow says of its mappings is so, and it keeps within what a process may have.
void claim_mappings(const std::vector<Guest>& guests) {
  std::size_t counted = 0;
  std::vector<std::span<const std::byte>> memories;
  for (const Guest& guest : guests) {
    counted += guest.region()->stats().mappings;
    memories.push_back(guest.bytes());
  }
  claim(counted == examples::count_mappings(memories), "libcow has as many mappings as it says");
  const cow::ProcessStats process = cow::process_stats();
  claim(process.mappings_in_use <= process.mapping_budget, "libcow keeps within its mappings");
}

void take_turn(Way& way, const std::vector<Exercise>& tasks, const Guest& booted, bool check) {
  const std::size_t count = std::min(way.most_guests, tasks.size());
  const auto each = static_cast<double>(count);
  cow::trim();  // what libcow keeps for its next copies would be counted before
  const std::size_t memory_before = examples::memory_of({::getpid()});
  const std::size_t mappings_before = cow::process_stats().mappings_in_use;
  std::vector<Guest> guests;
  guests.reserve(count);
  const double started = examples::seconds_of([&] {
    for (std::size_t i = 0; i < count; ++i) {
      guests.push_back(way.start());
      guests.back().give_task(tasks[i].task);
    }
  });
  const double ran = examples::seconds_of([&] { run_all(guests); });
  const std::size_t memory_after = examples::memory_of({::getpid()});
  way.start_us.push_back(started * 1e6 / each);
  way.finish_us.push_back((started + ran) * 1e6 / each);
  way.kibibytes.push_back((static_cast<double>(memory_after) - static_cast<double>(memory_before)) /
                          1024 / each);
  way.mappings = cow::process_stats().mappings_in_use - mappings_before;
  for (std::size_t i = 0; i < count; ++i) {
    claim(guests[i].printed() == tasks[i].expected,
          "a guest prints '" + tasks[i].expected + "', not '" + guests[i].printed() + "'");
  }
  if (!check || guests.front().region() == nullptr) return;
  claim_mappings(guests);
  claim_isolation(guests, tasks, booted);
}

/// How many guests, and what each has to do.
struct Load {
  std::size_t guests;
  std::uint32_t questions;
  bool wipes;
};

void print(const std::vector<Way>& ways, const Load& load) {
  std::printf("\n%zu guests, %u questions to each%s\n", load.guests, load.questions,
              load.wipes ? "; each clears all of its tables" : "");
  const char* const words = "  %-27s %6s %9s %10s %9s %8s\n";
  std::printf(words, "", "", "start", "start, run", "memory", "mappings");
  std::printf(words, "a guest's memory is", "guests", "us/guest", "us/guest", "KiB/guest",
              "/guest");
  for (const Way& way : ways) {
    // The most of all turns: libcow's books stay for the next guests, and are counted once.
    const double kibibytes = examples::percentile(way.kibibytes, 100);
    const std::size_t guests = std::min(way.most_guests, load.guests);
    std::printf("  %-27s %6zu %9.1f %10.1f %9.1f %8.1f\n", way.name.c_str(), guests,
                examples::median(way.start_us), examples::median(way.finish_us), kibibytes,
                static_cast<double>(way.mappings) / static_cast<double>(guests));
  }
}

std::vector<Exercise> make_exercises(const Load& load) {
  examples::PrimeIndex index;
  std::vector<Exercise> exercises;
  for (std::uint32_t seed = 1; seed <= load.guests; ++seed) {
    exercises.push_back({{seed, load.questions, load.wipes}, index.line(seed, load.questions)});
  }
  return exercises;
}

using Templates = std::vector<std::pair<std::string, Template>>;

Templates boot_templates(const ElfFile& program) {
  Templates templates;
  templates.emplace_back("a clone, libcow copies", boot_template(program, cow::Mechanism::handler));
  try {
    templates.emplace_back("a clone, the kernel copies",
                           boot_template(program, cow::Mechanism::kernel));
  } catch (const std::system_error& error) {
    std::printf("Without the kernel's mechanism: %s\n", error.what());
  }
  return templates;
}

void run_load(const Load& load, const Templates& templates, const Guest& booted,
              const ElfFile& program, bool quick) {
  const std::vector<Exercise> tasks = make_exercises(load);
  std::vector<Way> ways;
  for (const auto& [name, from] : templates) {
    ways.emplace_back(name, load.guests, [&from = from] {
      return Guest(cow::Region::from_snapshot(from.memory), from.hart);
    });
  }
  ways.emplace_back("a copy of the booted memory", quick ? 50 : load.guests,
                    [&] { return copy_of(booted); });
  ways.emplace_back("its own: each boots", quick ? 1 : 10,
                    [&] { return Guest::boot(AnonymousMemory(Guest::kMemoryBytes), program); });
  for (int turn = 0; turn < (quick ? 1 : 5); ++turn) {
    for (Way& way : ways) take_turn(way, tasks, booted, turn == 0);
  }
  print(ways, load);
  for (std::size_t i = 0; i < templates.size(); ++i) {
    claim(ways[i].kibibytes[0] < ways[templates.size()].kibibytes[0],
          "a clone is less than a copy");
  }
}

void run_example(bool quick) {
  const ElfFile program(std::filesystem::read_symlink("/proc/self/exe").parent_path() /
                        "virtual_machines_guest.elf");
  const Guest booted = Guest::boot(AnonymousMemory(Guest::kMemoryBytes), program);
  std::printf("To boot took %.1f million instructions.\n",
              static_cast<double>(booted.hart().executed) / 1e6);
  const Templates templates = boot_templates(program);
  const std::size_t few = quick ? 10 : 100;
  for (const Load& load : {Load{1'000, 8, false}, Load{few, 4'096, false}, Load{few, 8, true}}) {
    run_load(load, templates, booted, program, quick);
  }
  for (const auto& [name, from] : templates) {
    claim(std::memcmp(from.memory.bytes().data(), booted.bytes().data(), Guest::kMemoryBytes) == 0,
          "the template is what it was when it had booted: " + name);
  }
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const bool quick = examples::is_quick(count, arguments, examples::kUsageOfVirtualMachines);
    std::printf("%s\n", examples::machine().c_str());
    run_example(quick);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  std::printf("\nEvery guest printed what it had to, no guest's stores showed in another one\n"
              "or in the template.\n");
}

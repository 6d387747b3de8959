#pragma once

// What snapshots, backups and the way back cost, beside what people do today. All sides take turns
// in one run, with one client that waits for each reply.

#include <unistd.h>

#include <cow/cow.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sides.hpp"

namespace examples {

/// Seconds, but where it says something else.
struct Samples {
  std::vector<double> snapshot, first, again, back_up, bytes, restore;
  std::vector<double> fill, snapshot_of_all, fill_after;
  std::vector<double> durable;
  std::size_t memory_bytes = 0;
};

struct Size {
  std::size_t bytes;
  std::size_t pages;  // that are written between two snapshots
  int turns;
};

/// Seconds of each write of a page.
inline std::vector<double> write_pages(nbd::Client& client, const std::vector<std::size_t>& pages,
                                       Random& random, std::uint16_t flags = 0) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<double> seconds;
  Bytes bytes = random_bytes(page, random);
  for (const std::size_t i : pages) {
    std::memcpy(bytes.data(), &i, sizeof i);  // no two are alike
    nbd::Error error{};
    seconds.push_back(seconds_of([&] { error = client.write(i * page, bytes, flags); }));
    claim(error == nbd::Error::none, "a page is written");
  }
  return seconds;
}

inline Bytes read_pages(nbd::Client& client, const std::vector<std::size_t>& pages) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  Bytes bytes(pages.size() * page);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const auto room = std::span(bytes).subspan(i * page, page);
    claim(client.read(pages[i] * page, room) == nbd::Error::none, "a page is read");
  }
  return bytes;
}

/// Writes the whole disk in order, 1 MiB at a time.
inline double fill(nbd::Client& client, Random& random) {
  Bytes bytes = random_bytes(1 << 20, random);
  return seconds_of([&] {
    for (std::uint64_t at = 0; at < client.size(); at += bytes.size()) {
      claim(client.write(at, bytes) == nbd::Error::none, "the disk is filled");
    }
  });
}

inline void append(std::vector<double>& to, const std::vector<double>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

/// Snapshot, some pages written, backup, back.
inline void take_turn(Side& side, const Size& size, std::uint64_t seed, Samples& samples) {
  Random random(seed);
  const std::size_t limit = size.bytes / static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  {
    nbd::Client client = side.connect();
    write_pages(client, choose(size.pages, limit, random), random);
  }
  samples.snapshot.push_back(side.snapshot());
  const auto pages = choose(size.pages, limit, random);
  Bytes before;
  {
    nbd::Client client = side.connect();
    before = read_pages(client, pages);
    append(samples.first, write_pages(client, pages, random));
    append(samples.again, write_pages(client, pages, random));
  }
  std::uintmax_t bytes = 0;
  if (const auto seconds = side.back_up(bytes)) {
    samples.back_up.push_back(*seconds);
    samples.bytes.push_back(static_cast<double>(bytes));
  }
  samples.restore.push_back(side.restore());
  nbd::Client client = side.connect();
  claim(read_pages(client, pages) == before, side.name() + " is restored");
}

/// What copy on write is worst at: all of the disk is written, before a snapshot and after it.
inline void take_whole_turn(Side& side, std::uint64_t seed, Samples& samples) {
  Random random(seed);
  {
    nbd::Client client = side.connect();
    fill(client, random);  // whatever there was is not shared any more
    samples.fill.push_back(fill(client, random));
  }
  samples.snapshot_of_all.push_back(side.snapshot());
  nbd::Client client = side.connect();
  samples.fill_after.push_back(fill(client, random));
  samples.memory_bytes = side.memory();
}

/// Single pages that are on the disk when the reply comes.
inline void take_durable_turn(Side& side, const Size& size, std::uint64_t seed, Samples& samples) {
  Random random(seed);
  nbd::Client client = side.connect();
  claim(client.ask(nbd::Command::flush, 0, 0) == nbd::Error::none, "the disk is flushed");
  if (size.turns > 1) ::sync();  // what others wrote before
  const std::size_t limit = size.bytes / static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  append(samples.durable,
         write_pages(client, choose(10, limit, random), random, nbd::force_unit_access));
}

inline std::string text_of(const std::vector<double>& values, double unit, int digits) {
  if (values.empty()) return "-";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, median(values) / unit);
  return text.data();
}

inline void print(const std::vector<std::pair<std::string, Samples>>& rows, const Size& size) {
  const double mib = 1 << 20;
  std::printf("\n%zu pages of %zu MiB written after a snapshot, and taken back; medians\n",
              size.pages, size.bytes >> 20);
  std::printf("%-17s %9s %8s %8s %8s %8s %8s\n", "", "snapshot", "first", "again", "backup", "file",
              "restore");
  std::printf("%-17s %9s %8s %8s %8s %8s %8s\n", "", "ms", "write us", "write us", "ms", "MiB",
              "ms");
  for (const auto& [name, samples] : rows) {
    std::printf("%-17s %9s %8s %8s %8s %8s %8s\n", name.c_str(),
                text_of(samples.snapshot, 1e-3, 2).c_str(), text_of(samples.first, 1e-6, 1).c_str(),
                text_of(samples.again, 1e-6, 1).c_str(), text_of(samples.back_up, 1e-3, 1).c_str(),
                text_of(samples.bytes, mib, 2).c_str(), text_of(samples.restore, 1e-3, 2).c_str());
  }
  std::printf("\nAll of it written, in order, before a snapshot and after it; medians\n");
  std::printf("FUA: one page that is on the disk when the write returns\n");
  std::printf("memory: libcow's disk and snapshot; qemu-nbd's without the page cache\n");
  std::printf("%-17s %9s %9s %9s %9s %9s\n", "", "before", "snapshot", "after", "FUA", "memory");
  std::printf("%-17s %9s %9s %9s %9s %9s\n", "", "ms", "ms", "ms", "ms", "MiB");
  for (const auto& [name, samples] : rows) {
    std::printf(
        "%-17s %9s %9s %9s %9s %9.0f\n", name.c_str(), text_of(samples.fill, 1e-3, 0).c_str(),
        text_of(samples.snapshot_of_all, 1e-3, 1).c_str(),
        text_of(samples.fill_after, 1e-3, 0).c_str(), text_of(samples.durable, 1e-3, 2).c_str(),
        static_cast<double>(samples.memory_bytes) / mib);
  }
}

/// The two ways for bytes to come from a socket into a region.
inline void measure_receiving(int turns) {
  std::printf("\nA request received into a region, us a request; medians\n");
  std::printf("%-12s %22s %22s\n", "", "buffer and copy", "under a lease");
  for (const std::size_t length : {std::size_t{4} << 10, std::size_t{1} << 20}) {
    cow::Region region = cow::Region::create(std::size_t{64} << 20);
    std::fill(region.bytes().begin(), region.bytes().end(), std::byte{1});
    int ends[2];
    claim(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "there is a pair of sockets");
    const nbd::Socket here(ends[0]);
    const nbd::Socket there(ends[1]);
    const int requests = turns * (length > (64 << 10) ? 20 : 400);
    std::thread sender([&] {
      const Bytes bytes(length);
      for (int i = 0; i < 2 * requests; ++i) there.send(bytes);
    });
    Bytes buffer(length);
    std::vector<double> copied;
    std::vector<double> leased;
    Random random(3);
    for (int i = 0; i < requests; ++i) {
      const std::size_t offset = random() % (region.size() / length) * length;
      copied.push_back(seconds_of([&] {
        here.receive(std::span(buffer));
        std::memcpy(region.data() + offset, buffer.data(), length);
      }));
      leased.push_back(seconds_of([&] {
        const cow::WriteLease lease = region.write_lease(offset, length);
        here.receive(lease.bytes());
      }));
    }
    sender.join();
    std::printf("%8zu KiB %22s %22s\n", length >> 10, text_of(copied, 1e-6, 1).c_str(),
                text_of(leased, 1e-6, 1).c_str());
  }
}

inline std::vector<std::unique_ptr<Side>> make_sides(std::size_t bytes) {
  std::vector<std::unique_ptr<Side>> sides;
  for (const cow::Mechanism mechanism : mechanisms()) {
    sides.push_back(std::make_unique<RegionSide>(bytes, mechanism));
  }
  if (!is_installed("qemu-img") || !is_installed("qemu-nbd")) {
    std::printf("Without files behind qemu-nbd: apt-get install qemu-utils\n");
    return sides;
  }
  sides.push_back(std::make_unique<CopySide>(bytes, false));
  if (has_reflinks()) {
    sides.push_back(std::make_unique<CopySide>(bytes, true));
  } else {
    std::printf("Without copies by reflink: the file system of %s has none\n",
                std::filesystem::temp_directory_path().c_str());
  }
  sides.push_back(std::make_unique<InternalSide>(bytes));
  sides.push_back(std::make_unique<OverlaySide>(bytes));
  return sides;
}

inline void measure_all(bool quick) {
  const Size size = quick ? Size{8 << 20, 50, 1} : Size{std::size_t{256} << 20, 1000, 5};
  std::printf("\n%s\n", machine().c_str());
  const auto sides = make_sides(size.bytes);
  std::vector<std::pair<std::string, Samples>> rows;
  rows.reserve(sides.size());
  for (const auto& side : sides) rows.emplace_back(side->name(), Samples{});
  // take(side, seed, samples) for each side, and again for as many turns.
  const auto take_turns = [&](int turns, const auto& take) {
    for (int turn = 0; turn < turns; ++turn) {
      for (std::size_t i = 0; i < sides.size(); ++i) {
        take(*sides[i], static_cast<std::uint64_t>(turn), rows[i].second);
      }
    }
  };
  take_turns(1, [](Side& side, std::uint64_t seed, Samples&) {
    Random random(seed);
    nbd::Client client = side.connect();
    fill(client, random);
  });
  take_turns(1, [](Side& side, std::uint64_t, Samples&) { side.snapshot(); });
  take_turns(size.turns, [&](Side& side, std::uint64_t seed, Samples& samples) {
    take_turn(side, size, seed, samples);
  });
  take_turns((size.turns + 1) / 2, [](Side& side, std::uint64_t seed, Samples& samples) {
    take_whole_turn(side, seed, samples);
  });
  take_turns(size.turns, [&](Side& side, std::uint64_t seed, Samples& samples) {
    take_durable_turn(side, size, seed, samples);
  });
  print(rows, size);
  measure_receiving(size.turns);
}

}  // namespace examples

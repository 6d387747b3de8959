// File system snapshots: a disk in a region, served over NBD, which qemu-img, qemu-nbd and the
// kernel's nbd-client speak. Snapshots are exports of their own, backups have the pages alone that
// were stored to since the last one, and the disk goes back to any snapshot.
//
//     block_device serve SOCKET --size 64M       a new disk of zeros
//     block_device serve SOCKET --image disk.img starts as a file, which stays as it is
//     block_device serve SOCKET --load FILE...   as a backup: the complete file, and deltas
//     block_device [--quick]                     claims and measures; see docs/uses.md
//
// With --store FOLDER what a client flushes outlives the process, and the next one goes on with it.
//
// While it serves it takes commands, a line each, and answers each with a line that begins with
// "ok" or "error". In another terminal:
//
//     qemu-img convert -n -f raw ext4.img 'nbd+unix:///disk?socket=SOCKET'
//     qemu-nbd -L -k SOCKET
//     qemu-img convert -O raw 'nbd+unix:///disk@LABEL?socket=SOCKET' then.img

#include <cow/cow.hpp>

#include <time.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "block_device/claims.hpp"
#include "block_device/disk.hpp"
#include "block_device/listener.hpp"
#include "block_device/measurements.hpp"
#include "measured.hpp"

namespace {

using examples::Disk;
using examples::Point;

const char* const usage = examples::kUsageOfBlockDevice.more;

const char* const commands = "snapshot, list, restore, drop, diff, backup, memory, help, quit";

const char* const help = "snapshot LABEL          disk@LABEL is what the disk is now\n"
                         "list                    the snapshots\n"
                         "restore LABEL           the disk is what it was\n"
                         "drop LABEL              there is no such snapshot any more\n"
                         "diff LABEL [LABEL]      what changed since it, or until the other one\n"
                         "backup FOLDER [LABEL]   a file of what changed since the last backup\n"
                         "memory                  bytes that the disk and its snapshots take\n"
                         "quit                    as the end of the input\n"
                         "ok\n";

/// What the command line says of a disk, as far as it was read.
struct Source {
  std::size_t size = 0;
  std::string image;
  std::vector<std::filesystem::path> chain;
  std::string store;
};

std::size_t size_of(const std::string& text) {
  const std::string units = "KMG";
  const auto power = text.empty() ? std::string::npos : units.find(text.back());
  const bool has_unit = power != std::string::npos;
  const std::size_t shift = has_unit ? 10 * (power + 1) : 0;
  constexpr std::size_t most = std::size_t{1} << 46;  // no address space has more for a program
  const std::string_view digits(text.data(), text.size() - (has_unit ? 1 : 0));
  if (const auto size = examples::number_of(digits, 1, most >> shift)) return *size << shift;
  throw std::invalid_argument("--size takes 1 to 65536G, with K, M or G behind, and not '" + text +
                              "'");
}

Source read_arguments(const std::vector<std::string>& words) {
  Source source;
  for (std::size_t i = 0; i < words.size();) {
    const std::string& option = words[i++];
    if (option != "--size" && option != "--image" && option != "--store" && option != "--load") {
      examples::refuse_option(examples::kUsageOfBlockDevice, option);
    }
    if (i == words.size()) throw std::invalid_argument(option + " takes a value");
    if (option == "--size") {
      source.size = size_of(words[i++]);
    } else if (option == "--image") {
      source.image = words[i++];
    } else if (option == "--store") {
      source.store = words[i++];
    } else {
      while (i < words.size() && !words[i].starts_with("--")) source.chain.emplace_back(words[i++]);
    }
  }
  return source;
}

/// The first content of the disk.
cow::Region make_region(const Source& source) {
  const int given = int{source.size > 0} + int{!source.image.empty()} + int{!source.chain.empty()};
  const auto stored = examples::Chain::files(source.store);
  if (!stored.empty()) {  // what clients were promised to find again
    cow::Region region = cow::Region::load(stored);
    if (given == 0 || (given == 1 && source.size == region.size())) return region;
    throw std::invalid_argument(source.store + " has a disk already, of " +
                                std::to_string(region.size()) + " bytes: start with it alone");
  }
  if (given != 1)
    throw std::invalid_argument(std::string("usage: a disk begins as one of\n") + usage);
  if (!source.chain.empty()) return cow::Region::load(source.chain);
  if (!source.image.empty()) return cow::Region::open(source.image);
  return cow::Region::create(source.size);
}

std::size_t pages_of(const std::vector<cow::PageRange>& ranges) {
  std::size_t pages = 0;
  for (const cow::PageRange& range : ranges) pages += range.page_count;
  return pages;
}

void list(const Disk& disk) {
  const std::vector<Point> history = disk.history();
  for (std::size_t i = 0; i < history.size(); ++i) {
    const auto& [label, snapshot, when] = history[i];
    const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    std::ostringstream time;
    time << std::put_time(&local, "%F %T");
    std::printf("%s  %s", time.str().c_str(), label.c_str());
    if (i > 0) {
      std::printf("  %zu pages since %s", pages_of(cow::diff(history[i - 1].snapshot, snapshot)),
                  history[i - 1].label.c_str());
    }
    std::printf("\n");
  }
  std::printf("ok %zu snapshots\n", history.size());
}

/// One command; false: that was the last one.
bool obey(Disk& disk, const std::string& line) {
  std::istringstream words(line);
  std::string command;
  std::string first;
  std::string second;
  words >> command >> first >> second;
  if (command == "quit") return false;
  if (command == "list") {
    list(disk);
  } else if (command == "snapshot") {
    disk.snapshot(first);
    std::printf("ok disk@%s\n", first.c_str());
  } else if (command == "restore") {
    disk.restore(first);
    std::printf("ok disk is disk@%s again\n", first.c_str());
  } else if (command == "drop") {
    disk.drop(first);
    std::printf("ok there is no disk@%s any more\n", first.c_str());
  } else if (command == "diff") {
    const auto after = second.empty() ? disk.now() : disk.find_snapshot(second);
    const auto ranges = cow::diff(disk.find_snapshot(first), after);
    for (const cow::PageRange& range : ranges) {
      std::printf("%zu bytes from %zu on\n", range.page_count * disk.page_bytes(),
                  range.first_page * disk.page_bytes());
    }
    std::printf("ok %zu pages of %zu bytes\n", pages_of(ranges), disk.page_bytes());
  } else if (command == "help") {
    std::fputs(help, stdout);
  } else if (command == "memory") {
    std::printf("ok %zu bytes\n", cow::process_stats().bytes_in_use);
  } else if (command == "backup" && !first.empty()) {
    const examples::Saved saved = disk.backup(first, second);
    if (saved.file.empty()) {
      std::printf("ok nothing has changed since the last backup\n");
    } else {
      std::printf("ok %s %ju bytes\n", saved.file.c_str(), saved.file_bytes);
    }
  } else {
    throw std::invalid_argument(std::string("commands: ") + commands);
  }
  return true;
}

int serve(const std::vector<std::string>& words) {
  if (words.empty()) throw std::invalid_argument(std::string("usage: it is one of\n") + usage);
  const Source source = read_arguments({words.begin() + 1, words.end()});
  const bool goes_on = !examples::Chain::files(source.store).empty();
  Disk disk(make_region(source));
  if (!source.store.empty()) disk.store_in(source.store, goes_on);
  const examples::Listener listener(words[0], disk);
  std::printf("ok a disk of %zu bytes at nbd+unix:///disk?socket=%s\n", disk.size(),
              words[0].c_str());
  std::string line;
  while (std::fflush(stdout), std::getline(std::cin, line)) {
    try {
      if (!obey(disk, line)) break;
    } catch (const std::exception& error) {  // everything is as it was
      std::printf("error %s\n", error.what());
    }
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const std::vector<std::string> words(arguments + 1, arguments + count);
    if (!words.empty() && words[0] == "serve") return serve({words.begin() + 1, words.end()});
    const bool quick = examples::is_quick(count, arguments, examples::kUsageOfBlockDevice);
    for (const cow::Mechanism mechanism : examples::mechanisms()) {
      examples::claim_all(mechanism, quick);
    }
    examples::measure_all(quick);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "block_device: %s\n", error.what());
    return 1;
  }
}

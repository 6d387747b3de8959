// A file opened, some of its pages stored to, and given up: what a program does with a file that it
// wants to change for itself.

#include <unistd.h>

#include <cow/region.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "measure/experiments.hpp"
#include "measure/experiments/stores.hpp"
#include "measure/host/clock.hpp"
#include "measure/host/large_file.hpp"
#include "measure/mechanisms/mapping.hpp"
#include "measure/mechanisms/mechanism.hpp"
#include "measure/quantity.hpp"

namespace cow::measure {

namespace {

struct File {
  std::string path;
  std::size_t bytes = 0;

  [[nodiscard]] std::size_t pages() const { return bytes / host_page_bytes(); }
};

/// Opens the file, calls `stores` with its bytes, and gives them up.
using Opening = std::function<void(const std::function<void(std::span<std::byte>)>& stores)>;

void read_all(const Descriptor& file, std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t count = ::read(file.number(), into.data(), into.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) refused("read");
    if (count == 0) throw std::runtime_error("the file has become shorter");
    into = into.subspan(static_cast<std::size_t>(count));
  }
}

Mapping read_file(const File& file) {
  Mapping memory = Mapping::anonymous(file.bytes);
  read_all(open_to_read(file.path), memory.bytes());
  return memory;
}

Opening as_region(const File& file, cow::Mechanism mechanism) {
  return [file, mechanism](const auto& stores) {
    stores(cow::Region::open(file.path, {.mechanism = mechanism}).bytes());
  };
}

Opening as_private(const File& file) {
  return [file](const auto& stores) {
    stores(Mapping::of_copies(open_to_read(file.path), file.bytes).bytes());
  };
}

Opening as_read(const File& file) {
  return [file](const auto& stores) { stores(read_file(file).bytes()); };
}

Turn turn_of(const File& file, std::size_t count, const Opening& open) {
  static_cast<void>(read_file(file));  // so that all of it is in the page cache
  return [file, count, open](std::uint64_t turn) {
    const Pattern pattern = count == file.pages() ? Pattern::sequential : Pattern::random;
    const PageOrder order = pages_of(pattern, file.pages(), count, turn);
    std::uint64_t opened = 0;
    std::uint64_t stored = 0;
    const std::uint64_t start = now_ns();
    open([&](std::span<std::byte> bytes) {
      opened = now_ns();
      store_to_each(bytes, order, host_page_bytes(), turn + 1);
      stored = now_ns();
    });
    const std::uint64_t end = now_ns();
    const auto part = [](std::uint64_t from, std::uint64_t to) {
      return std::vector<double>{static_cast<double>(to - from)};
    };
    return TurnResult{.samples = part(start, end),
                      .parts = {{"open", part(start, opened)},
                                {"stores", part(opened, stored)},
                                {"close", part(stored, end)}},
                      .counts = {}};
  };
}

std::vector<Side> sides_of(const File& file, std::size_t count) {
  const auto side = [&](std::string name, std::string_view needs, const Opening& open) {
    return Side{.mechanism = std::move(name), .prepare = [file, count, needs, open] {
                  if (!needs.empty()) {
                    const std::string why = mechanism(needs).why_not();
                    if (!why.empty()) throw Unavailable(why);
                  }
                  return turn_of(file, count, open);
                }};
  };
  return {side("read", "", as_read(file)),
          side("handler", "handler", as_region(file, cow::Mechanism::handler)),
          side("kernel", "kernel", as_region(file, cow::Mechanism::kernel)),
          side("private", "", as_private(file))};
}

/// Throws Unavailable.
File file_of(const std::string& asked_for) {
  const std::optional<std::string> path =
      asked_for.empty() ? large_file() : std::optional<std::string>(asked_for);
  if (!path) {
    throw Unavailable("none of the large files that a system should have is here; name another");
  }
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(*path, error);
  if (error) throw Unavailable(fmt::format("'{}': {}", printable(*path), error.message()));
  if (bytes < host_page_bytes()) {
    throw Unavailable(fmt::format("'{}' is smaller than a page", printable(*path)));
  }
  return {.path = *path, .bytes = bytes};
}

Comparison comparison_of(const File& file, double share) {
  const std::size_t count = share_of(file.pages(), share);
  const std::string name = printable(std::filesystem::path(file.path).filename().string());
  return {.workload = fmt::format("{:.0f} % of {}, {}", share * 100, name, bytes_text(file.bytes)),
          .parameters = {{"bytes", file.bytes},
                         {"pages", file.pages()},
                         {"pattern",
                          name_of(count == file.pages() ? Pattern::sequential : Pattern::random)},
                         {"share", share},
                         {"stores", count},
                         {"file", printable(file.path)},
                         {"page_cache", "warm"}},
          .sample = "the file opened, its pages stored to, and given up",
          .against = "private",
          .sides = sides_of(file, count),
          .memory_bytes = 2 * file.bytes};
}

/// Skipped, with why.
Comparison without_file(const std::string& why) {
  Comparison comparison;
  comparison.workload = "a large file";
  comparison.against = "private";
  for (const char* name : {"read", "handler", "kernel", "private"}) {
    comparison.sides.push_back(
        {.mechanism = name, .prepare = [why]() -> Turn { throw Unavailable(why); }});
  }
  return comparison;
}

}  // namespace

std::vector<Comparison> real_file(const Scale& scale) {
  try {
    const File file = file_of(scale.file);
    return {comparison_of(file, 0.01), comparison_of(file, 1)};
  } catch (const Unavailable& why) {
    return {without_file(why.what())};
  }
}

}  // namespace cow::measure

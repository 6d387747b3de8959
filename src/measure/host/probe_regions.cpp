// Regions of each kind, made and used in a child.

#include <cow/cow.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>

#include "measure/host/facts.hpp"
#include "measure/host/findings_json.hpp"
#include "measure/host/in_child.hpp"
#include "measure/host/probes.hpp"

namespace cow::measure {

namespace {

constexpr std::size_t kPages = 64;

bool holds(std::span<const std::byte> bytes, std::byte value) {
  return std::all_of(bytes.begin(), bytes.end(), [&](std::byte byte) { return byte == value; });
}

void expect(bool is_so, const char* what) {
  if (!is_so) throw std::runtime_error(std::string("wrong bytes: ") + what);
}

std::string put_through(Mechanism mechanism) {
  RegionOptions options;
  options.mechanism = mechanism;
  Region region = Region::create(kPages * host_page_bytes(), options);
  const auto fill = [](Region& to, int value) {
    std::memset(to.data(), value, to.size());  // every page is stored to, so it is faulted on
  };
  fill(region, 1);
  const Snapshot snapshot = region.snapshot();
  fill(region, 2);
  expect(holds(snapshot.bytes(), std::byte{1}), "a snapshot changed with its region");
  Region clone = region.clone();
  fill(clone, 3);
  expect(holds(region.bytes(), std::byte{2}), "a store to a clone reached its origin");
  region.restore(snapshot);
  expect(holds(region.bytes(), std::byte{1}), "a restored region differs from its snapshot");
  return region.stats().mechanism == Mechanism::kernel ? "kernel" : "handler";
}

/// `work` returns what is to be kept of it, or throws a sentence.
RegionTrial try_region(const std::function<std::string()>& work) {
  const ChildEnd end = in_child(
      [&] {
        RegionTrial found;
        found.trial.was_tried = true;
        try {
          found.mechanism = work();
          found.trial.worked = true;
        } catch (const std::system_error& error) {
          found.trial.error = error.code().value();
          found.trial.said = error.what();
        } catch (const std::exception& error) {
          found.trial.said = error.what();
        }
        return nlohmann::json(found).dump();
      },
      Complaints::caught);
  if (end.has_said) return nlohmann::json::parse(end.said).get<RegionTrial>();
  RegionTrial ended;
  ended.trial = {true, false, 0, end.signal, end.complained};
  return ended;
}

/// As large as the machine's memory, or what a process may well ask for.
std::uint64_t large_bytes() {
  constexpr std::uint64_t kGib = std::uint64_t{1} << 30;
  const std::uint64_t memory = bytes_field("/proc/meminfo", "MemTotal").value_or(4 * kGib);
  return std::max<std::uint64_t>(memory / kGib, 1) * kGib;
}

}  // namespace

Regions try_regions() {
  Regions regions;
  if (const char* const asked = std::getenv("COW_MECHANISM"); asked != nullptr && *asked != '\0') {
    regions.asked = asked;
  }
  // Without children the one that has the most to say comes first, in case it is the last.
  regions.automatic = try_region([] { return put_through(Mechanism::automatic); });
  regions.kernel = try_region([] { return put_through(Mechanism::kernel); });
  regions.handler = try_region([] { return put_through(Mechanism::handler); });
  regions.large_bytes = large_bytes();
  const std::uint64_t bytes = regions.large_bytes;
  regions.large = try_region([bytes] {
                    const Region region = Region::create(bytes);
                    return std::string();
                  }).trial;
  return regions;
}

}  // namespace cow::measure

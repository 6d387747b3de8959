#pragma once

// The ways to have memory whose bytes of one moment can be had again, each behind the same face.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace cow::measure {

/// Memory held by one mechanism; one of them in a process, and one thread that calls these. Any
/// threads may store to the bytes between begin() and end(), but during neither of these calls.
class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  virtual ~Memory() = default;

  /// Where the program stores; another place after begin() where a clone is stored to.
  [[nodiscard]] virtual std::span<std::byte> bytes() = 0;

  /// The bytes of now can be had again from here on: a clone, a snapshot, a fork, a protection.
  /// At most one at a time.
  virtual void begin() = 0;

  /// What begin() made is given up. The bytes stay as they were stored where
  /// Mechanism::keeps_stores, otherwise they are those of before begin().
  virtual void end() = 0;

  /// Does `stores` to the bytes and has them as before again, as a fuzzer or a speculation does.
  /// Only where Mechanism::rolls_back, and not between begin() and end(). Several in a row go back
  /// to the same bytes: nothing else may store to them between two of these calls without a begin()
  /// in between. The stores may be done in another process, or at another address.
  virtual void try_out(const std::function<void(std::span<std::byte>)>& stores) = 0;

  /// Faults that a handler or a thread of this process has answered so far; nothing where the
  /// kernel answers them all. Costs time of its own.
  [[nodiscard]] virtual std::optional<std::uint64_t> faults_answered() { return std::nullopt; }
};

struct MemoryOptions {
  std::size_t bytes = 0;
  std::size_t granule_bytes = 0;  ///< 0: the host's page
  std::string file{};             ///< the bytes are those of this file; empty: written by us
  bool is_cloned = false;  ///< handler, kernel: begin() makes a clone, which is stored to and goes
                           ///< with end(), instead of a snapshot
  std::size_t max_window_pages = 0;  ///< handler: cow::RegionOptions'; 0: as it is by default
};

struct Mechanism {
  std::string_view name;   ///< "handler"
  std::string_view title;  ///< "libcow, its own handler"
  std::string_view what;   ///< what it does, as one sentence
  bool keeps_stores = false;
  bool rolls_back = false;
  bool has_granules = false;
  bool has_files = false;

  /// Why it cannot be had on this system, as a sentence; empty if it can.
  std::string (*why_not)();
  /// Memory of so many bytes, every page of it stored to once. Throws what it must.
  std::unique_ptr<Memory> (*make)(const MemoryOptions& options);
};

/// All of them, in the order of tables: eager, handler, kernel, fork, private, boost-private,
/// uffd-signal, uffd-thread, mprotect. (A bare signal clones nothing: see measure/experiments.)
[[nodiscard]] std::span<const Mechanism> mechanisms();

/// Throws std::invalid_argument with the names there are.
[[nodiscard]] const Mechanism& mechanism(std::string_view name);

}  // namespace cow::measure

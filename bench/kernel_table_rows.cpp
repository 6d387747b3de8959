#include <fcntl.h>
#include <unistd.h>

#include <benchmark/benchmark.h>
#include <cow/cow.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench_folder.hpp"
#include "forking.hpp"
#include "kernel_rows.hpp"
#include "plain_memory.hpp"

namespace cow_bench {

namespace {

std::size_t table_bytes() { return full_or_quick(256 * mib, 4 * mib); }

/// A hash table of fixed slots in flat memory, half of them in use.
class KeyValueTable {
 public:
  explicit KeyValueTable(std::byte* first)
      : slots_(reinterpret_cast<Slot*>(first)), count_(table_bytes() / sizeof(Slot)) {
    for (std::uint64_t key = 1; key <= keys(); ++key) set(key, key);
  }

  [[nodiscard]] std::uint64_t keys() const { return count_ / 2; }
  [[nodiscard]] std::uint64_t get(std::uint64_t key) const { return find(key).value[0]; }
  void set(std::uint64_t key, std::uint64_t value) {
    Slot& slot = find(key);
    slot.key = key;
    std::fill(std::begin(slot.value), std::end(slot.value), value);
  }

 private:
  struct Slot {
    std::uint64_t key;
    std::uint64_t value[15];
  };
  static_assert(sizeof(Slot) == 128);

  // An odd multiplier scatters; the number of slots is a power of two.
  [[nodiscard]] Slot& find(std::uint64_t key) const {
    std::size_t at = (key * 0x9e3779b97f4a7c15U >> 20U) & (count_ - 1);
    while (slots_[at].key != 0 && slots_[at].key != key) at = (at + 1) & (count_ - 1);
    return slots_[at];
  }

  Slot* slots_;
  std::size_t count_;
};

/// Small, so that it is no load on who has to copy what it stores to.
class Latencies {
 public:
  void add(std::uint64_t ns) {
    ++counts_[std::min<std::uint64_t>(ns / bucket_ns, counts_.size() - 1)];
    ++count_;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double percentile(double percent) const {
    const auto wanted = static_cast<std::uint64_t>(percent / 100 * static_cast<double>(count_));
    std::uint64_t seen = 0;
    std::size_t bucket = 0;
    while (bucket + 1 < counts_.size() && (seen += counts_[bucket]) <= wanted) ++bucket;
    return static_cast<double>((bucket + 1) * bucket_ns);
  }

 private:
  static constexpr std::uint64_t bucket_ns = 20;
  std::vector<std::uint32_t> counts_ = std::vector<std::uint32_t>(10'000);
  std::uint64_t count_ = 0;
};

/// Requests to the table for as long as a save takes: every eighth a write, half of them to one
/// hundredth of the keys.
class Server {
 public:
  explicit Server(std::byte* first) : table_(first) {}

  /// Three figures: a request on average, the 99th percentile of a request, and the longest time
  /// that nobody was served, by a request or by `begin`, which begins a save. `is_saving` is asked
  /// now and then.
  Figures serve(const std::function<void()>& begin, const std::function<bool()>& is_saving) {
    Latencies latencies;
    const std::uint64_t start = now_ns();
    begin();
    std::uint64_t longest_ns = now_ns() - start;
    do {
      for (int i = 0; i < 256; ++i) {
        const std::uint64_t begin_ns = now_ns();
        serve_one();
        const std::uint64_t taken_ns = now_ns() - begin_ns;
        latencies.add(taken_ns);
        longest_ns = std::max(longest_ns, taken_ns);
      }
    } while (is_saving());
    return {elapsed_ns(start) / static_cast<double>(latencies.count()), latencies.percentile(99),
            static_cast<double>(longest_ns)};
  }

 private:
  void serve_one() {
    const std::uint64_t word = random_();
    const bool is_hot = (word >> 63U) != 0;
    const std::uint64_t among = is_hot ? table_.keys() / 100 : table_.keys();
    const std::uint64_t key = 1 + (word & 0xffff'ffffU) % among;
    if ((word >> 40U & 7U) == 0) {
      table_.set(key, word);
    } else {
      benchmark::DoNotOptimize(table_.get(key));
    }
  }

  KeyValueTable table_;
  std::mt19937_64 random_{42};
};

/// Who takes the snapshot.
enum class Cut {
  beside_requests,  ///< the thread that saves: as after a loss of power, one may be half done
  between_requests  ///< the thread that serves
};

Prepare servers_of_regions(cow::Mechanism mechanism, Cut cut) {
  struct State {
    explicit State(cow::Mechanism mechanism)
        : region(cow::Region::create(table_bytes(), copied_by(mechanism))), server(region.data()) {}
    cow::Region region;
    Server server;
    Folder folder;
  };
  return [=]() -> Turn {
    return [state = std::make_shared<State>(mechanism), cut](std::uint64_t) {
      std::atomic<bool> is_saving = true;
      std::thread saver;
      const auto save = [&](std::optional<cow::Snapshot> snapshot) {
        if (!snapshot) snapshot = state->region.snapshot();
        snapshot->save(state->folder / "table");
        is_saving = false;
      };
      const auto begin = [&] {
        std::optional<cow::Snapshot> snapshot;
        if (cut == Cut::between_requests) snapshot = state->region.snapshot();
        saver = std::thread(save, std::move(snapshot));
      };
      Figures figures = state->server.serve(begin, [&] { return is_saving.load(); });
      saver.join();
      return figures;
    };
  };
}

/// The whole table, as it was when this process was forked.
void write_table(const PlainMemory& memory, const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) refuse(errno, "open " + path.string());
  for (std::size_t done = 0; done < memory.size();) {
    const ssize_t written =
        ::write(file, memory.data() + done, std::min(memory.size() - done, mib));
    if (written < 0) refuse(errno, "write to " + path.string());
    done += static_cast<std::size_t>(written);
  }
  ::close(file);
}

Prepare forking_servers() {
  struct State {
    PlainMemory memory = PlainMemory::anonymous(table_bytes());
    Server server{cleared(memory)};
    Folder folder;

    static std::byte* cleared(const PlainMemory& memory) {
      std::memset(memory.data(), 0, memory.size());
      return memory.data();
    }
  };
  return []() -> Turn {
    return [state = std::make_shared<State>()](std::uint64_t) {
      std::optional<WorkingChild> child;
      return state->server.serve(
          [&] { child.emplace([&] { write_table(state->memory, state->folder / "table"); }); },
          [&] { return child->is_working(); });
    };
  };
}

}  // namespace

Group kernel_table() {
  const std::string what = "a key-value table of 256 MiB, saved again and again: ";
  const auto rows_of = [&what](const char* ours, const char* theirs) {
    const auto row = [&](const char* figure) {
      return Row{.what = what + figure, .ours = ours, .theirs = theirs};
    };
    return std::vector{row("a request on average"), row("99th percentile of a request"),
                       row("the longest pause")};
  };
  const char* const on_saver = "snapshot() and save() on a thread";
  const char* const forked = "fork(), the child saves";
  std::vector<Row> beside = rows_of(on_saver, forked);
  beside[0].most = 1 / 1.2;
  beside[1].most = 0.7;
  beside[2].most = 0.5;
  std::vector<Row> between = rows_of("snapshot() between two requests, save() on a thread", forked);
  std::vector<Row> handler = rows_of(on_saver, by_handler);
  Turns turns(rounds(11));
  turns.have_company();
  const auto add = [&](Prepare prepare, std::vector<Row>& rows, Samples Row::*samples) {
    std::vector<Samples*> into;
    for (Row& row : rows) into.push_back(&(row.*samples));
    const Row& first = rows.front();
    turns.add(samples == &Row::our_samples ? first.ours : first.theirs, std::move(prepare), into);
  };
  add(servers_of_regions(cow::Mechanism::kernel, Cut::beside_requests), beside, &Row::our_samples);
  add(servers_of_regions(cow::Mechanism::kernel, Cut::between_requests), between,
      &Row::our_samples);
  add(servers_of_regions(cow::Mechanism::handler, Cut::beside_requests), handler,
      &Row::their_samples);
  add(forking_servers(), beside, &Row::their_samples);
  turns.take();
  for (std::size_t i = 0; i < beside.size(); ++i) {
    between[i].their_samples = beside[i].their_samples;
    handler[i].our_samples = beside[i].our_samples;
  }
  Group group{.rows = beside};
  for (const auto& rows : {between, handler}) {
    group.rows.insert(group.rows.end(), rows.begin(), rows.end());
  }
  return group;
}

}  // namespace cow_bench

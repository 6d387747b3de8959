#pragma once

// What a save costs those who write, and how much memory it takes: the same server with libcow's
// two mechanisms and with fork(), in turns.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../measured.hpp"
#include "client.hpp"
#include "writers.hpp"

namespace comparison {

using Clock = std::chrono::steady_clock;

/// Those that this machine has.
inline std::vector<std::string> mechanisms(const Folder& folder) {
  ServerProcess server(folder, "probe", {"--mechanism", "kernel"});
  try {
    server.connect();
    return {"handler", "kernel"};
  } catch (const std::runtime_error&) {
    std::puts("The kernel's mechanism is left out: this machine does not have it.");
    return {"handler"};
  }
}

/// Eight connections, each of which sends a SET of a random key as soon as its last was answered;
/// or, `per_second` being limited, when its time has come: then lateness counts as latency, too.
class Storm {
 public:
  struct Store {
    Clock::time_point begin;
    double seconds = 0;
  };

  Storm(const std::string& socket, std::size_t keys, double per_second)
      : keys_(keys), interval_(per_second > 0 ? 1 / per_second : 0) {
    for (std::size_t i = 0; i < kWriters; ++i) connections_.emplace_back(socket);
    thread_ = std::thread([this] { run(); });
  }
  ~Storm() { end(); }
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

  /// All stores so far. None are made after that.
  std::vector<Store> end() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    return std::move(stores_);
  }

 private:
  void send(std::size_t i, Clock::time_point due) {
    const std::string letters(kValueBytes, static_cast<char>('a' + stores_.size() % 26));
    connections_[i].send(command_text({"SET", filler_key(random_() % keys_), letters}));
    begins_[i] = due;
  }

  void run() {
    std::vector<pollfd> waiting;
    Clock::time_point due = Clock::now();
    const auto interval =
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(interval_));
    std::vector<std::size_t> idle;
    for (std::size_t i = 0; i < kWriters; ++i) {
      waiting.push_back({connections_[i].descriptor(), POLLIN, 0});
      idle.push_back(i);
    }
    for (std::size_t under_way = 0; !stopping_ || under_way > 0;) {
      while (!stopping_ && !idle.empty() && (interval_ == 0 || Clock::now() >= due)) {
        send(idle.back(), interval_ == 0 ? Clock::now() : due);
        idle.pop_back();
        due += interval;
        ++under_way;
      }
      const timespec a_little{0, 100'000};
      ::ppoll(waiting.data(), waiting.size(), interval_ == 0 ? nullptr : &a_little, nullptr);
      for (std::size_t i = 0; i < kWriters; ++i) {
        if (waiting[i].revents == 0) continue;
        examples::claim(connections_[i].receive().text == "OK", "no store is refused");
        stores_.push_back(
            {begins_[i], std::chrono::duration<double>(Clock::now() - begins_[i]).count()});
        idle.push_back(i);
        --under_way;
      }
    }
  }

  std::size_t keys_;
  double interval_;
  std::vector<Connection> connections_;
  std::vector<Clock::time_point> begins_ = std::vector<Clock::time_point>(kWriters);
  std::vector<Store> stores_;
  std::mt19937 random_{1};
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

/// What one save of one server was like.
struct Turn {
  double save_seconds = 0;
  std::vector<double> latencies;
  double stores_per_second = 0;
};

constexpr const char* kNoSave = "no save";

/// One way to save, and what its turns were.
struct Row {
  std::string name;
  std::string limit;
  ServerProcess* server;
  double bytes_before = 0;      // with all data, before its first save
  std::size_t limit_bytes = 0;  // that its saves had: no less than the least that can be kept
  std::vector<double> save{}, p50{}, p99{}, most{}, rate{}, bytes{};
};

/// A save while the storm goes on, or half a second without one. What is stored before and after
/// does not count.
inline Turn save_in_storm(Connection& control, const std::string& socket, std::size_t keys,
                          double per_second, bool is_saved = true) {
  Storm storm(socket, keys, per_second);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const Clock::time_point begin = Clock::now();
  if (is_saved) {
    const Reply begun = control.ask({"BGSAVE"});
    examples::claim(begun.kind == '+', "a save begins: " + begun.text);
  } else {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  while (control.info("bgsave_in_progress") == "1") {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const Clock::time_point end = Clock::now();
  examples::claim(control.info("last_save_status") == "ok", "the save ends well");
  Turn turn;
  turn.save_seconds = std::chrono::duration<double>(end - begin).count();
  for (const Storm::Store& store : storm.end()) {
    const Clock::time_point done = store.begin + std::chrono::duration_cast<Clock::duration>(
                                                     std::chrono::duration<double>(store.seconds));
    if (done >= begin && store.begin <= end) turn.latencies.push_back(store.seconds);
  }
  turn.stores_per_second = static_cast<double>(turn.latencies.size()) / turn.save_seconds;
  return turn;
}

/// The most memory, by the kernel's count, that there is while a save goes on in a storm. In turns
/// of its own: to count keeps the process that is counted.
inline double bytes_in_storm(const ServerProcess& server, Connection& control, std::size_t keys,
                             double per_second) {
  std::atomic<bool> is_done = false;
  std::size_t most = 0;
  std::thread sampler([&] {
    Connection own(server.socket());
    while (!is_done) {
      const auto saver = static_cast<pid_t>(own.info_number("saving_process"));
      most = std::max(most, kernel_bytes(server.process(), saver));
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  save_in_storm(control, server.socket(), keys, per_second);
  is_done = true;
  sampler.join();
  return static_cast<double>(most);
}

inline void print_machine() {
  std::printf("%s\nMedians; each save beside eight clients. \"is\": the limit in effect, no less\n"
              "than the least that a save can keep.\n",
              examples::machine().c_str());
}

inline void take_turn(Row& row, std::size_t keys, double per_second) {
  Connection control = row.server->connect();
  examples::claim(control.ask({"CONFIG", "SET", "save-limit", row.limit}).text == "OK",
                  "the limit is set");
  const bool is_saved = row.name != kNoSave;
  const Turn turn = save_in_storm(control, row.server->socket(), keys, per_second, is_saved);
  row.save.push_back(turn.save_seconds);
  row.p50.push_back(examples::percentile(turn.latencies, 50));
  row.p99.push_back(examples::percentile(turn.latencies, 99));
  row.most.push_back(examples::percentile(turn.latencies, 100));
  row.rate.push_back(turn.stores_per_second);
  if (!is_saved) return;
  row.limit_bytes = control.info_number("last_save_limit_bytes");
  row.bytes.push_back(bytes_in_storm(*row.server, control, keys, per_second));
}

inline void print(const std::vector<Row>& rows) {
  using examples::median;
  constexpr double mebibyte = 1 << 20;
  std::puts("save by   limit  is MiB   save    p50    p99     max   stores   extra");
  std::puts("                            ms     us     us      ms      /s     MiB");
  for (const Row& row : rows) {
    const bool is_saved = row.name != kNoSave;
    const bool is_limited = is_saved && row.limit != "none";
    std::printf("%-8s %6s", row.name.c_str(), row.limit.c_str());
    if (is_limited) std::printf(" %7.1f", static_cast<double>(row.limit_bytes) / mebibyte);
    if (!is_limited) std::printf(" %7s", "-");
    std::printf(" %6.0f %6.0f %6.0f %7.1f %8.0f", is_saved ? median(row.save) * 1e3 : 0,
                median(row.p50) * 1e6, median(row.p99) * 1e6, median(row.most) * 1e3,
                median(row.rate));
    if (is_saved) std::printf(" %7.1f", (median(row.bytes) - row.bytes_before) / mebibyte);
    std::printf("\n");
  }
}

/// One table: data of `keys` keys, and so many stores a second (0: as many as go).
inline void compare_with(const Folder& folder, const std::vector<std::string>& mechanisms,
                         std::size_t keys, double per_second, int turns) {
  const std::string name =
      std::to_string(keys) + "-" + std::to_string(static_cast<int>(per_second));
  // The same room for all, as much as the data need.
  const std::size_t room = std::max<std::size_t>(keys * 2 * kValueBytes, 64 << 20);
  std::vector<std::unique_ptr<ServerProcess>> servers;
  std::vector<Row> rows;
  const auto add = [&](const std::string& who, std::vector<std::string> options,
                       const std::vector<std::string>& limits) {
    options.insert(options.end(), {"--most-bytes", std::to_string(room)});
    servers.push_back(std::make_unique<ServerProcess>(folder, who + name, std::move(options)));
    Connection control = servers.back()->connect();
    fill(control, keys);
    const auto before = static_cast<double>(kernel_bytes(servers.back()->process(), 0));
    for (const std::string& limit : limits) {
      rows.push_back({who, limit, servers.back().get(), before});
    }
  };
  add("fork", {"--save-by", "fork"}, {"none"});
  rows.insert(rows.begin(), Row{kNoSave, "none", rows.front().server, rows.front().bytes_before});
  add("handler", {"--mechanism", "handler"}, {"none", "10%", "1%"});
  // One fault for four pages: fewer faults, and more memory for each.
  const std::size_t granule = 4 * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  add(std::to_string(granule >> 10) + " KiB",
      {"--mechanism", "handler", "--granule", std::to_string(granule)}, {"10%"});
  if (std::find(mechanisms.begin(), mechanisms.end(), "kernel") != mechanisms.end()) {
    add("kernel", {"--mechanism", "kernel"}, {"none"});
  }
  for (int turn = 0; turn <= turns; ++turn) {  // the first does not count if there are more
    for (Row& row : rows) {
      if (turn == 1) row = {row.name, row.limit, row.server, row.bytes_before};  // warm
      take_turn(row, keys, per_second);
    }
  }
  std::printf("\n%zu keys of %zu bytes, %s; --most-bytes %zu\n", keys, kValueBytes,
              per_second == 0
                  ? "stored to as fast as it goes"
                  : (std::to_string(static_cast<int>(per_second)) + " stores a second").c_str(),
              room);
  print(rows);
}

inline void compare(const Folder& folder, const std::vector<std::string>& mechanisms, bool quick) {
  print_machine();
  if (quick) {
    compare_with(folder, mechanisms, 4'000, 0, 0);
    return;
  }
  compare_with(folder, mechanisms, 256'000, 0, 5);
  compare_with(folder, mechanisms, 256'000, 2'000, 5);
  compare_with(folder, mechanisms, 8'000, 0, 9);
}

}  // namespace comparison

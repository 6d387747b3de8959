// An SQLite database in a region, cloned while another thread serves transactions. Each clone
// passes SQLite's own integrity check, holds complete transactions only, and then goes its own way.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "region_database.hpp"

namespace {

constexpr int accounts = 1000;
constexpr int opening_balance = 100;

void fill(examples::RegionDatabase& database) {
  database.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER);"
                   "CREATE TABLE transfer(id INTEGER PRIMARY KEY, note TEXT);"
                   "CREATE INDEX by_note ON transfer(note); BEGIN");
  for (int i = 0; i < accounts; ++i) {
    database.execute("INSERT INTO account VALUES (" + std::to_string(i) + ", " +
                     std::to_string(opening_balance) + ")");
  }
  database.execute("COMMIT");
}

/// Money moves between accounts; its sum never changes from one commit to the next.
void serve(examples::RegionDatabase& database, const std::atomic<bool>& stop) {
  for (unsigned turn = 0; !stop; ++turn) {
    const std::string from = std::to_string(turn * 7919U % accounts);
    const std::string to = std::to_string(turn * 104729U % accounts);
    database.execute("BEGIN");
    database.execute("UPDATE account SET balance = balance - 1 WHERE id = " + from);
    database.execute("UPDATE account SET balance = balance + 1 WHERE id = " + to);
    database.execute("INSERT INTO transfer(note) VALUES ('" + from + " to " + to + "')");
    database.execute("COMMIT");
  }
}

bool is_sound(examples::RegionDatabase& database) {
  return database.value("PRAGMA integrity_check") == "ok" &&
         database.value("SELECT sum(balance) FROM account") ==
             std::to_string(accounts * opening_balance);
}

}  // namespace

int main() {
  try {
    auto live = examples::RegionDatabase::create(std::size_t{1} << 30);
    fill(live);
    std::vector<examples::RegionDatabase> clones;
    std::atomic<bool> stop{false};
    std::thread server([&] { serve(live, stop); });
    bool all_sound = true;
    for (int i = 0; i < 10; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      clones.push_back(live.clone());
      examples::RegionDatabase& clone = clones.back();
      const bool sound = is_sound(clone);
      all_sound &= sound;
      std::printf("clone %d: %s transfers, %s\n", i,
                  clone.value("SELECT count(*) FROM transfer").c_str(),
                  sound ? "sound" : "NOT sound");
      clone.execute("DELETE FROM transfer; INSERT INTO transfer(note) VALUES ('clone " +
                    std::to_string(i) + "')");
    }
    stop = true;
    server.join();
    for (std::size_t i = 0; i < clones.size(); ++i) {
      all_sound &= is_sound(clones[i]) &&
                   clones[i].value("SELECT note FROM transfer") == "clone " + std::to_string(i);
    }
    all_sound &= is_sound(live);
    std::printf("live: %s transfers, %s\n", live.value("SELECT count(*) FROM transfer").c_str(),
                all_sound ? "all sound, each with its own rows" : "NOT sound");
    return all_sound ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sqlite_clone: %s\n", error.what());
    return 1;
  }
}

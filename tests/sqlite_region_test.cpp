// A real client that keeps no pointers: an unmodified SQLite whose database in memory is a region
// (docs/examples/region_database.hpp). CMake defines COW_TEST_SQLITE where it is installed.

#include "catch.hpp"

#if !defined(COW_TEST_SQLITE)

TEST_CASE("an SQLite database in a region", "[examples]") {
  WARN("skipped: SQLite is not installed");
}

#else

#include "support.hpp"

#include <region_database.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using examples::RegionDatabase;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;
constexpr int accounts = 200;

RegionDatabase bank() {
  RegionDatabase database = RegionDatabase::create(256 * mib, support::options());
  database.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER);"
                   "CREATE TABLE transfer(id INTEGER PRIMARY KEY, note TEXT);"
                   "CREATE INDEX by_note ON transfer(note);"
                   "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 199)"
                   " INSERT INTO account SELECT i, 100 FROM n");
  return database;
}

void transfer(RegionDatabase& database, unsigned turn) {
  const std::string from = std::to_string(turn * 7919U % accounts);
  const std::string to = std::to_string(turn * 104729U % accounts);
  database.execute("BEGIN");
  database.execute("UPDATE account SET balance = balance - 1 WHERE id = " + from);
  database.execute("UPDATE account SET balance = balance + 1 WHERE id = " + to);
  database.execute("INSERT INTO transfer(note) VALUES ('" + from + " to " + to + "')");
  database.execute("COMMIT");
}

std::string count(RegionDatabase& database) {
  return database.value("SELECT count(*) FROM transfer");
}

/// Empty if the database is whole and holds complete transactions only.
std::string fault_of(RegionDatabase& database) {
  std::string faults;
  database.execute("PRAGMA integrity_check", [&](const char* line) {
    if (std::string(line) != "ok") faults += line;
  });
  const std::string sum = database.value("SELECT sum(balance) FROM account");
  return sum == std::to_string(accounts * 100) ? faults : faults + " the sum is " + sum;
}

}  // namespace

TEST_CASE("an SQLite database is cloned while it serves, and the clones diverge", "[examples]") {
  RegionDatabase live = bank();
  std::atomic<bool> stop{false};
  std::atomic<unsigned> served{0};
  std::string complaint;
  std::thread server([&] {
    try {
      while (!stop) transfer(live, served++);
    } catch (const std::exception& error) {
      complaint = error.what();
    }
  });
  std::vector<RegionDatabase> clones;
  std::vector<std::pair<cow::Snapshot, unsigned>> snapshots;
  for (unsigned i = 0; i < 12; ++i) {
    const unsigned before = served;
    while (served < before + 20 && complaint.empty()) std::this_thread::yield();
    clones.push_back(live.clone());
    snapshots.emplace_back(live.snapshot(), served);
    RegionDatabase& clone = clones.back();
    CHECK(fault_of(clone) == "");
    CHECK(std::stoul(count(clone)) >= before);
    clone.execute("DELETE FROM transfer; INSERT INTO transfer(note) VALUES ('" + std::to_string(i) +
                  "')");
    transfer(clone, i);
  }
  stop = true;
  server.join();
  CHECK(complaint == "");
  CHECK(fault_of(live) == "");
  CHECK(count(live) == std::to_string(served));
  for (std::size_t i = 0; i < clones.size(); ++i) {
    CAPTURE(i);
    CHECK(fault_of(clones[i]) == "");
    CHECK(count(clones[i]) == "2");
    CHECK(clones[i].value("SELECT note FROM transfer WHERE id = 1") == std::to_string(i));
  }
  for (const auto& [snapshot, at_most] : snapshots) {
    RegionDatabase past(cow::Region::from_snapshot(snapshot));
    CHECK(fault_of(past) == "");
    CHECK(std::stoul(count(past)) <= at_most);
  }
  CHECK(support::broken_invariant(live.region()) == "");
}

TEST_CASE("a clone of an SQLite database has what is committed and nothing else", "[examples]") {
  RegionDatabase live = bank();
  for (unsigned turn = 0; turn < 10; ++turn) transfer(live, turn);
  live.execute("BEGIN");
  // More than SQLite's page cache would like to keep.
  live.execute("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)"
               " INSERT INTO transfer(note) SELECT printf('%0200d', i) FROM n");
  live.execute("UPDATE account SET balance = 0");
  RegionDatabase clone = live.clone();
  CHECK(fault_of(clone) == "");
  CHECK(count(clone) == "10");
  live.execute("ROLLBACK");
  CHECK(fault_of(live) == "");
  CHECK(count(live) == "10");
}

TEST_CASE("an SQLite database returns to a snapshot", "[examples]") {
  RegionDatabase live = bank();
  for (unsigned turn = 0; turn < 50; ++turn) transfer(live, turn);
  const cow::Snapshot snapshot = live.snapshot();
  const std::string balances = "SELECT group_concat(balance) FROM account";
  const std::string before = live.value(balances);
  for (int round = 0; round < 3; ++round) {
    for (unsigned turn = 50; turn < 150; ++turn) transfer(live, turn);
    live.execute("DROP TABLE account");
    live.restore(snapshot);
    CHECK(fault_of(live) == "");
    CHECK(live.value(balances) == before);
    CHECK(count(live) == "50");
  }
}

TEST_CASE("an SQLite database that fills its region says so and stays whole", "[examples]") {
  RegionDatabase live = RegionDatabase::create(mib, support::options());
  live.execute("CREATE TABLE t(x); INSERT INTO t VALUES (1)");
  CHECK_THROWS_WITH(
      live.execute("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
                   " INSERT INTO t SELECT printf('%0100d', i) FROM n"),
      "SQLite: database or disk is full");
  CHECK(live.value("PRAGMA integrity_check") == "ok");
  CHECK(live.value("SELECT count(*) FROM t") == "1");
  RegionDatabase clone = live.clone();
  CHECK(clone.value("SELECT count(*) FROM t") == "1");
}

#endif

// An SQLite database whose bytes are a region: a snapshot or a clone of the region is a snapshot or
// a clone of the database, and costs next to nothing. SQLite is unmodified. A database in memory is
// one array of pages without a pointer in it, and sqlite3_deserialize lets a connection work in an
// array of ours; so a clone, at another address, is as good as the original. SQLite reads
// files into its own memory, not into this array; where that memory is a region's, too, the program
// needs libcow-reads, or the kernel's stores there fail or end short.
#pragma once

#include <sqlite3.h>

#include <cow/cow.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace examples {

class RegionDatabase {
 public:
  /// An empty database that may grow to `max_bytes`; they are set aside, not used.
  static RegionDatabase create(std::size_t max_bytes, const cow::RegionOptions& options = {}) {
    return RegionDatabase(cow::Region::create(max_bytes, options));
  }
  /// The database in a region that was cloned or loaded.
  explicit RegionDatabase(cow::Region region) : region_(std::move(region)) { connect(); }

  [[nodiscard]] sqlite3* connection() { return connection_.get(); }
  [[nodiscard]] const cow::Region& region() const { return region_; }

  /// Any thread may call these two while others use the connection. What they see is the last
  /// commit: changes reach the array when a transaction is committed (see `connect`), and a commit
  /// is one call, which holds the connection's mutex.
  [[nodiscard]] cow::Snapshot snapshot() const {
    const Turn turn(*this);
    return region_.snapshot();
  }
  [[nodiscard]] RegionDatabase clone() const {
    const Turn turn(*this);
    return RegionDatabase(region_.clone());
  }

  /// Back to a snapshot. SQLite keeps pages in a cache of its own, so the connection is a new one:
  /// no statement may be left from the old one.
  void restore(const cow::Snapshot& snapshot) {
    connection_.reset();
    region_.restore(snapshot);
    connect();
  }

  /// Runs statements; for each row of a result calls `row` with its first column.
  void execute(const std::string& sql, const std::function<void(const char*)>& row = nullptr) {
    const auto call = [](void* to, int, char** columns, char**) {
      const auto& function = *static_cast<const std::function<void(const char*)>*>(to);
      if (function) function(columns[0] != nullptr ? columns[0] : "");
      return 0;
    };
    auto function = row;
    if (sqlite3_exec(connection(), sql.c_str(), call, &function, nullptr) != SQLITE_OK) fail();
  }
  /// The first column of the last row.
  [[nodiscard]] std::string value(const std::string& sql) {
    std::string last;
    execute(sql, [&](const char* column) { last = column; });
    return last;
  }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close(connection); }
  };

  class Turn {
   public:
    explicit Turn(const RegionDatabase& of) : mutex_(sqlite3_db_mutex(of.connection_.get())) {
      sqlite3_mutex_enter(mutex_);
    }
    ~Turn() { sqlite3_mutex_leave(mutex_); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    sqlite3_mutex* mutex_;
  };

  void connect() {
    sqlite3* made = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    const int opened = sqlite3_open_v2(":memory:", &made, flags, nullptr);
    connection_.reset(made);
    if (opened != SQLITE_OK) fail();
    // No flags: the array is ours, is not moved, and the database may fill all of it.
    const int taken =
        sqlite3_deserialize(made, "main", reinterpret_cast<unsigned char*>(region_.data()),
                            database_bytes(), static_cast<sqlite3_int64>(region_.size()), 0);
    if (taken != SQLITE_OK) fail();
    // Otherwise a large transaction would write pages to the array before it is committed.
    execute("PRAGMA cache_spill = off");
  }

  /// What the database says of its own size, on its first page: 0 when there is none yet.
  [[nodiscard]] sqlite3_int64 database_bytes() const {
    const auto number = [&](std::size_t at, std::size_t bytes) {
      std::uint64_t value = 0;
      for (std::size_t i = 0; i < bytes; ++i) {
        value = value << 8 | std::to_integer<std::uint64_t>(region_.data()[at + i]);
      }
      return value;
    };
    const std::uint64_t page_bytes = number(16, 2);
    return static_cast<sqlite3_int64>((page_bytes == 1 ? 65536 : page_bytes) * number(28, 4));
  }

  [[noreturn]] void fail() {
    throw std::runtime_error(std::string("SQLite: ") + sqlite3_errmsg(connection()));
  }

  cow::Region region_;
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace examples

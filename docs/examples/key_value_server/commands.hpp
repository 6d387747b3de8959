#pragma once

// What the commands do: those that Debian's redis-cli and redis-benchmark need, and the usual ones
// for strings. A command runs from its begin to its end with nothing beside it, so a save that
// begins between two commands finds every container whole.

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "database.hpp"
#include "resp.hpp"

class Commands {
 public:
  /// What the connection, or the server, does after the reply.
  enum class After { go_on, close, shut_down };

  explicit Commands(Database& database) : database_(database) {}

  /// Runs one command and appends its reply.
  After run(resp::Words& words, std::string& out) {
    std::string& name = words.front();
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
    const auto known = std::find_if(kCommands.begin(), kCommands.end(),
                                    [&](const Command& command) { return command.name == name; });
    if (known == kCommands.end()) {
      resp::add_error(out, "ERR unknown command '" + printable(name) + "'");
      return After::go_on;
    }
    if (words.size() < known->least || words.size() > known->most) {
      resp::add_error(out, "ERR wrong number of arguments for '" + name + "' command");
      return After::go_on;
    }
    const std::size_t reply = out.size();
    try {
      return (this->*known->run)(words, out);
    } catch (const boost::interprocess::bad_alloc&) {
      out.resize(reply);
      resp::add_error(out, "OOM the database has reached --most-bytes");
    } catch (const std::exception& error) {
      out.resize(reply);
      resp::add_error(out, "ERR " + printable(error.what()));
    }
    return After::go_on;
  }

 private:
  using Words = resp::Words;
  struct Command {
    std::string_view name;
    std::size_t least, most;  // words, the name included
    After (Commands::*run)(const Words&, std::string&);
  };
  static const std::vector<Command> kCommands;

  // An error is one line, whatever is quoted in it.
  static std::string printable(std::string text) {
    text.resize(std::min<std::size_t>(text.size(), 300));
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return !std::isprint(c); }, '?');
    return text;
  }

  After ping(const Words& words, std::string& out) {
    if (words.size() == 2) {
      resp::add_text(out, words[1]);
    } else {
      resp::add_line(out, '+', "PONG");
    }
    return After::go_on;
  }
  After echo(const Words& words, std::string& out) {
    resp::add_text(out, words[1]);
    return After::go_on;
  }
  After ok(const Words& /*words*/, std::string& out) {
    resp::add_ok(out);
    return After::go_on;
  }
  After quit(const Words& /*words*/, std::string& out) {
    resp::add_ok(out);
    return After::close;
  }
  After select(const Words& words, std::string& out) {
    if (words[1] == "0") return ok(words, out);
    resp::add_error(out, "ERR DB index is out of range: there is one, 0");
    return After::go_on;
  }
  // A client that offers RESP3 goes on with RESP2 when it is told so.
  After hello(const Words& /*words*/, std::string& out) {
    resp::add_error(out, "NOPROTO this server speaks RESP2, without HELLO");
    return After::go_on;
  }
  // redis-cli asks for the commands' descriptions, and is content with none.
  After command(const Words& /*words*/, std::string& out) {
    resp::add_array(out, 0);
    return After::go_on;
  }

  After set(const Words& words, std::string& out) {
    database_.store().set(words[1], words[2]);
    return ok(words, out);
  }
  After get(const Words& words, std::string& out) {
    add_value(words[1], out);
    return After::go_on;
  }
  void add_value(const std::string& key, std::string& out) {
    const cow::string* const value = database_.store().find(key);
    if (value == nullptr) {
      resp::add_null(out);
    } else {
      resp::add_text(out, {value->data(), value->size()});
    }
  }
  After mset(const Words& words, std::string& out) {
    if (words.size() % 2 == 0) {
      resp::add_error(out, "ERR wrong number of arguments for 'MSET' command");
      return After::go_on;
    }
    for (std::size_t i = 1; i < words.size(); i += 2) database_.store().set(words[i], words[i + 1]);
    return ok(words, out);
  }
  After mget(const Words& words, std::string& out) {
    resp::add_array(out, words.size() - 1);
    for (const std::string& key : std::span(words).subspan(1)) add_value(key, out);
    return After::go_on;
  }
  After del(const Words& words, std::string& out) {
    std::int64_t count = 0;
    for (const std::string& key : std::span(words).subspan(1)) {
      if (database_.store().erase(key)) ++count;
    }
    resp::add_integer(out, count);
    return After::go_on;
  }
  After exists(const Words& words, std::string& out) {
    std::int64_t count = 0;
    for (const std::string& key : std::span(words).subspan(1)) {
      if (database_.store().find(key) != nullptr) ++count;
    }
    resp::add_integer(out, count);
    return After::go_on;
  }
  After increment(const Words& words, std::string& out) {
    const cow::string* const old = database_.store().find(words[1]);
    const auto value = old == nullptr ? 0 : resp::number({old->data(), old->size()});
    if (!value || *value == std::numeric_limits<std::int64_t>::max()) {
      resp::add_error(out, "ERR value is not an integer or out of range");
      return After::go_on;
    }
    database_.store().set(words[1], std::to_string(*value + 1));
    resp::add_integer(out, *value + 1);
    return After::go_on;
  }

  After dbsize(const Words& /*words*/, std::string& out) {
    resp::add_integer(out, static_cast<std::int64_t>(database_.store().size()));
    return After::go_on;
  }
  void add_keys(const std::string& pattern, std::string& out) {
    std::string keys;
    std::size_t count = 0;
    database_.store().for_each_key(pattern, [&](std::string_view key) {
      resp::add_text(keys, key);
      ++count;
    });
    resp::add_array(out, count);
    out += keys;
  }
  After keys(const Words& words, std::string& out) {
    add_keys(words[1], out);
    return After::go_on;
  }
  // All in one step, which SCAN allows: COUNT is a hint. The cursor 0 says that nothing is left.
  After scan(const Words& words, std::string& out) {
    std::string pattern = "*";
    for (std::size_t i = 2; i + 1 < words.size(); i += 2) {
      if (words[i] == "MATCH" || words[i] == "match") pattern = words[i + 1];
    }
    resp::add_array(out, 2);
    resp::add_text(out, "0");
    add_keys(pattern, out);
    return After::go_on;
  }
  After flush(const Words& words, std::string& out) {
    database_.clear();
    return ok(words, out);
  }

  bool is_refused(std::string& out) {
    if (database_.finish_save()) return false;
    resp::add_error(out, "ERR Background save already in progress");
    return true;
  }
  After save(const Words& words, std::string& out) {
    if (is_refused(out)) return After::go_on;
    database_.start_save();
    database_.finish_save(true);
    const std::string& error = database_.last_result().error;
    if (error.empty()) return ok(words, out);
    resp::add_error(out, "ERR " + printable(error));
    return After::go_on;
  }
  After background_save(const Words& /*words*/, std::string& out) {
    if (is_refused(out)) return After::go_on;
    database_.start_save();
    resp::add_line(out, '+', "Background saving started");
    return After::go_on;
  }
  After last_save(const Words& /*words*/, std::string& out) {
    resp::add_integer(out, database_.last_save());
    return After::go_on;
  }
  After shut_down(const Words& words, std::string& out) {
    if (words.size() == 2 && (words[1] == "NOSAVE" || words[1] == "nosave"))
      return After::shut_down;
    database_.finish_save(true);
    const std::size_t reply = out.size();
    save(words, out);
    const bool is_saved = database_.last_result().error.empty();
    if (is_saved) out.resize(reply);  // the end of the connection is the answer
    return is_saved ? After::shut_down : After::go_on;
  }

  After info(const Words& /*words*/, std::string& out) {
    const SaveResult& result = database_.last_result();
    std::string text = "# Server\r\nserver:key_value_server of libcow\r\n";
    const auto add = [&](const std::string& name, const std::string& value) {
      text.append(name).append(":").append(value).append("\r\n");
    };
    const auto microseconds = [](double seconds) {
      return std::to_string(static_cast<std::int64_t>(seconds * 1e6));
    };
    add("used_memory", std::to_string(database_.used_bytes()));
    add("bgsave_in_progress", database_.finish_save() ? "0" : "1");
    add("saves", std::to_string(database_.saves()));
    add("last_save_status", result.error.empty() ? "ok" : printable(result.error));
    add("last_save_us", microseconds(result.duration));
    add("last_save_start_us", microseconds(database_.start_seconds()));
    add("last_save_limit_bytes", std::to_string(database_.last_limit()));
    add("last_save_extra_bytes", std::to_string(result.peak_extra_bytes));
    add("last_save_waits", std::to_string(result.waits));
    add("last_save_wait_p99_us", microseconds(result.wait_p99));
    add("last_save_wait_max_us", microseconds(result.wait_max));
    add("saving_process", std::to_string(database_.saving_process()));
    resp::add_text(out, text);
    return After::go_on;
  }
  // redis-benchmark asks for "save" and "appendonly", to print them beside its results.
  After config(const Words& words, std::string& out) {
    const bool is_set = words.size() == 4 && (words[1] == "SET" || words[1] == "set");
    if (is_set && words[2] == "save-limit") {
      if (database_.set_limit(words[3])) return ok(words, out);
      resp::add_error(out, std::string("ERR save-limit takes ") + Database::kLimits);
      return After::go_on;
    }
    if (words.size() != 3 || (words[1] != "GET" && words[1] != "get")) {
      resp::add_error(out, "ERR it is CONFIG GET name, or CONFIG SET save-limit value");
      return After::go_on;
    }
    const std::vector<std::pair<std::string, std::string>> settings = {
        {"save-limit", database_.limit_text()}, {"save", ""}, {"appendonly", "no"}};
    const auto setting = std::find_if(settings.begin(), settings.end(),
                                      [&](const auto& one) { return one.first == words[2]; });
    resp::add_array(out, setting == settings.end() ? 0 : 2);
    if (setting == settings.end()) return After::go_on;
    resp::add_text(out, setting->first);
    resp::add_text(out, setting->second);
    return After::go_on;
  }

  Database& database_;
};

inline const std::vector<Commands::Command> Commands::kCommands = [] {
  constexpr std::size_t any = std::numeric_limits<std::size_t>::max();
  return std::vector<Command>{
      {"GET", 2, 2, &Commands::get},
      {"SET", 3, 3, &Commands::set},
      {"INCR", 2, 2, &Commands::increment},
      {"MGET", 2, any, &Commands::mget},
      {"MSET", 3, any, &Commands::mset},
      {"DEL", 2, any, &Commands::del},
      {"EXISTS", 2, any, &Commands::exists},
      {"PING", 1, 2, &Commands::ping},
      {"ECHO", 2, 2, &Commands::echo},
      {"DBSIZE", 1, 1, &Commands::dbsize},
      {"KEYS", 2, 2, &Commands::keys},
      {"SCAN", 2, any, &Commands::scan},
      {"FLUSHALL", 1, 2, &Commands::flush},
      {"SAVE", 1, 1, &Commands::save},
      {"BGSAVE", 1, 1, &Commands::background_save},
      {"LASTSAVE", 1, 1, &Commands::last_save},
      {"INFO", 1, any, &Commands::info},
      {"CONFIG", 2, any, &Commands::config},
      {"COMMAND", 1, any, &Commands::command},
      {"HELLO", 1, any, &Commands::hello},
      {"SELECT", 2, 2, &Commands::select},
      {"SHUTDOWN", 1, 2, &Commands::shut_down},
      {"QUIT", 1, any, &Commands::quit},
  };
}();

#pragma once

// What the server claims, tried: the protocol, Debian's client, an image that is one moment, a
// limit that holds, and a database that comes back complete whenever the server is killed.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "../measured.hpp"
#include "client.hpp"
#include "comparison.hpp"
#include "refusals.hpp"
#include "writers.hpp"

#if defined(__has_feature)
#define KEY_VALUE_HAS_FEATURE(feature) __has_feature(feature)
#else
#define KEY_VALUE_HAS_FEATURE(feature) 0
#endif

namespace trial {

// A sanitizer's own memory grows with every string that is freed, and is in the kernel's count.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    KEY_VALUE_HAS_FEATURE(address_sanitizer) || KEY_VALUE_HAS_FEATURE(thread_sanitizer)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

using examples::claim;

/// Waits for the end of the save that goes on, and returns how many the server has completed.
inline std::size_t wait_for_save(Connection& control) {
  while (control.info("bgsave_in_progress") == "1") {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  claim(control.info("last_save_status") == "ok", "the save ends well");
  return control.info_number("saves");
}

/// What is sent in one piece is answered, reply by reply, as if sent alone, in any pieces.
inline void try_protocol(const Folder& folder) {
  ServerProcess server(folder, "protocol", {});
  Connection one = server.connect();
  const std::string large(300'000, 'x');
  const std::string asked =
      "PING\r\n" + command_text({"ECHO", "two\r\nlines"}) + command_text({"SET", "k", large}) +
      command_text({"GET", "k"}) + command_text({"GET", "none"}) + command_text({"INCR", "k"}) +
      command_text({"INCR", "n"}) + "incr n\r\n" + command_text({"NOSUCH"}) +
      command_text({"GET"}) + command_text({"MGET", "n", "none"}) +
      command_text({"DEL", "k", "k"}) + command_text({"EXISTS", "n", "k"}) +
      command_text({"HELLO", "3"}) + command_text({"KEYS", "[m-o]*"}) + command_text({"DBSIZE"}) +
      command_text({"SET", "", ""}) + command_text({"GET", ""}) + command_text({"FLUSHALL"});
  const std::string expected =
      "+PONG\r\n$10\r\ntwo\r\nlines\r\n+OK\r\n$300000\r\n" + large +
      "\r\n$-1\r\n-ERR value is not an integer or out of range\r\n:1\r\n:2\r\n"
      "-ERR unknown command 'NOSUCH'\r\n-ERR wrong number of arguments for 'GET' command\r\n"
      "*2\r\n$1\r\n2\r\n$-1\r\n:1\r\n:1\r\n"
      "-NOPROTO this server speaks RESP2, without HELLO\r\n*1\r\n$1\r\nn\r\n:1\r\n"
      "+OK\r\n$0\r\n\r\n+OK\r\n";
  for (const std::size_t piece : {asked.size(), std::size_t{1}, std::size_t{1'000}}) {
    std::thread sender([&] {
      // A byte at a time in front and behind; the large value in between has no surprises.
      for (std::size_t at = 0; at < asked.size();) {
        const bool inside = piece == 1 && at > 100 && at < large.size();
        const std::size_t step = std::min(inside ? 10'000 : piece, asked.size() - at);
        one.send(std::string_view(asked).substr(at, step));
        at += step;
      }
    });
    std::string replies;
    while (replies.size() < expected.size()) replies += one.receive_some();
    sender.join();
    claim(replies == expected, "a pipeline is answered in order, in whatever pieces it arrives");
  }
  for (const char* const nonsense : {"*1\r\n+PING\r\n", "*x\r\n", "*1\r\n$-5\r\n",
                                     "*1\r\n$99999999999\r\n", "*1\r\n$1\r\nPING\r\n"}) {
    Connection other = server.connect();
    other.send(nonsense);
    claim(other.receive().text.starts_with("ERR Protocol error") && other.is_closed(),
          "what is no command is answered with an error, and the connection closed");
  }
  claim(one.ask({"QUIT"}).text == "OK" && one.is_closed(), "QUIT closes the connection");
}

/// What a program prints; nothing where it cannot be run.
inline std::string output_of(const std::string& command) {
  std::string text;
  FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return text;
  for (int letter = 0; (letter = std::fgetc(pipe)) != EOF;) text += static_cast<char>(letter);
  return ::pclose(pipe) == 0 ? text : "";
}

inline void try_redis_tools(const Folder& folder) {
  if (output_of("redis-cli --version").empty() || output_of("redis-benchmark --version").empty()) {
    std::puts("redis-cli is not installed: that part is left out (apt-get install redis-tools).");
    return;
  }
  ServerProcess server(folder, "redis", {});
  Connection control = server.connect();
  const std::string client = "redis-cli -s " + server.socket() + " ";
  claim(output_of(client + "SET greeting hello") == "OK\n", "redis-cli sets");
  claim(output_of(client + "GET greeting") == "hello\n", "redis-cli gets");
  claim(output_of(client + "--scan --pattern 'gr*'") == "greeting\n", "redis-cli scans");
  claim(output_of(client + "SAVE") == "OK\n", "redis-cli saves");
  claim(output_of(client + "INFO").find("saves:1\r") != std::string::npos, "redis-cli has INFO");
  const std::string benchmark = output_of("redis-benchmark -s " + server.socket() +
                                          " -t ping,set,get,incr,mset -r 1000 -n 2000 -P 16 -q");
  for (const char* const test : {"PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10"}) {
    claim(benchmark.find(test) != std::string::npos, std::string("redis-benchmark runs ") + test);
  }
  claim(benchmark.find("WARNING") == std::string::npos, "redis-benchmark finds nothing strange");
  claim(benchmark.find("requests per second") != std::string::npos, "redis-benchmark has results");
  claim(control.info_number("saves") == 1, "the server is the same after redis-benchmark");
  output_of(client + "SHUTDOWN");
  claim(server.wait() == 0, "redis-cli shuts the server down");
  std::puts("redis-cli and redis-benchmark work.");
}

/// Every image is the moment of BGSAVE, with eight clients that write.
inline void try_cut(const Folder& folder, const std::string& mechanism, int saves,
                    std::size_t fillers) {
  ServerProcess server(folder, "cut-" + mechanism, {"--mechanism", mechanism});
  Connection control = server.connect();
  fill(control, fillers);
  Writers writers(server.socket(), fillers);
  for (int i = 1; i <= saves; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const Writers::Counts before = writers.done();
    claim(control.ask({"BGSAVE"}).text == "Background saving started", "a save begins");
    const Writers::Counts after = writers.sent();
    claim(wait_for_save(control) == static_cast<std::size_t>(i), "each save is counted");
    const Writers::Counts saved = check_image(server.image(), fillers);
    for (std::size_t w = 0; w < kWriters; ++w) {
      claim(saved[w] >= before[w], "what was answered before BGSAVE is in the image");
      claim(saved[w] <= after[w], "what was sent after BGSAVE is not in the image");
    }
  }
  std::printf("%d images, each the moment of its BGSAVE, beside 8 writers (%s).\n", saves,
              mechanism.c_str());
}

/// Saves over and over until the server is gone. Returns what is in the last image that the server
/// said was complete, at least.
inline Writers::Counts save_until_killed(Connection& control, const Writers& writers,
                                         Writers::Counts least, std::atomic<bool>& is_saving) {
  try {
    for (;;) {
      const Writers::Counts now = writers.done();
      control.ask({"BGSAVE"});
      is_saving = true;
      wait_for_save(control);
      is_saving = false;
      for (std::size_t w = 0; w < kWriters; ++w) least[w] = std::max(least[w], now[w]);
    }
  } catch (const std::runtime_error&) {  // killed
  }
  return least;
}

/// Killed at any moment, also in the midst of a save, it comes back with a complete image, no older
/// than the last one that it said was complete.
inline void try_kill(const Folder& folder, const std::string& mechanism, int rounds,
                     std::size_t fillers) {
  const std::vector<std::string> options = {"--mechanism", mechanism};
  const std::string name = "kill-" + mechanism;
  {
    ServerProcess server(folder, name, options);
    Connection control = server.connect();
    fill(control, fillers);
    claim(control.ask({"SAVE"}).text == "OK", "SAVE answers when the image is complete");
  }
  Writers::Counts least{};
  Writers::Counts most{};
  int in_a_save = 0;
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round <= rounds; ++round) {
    ServerProcess server(folder, name, options);
    Connection control = server.connect();
    const Writers::Counts found = check_image(server.image(), fillers);
    for (std::size_t w = 0; w < kWriters; ++w) {
      const Reply count = control.ask({"GET", "count:" + std::to_string(w)});
      claim((count.is_null ? 0 : std::stoull(count.text)) == found[w], "what was saved is served");
      claim(found[w] >= least[w], "it comes back no older than the last completed save");
      claim(found[w] <= most[w], "it comes back with nothing that nobody stored");
    }
    if (round == rounds) break;
    Writers writers(server.socket(), fillers);
    std::atomic<bool> is_saving = false;
    std::thread killer([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 200));
      if (is_saving) ++in_a_save;
      server.kill();
    });
    least = save_until_killed(control, writers, least, is_saving);
    killer.join();
    writers.stop();
    const Writers::Counts sent = writers.sent();
    for (std::size_t w = 0; w < kWriters; ++w) most[w] = std::max(most[w], sent[w]);
  }
  std::printf("Killed %d times, %d of them in the midst of a save: always complete (%s).\n", rounds,
              in_a_save, mechanism.c_str());
}

/// What is no limit is refused, and the limit stays what it was.
inline void try_limit_values(Connection& control) {
  const auto limit = [&] {
    return control.ask({"CONFIG", "GET", "save-limit"}).elements.at(1).text;
  };
  const std::string before = limit();
  for (const char* const wrong :
       {"-5", "-5%", "+5", "101%", "18446744073709551615%", "18446744073709551616", " 5%", "5 %",
        "5% ", "5%%", "%", "", "5x", "0x5", "5.5%", "None"}) {
    claim(control.ask({"CONFIG", "SET", "save-limit", wrong}).kind == '-',
          std::string("save-limit '") + wrong + "' is refused");
    claim(limit() == before, "a limit that is refused changes nothing");
  }
  for (const char* const right : {"0", "18446744073709551615", "0%", "100%", "none"}) {
    claim(control.ask({"CONFIG", "SET", "save-limit", right}).text == "OK" && limit() == right,
          std::string("save-limit '") + right + "' is taken");
  }
  claim(control.ask({"CONFIG", "SET", "save-limit", before}).text == "OK", "and the one before");
}

/// By the kernel's count, a save takes no more memory than its limit, whatever is stored meanwhile.
inline void try_limit(const Folder& folder, std::size_t fillers) {
  const std::size_t limit = 256 * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  constexpr std::size_t for_the_connections = std::size_t{1} << 20;  // the server's own buffers
  const std::string name = "limit";
  const std::vector<std::string> options = {"--mechanism", "handler",      "--most-bytes",
                                            "268435456",   "--save-limit", std::to_string(limit)};
  {
    ServerProcess server(folder, name, options);
    Connection control = server.connect();
    try_limit_values(control);
    fill(control, fillers);
    Writers writers(server.socket(), fillers);  // for their keys to be there
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    writers.stop();
    claim(control.ask({"SAVE"}).text == "OK", "SAVE works with a limit");
  }
  ServerProcess server(folder, name, options);
  Connection control = server.connect();
  const std::size_t before = kernel_bytes(server.process(), 0);
  std::size_t most = 0;
  std::size_t stores = 0;
  {
    Writers writers(server.socket(), fillers);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const Writers::Counts at_begin = writers.done();
    claim(control.ask({"BGSAVE"}).kind == '+', "a save with a limit begins");
    while (control.info("bgsave_in_progress") == "1") {
      most = std::max(most, kernel_bytes(server.process(), 0));
    }
    const Writers::Counts at_end = writers.done();
    for (std::size_t w = 0; w < kWriters; ++w) stores += at_end[w] - at_begin[w];
  }
  check_image(server.image(), fillers);
  const double mebibyte = 1 << 20;
  const double extra = (static_cast<double>(most) - static_cast<double>(before)) / mebibyte;
  std::printf("A save of %.0f MiB with a limit of %.0f MiB and %zu rounds of stores:\n"
              "%.1f MiB by the kernel's count, %s stores waited, at most %.1f ms.\n",
              static_cast<double>(before) / mebibyte, static_cast<double>(limit) / mebibyte, stores,
              extra, control.info("last_save_waits").c_str(),
              static_cast<double>(control.info_number("last_save_wait_max_us")) / 1e3);
  claim(control.info("last_save_status") == "ok", "the save ends well");
  claim(most <= before + limit + for_the_connections, "the limit holds, by the kernel's count");
  const std::size_t own_count = control.info_number("last_save_extra_bytes");
  claim(own_count > 0 && own_count <= limit, "the limit holds, by libcow's own count");
}

/// An image that was damaged is refused with a sentence, not served.
inline void try_damage(const Folder& folder) {
  ServerProcess first(folder, "damage", {});
  Connection control = first.connect();
  fill(control, 1'000);
  claim(control.ask({"SAVE"}).text == "OK", "SAVE works");
  first.kill();
  {
    std::fstream image(first.image(), std::ios::in | std::ios::out | std::ios::binary);
    image.seekp(200'000);
    image.put('!');
  }
  ServerProcess second(folder, "damage", {});
  bool is_refused = false;
  try {
    second.connect();
  } catch (const std::runtime_error& error) {
    is_refused =
        second.wait() == 1 && std::string(error.what()).find("damage.image") != std::string::npos;
  }
  claim(is_refused, "a damaged image is not served, but named");
}

}  // namespace trial

/// All claims, and then the comparison; with --compare that alone, with --quick both in seconds.
inline int try_server(int count, char** arguments) {
  std::vector<char*> words(arguments, arguments + count);
  const bool claims = std::erase(words, std::string("--compare")) == 0;
  const bool quick = examples::is_quick(static_cast<int>(words.size()), words.data(),
                                        examples::kUsageOfKeyValueServer);
  const Folder folder;
  const std::vector<std::string> mechanisms = comparison::mechanisms(folder);
  if (claims) {
    const std::size_t fillers = quick ? 8'000 : 64'000;
    trial::try_protocol(folder);
    trial::try_redis_tools(folder);
    trial::try_damage(folder);
    trial::try_second_server(folder);
    trial::try_many_clients(folder);
    std::puts("A second server is refused; a client too many waits until another one goes.");
    for (const std::string& mechanism : mechanisms) {
      trial::try_cut(folder, mechanism, quick ? 2 : 20, fillers);
      trial::try_kill(folder, mechanism, quick ? 2 : 25, fillers);
    }
    if (!trial::kIsSanitized) trial::try_limit(folder, quick ? 32'000 : 128'000);
  }
  comparison::compare(folder, mechanisms, quick);
  return 0;
}

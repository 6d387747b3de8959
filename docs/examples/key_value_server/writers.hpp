#pragma once

// Eight clients that store to a server in a way that shows, in an image, of which moment it is.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <cow/cow.hpp>
#include <cow/managed_region.hpp>

#include "../measured.hpp"
#include "client.hpp"
#include "store.hpp"

constexpr std::size_t kWriters = 8;
constexpr std::size_t kValueBytes = 1000;

inline std::string filler_key(std::size_t number) { return "filler:" + std::to_string(number); }

/// So many keys with values of one letter, in commands of 100.
inline void fill(Connection& connection, std::size_t keys) {
  for (std::size_t begin = 0; begin < keys; begin += 100) {
    resp::Words words = {"MSET"};
    for (std::size_t i = begin; i < std::min(keys, begin + 100); ++i) {
      words.push_back(filler_key(i));
      words.emplace_back(kValueBytes, 'a');
    }
    examples::claim(connection.ask(words).text == "OK", "the server takes MSET");
  }
}

/// Each writer counts up: the total of all, then its own count, then two values at once, then a
/// filler anywhere. The thread ends when the server does.
class Writers {
 public:
  Writers(const std::string& socket, std::size_t fillers) {
    for (std::size_t i = 0; i < kWriters; ++i) {
      threads_.emplace_back([this, socket, fillers, i] { run(socket, fillers, i); });
    }
  }
  ~Writers() { stop(); }
  Writers(const Writers&) = delete;
  Writers& operator=(const Writers&) = delete;

  void stop() {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  using Counts = std::array<std::uint64_t, kWriters>;
  /// How far each is for sure: the server has said so.
  [[nodiscard]] Counts done() const { return copy(done_); }
  /// How far each may be: what was sent.
  [[nodiscard]] Counts sent() const { return copy(sent_); }

 private:
  using Atomics = std::array<std::atomic<std::uint64_t>, kWriters>;
  static Counts copy(const Atomics& from) {
    Counts counts{};
    for (std::size_t i = 0; i < kWriters; ++i) counts[i] = from[i];
    return counts;
  }

  void run(const std::string& socket, std::size_t fillers, std::size_t writer) try {
    Connection connection(socket);
    const std::string own = std::to_string(writer);
    const Reply old = connection.ask({"GET", "count:" + own});
    std::uint64_t count = old.is_null ? 0 : std::stoull(old.text);
    std::mt19937 random(static_cast<unsigned>(writer));
    while (!stopping_) {
      sent_[writer] = ++count;
      const std::string value = std::to_string(count);
      const std::string filler = filler_key(random() % fillers);
      const std::string letters(kValueBytes, static_cast<char>('a' + count % 26));
      connection.send(command_text({"INCR", "total"}) + command_text({"INCR", "count:" + own}) +
                      command_text({"MSET", "first:" + own, value, "second:" + own, value}) +
                      command_text({"SET", filler, letters}));
      for (int replies = 0; replies < 4; ++replies) {
        examples::claim(connection.receive().kind != '-', "no store is refused during a save");
      }
      done_[writer] = count;
    }
  } catch (const std::exception&) {  // the server was killed
  }

  Atomics sent_{};
  Atomics done_{};
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;
};

/// The image is one moment of the database: every container in order, every value whole, and the
/// counts those of a single cut. Returns each writer's count.
inline Writers::Counts check_image(const std::string& path, std::size_t fillers) {
  using examples::claim;
  cow::ManagedRegion region = cow::ManagedRegion::open(cow::Region::load(path));
  claim(region.check_sanity(), "the heap in the image is in order");
  const Store store(*region.get_segment_manager());
  const auto number = [&](const std::string& key) -> std::uint64_t {
    const cow::string* const value = store.find(key);
    return value == nullptr ? 0 : std::stoull(value->c_str());
  };
  Writers::Counts counts{};
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kWriters; ++i) {
    const std::string own = std::to_string(i);
    counts[i] = number("count:" + own);
    const std::uint64_t first = number("first:" + own);
    claim(first == number("second:" + own), "what one MSET stored is in the image as one");
    claim(first == counts[i] || first + 1 == counts[i], "what a client did is there in its order");
    sum += counts[i];
  }
  const std::uint64_t total = number("total");
  claim(total >= sum && total <= sum + kWriters, "the counts of all clients are of one moment");
  for (std::size_t i = 0; i < fillers; ++i) {
    const cow::string* const value = store.find(filler_key(i));
    claim(value != nullptr && value->size() == kValueBytes &&
              value->find_first_not_of(value->front()) == cow::string::npos,
          "every value in the image is whole");
  }
  return counts;
}

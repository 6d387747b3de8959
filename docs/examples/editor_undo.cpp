// Undo of an editor's buffer with a limit for the memory of its history. The buffer is a plain gap
// buffer in a region; after each edit the editor takes a snapshot, and to undo is to restore one.
// No command needs an inverse. When the history reaches its limit, the oldest steps are dropped.
//
// Beside it what editors do instead: a copy of the text for each step, and a log of inverse edits.

#include <cow/cow.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <deque>
#include <exception>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "editor_undo/gap_buffer.hpp"
#include "editor_undo/history.hpp"
#include "editor_undo/typist.hpp"
#include "kernel_counts.hpp"
#include "measured.hpp"

namespace {

using examples::claim;
using examples::Edit;
using examples::GapBuffer;
using examples::History;
using examples::median;
using examples::seconds_of;
using examples::Typist;

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = kib * kib;

/// One page is copied for each page stored to, and none beside it: a step costs what it changed.
/// The handler's way, as the kernel's has what was stored to since the last snapshot twice.
cow::Region create_region(std::size_t text_bytes) {
  return cow::Region::create(text_bytes + text_bytes / 4,
                             {.max_window_pages = 1, .mechanism = cow::Mechanism::handler});
}

void write_text(GapBuffer& buffer, std::size_t bytes) {
  std::mt19937_64 random(2);
  std::string line;
  while (buffer.size() + 64 <= bytes) {
    line.clear();
    for (int i = 0; i < 63; ++i) line += static_cast<char>('a' + random() % 26);
    buffer.insert(buffer.size(), line + "\n");
  }
}

// ---- What is claimed ----------------------------------------------------------------------------

/// A history beside plain copies of all its texts.
struct Compared {
  static constexpr std::size_t text_bytes = 128 * kib;
  static constexpr std::size_t limit = 2 * mib;
  cow::Region region = create_region(text_bytes);
  GapBuffer buffer{region.bytes()};
  History history = (write_text(buffer, text_bytes), History(region, limit));
  std::deque<std::string> copies{buffer.text()};
  std::size_t forgotten = 0;

  void remember() {
    copies.resize(history.now() + 1);
    copies.push_back(buffer.text());
    history.remember();
    check();
  }
  void go_to(std::size_t step) {
    history.go_to(step);
    check();
  }
  void check() {
    for (; forgotten < history.dropped(); ++forgotten) copies.pop_front();
    claim(copies.size() == history.size(), "there is a step for each copy");
    claim(buffer.text() == copies[history.now()],
          "after an edit, undo or redo the text is that of a plain copy");
    claim(history.is_exact(), "dropping a step gives back what it said it would");
  }
};

void claim_that_undo_is_right() {
  Compared compared;
  Typist typist;
  std::mt19937_64 random(3);
  for (int step = 0; step < 1000; ++step) {
    if (step % 5 == 4) {
      compared.go_to(random() % compared.history.size());
      if (step % 100 != 99) compared.go_to(compared.history.size() - 1);
    }
    if (step % 100 == 50) {
      compared.buffer.replace_all('e', static_cast<char>('a' + random() % 26));
    } else {
      typist.type(compared.buffer);
    }
    compared.remember();
  }
  claim(compared.history.dropped() > 0, "the limit was reached, so that old steps had to go");
  std::printf("Undo and redo to any step that is kept: each text is that of a plain copy.\n\n");
}

/// All memory that the kernel counts for a region and its history, frames and tables, after each
/// edit and after each step.
void claim_that_the_limit_holds() {
  constexpr std::size_t limit = 8 * mib;
  constexpr int steps = 800;
  const std::size_t before = examples::all_memory_bytes();
  cow::Region region = create_region(mib);
  GapBuffer buffer(region.bytes());
  write_text(buffer, mib);
  History history(region, limit);
  Typist typist;
  std::size_t peak = 0;
  const auto look = [&] { peak = std::max(peak, examples::all_memory_bytes() - before); };
  for (int step = 0; step < steps; ++step) {
    if (step % 100 == 50) {
      buffer.replace_all(static_cast<char>('a' + step / 100), 'e');
    } else {
      typist.type(buffer);
    }
    look();
    history.remember();
    look();
  }
  claim(history.dropped() > 0, "the limit was reached, so that old steps had to go");
  claim(peak <= limit, "the kernel counts no more memory than the limit allows");
  std::printf("%d edits, limit %.1f MiB: the most that the kernel counted is %.2f MiB; the\n"
              "oldest %zu steps were dropped.\n",
              steps, static_cast<double>(limit) / mib, static_cast<double>(peak) / mib,
              history.dropped());
}

// ---- What is measured ---------------------------------------------------------------------------

/// A text with one way to undo.
struct Side {
  std::vector<std::byte> memory;
  GapBuffer buffer;
  explicit Side(std::size_t text_bytes) : memory(text_bytes + text_bytes / 4), buffer(memory) {
    write_text(buffer, text_bytes);
  }
};

struct Costs {
  std::vector<double> typing{};   ///< seconds for each step
  std::vector<double> command{};  ///< the same, of what stores to all of the text
  double back = 0;                ///< seconds for all steps typed
  double typing_bytes = 0;        ///< for each step
  double command_bytes = 0;
};

void print(const char* what, double unit, const char* format, double snapshots, double copies,
           double log) {
  std::printf("%-36s", what);
  for (const double value : {snapshots, copies, log}) std::printf(format, value / unit);
  std::printf("\n");
}

void measure(std::size_t text_bytes, std::size_t steps) {
  cow::Region region = create_region(text_bytes);
  GapBuffer buffer(region.bytes());
  write_text(buffer, text_bytes);
  History history(region, std::size_t{64} << 30);  // all steps are to be there
  Side copied(text_bytes);
  Side logged(text_bytes);
  std::vector<Edit> log;
  std::vector<std::byte> copy;
  Costs snapshots;
  Costs copies;
  Costs inverse;
  Typist typists[3];
  const std::string at_first = buffer.text();
  const auto bytes_in_use = [] {
    const cow::ProcessStats stats = cow::process_stats();
    return static_cast<double>(stats.bytes_in_use + stats.bytes_metadata);
  };

  double before = bytes_in_use();
  for (std::size_t step = 0; step < steps; ++step) {
    snapshots.typing.push_back(seconds_of([&] { typists[0].type(buffer), history.remember(); }));
    copies.typing.push_back(
        seconds_of([&] { typists[1].type(copied.buffer), copy = copied.memory; }));
    inverse.typing.push_back(seconds_of([&] { log.push_back(typists[2].type(logged.buffer)); }));
    inverse.typing_bytes +=
        static_cast<double>(sizeof(Edit) + log.back().removed.size() + log.back().inserted.size());
  }
  snapshots.typing_bytes = (bytes_in_use() - before) / static_cast<double>(steps);
  inverse.typing_bytes /= static_cast<double>(steps);
  claim(buffer.text() == logged.buffer.text(), "all sides have the same text");

  snapshots.back = seconds_of([&] { history.go_to(0); });
  inverse.back = seconds_of([&] {
    for (; !log.empty(); log.pop_back()) log.back().revert(logged.buffer);
  });
  copies.back = seconds_of([&] { copied.memory = copy; });
  claim(buffer.text() == at_first, "the text from before all steps is that of a plain copy");
  claim(logged.buffer.text() == at_first, "the log leads back to the same text");

  history.remember();  // and so drops what was undone
  before = bytes_in_use();
  const std::string letters = "etaoin";
  for (std::size_t i = 0; i + 1 < letters.size(); ++i) {
    const auto replace = [&](GapBuffer& in) { in.replace_all(letters[i], letters[i + 1]); };
    snapshots.command.push_back(seconds_of([&] { replace(buffer), history.remember(); }));
    copies.command.push_back(seconds_of([&] { replace(copied.buffer), copy = copied.memory; }));
    inverse.command.push_back(seconds_of([&] {
      Edit edit{.at = 0, .removed = logged.buffer.text()};
      replace(logged.buffer);
      edit.inserted = logged.buffer.text();
      inverse.command_bytes = static_cast<double>(edit.removed.size() + edit.inserted.size());
      log.push_back(std::move(edit));
    }));
  }
  snapshots.command_bytes = (bytes_in_use() - before) / static_cast<double>(letters.size() - 1);
  copies.typing_bytes = copies.command_bytes = static_cast<double>(copied.memory.size());

  std::printf("A text of %zu MiB                     snapshots      copies  inverse edits\n",
              text_bytes / mib);
  print("a step of typing, median, us", 1e-6, "%12.1f", median(snapshots.typing),
        median(copies.typing), median(inverse.typing));
  print("  memory it takes, KiB", kib, "%12.2f", snapshots.typing_bytes, copies.typing_bytes,
        inverse.typing_bytes);
  print((std::to_string(steps) + " steps back at once, us").c_str(), 1e-6, "%12.0f", snapshots.back,
        copies.back, inverse.back);
  print("a letter replaced everywhere, ms", 1e-3, "%12.1f", median(snapshots.command),
        median(copies.command), median(inverse.command));
  print("  memory it takes, MiB", mib, "%12.1f", snapshots.command_bytes, copies.command_bytes,
        inverse.command_bytes);
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const bool quick = examples::is_quick(count, arguments, examples::kUsageOfEditorUndo);
    claim_that_the_limit_holds();
    claim_that_undo_is_right();
    measure(quick ? mib : 8 * mib, quick ? 200 : 1000);
    std::printf("\n%s\n", examples::machine().c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "editor_undo: %s\n", error.what());
    return 1;
  }
}

#pragma once

// The command lines of the examples: nothing long begins because of a word that was not understood,
// and a number is a number.

#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace examples {

/// The whole text as a number; nothing if it is anything else (a sign, a space, a word behind it)
/// or not within these bounds.
inline std::optional<std::size_t> number_of(
    std::string_view text, std::size_t least = 0,
    std::size_t most = std::numeric_limits<std::size_t>::max()) {
  std::size_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [behind, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || behind != end || value < least || value > most) return {};
  return value;
}

/// What a program says of itself when it is asked, or is not understood.
struct Usage {
  const char* name = "";
  const char* shows = "";     ///< a sentence, in lines of at most 80 columns
  const char* full_run = "";  ///< about how long it takes
  const char* more = "";      ///< the lines of the other ways to call it
};

inline void print_usage(const Usage& usage, std::FILE* to) {
  std::fprintf(to, "usage: %s [--quick]\n%s%s\n", usage.name, usage.more, usage.shows);
  std::fprintf(to, "It takes %s; with --quick it claims the same, measures less,\n",
               usage.full_run);
  std::fputs("and takes some seconds.\n", to);
}

/// Ends the program: these words are none of its options.
[[noreturn]] inline void refuse_option(const Usage& usage, const std::string& word) {
  std::fprintf(stderr, "%s: there is no option '%s'\n", usage.name, word.c_str());
  print_usage(usage, stderr);
  std::exit(2);
}

/// How main() begins. Whether the program was asked to be short: `--quick`, as the tests call it.
/// It then claims the same and measures with fewer turns. `--help` prints the usage and ends it, as
/// does any other word, with exit code 2: nothing long begins by mistake. What it prints shows line
/// by line, in a file or a pipe as well.
inline bool is_quick(int count, char** arguments, const Usage& usage) {
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  bool quick = false;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    if (word == "--help") {
      print_usage(usage, stdout);
      std::exit(0);
    }
    if (word != "--quick") refuse_option(usage, word);
    quick = true;
  }
  return quick;
}

// ---- What each program says ---------------------------------------------------------------------

inline constexpr Usage kUsageOfWorkerPool = {
    "worker_pool",
    "Workers that start from a warm heap, as clones of a snapshot, beside fork()\n"
    "and copies: requests a second and memory.",
    "about three minutes"};

inline constexpr Usage kUsageOfVirtualMachines = {
    "virtual_machines",
    "Guests as clones of one that has booted, beside copies and guests that boot:\n"
    "time to start, memory, mappings.",
    "some minutes"};

inline constexpr Usage kUsageOfEditorUndo = {
    "editor_undo",
    "Undo by snapshots with a limit for their memory, beside copies of the text\n"
    "and a log of inverse edits: time and memory of a step.",
    "some seconds"};

inline constexpr Usage kUsageOfFuzzLoop = {
    "fuzz_loop",
    "A fuzz loop that restores its target after each input, beside fork(), building\n"
    "it anew and copying it: rounds a second.",
    "about half a minute"};

inline constexpr Usage kUsageOfRollbackGame = {
    "rollback_game",
    "Rollback of a simulation, eight frames deep, by snapshots, beside copies of the\n"
    "state: time of a frame and memory.",
    "about half a minute"};

inline constexpr Usage kUsageOfKeyValueServer = {
    "key_value_server",
    "A key-value server that saves while it serves, beside one that saves by fork():\n"
    "latency of stores, duration and memory of a save.",
    "some minutes",
    "       key_value_server --compare [--quick]     the comparison alone\n"
    "       key_value_server --serve [--port N | --unix PATH] [--image FILE]\n"
    "           [--save-limit BYTES|SHARE%|none] [--most-bytes N] [--granule BYTES]\n"
    "           [--mechanism handler|kernel] [--save-by backup|fork]\n"};

inline constexpr Usage kUsageOfBlockDevice = {
    "block_device",
    "A disk in a region, served over NBD, with snapshots and backups of what changed,\n"
    "beside copies of its file and qcow2: time of each, size of the files.",
    "some minutes",
    "       block_device serve SOCKET --size N[K|M|G] [--store FOLDER]\n"
    "       block_device serve SOCKET --image FILE [--store FOLDER]\n"
    "       block_device serve SOCKET --load FILE... [--store FOLDER]\n"};

}  // namespace examples

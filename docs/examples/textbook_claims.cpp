// What textbooks claim for copy on write, and against it: each claim is a command that prints its
// evidence, for libcow's two mechanisms beside fork() and copies, and checks it.
//
//     textbook_claims less_memory        one of them, or several; without a name, all
//     textbook_claims --list
//
// The exit code is 1 if one does not hold. Counts are checked; times are only shown.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "claims/claims.hpp"
#include "kernel_counts.hpp"
#include "measured.hpp"

namespace {

struct Claim {
  std::string name;
  void (*show)(bool quick);
};

const std::array all = {Claim{"less_memory", claims::less_memory},
                        Claim{"faster_creation", claims::faster_creation},
                        Claim{"lazy_allocation", claims::lazy_allocation},
                        Claim{"fewer_copies", claims::fewer_copies},
                        Claim{"fault_overhead", claims::fault_overhead},
                        Claim{"fragmentation", claims::fragmentation},
                        Claim{"complexity", claims::complexity},
                        Claim{"isolation", claims::isolation}};

constexpr examples::Usage usage = {
    "textbook_claims", "What textbooks claim for copy on write and against it, with its evidence.",
    "about a minute for all of it",
    "       textbook_claims [--quick] CLAIM...     these alone\n"
    "       textbook_claims --list                 their names\n"};

struct Wanted {
  bool quick = false;
  std::vector<std::string> names;
};

/// Ends the program where a word is not understood: before anything is measured.
Wanted wanted_of(int count, char** arguments) {
  Wanted wanted;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    if (word == "--help") {
      examples::print_usage(usage, stdout);
      std::exit(0);
    }
    if (word == "--list") {
      for (const Claim& claim : all) std::printf("%s\n", claim.name.c_str());
      std::exit(0);
    }
    if (word == "--quick") {
      wanted.quick = true;
    } else if (word.starts_with("-")) {
      examples::refuse_option(usage, word);
    } else if (std::ranges::find(all, word, &Claim::name) != all.end()) {
      wanted.names.push_back(word);
    } else {
      std::fprintf(stderr, "textbook_claims: there is no claim '%s'; --list has them\n",
                   word.c_str());
      std::exit(2);
    }
  }
  return wanted;
}

}  // namespace

int main(int count, char** arguments) {
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // to see how far it is, in a file as well
  try {
    const Wanted wanted = wanted_of(count, arguments);
    bool is_first = true;
    for (const Claim& claim : all) {
      const auto& names = wanted.names;
      if (!names.empty() && std::ranges::find(names, claim.name) == names.end()) continue;
      if (!is_first) std::printf("\n");
      claim.show(wanted.quick);
      is_first = false;
    }
    std::printf("\n%s\n", examples::machine().c_str());
    if (const std::string missing = claims::kernel_is_missing(); !missing.empty()) {
      claims::print_text("The kernel's mechanism is not here: " + missing);
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "textbook_claims: %s\n", error.what());
    return 1;
  }
}

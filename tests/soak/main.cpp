// cow_soak: random load on many threads, compared with a model. ./run soak [minutes]

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "soak/conductor.hpp"
#include "soak/options.hpp"
#include "support.hpp"

int main(int argc, char** argv) {
  soak::Options options;
  options.seed = support::seed();
  CLI::App app("Random load on regions from many threads, compared with a model all the time",
               "cow_soak");
  app.add_option("minutes", options.minutes, "How long, fractions allowed (default: 1)")
      ->check(CLI::Range(0.001, 1e6));
  app.add_option("--faults", options.faults, "Go on until there were N faults at least")
      ->type_name("N");
  app.add_option("--threads", options.threads, "Threads that work (default: 8)")
      ->check(CLI::Range(std::size_t{1}, soak::most_threads));
  app.add_option("--seed", options.seed,
                 "Makes the same choices again; threads still take turns as they like");
  app.add_option("--without", options.without,
                 "Leave out what has this word in its name, to find out what a failure takes")
      ->type_name("WORD")
      ->allow_extra_args(false);
  app.add_option("--json", options.json, "Also write the figures to FILE")->type_name("FILE");
  CLI11_PARSE(app, argc, argv);
  try {
    return soak::run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "cow_soak: {}\n", error.what());
    return EXIT_FAILURE;
  }
}

#include "measure/figures/environments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "measure/figures/result_format.hpp"
#include "measure/figures/statistics.hpp"

namespace cow::measure {

namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& json) {
  return json.is_string() ? json.get<std::string>()
                          : json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Whether a value of this name moves while nothing changes.
bool moves(std::string_view key) {
  static constexpr std::array names = {"date", "load",    "load average before", "load_avg",
                                       "now",  "now_mhz", "available_bytes",     "current_bytes"};
  return std::ranges::find(names, key) != names.end();
}

class Walk {
 public:
  void compare(const Json& before, const Json& now, const std::string& path) {
    if (!before.is_object() || !now.is_object()) {
      if (before != now) add(path, text_of(before), text_of(now));
      return;
    }
    for (const auto& [key, value] : before.items()) {
      if (moves(key)) continue;
      const auto other = now.find(key);
      if (other == now.end()) {
        add(join(path, key), text_of(value), "not said");
      } else {
        compare(value, *other, join(path, key));
      }
    }
    for (const auto& [key, value] : now.items()) {
      if (!moves(key) && !before.contains(key)) add(join(path, key), "not said", text_of(value));
    }
  }

  void add(const std::string& what, const std::string& before, const std::string& now) {
    sentences_.push_back(fmt::format("{}: {} in the baseline, {} now", what, before, now));
  }

  [[nodiscard]] std::vector<std::string> take() { return std::move(sentences_); }

 private:
  static std::string join(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
  }

  std::vector<std::string> sentences_;
};

Json value_at(const Json& json, std::string_view key) {
  if (!json.is_object()) return Json::object();
  const auto found = json.find(std::string(key));
  return found == json.end() ? Json::object() : *found;
}

/// What Google Benchmark's part of the context says of the machine and the build.
Json plain_context(const Json& context) {
  Json json = Json::object();
  for (const char* const key :
       {"host_name", "num_cpus", "cpu_scaling_enabled", "library_build_type"}) {
    if (context.is_object() && context.contains(key)) json[key] = context.at(key);
  }
  return json;
}

std::string yes_or_no(bool is_so) { return is_so ? "yes" : "no"; }

/// The same plain work takes longer or shorter: the machines, or what else they did, differ.
void compare_noise(const Result& baseline, const Result& now, Walk& walk) {
  if (baseline.noise_ns.empty() || now.noise_ns.empty()) return;
  constexpr double least_change = 0.05;
  const double before = median(baseline.noise_ns);
  const double after = median(now.noise_ns);
  if (std::max(before, after) > (1 + least_change) * std::min(before, after)) {
    walk.add("the same plain work", fmt::format("{:.0f} ns", before),
             fmt::format("{:.0f} ns", after));
  }
}

}  // namespace

std::vector<std::string> environment_differences(const Result& baseline, const Result& now) {
  Walk walk;
  walk.compare(plain_context(baseline.context), plain_context(now.context), "");
  walk.compare(value_at(value_at(baseline.context, own_key), "environment"),
               value_at(value_at(now.context, own_key), "environment"), "");
  if (baseline.program != now.program) walk.add("program", baseline.program, now.program);
  const auto flag = [&](const char* name, bool before, bool after) {
    if (before != after) walk.add(name, yes_or_no(before), yes_or_no(after));
  };
  flag("--full", baseline.is_full, now.is_full);
  flag("COW_BENCH_QUICK", baseline.is_quick, now.is_quick);
  compare_noise(baseline, now, walk);
  return walk.take();
}

}  // namespace cow::measure

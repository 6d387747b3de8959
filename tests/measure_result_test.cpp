#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>
#include <string>

#include "catch.hpp"
#include "folder.hpp"
#include "measure/figures/result_json.hpp"
#include "measure/figures/statistics.hpp"

namespace {

using namespace cow::measure;
using Json = nlohmann::ordered_json;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

Row row(const std::string& mechanism, std::vector<double> samples) {
  Row row;
  row.experiment = "share";
  row.workload = "1 % of 64 MiB, random";
  row.mechanism = mechanism;
  row.parameters = {{"bytes", 64 << 20}, {"share", 0.01}, {"pattern", "random"}, {"threads", 2}};
  row.sample = "a clone, the stores, its end";
  row.samples = std::move(samples);
  return row;
}

/// One of everything that a file may have.
Result everything() {
  Result result;
  result.context = {
      {"date", "2026-11-29T15:00:00+00:00"},
      {"num_cpus", 2},
      {"cow_bench",
       {{"libcow", {{"version", "0.9.0"}, {"modified", false}}},
        {"environment", {{"kernel", "Linux 6.8"}, {"huge_pages", {{"shmem", "never"}}}}}}}};
  result.program = "cow bench";
  result.arguments = {"--only", "share"};
  result.is_full = true;
  result.is_complete = false;
  result.duration_s = 51.25;
  result.noise_ns = {1000, 1010, 990};
  result.warnings = {"The load is 1.5."};
  Row skipped = row("kernel", {});
  skipped.status = Status::skipped;
  skipped.reason = "The kernel is too old.";
  skipped.against = "eager";
  Row failed = row("fork", {7});
  failed.status = Status::failed;
  failed.reason = "It died by signal 9.";
  Row handler = row("handler", {3.5, 1, 2, 2.25, 3});
  handler.against = "eager";
  handler.at_most = 0.5;
  handler.parts = {{"delivery", {1, 2}}, {"copy", {0.5}}};
  handler.counts = {{"page_faults", 164}};
  handler.counters_absent = {{"TLB flushes", "The kernel does not say."}};
  handler.warnings = {"The frequency moved."};
  Row frames = row("handler", {100, 100});
  frames.experiment = "memory";
  frames.unit = "frames";
  frames.turn_sizes = {2, 0};
  result.rows = {skipped, row("eager", {10, 11, 12, 9, 8}), frames, handler, failed};
  return result;
}

const Json& entry(const Json& list, const std::string& name) {
  const auto found =
      std::ranges::find_if(list, [&](const Json& json) { return json.at("name") == name; });
  REQUIRE(found != list.end());
  return *found;
}

std::string refusal(const std::string& text) {
  return support::words_of<std::runtime_error>([&] { static_cast<void>(from_text(text)); });
}

/// The sentence for the document with one value put elsewhere.
std::string refusal_with(const std::string& pointer, const Json& value) {
  Json json = to_json(everything());
  json[Json::json_pointer(pointer)] = value;
  return refusal(json.dump());
}

std::string refusal_without(const std::string& parent, const std::string& key) {
  Json json = to_json(everything());
  REQUIRE(json.at(Json::json_pointer(parent)).erase(key) == 1);
  return refusal(json.dump());
}

}  // namespace

TEST_CASE("A result that is written and read is the same result", "[measure]") {
  const Result before = everything();
  const Result after = from_text(to_text(before));
  CHECK(to_json(after) == to_json(before));
  CHECK(to_text(after) == to_text(before));

  CHECK(after.program == "cow bench");
  CHECK(after.arguments == before.arguments);
  CHECK(after.is_full);
  CHECK_FALSE(after.is_quick);
  CHECK_FALSE(after.is_complete);
  CHECK(after.duration_s == 51.25);
  CHECK(after.noise_ns == before.noise_ns);
  CHECK(after.warnings == before.warnings);
  CHECK(after.context.at("cow_bench") == before.context.at("cow_bench"));
  REQUIRE(after.rows.size() == before.rows.size());
  for (std::size_t i = 0; i < after.rows.size(); ++i) {
    const Row& a = before.rows[i];
    const Row& b = after.rows[i];
    CHECK(name_of(a) == name_of(b));
    CHECK(a.parameters == b.parameters);
    CHECK(a.unit == b.unit);
    CHECK(a.sample == b.sample);
    CHECK(a.status == b.status);
    CHECK(a.reason == b.reason);
    CHECK(a.samples == b.samples);
    CHECK(a.counts == b.counts);
    CHECK(a.against == b.against);
    CHECK(a.at_most == b.at_most);
    REQUIRE(a.parts.size() == b.parts.size());
    for (std::size_t part = 0; part < a.parts.size(); ++part) {
      CHECK(a.parts[part].name == b.parts[part].name);
      CHECK(a.parts[part].values == b.parts[part].values);
    }
  }
}

TEST_CASE("Any samples are read back to the last bit", "[measure]") {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(-30, 30);
  for (int i = 0; i < 20; ++i) {
    Result result;
    std::vector<double> samples(50);
    for (double& sample : samples) sample = std::exp(exponent(random));
    result.rows = {row("eager", samples)};
    CHECK(from_text(to_text(result)).rows.at(0).samples == samples);
  }
}

TEST_CASE("A row says what docs/bench-format.md says", "[measure]") {
  const Json json = to_json(everything());
  const Json& own = json.at("context").at("cow_bench");
  CHECK(own.at("format") == 1);
  CHECK(own.at("noise").at("median") == 1000);
  CHECK(json.at("context").at("executable") == "cow bench");

  const Json& handler = entry(json.at("benchmarks"), "share/1 % of 64 MiB, random/handler");
  CHECK(handler.at("real_time") == 2.25);
  CHECK(handler.at("cpu_time") == 2.25);
  CHECK(handler.at("time_unit") == "ns");
  CHECK(handler.at("iterations") == 5);
  CHECK(handler.at("threads") == 2);
  CHECK(handler.at("median") == 2.25);
  CHECK(handler.at("percentiles") == Json{{"p50", 2.25}});
  CHECK(handler.at("against").at("mechanism") == "eager");
  CHECK(handler.at("against").at("ratio") == 0.225);
  CHECK(handler.at("against").at("p").get<double>() == Approx(2 / 252.0));
  CHECK(handler.at("against").at("difference") == "less");
  CHECK(handler.at("at_most") == 0.5);
  CHECK(handler.at("is_met") == true);
  CHECK(handler.at("parts").at("delivery").at("median") == 1.5);
  CHECK(handler.at("counts").at("page_faults") == 164);
  CHECK_FALSE(handler.contains("error_occurred"));
  CHECK_FALSE(handler.contains("histogram"));

  const Json& frames = entry(json.at("quantities"), "memory/1 % of 64 MiB, random/handler");
  CHECK(frames.at("median") == 100);
  CHECK_FALSE(frames.contains("real_time"));

  const Json& skipped = entry(json.at("unmeasured"), "share/1 % of 64 MiB, random/kernel");
  CHECK(skipped.at("status") == "skipped");
  CHECK(skipped.at("error_occurred") == true);
  CHECK(skipped.at("error_message") == "The kernel is too old.");
  for (const char* key : {"real_time", "cpu_time", "median", "interval", "percentiles", "is_met"}) {
    CHECK_FALSE(skipped.contains(key));
  }
  CHECK(to_text(everything()).find("null") == std::string::npos);
}

TEST_CASE("Percentiles are there where there are samples enough", "[measure]") {
  const auto keys = [](std::size_t count) {
    Result result;
    result.rows = {row("eager", std::vector<double>(count, 5))};
    const Json json = to_json(result).at("benchmarks").at(0);
    std::string found = json.contains("histogram") ? "histogram" : "";
    for (const auto& [key, value] : json.at("percentiles").items()) found += ' ' + key;
    return found;
  };
  CHECK(keys(1).empty());
  CHECK(keys(9) == " p50");
  CHECK(keys(10) == " p50 p90");
  CHECK(keys(99) == " p50 p90");
  CHECK(keys(100) == "histogram p50 p90 p99");
  CHECK(keys(1000) == "histogram p50 p90 p99 p99.9");
}

TEST_CASE("Too few samples to tell apart are said to be, once", "[measure]") {
  Result result = everything();
  for (Row& row : result.rows) {
    row.samples.resize(std::min<std::size_t>(row.samples.size(), 3));
    row.turn_sizes.clear();
  }
  const Json json = to_json(from_text(to_text(from_text(to_text(result)))));
  const Json& warnings =
      entry(json.at("benchmarks"), "share/1 % of 64 MiB, random/handler").at("warnings");
  CHECK(warnings ==
        Json{"The frequency moved.", "too few to tell apart: 3 samples and 3 samples of eager"});
}

TEST_CASE("Samples of each turn are kept, and have to be all there are", "[measure]") {
  const Result result = everything();
  const Result read = from_text(to_text(result));
  CHECK(read.rows[2].turn_sizes == std::vector<std::size_t>{2, 0});
  CHECK(read.rows[3].counters_absent == result.rows[3].counters_absent);
  CHECK(read.rows[1].turn_sizes.empty());
  Json json = to_json(result);
  CHECK_FALSE(entry(json.at("benchmarks"), "share/1 % of 64 MiB, random/eager")
                  .contains("samples_per_turn"));
  for (const Json& sizes : {Json{1}, Json{1, 2}, Json{0.5, 1.5}, Json{3, -1}, Json{1e300}}) {
    CAPTURE(sizes);
    json.at("quantities").at(0)["samples_per_turn"] = sizes;
    CHECK_THROWS_WITH(from_json(json), Catch::Contains("samples_per_turn"));
  }
  Result wrong = result;
  wrong.rows[2].turn_sizes = {1};
  const std::string name = "memory/1 % of 64 MiB, random/handler";
  CHECK(entry(to_json(wrong).at("unmeasured"), name).at("reason") ==
        "it has 2 samples, and its turns gave 1");
}

TEST_CASE("What was not measured never becomes a number", "[measure]") {
  const auto written = [](std::vector<double> samples, const std::string& unit = "ns") {
    Result result;
    result.rows = {row("eager", std::move(samples))};
    result.rows[0].unit = unit;
    const Json json = to_json(result);
    return json.at("unmeasured").empty()
               ? std::string{}
               : json.at("unmeasured").at(0).at("reason").get<std::string>();
  };
  CHECK(written({1, 2}).empty());
  CHECK(written({}) == "it gave no sample");
  CHECK(written({1, not_a_number}) == "its sample 1 is not a number");
  CHECK(written({HUGE_VAL}) == "its sample 0 is not a number");
  CHECK(written({1, -5}) == "its sample 1 is a time below zero: -5 ns");
  CHECK(written({-5}, "bytes").empty());

  Result result;
  result.rows = {row("eager", {1, 2, not_a_number}), row("handler", {1, 2, 3})};
  result.rows[1].against = "eager";
  result.rows[1].parts = {{"copy", {not_a_number}}};
  result.rows[1].counts = {{"faults", not_a_number}};
  result.duration_s = not_a_number;
  result.noise_ns = {not_a_number};
  CHECK(to_text(result).find("null") == std::string::npos);
  const Result after = from_text(to_text(result));
  CHECK(after.rows.at(0).status == Status::failed);
  CHECK(after.rows.at(1).status == Status::measured);
  CHECK_FALSE(to_json(after).at("benchmarks").at(0).at("against").contains("ratio"));
}

TEST_CASE("Text that is no UTF-8 is written as text", "[measure]") {
  Result result = everything();
  result.arguments = {"--trace", "\xff\xfe.trace"};
  CHECK(from_text(to_text(result)).arguments.at(1).ends_with(".trace"));
}

TEST_CASE("A truncated result is refused wherever it ends", "[measure]") {
  const std::string text = to_text(everything());
  CHECK(refusal("") == "it is empty");
  CHECK(refusal(" \n") == "it is empty");
  for (std::size_t length = 1; length < text.rfind('}'); length += 7) {
    CAPTURE(length);
    CHECK(refusal(text.substr(0, length)) == "it ends too early: it is truncated");
  }
  CHECK(refusal(text + "x").find("it is no JSON from line") == 0);
}

TEST_CASE("What is no result is refused with what it is", "[measure]") {
  CHECK(refusal("hello") == "it is no JSON from line 1 on");
  CHECK(refusal("[1]") == "the whole document is a list, and has to be an object");
  CHECK(refusal("{}").find("it is no result of cow bench") == 0);
  CHECK(refusal("\x7f"
                "ELF") == "it is no JSON from line 1 on");
  CHECK(refusal(R"({"context": {"num_cpus": 2}, "benchmarks": []})")
            .find("it is a result of Google Benchmark, not of cow bench") == 0);
  CHECK(refusal(std::string(100'000, '[')) == "it is nested deeper than any result");
  CHECK(refusal_with("/context/cow_bench/format", 2)
            .find("it is of format 2, and this version reads format 1") == 0);
}

TEST_CASE("A value that is missing or of another kind is named", "[measure]") {
  CHECK(refusal_without("/context/cow_bench", "quick") == "context.cow_bench.quick is missing");
  CHECK(refusal_without("/benchmarks/1", "samples") == "benchmarks[1].samples is missing");
  CHECK(refusal_without("/benchmarks/1/against", "mechanism") ==
        "benchmarks[1].against.mechanism is missing");
  CHECK(refusal_with("/context/cow_bench", 3) ==
        "context.cow_bench is a number, and has to be an object");
  CHECK(refusal_with("/context/cow_bench/format", "1") ==
        "context.cow_bench.format is a text, and has to be a number");
  CHECK(refusal_with("/context/cow_bench/full", nullptr) ==
        "context.cow_bench.full is null, and has to be true or false");
  CHECK(refusal_with("/context/cow_bench/arguments/0", true) ==
        "context.cow_bench.arguments[0] is true or false, and has to be a text");
  CHECK(refusal_with("/benchmarks", "none") == "benchmarks is a text, and has to be a list");
  CHECK(refusal_with("/quantities/0", 1) == "quantities[0] is a number, and has to be an object");
  CHECK(refusal_with("/benchmarks/0/samples/2", "9") ==
        "benchmarks[0].samples[2] is a text, and has to be a number");
  CHECK(refusal_with("/benchmarks/0/samples/2", -9) ==
        "benchmarks[0].samples[2] is -9 ns, and no time is below zero");
  CHECK(refusal_with("/benchmarks/0/samples", Json::array()) ==
        "benchmarks[0].samples is empty, though the row was measured");
  CHECK(refusal_with("/unmeasured/0/status", "lost") ==
        "unmeasured[0].status is \"lost\", and has to be measured, skipped or failed");
  CHECK(refusal_with("/context/cow_bench/noise/samples/0", Json::object()) ==
        "context.cow_bench.noise.samples[0] is an object, and has to be a number");
  std::string text = to_text(everything());
  text.replace(text.find("51.25"), 5, "1e999");
  CHECK(refusal(text) == "it has a number that is larger than any that was measured");
}

TEST_CASE("No value of a result that is put elsewhere is read as something else", "[measure]") {
  // Whatever stands in a place: the result is read, or refused with a sentence; nothing else.
  const Json json = to_json(everything());
  const Json flat = json.flatten();
  std::size_t refused = 0;
  for (const auto& [pointer, value] : flat.items()) {
    for (const Json& other : {Json(nullptr), Json("text"), Json(-1), Json(true), Json::array(),
                              Json::object(), Json(1e308)}) {
      Json changed = json;
      changed[Json::json_pointer(pointer)] = other;
      try {
        static_cast<void>(to_text(from_json(changed)));
      } catch (const std::runtime_error& error) {
        CHECK_FALSE(std::string(error.what()).empty());
        ++refused;
      }
    }
  }
  CHECK(refused > 100);
}

TEST_CASE("What is no file of a result is refused without being read for ever", "[measure]") {
  const support::Folder folder;
  const auto reason_for = [](const std::filesystem::path& file) {
    return support::words_of<std::runtime_error>([&] { static_cast<void>(load(file)); });
  };
  CHECK(reason_for("/dev/zero").find("no regular file") != std::string::npos);
  const std::filesystem::path pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(reason_for(pipe).find("no regular file") != std::string::npos);
  const std::string long_name(100'000, 'W');
  CHECK(reason_for(long_name).size() < 1000);
}

TEST_CASE("A mark of UTF-8 before a result is passed over, a zero byte is not", "[measure]") {
  const std::string text = to_text(everything());
  CHECK(to_text(from_text("\xef\xbb\xbf" + text)) == text);
  CHECK(refusal(text + std::string(1, '\0')).find("zero byte") != std::string::npos);
}

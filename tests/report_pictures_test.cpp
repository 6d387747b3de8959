// What `cow report` draws of results: which points, at which values, and where curves cross.

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "catch.hpp"
#include "made_results.hpp"
#include "tool/report/document.hpp"
#include "tool/report/pictures.hpp"
#include "tool/report/trace_heat.hpp"

using namespace cow::tool;
using support::MadeResult;
using Json = nlohmann::ordered_json;

namespace {

std::vector<Picture> pictures(const MadeResult& made) {
  const std::vector<ResultFile> files = {made.file()};
  return pictures_of(files);
}

const Series& series_named(const Picture& picture, const std::string& name) {
  const auto found = std::find_if(picture.series.begin(), picture.series.end(),
                                  [&](const Series& series) { return series.name == name; });
  REQUIRE(found != picture.series.end());
  return *found;
}

double median_in(const Json& document, const std::string& name) {
  for (const Json& row : document.at("benchmarks")) {
    if (row.at("name") == name) return row.at("median");
  }
  FAIL("no row " << name);
  return 0;
}

}  // namespace

TEST_CASE("report: curves that cross are marked where they do", "[tool]") {
  const std::vector<Picture> drawn = pictures(support::shares_that_cross_at_a_tenth());
  REQUIRE(drawn.size() == 1);
  const Picture& picture = drawn.front();
  CHECK(picture.kind == PictureKind::lines);
  CHECK(picture.title.find("random, 64 MiB") != std::string::npos);
  REQUIRE(picture.marks.size() == 1);
  CHECK(std::abs(picture.marks.front().x - 10) < 1e-6);
  CHECK(picture.marks.front().text == "handler = eager: between 3 % and 50 %, about 10 %");
}

TEST_CASE("report: curves that are not seen to differ behind a crossing are not marked", "[tool]") {
  MadeResult made;
  for (const double share : {0.01, 0.1, 1.0}) {
    const MadeResult::Json parameters = {{"share", share}};
    const std::string workload = std::to_string(share);
    // They cross, at last by less than their samples are apart.
    made.add("share", workload, "handler", share < 1 ? 1e6 * share : 1.001e6, parameters);
    made.add("share", workload, "eager", 1e6, parameters);
  }
  const std::vector<Picture> drawn = pictures(made);
  REQUIRE(drawn.size() == 1);
  CHECK(drawn.front().marks.empty());
}

TEST_CASE("report: rows that were skipped give no point, and those measured their median",
          "[tool]") {
  const MadeResult made = support::shares_that_cross_at_a_tenth();
  const std::vector<ResultFile> files = {made.file()};
  const std::vector<Picture> drawn = pictures_of(files);
  REQUIRE(drawn.size() == 1);
  std::size_t points = 0;
  for (const Series& series : drawn.front().series) {
    CHECK(series.name != "kernel");
    for (const Point& point : series.points) {
      ++points;
      CHECK(point.y == median_in(files.front().document, point.row));
      CHECK(point.interval->first <= point.y);
      CHECK(point.interval->second >= point.y);
    }
  }
  CHECK(points == 10);
}

TEST_CASE("report: a picture for each pattern, and one series for granules of one mechanism",
          "[tool]") {
  MadeResult made;
  for (const char* pattern : {"random", "sequential"}) {
    for (const int kib : {4, 16, 64}) {
      made.add("granules", pattern, "handler, " + std::to_string(kib) + " KiB", 1e3 * kib,
               {{"pattern", pattern}, {"granule_bytes", kib << 10}});
    }
  }
  const std::vector<Picture> drawn = pictures(made);
  REQUIRE(drawn.size() == 2);
  CHECK(drawn[0].id == "granules-random");
  CHECK(drawn[1].id == "granules-sequential");
  REQUIRE(drawn[0].series.size() == 1);
  CHECK(drawn[0].series[0].points.size() == 3);
  CHECK(drawn[0].series[0].points[1].x == 16);
  CHECK(drawn[0].x.unit == "KiB");
}

TEST_CASE("report: threads and processes lie at how many they are", "[tool]") {
  MadeResult made;
  for (const int workers : {1, 2, 4}) {
    const std::string workload = std::to_string(workers) + " at once";
    made.add("threads", workload, "handler", 1e3, {{"threads", workers}, {"processes", 1}});
    made.add("threads", workload, "processes", 2e3, {{"threads", 1}, {"processes", workers}});
  }
  const std::vector<Picture> drawn = pictures(made);
  REQUIRE(drawn.size() == 1);
  CHECK(series_named(drawn[0], "handler").points[2].x == 4);
  CHECK(series_named(drawn[0], "processes").points[2].x == 4);
}

TEST_CASE("report: parts of faults are stacked, with a category for each mechanism", "[tool]") {
  MadeResult made;
  for (const char* workload : {"alone", "with 1 other"}) {
    cow::measure::Row& row = made.add("anatomy", workload, "handler", 3e3, {});
    row.parts = {{"delivery", {1e3, 1e3}}, {"copy", {2e3, 2e3}}};
  }
  made.add("anatomy", "the next begin", "handler", 500, {});
  const std::vector<Picture> drawn = pictures(made);
  REQUIRE(drawn.size() == 3);
  // A picture for each workload, so that bars have the names of mechanisms alone.
  std::set<std::string> titles;
  for (const Picture& picture : drawn) titles.insert(picture.title);
  CHECK(titles.size() == 3);
  CHECK(drawn[0].kind == PictureKind::stack);
  CHECK(drawn[0].x.categories == std::vector<std::string>{"libcow, handler"});
  CHECK(series_named(drawn[1], "copy").points[0].y == 2e3);
  CHECK(drawn[2].kind == PictureKind::bars);
  CHECK(drawn[2].x.categories == std::vector<std::string>{"the next begin"});
}

TEST_CASE("report: no two pictures of a result have the same title", "[tool]") {
  MadeResult made;
  cow::measure::Row& row = made.add("faults", "first stores", "bare-signal", 1e3, {});
  row.parts = {{"delivery", {500, 500}}};
  row.samples.clear();
  for (int i = 0; i < 1000; ++i) row.samples.push_back(1000 + i);
  std::set<std::string> titles;
  const std::vector<Picture> drawn = pictures(made);
  for (const Picture& picture : drawn) titles.insert(picture.title);
  CHECK(drawn.size() >= 2);
  CHECK(titles.size() == drawn.size());
}

TEST_CASE("report: an experiment that it does not know becomes ratios", "[tool]") {
  MadeResult made;
  made.add("targets", "a clone", "fork(), whole", 8e3, {});
  made.add("targets", "a clone", "clone()", 2e3, {}, "fork(), whole").at_most = 0.5;
  const std::vector<Picture> drawn = pictures(made);
  REQUIRE(drawn.size() == 1);
  CHECK(drawn[0].kind == PictureKind::bars);
  CHECK(drawn[0].x.categories ==
        std::vector<std::string>{"a clone: clone() / fork(), whole (at most 0.5)"});
  REQUIRE(drawn[0].series.size() == 1);
  CHECK(std::abs(drawn[0].series[0].points[0].y - 0.25) < 1e-12);
}

TEST_CASE("report: many categories become several pictures, none of them lost", "[tool]") {
  MadeResult made;
  for (int i = 0; i < 60; ++i) {
    const std::string workload = "work " + std::to_string(i);
    made.add("others", workload, "a", 8e3, {});
    made.add("others", workload, "b", 2e3, {}, "a");
  }
  const std::vector<Picture> drawn = pictures(made);
  REQUIRE(drawn.size() == 3);
  std::set<std::string> ids;
  std::size_t points = 0;
  for (const Picture& picture : drawn) {
    ids.insert(picture.id);
    for (const Point& point : picture.series.at(0).points) {
      ++points;
      CHECK(point.category < picture.x.categories.size());
    }
  }
  CHECK(ids.size() == 3);
  CHECK(points == 60);
}

TEST_CASE("report: single faults have a histogram and their percentiles", "[tool]") {
  MadeResult made;
  cow::measure::Row& row = made.add("faults", "first stores", "handler", 1e3, {});
  row.samples.clear();
  for (int i = 0; i < 1000; ++i) row.samples.push_back(1000 + i);
  const std::vector<Picture> drawn = pictures(made);
  const auto found = std::find_if(drawn.begin(), drawn.end(), [](const Picture& picture) {
    return picture.kind == PictureKind::histogram;
  });
  REQUIRE(found != drawn.end());
  const Series& series = found->series.at(0);
  std::size_t all = 0;
  for (const std::size_t count : series.counts) all += count;
  CHECK(all == 1000);
  CHECK(series.percentiles.size() == 4);
  CHECK(series.row == "faults/first stores/handler");
}

TEST_CASE("report: histograms of one picture have the same bins", "[tool]") {
  MadeResult made;
  for (const char* mechanism : {"handler", "kernel"}) {
    cow::measure::Row& row = made.add("faults", "first stores", mechanism, 1e3, {});
    row.samples.clear();
    for (int i = 0; i < 1000; ++i) row.samples.push_back((mechanism[0] == 'h' ? 1e3 : 1e5) + i);
  }
  for (const Picture& picture : pictures(made)) {
    if (picture.kind != PictureKind::histogram) continue;
    REQUIRE(picture.series.size() == 2);
    CHECK(picture.series[0].edges == picture.series[1].edges);
    for (const Series& series : picture.series) {
      std::size_t all = 0;
      for (const std::size_t count : series.counts) all += count;
      CHECK(all == 1000);
    }
    return;
  }
  FAIL("no histogram");
}

TEST_CASE("report: two results are series of the same picture, with what changed", "[tool]") {
  MadeResult before = support::shares_that_cross_at_a_tenth();
  MadeResult after = support::shares_that_cross_at_a_tenth();
  for (double& sample : after.result().rows.front().samples) sample *= 2;
  std::vector<ResultFile> files = {before.file("before.json"), after.file("after.json")};
  set_labels(files);
  const std::vector<Picture> drawn = pictures_of(files);
  REQUIRE(drawn.size() == 1);
  CHECK(drawn[0].series.size() == 4);
  const Json document = document_of(files, drawn);
  CHECK(document.at("kind") == "results");
  CHECK(document.at("results")[1].at("label") == "B: after.json");
  REQUIRE(document.at("changes").size() == 10);
  CHECK(document.at("changes")[0].at("difference") == "more");
  CHECK(std::abs(document.at("changes")[0].at("ratio").get<double>() - 2) < 1e-9);
  CHECK(document.at("changes")[1].at("difference") == "none");
}

TEST_CASE("report: a trace's heat map has every page that faults copied", "[tool]") {
  Json trace = {{"events", Json::array()}};
  for (int i = 0; i < 100; ++i) {
    trace["events"].push_back({{"kind", "fault"},
                               {"pid", 7},
                               {"space", 2},
                               {"ns", 10 * i},
                               {"page", i},
                               {"pages", 1},
                               {"copied", 1}});
  }
  trace["events"].push_back({{"kind", "cloned"}, {"pid", 7}, {"ns", 1000}});
  const std::optional<Picture> heat = trace_heat(trace, "folder/a.cowtrace");
  REQUIRE(heat.has_value());
  double sum = 0;
  for (const Cell& cell : heat->cells) {
    sum += cell.value;
    CHECK(cell.x < heat->x.count);
    CHECK(cell.y < heat->y.count);
  }
  CHECK(sum == 100);
  trace["events"] = Json::array();
  CHECK_FALSE(trace_heat(trace, "a").has_value());
}

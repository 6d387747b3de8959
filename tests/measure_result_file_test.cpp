#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "catch.hpp"
#include "folder.hpp"
#include "measure/figures/result_json.hpp"

namespace {

using namespace cow::measure;

Result small_result() {
  Result result;
  result.program = "cow bench";
  Row row;
  row.experiment = "share";
  row.workload = "1 % of 64 MiB, random";
  row.mechanism = "eager";
  row.samples = {3, 1, 2};
  result.rows.push_back(row);
  return result;
}

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("A result is saved beside the file that it takes the place of", "[measure]") {
  const support::Folder folder;
  const std::filesystem::path file = folder / "result.json";
  save(small_result(), file);
  CHECK(text_of(file) == to_text(small_result()));
  CHECK(to_json(load(file)) == to_json(small_result()));

  Result other = small_result();
  other.program = "targets";
  save(other, file);
  CHECK(load(file).program == "targets");
  CHECK(folder.names() == std::vector<std::string>{"result.json"});
  // What another program wrote beside it, or made there, is not touched.
  std::filesystem::create_directory(folder / "result.json.new");
  save(other, file);
  CHECK(folder.names() == std::vector<std::string>{"result.json", "result.json.new"});
  std::filesystem::create_directory(folder / "a folder");
  CHECK_THROWS_AS(save(other, folder / "gone/a.json"), std::runtime_error);
  CHECK(folder.names() == std::vector<std::string>{"a folder", "result.json", "result.json.new"});

  CHECK_THROWS_WITH(save(other, "/dev/full"), "cannot write /dev/full: No space left on device");
  CHECK_THROWS_WITH(save(other, folder / "gone/a.json"),
                    Catch::Contains("gone/a.json") && Catch::Contains("No such file"));
  CHECK_THROWS_WITH(load(folder / "gone.json"),
                    Catch::Contains("gone.json: No such file or directory"));
  CHECK_THROWS_WITH(load(folder.path()), Catch::Contains("is a folder"));
  std::ofstream(file) << "{}";
  CHECK_THROWS_WITH(load(file),
                    Catch::Contains("result.json cannot be read as a result: it is no "));
}

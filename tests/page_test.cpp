// What a page is given: JSON that no text in it can end. The page itself is tested in a browser,
// src/page/test.

#include <cstddef>
#include <string>

#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "tool/page.hpp"

TEST_CASE("no text of a recording ends the element of the page that it stands in", "[tool]") {
  const nlohmann::ordered_json data = {{"title", "</script><script>alert(1)</script>"},
                                       {"<!--", {"a < b", "plain", 7}}};
  const std::string text = cow::tool::json_for_html(data);
  CHECK(text.find('<') == std::string::npos);
  CHECK(nlohmann::ordered_json::parse(text) == data);
}

TEST_CASE("a recording with bytes that are no UTF-8 still becomes a page's JSON", "[tool]") {
  const nlohmann::ordered_json data = {{"file", "name\xff<"}};
  const std::string text = cow::tool::json_for_html(data);
  CHECK(nlohmann::ordered_json::parse(text).at("file") == "name\xEF\xBF\xBD<");
}

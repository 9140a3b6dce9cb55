#include "report/sheet.h"

#include <catch2/catch.hpp>

using namespace compress;
using report::Sheet;

TEST_CASE("sheet: numbers are numbers for programs and readable for people") {
  Sheet sheet({{"Name"}, {"MACs"}, {"Share", 1}, {"Members"}});
  sheet.row({std::string("1,234"), int64_t{40813184}, 12.345678, std::vector<std::string>{"a:0", "b:1"}});
  sheet.row({std::string("empty")});
  REQUIRE(sheet.rows() == 2);
  REQUIRE(sheet.text() == "Name         MACs  Share  Members\n"
                          "-----  ----------  -----  -------\n"
                          "1,234  40,813,184   12.3  a:0 b:1\n"
                          "empty\n");
  REQUIRE_THAT(sheet.csv(), Catch::Contains(",40813184,12.345678,a:0 b:1\n") && Catch::EndsWith("empty,,,\n"));
  sheet.total({std::string("all"), int64_t{40813184}});
  REQUIRE_THAT(sheet.text(), Catch::EndsWith("all    40,813,184\n"));
  REQUIRE_THAT(sheet.csv(), Catch::EndsWith("empty,,,\n"));  // programs add up by themselves
  const auto json = sheet.json();
  REQUIRE(json.size() == 2);
  REQUIRE(json[0]["Name"] == "1,234");
  REQUIRE(json[0]["MACs"] == 40813184);
  REQUIRE(json[0]["Share"] == 12.345678);
  REQUIRE(json[0]["Members"] == std::vector<std::string>{"a:0", "b:1"});
  REQUIRE(json[1]["MACs"].is_null());
}

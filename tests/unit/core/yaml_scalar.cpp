#include "core/yaml_scalar.h"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

namespace compress {

TEST_CASE("yaml scalars: nulls and booleans as PyYAML reads them", "[core]") {
  for (const auto* text : {"", "~", "null", "Null", "NULL"}) REQUIRE(is_yaml_null(text));
  REQUIRE_FALSE(is_yaml_null("nUll"));
  for (const auto* text : {"true", "True", "TRUE", "yes", "on"}) REQUIRE(yaml_bool(text) == true);
  for (const auto* text : {"false", "No", "OFF"}) REQUIRE(yaml_bool(text) == false);
  for (const auto* text : {"", "y", "tRue", "1", "trues"}) REQUIRE_FALSE(yaml_bool(text));
}

TEST_CASE("yaml scalars: integers", "[core]") {
  const auto value = [](std::string_view text) {
    const auto number = yaml_integer(text);
    INFO(text);
    REQUIRE(number.form == NumberForm::good);
    return number.value;
  };
  REQUIRE(value("0") == 0);
  REQUIRE(value("+3") == 3);
  REQUIRE(value("-12") == -12);
  REQUIRE(value("1_000") == 1000);
  REQUIRE(value("0x1F") == 31);
  REQUIRE(value("0o17") == 15);
  REQUIRE(value("-9223372036854775808") == std::numeric_limits<int64_t>::min());
  REQUIRE(yaml_integer("9223372036854775808").form == NumberForm::too_large);
  for (const auto* text :
       {"", "-", "+-3", "--3", "017", "1_", "_1", "1__0", "3.0", "1e3", "3a", "0x", "0x-3", " 3", "²"}) {
    INFO(text);
    REQUIRE(yaml_integer(text).form == NumberForm::none);
  }
}

TEST_CASE("yaml scalars: numbers", "[core]") {
  const auto value = [](std::string_view text) {
    const auto number = yaml_double(text);
    INFO(text);
    REQUIRE(number.form == NumberForm::good);
    return number.value;
  };
  REQUIRE(value("0.70") == 0.7);
  REQUIRE(value(".5") == 0.5);
  REQUIRE(value("-.5") == -0.5);
  REQUIRE(value("1.") == 1);
  REQUIRE(value("1e-4") == 1e-4);
  REQUIRE(value("+1.5E+3") == 1500);
  REQUIRE(value("1_000.5") == 1000.5);
  REQUIRE(value("10") == 10);
  REQUIRE(value("1e30") == 1e30);
  REQUIRE(value("100000000000000000000") == 1e20);
  REQUIRE(std::isinf(value("-.inf")));
  REQUIRE(std::isnan(value(".NaN")));
  REQUIRE(yaml_double("1e999").form == NumberForm::too_large);
  for (const auto* text :
       {"", ".", "-", "inf", "nan", "1.2.3", "1e", "e5", "1,5", "0.5x", "007.5", "0x1p3", "1 2", "--1.5"}) {
    INFO(text);
    REQUIRE(yaml_double(text).form == NumberForm::none);
  }
}

TEST_CASE("yaml scalars: numbers print as short as they can and read back the same", "[core]") {
  REQUIRE(number_text(0.8) == "0.8");
  REQUIRE(number_text(0.1 + 0.2) == "0.30000000000000004");
  for (const double x : {0.0, -0.0, 1.0, 1e-4, 1e300, -5e-324, 1.0 / 3, 123456789.125}) {
    INFO(number_text(x));
    REQUIRE(yaml_double(number_text(x)).value == x);
  }
  REQUIRE(number_text(std::numeric_limits<double>::infinity()) == ".inf");
  REQUIRE(number_text(-std::numeric_limits<double>::infinity()) == "-.inf");
  REQUIRE(number_text(std::numeric_limits<double>::quiet_NaN()) == ".nan");
}

TEST_CASE("yaml scalars: what is left is text", "[core]") {
  for (const auto* text : {"abc", "017", "1.2.3", "3D", "-a", "y"}) REQUIRE(is_yaml_string(text));
  for (const auto* text : {"", "~", "on", "3", "1e999", ".inf"}) REQUIRE_FALSE(is_yaml_string(text));
}

}  // namespace compress

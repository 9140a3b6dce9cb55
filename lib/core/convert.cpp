#include "core/convert.h"

#include "core/text.h"
#include "core/yaml_scalar.h"

#include <cmath>

namespace compress {

namespace {

/// "an integer in [0, 5]".
std::string expected_number(const char* type, const Range& range) {
  const auto limits = range.str();
  return limits.empty() ? type : fmt::format("{} {}", type, limits);
}

Error not_a_number(const Yaml& value, std::string_view what, const std::string& expected, NumberForm unquoted) {
  auto error = type_error(value, what, expected);
  if (value.is_scalar() && value.quoted && unquoted != NumberForm::none) error.hint("remove the quotes");
  return error;
}

int64_t read_integer(const Yaml& value, std::string_view what, const Range& range) {
  const auto number = value.is_scalar() ? yaml_integer(value.text) : YamlNumber<int64_t>{};
  if (number.form != NumberForm::good || value.quoted || !range.contains(static_cast<double>(number.value)))
    throw not_a_number(value, what, expected_number("an integer", range), number.form);
  return number.value;
}

nlohmann::json number_schema(const char* type, const Range& range) {
  nlohmann::json schema = {{"type", type}};
  if (std::isfinite(range.low)) schema[range.open_low ? "exclusiveMinimum" : "minimum"] = range.low;
  if (std::isfinite(range.high)) schema[range.open_high ? "exclusiveMaximum" : "maximum"] = range.high;
  return schema;
}

}  // namespace

std::string describe(const Yaml& value) {
  if (!value.is_scalar()) return std::string(value.kind_name());
  if (!value.quoted && !is_yaml_string(value.text)) return value.text;
  constexpr size_t kLongest = 60;
  const bool is_long = value.text.size() > kLongest;
  return fmt::format("text '{}{}'", value.text.substr(0, kLongest), is_long ? "..." : "");
}

Error type_error(const Yaml& value, std::string_view what, const std::string& expected) {
  auto error = request_error("'{}' must be {}, not {}", what, expected, describe(value)).at(value.place);
  if (value.is_scalar() && expected.starts_with("a list"))
    error.hint(fmt::format("a list of one is written [{}]", value.text));
  return error;
}

std::string with_article(const std::string& type) {
  if (type == "text" || type == "any value") return type;
  return (type == "integer" ? "an " : "a ") + type;
}

std::string plural(const std::string& type) {
  if (type == "text") return type;
  if (type == "any value") return "anything";
  if (type.starts_with("list of ") || type.starts_with("map of "))
    return type.substr(0, type.find(' ')) + 's' + type.substr(type.find(' '));
  return type + 's';
}

nlohmann::json to_json(const Yaml& value) {
  if (value.is_null()) return nullptr;
  if (value.is_sequence()) {
    auto list = nlohmann::json::array();
    for (const auto& item : value.items) list.push_back(to_json(item));
    return list;
  }
  if (value.is_map()) {
    auto object = nlohmann::json::object();
    for (size_t i = 0; i < value.keys.size(); ++i) object[value.keys[i]] = to_json(value.items[i]);
    return object;
  }
  if (value.quoted) return value.text;
  if (const auto truth = yaml_bool(value.text)) return *truth;
  if (const auto whole = yaml_integer(value.text); whole.form == NumberForm::good) return whole.value;
  if (const auto number = yaml_double(value.text); number.form == NumberForm::good && std::isfinite(number.value))
    return number.value;
  return value.text;
}

std::string Convert<bool>::type() {
  return "boolean";
}
bool Convert<bool>::read(const Yaml& value, std::string_view what, const Range&) {
  const auto truth = value.is_scalar() ? yaml_bool(value.text) : std::nullopt;
  if (truth && !value.quoted) return *truth;
  throw not_a_number(value, what, "true or false", truth ? NumberForm::good : NumberForm::none);
}
Yaml Convert<bool>::print(const bool& value) {
  return Yaml::scalar(value ? "true" : "false");
}
nlohmann::json Convert<bool>::schema(const Range&) {
  return {{"type", "boolean"}};
}

std::string Convert<int64_t>::type() {
  return "integer";
}
int64_t Convert<int64_t>::read(const Yaml& value, std::string_view what, const Range& range) {
  return read_integer(value, what, range);
}
Yaml Convert<int64_t>::print(const int64_t& value) {
  return Yaml::scalar(std::to_string(value));
}
nlohmann::json Convert<int64_t>::schema(const Range& range) {
  return number_schema("integer", range);
}

std::string Convert<int>::type() {
  return "integer";
}
int Convert<int>::read(const Yaml& value, std::string_view what, const Range& range) {
  constexpr double kLow = std::numeric_limits<int>::min(), kHigh = std::numeric_limits<int>::max();
  const auto number = read_integer(value, what, range);
  if (!in(kLow, kHigh).contains(static_cast<double>(number)))
    throw type_error(value, what, expected_number("an integer", in(kLow, kHigh)));
  return static_cast<int>(number);
}
Yaml Convert<int>::print(const int& value) {
  return Yaml::scalar(std::to_string(value));
}
nlohmann::json Convert<int>::schema(const Range& range) {
  return number_schema("integer", range);
}

std::string Convert<double>::type() {
  return "number";
}
double Convert<double>::read(const Yaml& value, std::string_view what, const Range& range) {
  const auto number = value.is_scalar() ? yaml_double(value.text) : YamlNumber<double>{};
  const bool good = number.form == NumberForm::good && std::isfinite(number.value) && !value.quoted;
  if (!good || !range.contains(number.value))
    throw not_a_number(value, what, expected_number("a number", range), number.form);
  return number.value;
}
Yaml Convert<double>::print(const double& value) {
  return Yaml::scalar(number_text(value));
}
nlohmann::json Convert<double>::schema(const Range& range) {
  return number_schema("number", range);
}

std::string Convert<std::string>::type() {
  return "text";
}
std::string Convert<std::string>::read(const Yaml& value, std::string_view what, const Range&) {
  if (!value.is_scalar()) throw type_error(value, what, "text");
  return value.text;
}
Yaml Convert<std::string>::print(const std::string& value) {
  return Yaml::scalar(value, true);
}
nlohmann::json Convert<std::string>::schema(const Range&) {
  return {{"type", "string"}};
}

std::string Convert<Yaml>::type() {
  return "any value";
}
Yaml Convert<Yaml>::read(const Yaml& value, std::string_view, const Range&) {
  return value;
}
Yaml Convert<Yaml>::print(const Yaml& value) {
  return value;
}
nlohmann::json Convert<Yaml>::schema(const Range&) {
  return nlohmann::json::object();
}

}  // namespace compress

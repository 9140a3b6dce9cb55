#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace compress {

// How unquoted text is understood: YAML 1.2's core types, and of YAML 1.1 what PyYAML users rely on (yes/no/on/off,
// 1_000).

bool is_yaml_null(std::string_view text);
std::optional<bool> yaml_bool(std::string_view text);

/// Whether text is written as a number, and whether the type can hold it.
enum class NumberForm { none, too_large, good };

template <class T>
struct YamlNumber {
  NumberForm form = NumberForm::none;
  T value{};
};

/// "3", "-3", "1_000", "0x1f", "0o17". "017" is none: YAML 1.1 and 1.2 disagree about it.
YamlNumber<int64_t> yaml_integer(std::string_view text);
/// "0.5", ".5", "1e-4" (which PyYAML takes for text), every integer, ".inf", ".nan".
YamlNumber<double> yaml_double(std::string_view text);

/// True when unquoted `text` is a string and no null, boolean or number.
bool is_yaml_string(std::string_view text);

/// The shortest text that reads back as the same number.
std::string number_text(double number);

}  // namespace compress

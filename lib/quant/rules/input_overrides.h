#pragma once

#include "quant/rules/layer_rules.h"

namespace compress::quant {

/// The index of an input that a key is; throws a request error when it is none.
int64_t input_index(const std::string& key, const Place& place);

/// Throws a request error when an entry says nothing, or something beside `from_output: true`.
void check_from_output(const Yaml& entry, const std::string& index, bool from_output);

/// Reads `input_overrides`, a map from the index of an input to what holds for it. `Arguments` is copyable, has
/// declare(Settings&), check() and rule(); each entry starts as a copy of `defaults` (those of the layer's output, so
/// that `{0: {from_output: true}}` says just that).
template <class Arguments>
std::map<int64_t, TensorRule> read_input_overrides(const Yaml& map, const Arguments& defaults) {
  std::map<int64_t, TensorRule> rules;
  if (map.is_null()) return rules;
  if (!map.is_map())
    throw request_error("'input_overrides' must be a map from the index of an input, not {}", map.kind_name())
        .at(map.place);
  for (size_t i = 0; i < map.keys.size(); ++i) {
    const auto& key = map.keys[i];
    const auto index = input_index(key, map.key_places[i]);
    auto arguments = defaults;
    Settings settings;
    arguments.declare(settings);
    settings.read(map.items[i], "input override " + key);
    check_from_output(map.items[i], key, arguments.from_output);
    within("reading input override " + key, [&] { arguments.check(); });
    rules[index] = arguments.rule();
  }
  return rules;
}

}  // namespace compress::quant

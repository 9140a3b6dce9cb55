#pragma once

#include "quant/rules/layer_rules.h"

#include <charconv>

namespace compress::quant {

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
    int64_t index = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (error != std::errc() || end != key.data() + key.size() || index < 0)
      throw request_error("'{}' in 'input_overrides' is no index of an input", key)
          .at(map.key_places[i])
          .hint("0 is the first input");
    auto arguments = defaults;
    Settings settings;
    arguments.declare(settings);
    settings.read(map.items[i], "input override " + key);
    within("reading input override " + key, [&] { arguments.check(); });
    rules[index] = arguments.rule();
  }
  return rules;
}

}  // namespace compress::quant

#include "quant/rules/input_overrides.h"

#include <algorithm>
#include <charconv>

namespace compress::quant {

int64_t input_index(const std::string& key, const Place& place) {
  int64_t index = -1;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
  if (error != std::errc() || end != key.data() + key.size() || index < 0)
    throw request_error("'{}' in 'input_overrides' is no index of an input", key)
        .at(place)
        .hint("0 is the first input");
  return index;
}

void check_from_output(const Yaml& entry, const std::string& index, bool from_output) {
  const auto other = std::ranges::find_if(entry.keys, [](const auto& key) { return key != "from_output"; });
  if (from_output && other != entry.keys.end())
    throw request_error("input override {}: 'from_output' takes all from the layer's output, but '{}' says otherwise",
                        index, *other)
        .at(entry.place)
        .hint("leave one of the two out: what an entry lacks is as the output has it");
  if (!from_output && other == entry.keys.end())
    throw request_error("input override {} says nothing", index)
        .at(entry.place)
        .hint("'from_output: true' puts the input on the grid of the layer's output");
}

}  // namespace compress::quant

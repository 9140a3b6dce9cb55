#include "quant/overrides.h"

#include "core/text.h"

#include <algorithm>

namespace compress::quant {
namespace {

std::regex compile(const std::string& pattern, const Place& place) {
  try {
    return std::regex(pattern);
  } catch (const std::regex_error&) {
    throw request_error("override '{}' is not a valid regular expression", pattern)
        .at(place)
        .hint("'layer1.*' matches all names that start with 'layer1'");
  }
}

}  // namespace

void declare_bits(Settings& settings, std::string name, std::optional<int64_t>& bits, std::string doc) {
  settings.optional(std::move(name), bits, std::move(doc) + " (2 to 16; 32 or null: not quantised)", in(2, 32));
}

void check_bits(std::string_view name, const std::optional<int64_t>& bits) {
  if (!bits || *bits == 32 || (*bits >= 2 && *bits <= 16)) return;
  throw request_error("'{}' is {}", name, *bits).hint("2 to 16 bits, or 32 or null to keep floating point");
}

Overrides::Overrides(const Yaml& map, const LayerBits& defaults, Bias bias) : defaults_(defaults) {
  if (map.is_null()) return;
  if (!map.is_map())
    throw request_error("'overrides' must be a map from pattern to bits, not {}", map.kind_name()).at(map.place);
  Problems problems;
  for (size_t i = 0; i < map.keys.size(); ++i) {
    problems.capture([&] {
      Entry entry{map.keys[i], {}, map.key_places[i], defaults};
      const std::string_view pattern = entry.pattern;
      entry.regex = compile(std::string(pattern.starts_with("module.") ? pattern.substr(7) : pattern), entry.place);
      Settings settings;
      declare_bits(settings, "bits_activations", entry.bits.activations, "bits of the output");
      declare_bits(settings, "bits_weights", entry.bits.weights, "bits of the weight");
      if (bias == Bias::accepted) declare_bits(settings, "bits_bias", entry.bits.bias, "bits of the bias");
      settings.read(map.items[i], "override '" + entry.pattern + "'");
      within("reading override '" + entry.pattern + "'", [&] {
        check_bits("bits_activations", entry.bits.activations);
        check_bits("bits_weights", entry.bits.weights);
        check_bits("bits_bias", entry.bits.bias);
      });
      entries_.push_back(std::move(entry));
    });
  }
  problems.raise();
}

const Overrides::Entry* Overrides::match(std::string_view name) const {
  const auto found = std::ranges::find_if(
      entries_, [&](const Entry& entry) { return std::regex_match(name.begin(), name.end(), entry.regex); });
  return found == entries_.end() ? nullptr : &*found;
}

const LayerBits& Overrides::find(std::span<const std::string> names) const {
  for (const auto& name : names)
    if (const auto* entry = match(name)) return entry->bits;
  return defaults_;
}

bool Overrides::matches(std::span<const std::string> names) const {
  return std::ranges::any_of(names, [&](const std::string& name) { return match(name) != nullptr; });
}

void Overrides::check_names(const Graph& graph, Problems& problems) const {
  std::vector<std::string> names;
  for (const auto& input : graph.inputs) names.push_back(input.name);
  for (const auto& node : graph.nodes()) names.push_back(node.name);
  for (const auto& entry : entries_) {
    if (std::ranges::any_of(names, [&](const std::string& name) { return std::regex_match(name, entry.regex); }))
      continue;
    auto hint = did_you_mean(entry.pattern, names);
    if (hint.empty()) hint = "patterns are regular expressions over whole names of nodes: 'layer1.*'";
    problems.add(request_error("override '{}' matches no node", entry.pattern).at(entry.place).hint(hint));
  }
}

}  // namespace compress::quant

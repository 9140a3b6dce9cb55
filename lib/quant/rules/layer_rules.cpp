#include "quant/rules/layer_rules.h"

#include "core/text.h"
#include "ops/grid_format.h"
#include "ops/op.h"

#include <algorithm>

namespace compress::quant {
namespace {

constexpr std::string_view kOperator = "op:";

std::regex compile(const std::string& pattern, const std::string& written, const Place& place) {
  try {
    return std::regex(pattern);
  } catch (const std::regex_error&) {
    throw request_error("pattern '{}' is not a valid regular expression", written)
        .at(place)
        .hint("'layer1.*' matches all names that start with 'layer1'");
  }
}

/// "conv*" -> "conv.*": what is meant when somebody writes a pattern of file names.
std::string without_globs(std::string_view pattern) {
  std::string text;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const bool glob =
        pattern[i] == '*' && (i == 0 || std::string_view(".)]\\").find(pattern[i - 1]) == std::string_view::npos);
    text += glob ? ".*" : std::string(1, pattern[i]);
  }
  return text;
}

std::vector<LayerName> named_layers(const Graph& graph) {
  std::vector<LayerName> layers;
  for (const auto& input : graph.inputs) layers.push_back({input.name, ""});
  for (const auto& node : graph.nodes()) layers.push_back(layer_name(node));
  return layers;
}

}  // namespace

ops::GridSpec TensorRule::spec() const {
  auto spec = grid;
  const int own = ops::implied_bits(spec.format);
  spec.bits = own != 0 ? own : static_cast<int>(bits.value_or(32));
  return spec;
}

void keep_floating(LayerRule& rule) {
  rule.activations.bits = rule.weights.bits = rule.bias.bits = std::nullopt;
  rule.rectified.reset();
  rule.inputs.clear();
}

void keep_range(LayerRule& rule) {
  rule.activations.observer = nullptr;
  rule.activations.clipped = false;
  if (!rule.rectified) return;
  rule.rectified->observer = nullptr;
  rule.rectified->clipped = false;
}

LayerName layer_name(const Node& node) {
  // A layer that was joined with its batch-norm is still what it was.
  return {node.name, node.op == "ConvBatchNormalization" ? node.attributes.text("layer", "Conv") : node.op};
}

void declare_bits(Settings& settings, std::string name, std::optional<int64_t>& bits, std::string doc, int64_t least) {
  doc += fmt::format(" ({} to 16; 32 or null: not quantised)", least);
  settings.optional(std::move(name), bits, std::move(doc), in(static_cast<double>(least), 32));
}

void check_bits(std::string_view name, const std::optional<int64_t>& bits, int64_t least) {
  if (!bits || *bits == 32 || (*bits >= least && *bits <= 16)) return;
  throw request_error("'{}' is {}", name, *bits)
      .hint(fmt::format("{} to 16 bits, or 32 or null to keep floating point", least));
}

void check_fpq_module(const std::optional<int64_t>& bits) {
  if (bits && *bits != 16 && *bits != 32 && *bits != 64)
    throw request_error("'fpq_module' is {}", *bits).hint("16, 32 or 64");
}

Absorbed absorbed_norms(const Graph& before, const Graph& after) {
  Absorbed absorbed;
  for (const auto& node : before.nodes())
    if (node.op == "BatchNormalization" && after.find_node(node.name) == nullptr) absorbed[node.name] = node.inputs[0];
  return absorbed;
}

LayerRules::Pattern::Pattern(std::string pattern, Place where)
    : written(std::move(pattern)), place(std::move(where)), text(written) {
  if (text.starts_with(kOperator)) {
    op = text.substr(kOperator.size());
    if (ops::find_op(op) != nullptr) return;
    std::vector<std::string> names;
    for (const auto* known : ops::all_ops()) names.emplace_back(known->name);
    throw request_error("pattern '{}': there is no operator '{}'", written, op).at(place).hint(did_you_mean(op, names));
  }
  if (text.starts_with("module.")) text.erase(0, 7);
  regex = compile(text, written, place);
}

bool LayerRules::Pattern::matches(const LayerName& layer) const {
  return op.empty() ? std::regex_match(layer.name, regex) : op == layer.op;
}

LayerRules::LayerRules(LayerRule defaults) : defaults_(std::move(defaults)) {}

LayerRules::LayerRules(const Yaml& overrides, LayerRule defaults, const ReadEntry& read)
    : defaults_(std::move(defaults)) {
  if (overrides.is_null()) return;
  if (!overrides.is_map())
    throw request_error("'overrides' must be a map from pattern to arguments of the layer, not {}",
                        overrides.kind_name())
        .at(overrides.place);
  Problems problems;
  for (size_t i = 0; i < overrides.keys.size(); ++i)
    problems.capture([&] {
      Pattern pattern(overrides.keys[i], overrides.key_places[i]);
      entries_.push_back({std::move(pattern), read(overrides.items[i], "override '" + overrides.keys[i] + "'")});
    });
  problems.raise();
}

void LayerRules::change(const std::vector<std::string>& patterns,
                        std::string argument,
                        std::function<void(LayerRule&)> change) {
  Change entry{std::move(argument), {}, std::move(change)};
  for (const auto& pattern : patterns)
    within("reading '" + entry.argument + "'", [&] { entry.patterns.emplace_back(pattern, Place{}); });
  if (!entry.patterns.empty()) changes_.push_back(std::move(entry));
}

const LayerRules::Entry* LayerRules::match(const LayerName& layer) const {
  auto found = std::ranges::find_if(entries_, [&](const Entry& entry) { return entry.pattern.is(layer); });
  if (found == entries_.end())
    found = std::ranges::find_if(entries_, [&](const Entry& entry) { return entry.pattern.matches(layer); });
  return found == entries_.end() ? nullptr : &*found;
}

std::optional<LayerRule> LayerRules::matched(std::span<const LayerName> layers) const {
  std::optional<LayerRule> rule;
  for (const auto& layer : layers)
    if (const auto* entry = match(layer); entry != nullptr && !rule) rule = entry->rule;
  for (const auto& change : changes_) {
    const auto hit = [&](const LayerName& layer) {
      return std::ranges::any_of(change.patterns, [&](const Pattern& pattern) { return pattern.matches(layer); });
    };
    if (std::ranges::none_of(layers, hit)) continue;
    if (!rule) rule = defaults_;
    change.change(*rule);
  }
  return rule;
}

LayerRule LayerRules::find(std::span<const LayerName> layers) const {
  auto rule = matched(layers);
  return rule ? std::move(*rule) : defaults_;
}

std::vector<const LayerRule*> LayerRules::all() const {
  std::vector<const LayerRule*> rules{&defaults_};
  for (const auto& entry : entries_) rules.push_back(&entry.rule);
  return rules;
}

LayerRule LayerRules::find(const Node& node) const {
  const LayerName layers[] = {layer_name(node)};
  return find(layers);
}

void LayerRules::check_names(const Graph& graph, Problems& problems, const Absorbed& absorbed) const {
  const auto layers = named_layers(graph);
  std::vector<std::string> names;
  for (const auto& layer : layers) names.push_back(layer.name);
  const auto check = [&](const Pattern& pattern, const std::string& what, const Absorbed& gone) {
    const LayerName* match = nullptr;
    for (const auto& layer : layers) {
      if (!pattern.matches(layer)) continue;
      if (!gone.contains(layer.name)) return;
      match = &layer;
    }
    if (match != nullptr) {
      const auto& into = gone.at(match->name);
      problems.add(request_error("{} '{}' matches nothing but batch-norm ('{}'), which is folded into '{}' before "
                                 "anything is quantised",
                                 what, pattern.written, match->name, into)
                       .at(pattern.place)
                       .hint(fmt::format("name the layer that takes it up: '{}'", into)));
      return;
    }
    auto hint = pattern.op.empty() ? did_you_mean(pattern.text, names) : "the model has no such operator";
    const auto meant = without_globs(pattern.text);
    if (meant != pattern.text &&
        std::ranges::any_of(layers, [&](const auto& layer) { return Pattern(meant, {}).matches(layer); }))
      hint = fmt::format("patterns are regular expressions: '{}'", meant);
    if (hint.empty()) hint = "patterns are regular expressions over whole names of nodes: 'layer1.*'";
    problems.add(request_error("{} '{}' matches no node", what, pattern.written).at(pattern.place).hint(hint));
  };
  for (const auto& entry : entries_) check(entry.pattern, "override", entry.rule.make_identity ? Absorbed{} : absorbed);
  for (const auto& change : changes_)
    for (const auto& pattern : change.patterns) check(pattern, change.argument + ":", absorbed);
}

}  // namespace compress::quant

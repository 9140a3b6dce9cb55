#include "search/units.h"

#include "analysis/weight.h"
#include "core/text.h"
#include "ops/op.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <map>
#include <set>

namespace compress::search {

namespace {

using analysis::ChannelGroup;
using analysis::CoupledChannels;
using analysis::ParameterAxis;

constexpr size_t kReasonsShown = 3;

/// The layers of a graph by the outputs of their weights.
std::map<ParameterAxis, std::vector<const Node*>> layers_by_outputs(const Graph& graph) {
  std::map<ParameterAxis, std::vector<const Node*>> layers;
  for (const Node& node : graph.nodes()) {
    const auto* weight = analysis::weight_of(graph, node);
    const auto& op = ops::op_of(node);
    if (!weight || !op.weight_axis) continue;
    const int axis = op.weight_axis(node);
    if (axis < weight->value.dim()) layers[{weight->name, axis}].push_back(&node);
  }
  return layers;
}

/// The weights whose outputs are the group's channels; of groups without (hidden units of recurrent layers) the
/// matrices whose rows they are.
std::vector<ParameterAxis> makers_of(const Graph& graph,
                                     const ChannelGroup& group,
                                     const std::map<ParameterAxis, std::vector<const Node*>>& layers) {
  std::vector<ParameterAxis> makers, rows;
  for (const auto& member : group.members) {
    const auto& parameter = graph.parameter(member.parameter);
    if (layers.contains(member)) makers.push_back(member);
    if (parameter.trainable && member.axis == 0 && parameter.value.dim() >= 2) rows.push_back(member);
  }
  return makers.empty() ? rows : makers;
}

LayerKind kind_of_layer(const Node& node, const at::Tensor& weight, int64_t outputs) {
  if (node.op == "Gemm" || node.op == "MatMul") return LayerKind::linear;
  if (node.op != "Conv" && node.op != "ConvTranspose" && node.op != "ConvBatchNormalization") return LayerKind::other;
  return weight.size(1) == 1 && outputs > 1 && node.attributes.integer("group", 1) > 1 ? LayerKind::depthwise
                                                                                       : LayerKind::convolution;
}

Layer describe_layer(const Graph& graph, const Node& node, const ParameterAxis& maker, const ops::Infos& infos) {
  const auto& weight = graph.parameter(maker.parameter).value;
  Layer layer{.node = node.name, .outputs = weight.size(maker.axis)};
  layer.kind = kind_of_layer(node, weight, layer.outputs);
  const auto& input = infos.at(node.inputs.front()).shape;
  const bool spatial = layer.kind == LayerKind::convolution || layer.kind == LayerKind::depthwise;
  layer.inputs = input.empty() ? 0 : spatial ? input.at(1) : input.back();
  if (!spatial) return layer;
  if (input.size() > 2) layer.height = input[2];
  if (input.size() > 3) layer.width = input[3];
  layer.kernel = weight.dim() > 2 ? weight.size(2) : 1;
  layer.stride = node.attributes.integers("strides", {1}).front();
  return layer;
}

/// The sets of channels that are all there is of an axis of some value, where these are not all channels of the group.
std::vector<std::vector<std::set<int>>> values_of_groups(const Graph& graph, const CoupledChannels& channels) {
  std::map<ops::Atom, std::pair<int, int>> place;
  for (size_t g = 0; g < channels.groups().size(); ++g)
    for (size_t c = 0; c < channels.groups()[g].channels.size(); ++c)
      place[channels.groups()[g].channels[c].root] = {static_cast<int>(g), static_cast<int>(c)};
  std::vector<std::vector<std::set<int>>> found(channels.groups().size());
  const auto note = [&](const ops::Atoms& atoms) {
    std::map<int, std::set<int>> parts;
    for (const auto atom : atoms) {
      const auto at = place.find(channels.pool().find(atom));
      if (at == place.end()) return;
      parts[at->second.first].insert(at->second.second);
    }
    if (parts.size() != 1) return;  // of several groups, each of which keeps a channel
    auto& [group, part] = *parts.begin();
    auto& sets = found[static_cast<size_t>(group)];
    if (part.size() < channels.groups()[static_cast<size_t>(group)].channels.size() &&
        std::ranges::find(sets, part) == sets.end())
      sets.push_back(part);
  };
  for (const Node& node : graph.nodes())
    for (int k = 0; k < node.outputs; ++k)
      for (const auto& atoms : channels.map(node.output(k))) note(atoms);
  return found;
}

/// The fewest channels that a unit keeps: a multiple that holds one of each set.
int64_t fewest(int64_t channels, const std::vector<std::set<int>>& sets, int64_t least, int64_t multiple) {
  // One channel per set is enough, and may be fewer where sets overlap; ranking decides which ones stay.
  const int64_t wanted = std::max(least, static_cast<int64_t>(sets.size()));
  return std::min(channels, (wanted + multiple - 1) / multiple * multiple);
}

bool chosen_by(const std::string& word, const Unit& unit) {
  constexpr std::string_view kPrefix = "module.";
  const std::string_view plain = word.starts_with(kPrefix) ? std::string_view(word).substr(kPrefix.size()) : word;
  const auto matches = [&](const std::string& name) { return name == plain || glob_match(plain, name); };
  return matches(unit.name) ||
         std::ranges::any_of(unit.makers, [&](const ParameterAxis& maker) { return matches(maker.parameter); });
}

bool chosen(const UnitOptions& options, const Unit& unit) {
  const auto any = [&](const std::vector<std::string>& words) {
    return std::ranges::any_of(words, [&](const auto& word) { return chosen_by(word, unit); });
  };
  return (options.include.empty() || any(options.include)) && !any(options.exclude);
}

/// A unit as far as names go: of each group that has makers, also of blocked ones.
std::vector<Unit> named_units(const Graph& graph, const CoupledChannels& channels) {
  const auto layers = layers_by_outputs(graph);
  std::vector<Unit> units;
  std::map<std::string, int> taken;
  for (size_t g = 0; g < channels.groups().size(); ++g) {
    Unit unit{.group = static_cast<int>(g), .makers = makers_of(graph, channels.groups()[g], layers)};
    if (unit.makers.empty()) continue;
    unit.name = unit.makers.front().parameter;
    // The outputs of one weight may belong to several groups.
    if (const int before = taken[unit.name]++) unit.name += fmt::format("#{}", before + 1);
    unit.channels = std::ssize(channels.groups()[g].channels);
    units.push_back(std::move(unit));
  }
  return units;
}

/// How many outputs of its first weight one channel of the unit is.
int64_t outputs_of_channel(const ChannelGroup& group, const Unit& unit) {
  const int member = group.member(unit.makers.front().parameter, unit.makers.front().axis);
  return std::ssize(group.channels.front().indices.at(static_cast<size_t>(member)));
}

void describe(Unit& unit, const Graph& graph, const ops::Infos& infos) {
  const auto layers = layers_by_outputs(graph);
  std::set<std::string> counted;
  for (const auto& maker : unit.makers) {
    const auto found = layers.find(maker);
    const auto nodes = found == layers.end() ? graph.consumers(maker.parameter) : found->second;
    if (counted.insert(maker.parameter).second) unit.weights += graph.parameter(maker.parameter).value.numel();
    for (const Node* node : nodes)
      if (counted.insert("node " + node->name).second)
        unit.macs += ops::op_of(*node).macs(*node, ops::input_infos(*node, infos), ops::output_infos(*node, infos));
    if (unit.layer.node.empty() && !nodes.empty()) unit.layer = describe_layer(graph, *nodes.front(), maker, infos);
  }
}

std::string reasons(const CoupledChannels& channels, const std::vector<Unit>& units) {
  std::vector<std::string> texts;
  for (const auto& unit : units) {
    const auto& why = channels.groups()[static_cast<size_t>(unit.group)].blocked;
    if (!why.empty() && texts.size() < kReasonsShown) texts.push_back(fmt::format("'{}': {}", unit.name, why));
  }
  return texts.empty() ? "no layer has channels of which some could go" : "what keeps them: " + join(texts, "; ");
}

}  // namespace

int64_t Unit::allowed(int64_t wanted) const {
  if (wanted >= most) return most;
  const int64_t stays = std::max<int64_t>(channels - wanted, 0) / multiple * multiple;
  return std::clamp<int64_t>(channels - stays, 0, most);
}

void UnitOptions::declare(Settings& settings) {
  settings.optional("include", include,
                    "weights, by name or pattern, whose output channels may be removed, with all that is coupled to "
                    "them; none: all");
  settings.optional("exclude", exclude, "weights, by name or pattern, whose output channels stay");
  settings.optional("min_channels", min_channels, "channels that every layer keeps", at_least(1));
  settings.optional("multiple_of", multiple_of, "what stays of a layer that is made smaller is a multiple of it",
                    at_least(1));
}

std::vector<Unit> find_units(const Graph& graph, const CoupledChannels& channels, const UnitOptions& options) {
  const auto infos = ops::infer(graph);
  const auto sets = values_of_groups(graph, channels);
  std::vector<Unit> units;
  for (auto& unit : named_units(graph, channels)) {
    const auto& group = channels.groups()[static_cast<size_t>(unit.group)];
    if (!group.blocked.empty() || !chosen(options, unit)) continue;
    const int64_t outputs = outputs_of_channel(group, unit);
    const auto up = [outputs](int64_t number) { return (number + outputs - 1) / outputs; };
    unit.multiple = up(options.multiple_of);
    const auto& together = sets[static_cast<size_t>(unit.group)];
    for (const auto& set : together) unit.together.emplace_back(set.begin(), set.end());
    unit.most = unit.channels - fewest(unit.channels, together, up(options.min_channels), unit.multiple);
    if (unit.most <= 0) continue;
    describe(unit, graph, infos);
    units.push_back(std::move(unit));
  }
  return units;
}

void check_units(const Graph& graph, const UnitOptions& options, Problems& problems) {
  const CoupledChannels channels(graph);
  const auto units = named_units(graph, channels);
  std::vector<std::string> names;
  for (const auto& unit : units)
    for (const auto& maker : unit.makers) names.push_back(maker.parameter);
  bool known = true;
  for (const auto* words : {&options.include, &options.exclude})
    for (const auto& word : *words) {
      if (std::ranges::any_of(units, [&](const Unit& unit) { return chosen_by(word, unit); })) continue;
      known = false;
      problems.add(request_error("'{}' names no weight whose output channels could be removed", word)
                       .hint(did_you_mean(word, names))
                       .hint("compress summary MODEL --what groups lists them"));
    }
  if (!known || !find_units(graph, channels, options).empty()) return;
  std::vector<Unit> asked;
  for (const auto& unit : units)
    if (chosen(options, unit)) asked.push_back(unit);
  problems.add(request_error("there are no channels to remove")
                   .hint(asked.empty() ? "'include' and 'exclude' leave no layer" : reasons(channels, asked))
                   .hint(options.min_channels > 1 || options.multiple_of > 1
                             ? "'min_channels' and 'multiple_of' may ask for more channels than there are"
                             : ""));
}

}  // namespace compress::search

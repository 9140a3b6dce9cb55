// Channels that the graph couples are ranked as one and go together: whatever makes them (weights along their outputs,
// biases, gamma and beta, gate rows) is masked, so that thinning can remove them exactly. Attentions lose whole heads.
#include "analysis/axis_structures.h"
#include "analysis/channel_role.h"
#include "analysis/coupled_channels.h"
#include "core/log.h"
#include "graph/select.h"
#include "passes/remove_channels.h"
#include "prune/dependency.h"
#include "prune/measure.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <limits>
#include <optional>

namespace compress::prune {

namespace {

using analysis::ChannelGroup;
using analysis::ChannelPlace;
using analysis::CoupledChannels;

/// The channels of a weight, wherever its operator has them.
class ChannelsOfWeight final : public analysis::AxisStructures {
public:
  explicit ChannelsOfWeight(int axis) : AxisStructures(axis) {}
  void check(std::string_view, at::IntArrayRef) const override {}
  bool by_layer() const override { return true; }
};

/// A group of channels that is ranked as one list.
struct CoupledUnit {
  size_t group = 0;
  std::vector<size_t> channels;     ///< of the group, in the order of the first weight
  std::vector<std::string> judges;  ///< the selected weights in it, whose strengths count
  std::vector<size_t> makers;       ///< the members that are masked: what makes the channels, and the judges
  double elements = 0;              ///< weights that the makers hold for all channels
};

/// What a graph makes of the selected weights; valid as long as the graph's version is the same.
struct Layout {
  uint64_t version;
  CoupledChannels channels;
  Graph shapes;
  std::vector<CoupledUnit> units;
};

std::vector<double> numbers_of(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

class Coupled final : public Dependency {
public:
  explicit Coupled(Importance importance) : importance_(importance) {}

  void bind(const Graph& graph,
            std::vector<std::string>& names,
            const std::vector<std::string>& exact,
            const analysis::Granularity& granularity,
            Problems& problems) override;
  std::vector<Unit> units(const Graph& graph, const Criterion& criterion, const Moment& moment) const override;
  std::map<std::string, at::Tensor> masks(const Graph& graph, const std::vector<at::Tensor>& maps) const override;
  std::vector<std::string> masked(const Graph& graph) const override;
  Measured measure(const Graph& graph, const std::vector<at::Tensor>& maps) const override;

  void apply(const Changes& changes) override {
    follow(weights_, changes);
    layout_.reset();
  }
  train::Memory save() const override { return {.values = {{"weights", weights_}}}; }
  void load(const train::Memory& memory) override {
    memory.values.at("weights").get_to(weights_);
    layout_.reset();
  }

private:
  int axis_in(const Graph& graph, const std::string& weight) const {
    return analysis::weight_axis(graph, weight, outputs_);
  }
  std::string obstacle(const Graph& graph, const CoupledChannels& channels, const std::string& weight) const;
  std::vector<CoupledUnit> find_units(const Graph& graph, const CoupledChannels& channels) const;
  const Layout& layout(const Graph& graph) const;
  std::vector<double> importance(const Graph& graph,
                                 const CoupledUnit& unit,
                                 const std::map<std::string, std::vector<double>>& strengths) const;
  at::Tensor present_map(const Graph& graph, const CoupledUnit& unit) const;
  void find_makers(const Graph& graph, const ChannelGroup& group, CoupledUnit& unit) const;

  Importance importance_;
  bool outputs_ = true;  ///< filters: the channels that a weight makes; else those that it reads
  std::vector<std::string> weights_;
  mutable std::optional<Layout> layout_;  ///< of the last graph asked for
};

// ---- which weights and groups
// ------------------------------------------------------------------------------------------------------

/// Why no channel of the weight may be removed; "" when one may.
std::string Coupled::obstacle(const Graph& graph, const CoupledChannels& channels, const std::string& weight) const {
  const int axis = axis_in(graph, weight);
  if (axis >= graph.parameter(weight).value.dim()) return "it has no such axis";
  const auto places = channels.places(weight, axis);
  std::string why = "its channels cannot be followed through the network";
  for (const ChannelPlace& place : places) {
    const auto& group = channels.groups()[static_cast<size_t>(place.group)];
    if (group.blocked.empty() && group.channels.size() > 1) return "";
    why = group.blocked.empty() ? "it has only one channel" : "its channels must stay because of " + group.blocked;
  }
  return why;
}

void Coupled::bind(const Graph& graph,
                   std::vector<std::string>& names,
                   const std::vector<std::string>& exact,
                   const analysis::Granularity& granularity,
                   Problems& problems) {
  if (granularity.axis() != 0 && granularity.axis() != 1) {
    problems.add(request_error("only whole filters and channels are coupled").hint("'dependency: none'"));
    return;
  }
  outputs_ = granularity.axis() == 0;
  const CoupledChannels channels(graph, analysis::Heads::whole);
  std::map<std::string, std::vector<std::string>> left_out;
  std::vector<std::string> usable;
  for (const auto& name : names) {
    const std::string why = obstacle(graph, channels, name);
    if (why.empty())
      usable.push_back(name);
    else if (std::ranges::find(exact, name) == exact.end())
      left_out[why].push_back(name);
    else
      problems.add(
          request_error("the channels of '{}' cannot be pruned: {}", name, why)
              .hint("leave it out of 'weights'; 'compress summary MODEL --what groups' shows what is coupled"));
  }
  for (const auto& [why, skipped] : left_out)
    log::info("[coupled] {} weight{} matched by a pattern left out ('{}'{}): {}", skipped.size(),
              skipped.size() == 1 ? "" : "s", skipped.front(), skipped.size() == 1 ? "" : ", ...", why);
  if (usable.empty() && problems.empty())
    problems.add(request_error("none of the {} selected weights has channels that may be removed", names.size())
                     .hint("'compress summary MODEL --what groups' shows what blocks them"));
  names = weights_ = std::move(usable);
  layout_.reset();
}

std::vector<CoupledUnit> Coupled::find_units(const Graph& graph, const CoupledChannels& channels) const {
  std::vector<CoupledUnit> units;
  std::map<size_t, size_t> unit_of_group;
  for (const auto& weight : weights_) {
    for (const ChannelPlace& place : channels.places(weight, axis_in(graph, weight))) {
      const auto group = static_cast<size_t>(place.group), channel = static_cast<size_t>(place.channel);
      const auto& whole = channels.groups()[group];
      if (!whole.blocked.empty() || whole.channels.size() < 2) continue;
      const auto [found, fresh] = unit_of_group.try_emplace(group, units.size());
      if (fresh) units.push_back({.group = group});
      CoupledUnit& unit = units[found->second];
      if (unit.judges.empty() || unit.judges.back() != weight) unit.judges.push_back(weight);
      if (unit.judges.size() == 1 && std::ranges::find(unit.channels, channel) == unit.channels.end())
        unit.channels.push_back(channel);
    }
  }
  for (auto& unit : units) find_makers(graph, channels.groups()[unit.group], unit);
  return units;
}

const Layout& Coupled::layout(const Graph& graph) const {
  if (layout_ && layout_->version == graph.version()) return *layout_;
  CoupledChannels channels(graph, analysis::Heads::whole);
  auto units = find_units(graph, channels);
  layout_.emplace(Layout{graph.version(), std::move(channels), without_numbers(graph), std::move(units)});
  return *layout_;
}

void Coupled::find_makers(const Graph& graph, const ChannelGroup& group, CoupledUnit& unit) const {
  for (size_t m = 0; m < group.members.size(); ++m) {
    const auto& [name, axis] = group.members[m];
    const Parameter& parameter = graph.parameter(name);
    const bool judges = std::ranges::find(unit.judges, name) != unit.judges.end() && axis == axis_in(graph, name);
    if (!judges && !analysis::makes_channels(graph, parameter, axis)) continue;
    unit.makers.push_back(m);
    if (parameter.value.dim() < 2) continue;
    double indices = 0;
    for (const auto& channel : group.channels) indices += static_cast<double>(channel.indices[m].size());
    unit.elements +=
        indices * static_cast<double>(parameter.value.numel()) / static_cast<double>(parameter.value.size(axis));
  }
}

// ---- ranking
// -----------------------------------------------------------------------------------------------------------------------

std::vector<double> Coupled::importance(const Graph& graph,
                                        const CoupledUnit& unit,
                                        const std::map<std::string, std::vector<double>>& strengths) const {
  const auto& group = layout(graph).channels.groups()[unit.group];
  std::vector<double> result;
  std::vector<size_t> members;
  for (const auto& weight : unit.judges)
    members.push_back(static_cast<size_t>(group.member(weight, axis_in(graph, weight))));
  for (const size_t channel : unit.channels) {
    double sum = 0, highest = -std::numeric_limits<double>::infinity();
    size_t count = 0;
    for (size_t j = 0; j < unit.judges.size(); ++j)
      for (const int64_t index : group.channels[channel].indices[members[j]]) {
        const double strength = strengths.at(unit.judges[j])[static_cast<size_t>(index)];
        sum += strength;
        highest = std::max(highest, strength);
        ++count;
      }
    result.push_back(importance_ == Importance::sum    ? sum
                     : importance_ == Importance::mean ? sum / static_cast<double>(count)
                                                       : highest);
  }
  return result;
}

/// 0 for channels that the masks of all selected weights have removed already; undefined when one has no mask.
at::Tensor Coupled::present_map(const Graph& graph, const CoupledUnit& unit) const {
  const auto& group = layout(graph).channels.groups()[unit.group];
  std::vector<float> map(unit.channels.size());
  for (const auto& weight : unit.judges) {
    const at::Tensor& mask = graph.parameter(weight).mask;
    if (!mask.defined()) return {};
    const int axis = axis_in(graph, weight);
    const auto kept = numbers_of(mask.transpose(0, axis).flatten(1).amax(1));
    const auto member = static_cast<size_t>(group.member(weight, axis));
    for (size_t c = 0; c < map.size(); ++c)
      for (const int64_t index : group.channels[unit.channels[c]].indices[member])
        if (kept[static_cast<size_t>(index)] != 0) map[c] = 1;
  }
  return at::tensor(map);
}

std::vector<Unit> Coupled::units(const Graph& graph, const Criterion& criterion, const Moment& moment) const {
  const Layout& here = layout(graph);
  std::map<std::string, std::vector<double>> strengths;
  for (const auto& weight : weights_) {
    const ChannelsOfWeight granularity(axis_in(graph, weight));
    strengths[weight] = numbers_of(
        criterion.strengths({.graph = graph, .parameter = weight, .granularity = granularity, .moment = moment}));
  }
  std::vector<Unit> units;
  for (const auto& unit : here.units) {
    Unit& made = units.emplace_back(Unit{.name = unit.judges.front()});
    made.strengths = at::tensor(importance(graph, unit, strengths), at::kDouble).to(at::kFloat);
    made.map = present_map(graph, unit);
    made.elements = unit.elements / static_cast<double>(unit.channels.size());
  }
  return units;
}

// ---- what the maps mean
// ---------------------------------------------------------------------------------------------------------

std::map<std::string, at::Tensor> Coupled::masks(const Graph& graph, const std::vector<at::Tensor>& maps) const {
  const Layout& here = layout(graph);
  std::map<std::string, at::Tensor> masks;
  for (size_t u = 0; u < here.units.size(); ++u) {
    const CoupledUnit& unit = here.units[u];
    const auto& group = here.channels.groups()[unit.group];
    const auto kept = numbers_of(maps[u]);
    for (const size_t m : unit.makers) {
      const auto& [name, axis] = group.members[m];
      const at::Tensor& value = graph.parameter(name).value;
      auto& mask = masks[name];
      if (!mask.defined()) mask = at::ones(value.sizes(), value.options().requires_grad(false));
      std::vector<int64_t> gone;
      for (size_t c = 0; c < unit.channels.size(); ++c) {
        const auto& indices = group.channels[unit.channels[c]].indices[m];
        if (kept[c] == 0) gone.insert(gone.end(), indices.begin(), indices.end());
      }
      if (!gone.empty()) mask.index_fill_(axis, at::tensor(gone, at::kLong).to(value.device()), 0);
    }
  }
  return masks;
}

/// The selected weights, then what goes with them.
std::vector<std::string> Coupled::masked(const Graph& graph) const {
  std::vector<std::string> names = weights_;
  const Layout& here = layout(graph);
  for (const auto& unit : here.units)
    for (const size_t m : unit.makers) {
      const auto& name = here.channels.groups()[unit.group].members[m].parameter;
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  return names;
}

Measured Coupled::measure(const Graph& graph, const std::vector<at::Tensor>& maps) const {
  const Layout& here = layout(graph);
  std::vector<bool> removed(here.channels.pool().size());
  double elements = 0, zeros = 0;
  for (size_t u = 0; u < here.units.size(); ++u) {
    const CoupledUnit& unit = here.units[u];
    const auto kept = numbers_of(maps[u]);
    elements += unit.elements;
    for (size_t c = 0; c < unit.channels.size(); ++c) {
      if (kept[c] != 0) continue;
      removed[static_cast<size_t>(here.channels.groups()[unit.group].channels[unit.channels[c]].root)] = true;
      zeros += unit.elements / static_cast<double>(unit.channels.size());
    }
  }
  for (size_t atom = 0; atom < removed.size(); ++atom)
    removed[atom] = removed[static_cast<size_t>(here.channels.pool().find(static_cast<ops::Atom>(atom)))];
  Graph smaller = here.shapes.clone();
  if (zeros > 0) passes::remove_channels(smaller, here.channels, removed);
  Measured measured = measure_dense(smaller);
  measured.sparsity = elements == 0 ? 0 : zeros / elements;
  return measured;
}

}  // namespace

std::unique_ptr<Dependency> make_coupled(Importance importance) {
  return std::make_unique<Coupled>(importance);
}

}  // namespace compress::prune

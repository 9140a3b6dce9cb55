#include "prune/independent.h"

#include "analysis/axis_structures.h"
#include "analysis/channel_role.h"
#include "graph/select.h"
#include "prune/measure.h"
#include "prune/uncoupled.h"

#include <ATen/core/Tensor.h>

namespace compress::prune {

namespace {

/// Filters and channels lie where the layer's operator stores its outputs and inputs.
class LayerAxis final : public analysis::AxisStructures {
public:
  explicit LayerAxis(int axis) : AxisStructures(axis) {}
  void check(std::string_view, at::IntArrayRef) const override {}
  bool by_layer() const override { return true; }
};

template <class Use>
auto in_weight(const Graph& graph, const std::string& name, const analysis::Granularity& granularity, Use&& use) {
  if (!granularity.by_layer()) return use(granularity);
  const LayerAxis along(analysis::weight_axis(graph, name, granularity.axis() == 0));
  return use(static_cast<const analysis::Granularity&>(along));
}

}  // namespace

void Independent::bind(const Graph& graph,
                       std::vector<std::string>& names,
                       const std::vector<std::string>&,
                       const analysis::Granularity& granularity,
                       Problems&) {
  granularity_ = &granularity;
  names_ = names;
  if (!granularity.by_layer()) return;
  const bool filters = granularity.axis() == 0;
  const auto lines = uncoupled_weights(graph, names, filters, shares_one_map());
  warn_of_uncoupled(lines);
  if (filters) uncoupled_ = lines;  // channels are masked where they are read, often for its own sake
}

int64_t Independent::structures(const Graph& graph, const std::string& name) const {
  return in_weight(graph, name, *granularity_, [&](const analysis::Granularity& granularity) {
    return granularity.gather(graph.parameter(name).value.detach()).size(0);
  });
}

at::Tensor Independent::present_map(const Graph& graph, const std::string& name) const {
  const auto& mask = graph.parameter(name).mask;
  if (!mask.defined()) return {};
  return in_weight(graph, name, *granularity_, [&](const analysis::Granularity& granularity) {
    const auto gathered = granularity.gather(mask);
    return gathered.size(1) == 1 ? gathered.squeeze(1) : gathered.amax(1);
  });
}

at::Tensor Independent::spread(const Graph& graph, const std::string& name, const at::Tensor& map) const {
  return in_weight(graph, name, *granularity_, [&](const analysis::Granularity& granularity) {
    return granularity.scatter(map, graph.parameter(name).value.sizes());
  });
}

Unit Independent::unit(const Graph& graph,
                       const std::string& name,
                       const Criterion& criterion,
                       const Moment& moment) const {
  Unit unit{.name = name, .strengths = {}, .map = present_map(graph, name)};
  unit.strengths = in_weight(graph, name, *granularity_, [&](const analysis::Granularity& granularity) {
    return criterion.strengths({graph, name, granularity, moment});
  });
  unit.elements =
      static_cast<double>(graph.parameter(name).value.numel()) / static_cast<double>(unit.strengths.numel());
  return unit;
}

std::vector<Unit> Independent::units(const Graph& graph, const Criterion& criterion, const Moment& moment) const {
  std::vector<Unit> units;
  for (const auto& name : names_) units.push_back(unit(graph, name, criterion, moment));
  return units;
}

std::map<std::string, at::Tensor> Independent::masks(const Graph& graph, const std::vector<at::Tensor>& maps) const {
  std::map<std::string, at::Tensor> masks;
  for (size_t i = 0; i < names_.size(); ++i) masks[names_[i]] = spread(graph, names_[i], maps[i]);
  return masks;
}

Measured Independent::measure(const Graph& graph, const std::vector<at::Tensor>& maps) const {
  return measure_masked(graph, masks(graph, maps));
}

void Independent::apply(const Changes& changes) {
  follow(names_, changes);
}

train::Memory Independent::save() const {
  return {.values = {{"weights", names_}}, .tensors = {}};
}

void Independent::load(const train::Memory& memory) {
  memory.values.at("weights").get_to(names_);
}

std::unique_ptr<Dependency> make_independent() {
  return std::make_unique<Independent>();
}

}  // namespace compress::prune
